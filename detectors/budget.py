"""From a ceiling on false alarms to the thresholds of the detectors.

The core's threshold follows what was measured on one-minute service metrics that it had not been tuned on: 0.2 false
alerts a series and week at 5.2, 0.55 at 4.4, 1.1 at 3.95, hence 0.72 of threshold for each factor e. At a five-minute
cadence the same 4.4 realised about 0.25 a week, which is one in 30 days: that is the default budget's threshold.
Outside 3.95 to 5.2 the line is extrapolated. A score of 3 is a routine peak, so no budget goes below it.

The small-sample head has p-values, so its alpha is the budgeted alarms over the expected samples of the same time, and
never above 0.0027 (three sigma): a daily series with one alarm in 30 days allowed would else alarm on one run in 30.
"""

import math

from detectors.compiled import inner

FALSE_ALARMS_PER_DAY = 1 / 30
"""The default budget: 1 per 30 days for each series."""
THRESHOLD = 4.4
THRESHOLD_MIN = 3.0
THRESHOLD_STEP = 0.72
"""Threshold for each factor e of false alarms."""
ALPHA_MAX = 0.0027
YOUNG_MARKUP = 1.0
"""Added to the core's threshold in a series' first day, fading away in its second: see `young_markup`."""
_DAY_S = 86_400.0


def threshold_for(false_alarms_per_day: float) -> float:
    """The core's threshold for a ceiling on false alarms of one series.

    Raises:
        ValueError: the rate is not a positive finite number.
    """
    if not (math.isfinite(false_alarms_per_day) and false_alarms_per_day > 0):
        raise ValueError(f"a budget of false alarms must be above 0 a day, not {false_alarms_per_day}")
    excess = math.log(false_alarms_per_day / FALSE_ALARMS_PER_DAY)
    return max(THRESHOLD_MIN, THRESHOLD - THRESHOLD_STEP * excess)


@inner
def alpha_for(false_alarms_per_day: float, interval_s: float) -> float:
    """p-value at which a series with a sample every `interval_s` seconds alarms."""
    return min(ALPHA_MAX, false_alarms_per_day * interval_s / _DAY_S)


@inner
def young_markup(age_ms: int) -> float:
    """What a series has to exceed the core's threshold by while it is young, `age_ms` after its first sample.

    Before a series has seen each hour of day, its usual ups and downs surprise: on the NAB series in tests the first day
    brought ten times as many alerts as a later one. The markup halves them.
    """
    return YOUNG_MARKUP * min(max(2.0 - age_ms / 86_400_000, 0.0), 1.0)


@inner
def score_of_p_value(p_value: float, alpha: float, threshold: float) -> float:
    """A p-value on the scale of the core's score: `threshold` at `alpha`, one step for each factor e."""
    return max(0.0, threshold + THRESHOLD_STEP * math.log(alpha / max(p_value, 1e-15)))


@inner
def chance_of_p_value(p_value: float, interval_s: float) -> float:
    """How often per day ordinary samples, one every `interval_s` seconds, have a p-value of at most this."""
    return p_value * _DAY_S / interval_s if interval_s > 0 else math.inf


@inner
def p_value_of_score(score: float, interval_s: float) -> float:
    """How likely a sample reaches a score of the core, by the same line as `threshold_for`, where nothing better is known."""
    per_day = FALSE_ALARMS_PER_DAY * math.exp((THRESHOLD - score) / THRESHOLD_STEP)
    return min(1.0, per_day * interval_s / _DAY_S)


@inner
def coarse_place(false_alarms_per_day: float, interval_ms: float) -> int:
    """The place of `alpha_for` on a grid of quarter octaves, rounded down; see `coarse_alpha`.

    0 stands for `ALPHA_MAX`, which also holds while the interval is not known (0 or less).
    """
    alpha = alpha_for(false_alarms_per_day, interval_ms / 1000.0) if interval_ms > 0 else ALPHA_MAX
    return 0 if alpha >= ALPHA_MAX else -math.floor(4.0 * math.log2(alpha))


@inner
def coarse_alpha(place: int) -> float:
    """The alpha at a place of the grid, for callers that remember what they worked out for it."""
    return ALPHA_MAX if place == 0 else 2.0 ** (-0.25 * place)
