"""Which series are noisy, and which settings may help them, by their alerts."""

import msgspec

from detectors.alerts import Alert, Effect
from detectors.settings import Persistence, SeriesSettings
from detectors.verdicts import Change, Direction
from stream.trial.episodes import Episode, episodes
from stream.trial.noise import Candidate, candidates, is_noisy
from tests.stream.trial.told import DAY_MS, START_MS, told

PLAIN = SeriesSettings()


def alerts(
    *effects: float | None, change: Change = Change.SHIFT, side: Direction | None = Direction.UP, n: int = 100
) -> list[Episode]:
    """One alert a day with these effects."""
    made: list[Alert] = []
    for day, effect in enumerate(effects):
        first = told(f"{side}-{day}", 24 * day, None)[0]
        baseline = msgspec.structs.replace(first.baseline, n=n)
        changed = {"effect": Effect(None, effect), "change": change, "direction": side, "baseline": baseline}
        made.append(msgspec.structs.replace(first, **changed))
    return episodes(made, START_MS + 30 * DAY_MS)


def keys(found: list[Candidate]) -> dict[str, str | int]:
    return {it.key: it.value for it in found}


def test_noisy_is_what_alarms_three_times_and_over_twice_its_ceiling():
    month = 30 * DAY_MS
    assert is_noisy(3, PLAIN, month)
    assert not is_noisy(2, PLAIN, month)
    assert not is_noisy(6, PLAIN, 3 * month)
    assert is_noisy(7, PLAIN, 3 * month)


def test_single_samples_may_be_quieted_by_persistence_unless_it_is_asked_for_already():
    single = alerts(2.0, 2.0, 2.0, change=Change.POINT)
    assert list(keys(candidates("volume", PLAIN, single, []))) == ["persistence", "false_alarms"]
    patient = SeriesSettings(persistence=Persistence(2, 3))
    assert list(keys(candidates("volume", patient, single, []))) == ["false_alarms"]
    assert list(keys(candidates("freshness", PLAIN, single, []))) == ["false_alarms"]


def test_small_effects_may_be_quieted_by_a_least_effect_below_what_is_explained():
    small = alerts(0.22, -0.28, 0.6)
    assert keys(candidates("volume", PLAIN, small, []))["min_effect"] == "30%"
    assert keys(candidates("volume", PLAIN, small, alerts(0.35)))["min_effect"] == "30%"
    assert "min_effect" not in keys(candidates("volume", PLAIN, small, alerts(0.25)))
    assert "min_effect" not in keys(candidates("volume", PLAIN, alerts(3.0, None, None), []))


def test_a_side_on_which_only_noise_lies_may_be_left_out_if_something_real_lies_on_the_other():
    up, down = alerts(2.0, 2.0, 2.0), alerts(-0.9, side=Direction.DOWN)
    assert keys(candidates("volume", PLAIN, up, down))["direction"] == "down"
    assert "direction" not in keys(candidates("volume", PLAIN, up, []))
    assert "direction" not in keys(candidates("volume", PLAIN, up + down, down))
    assert "direction" not in keys(candidates("latency", SeriesSettings(direction="up"), up, down))


def test_rates_of_few_runs_may_wait_for_more():
    assert keys(candidates("failures", PLAIN, alerts(2.0, 2.0, 2.0, n=12), []))["min_volume"] == 20
    assert "min_volume" not in keys(candidates("failures", PLAIN, alerts(2.0, 2.0, 2.0, n=500), []))
    assert "min_volume" not in keys(candidates("volume", PLAIN, alerts(2.0, 2.0, 2.0, n=12), []))


def test_what_is_strict_already_gets_no_other_ceiling():
    strict = SeriesSettings(false_alarms_per_day=1 / 365)
    assert candidates("volume", strict, alerts(5.0, 5.0, 5.0), []) == []
