"""Noise: which series alarm too often, and which settings could stop that, told from the alerts themselves.

A series is noisy if it had at least three alerts that nothing explains, and more than twice what its ceiling allows in that time. With labels,
what belongs to an incident is explained; without them nothing is. What could help, in the order in which it costs least:

1. `direction`, where all that is unexplained lies on one side and, by the labels, something that is explained on the other.
2. `persistence: 2 of 3`, where two thirds of it were single samples.
3. `min_effect`, the least of a few round shares that two thirds of it fall below; not above what is explained.
4. `min_volume`, for rates that were judged by few runs: as many as two thirds of it had at most.
5. `false_alarms: 1 per 90d`, a ceiling three times as strict.

Whether one helps is not decided here: each is tried by running history again.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from detectors.settings import VOLUME_SIGNALS, SeriesSettings
from detectors.verdicts import Change
from stream.trial.episodes import Episode

UNEXPLAINED_MIN: Final = 3
CEILING_TIMES: Final = 2.0
MOST: Final = 2 / 3
EFFECTS: Final = (0.25, 0.3, 0.4, 0.5, 0.75, 1.0)
COUNTS: Final = (10, 20, 30, 50, 100, 200)
PERSISTENCE: Final = "2 of 3"
STRICT: Final = "1 per 90d"
STRICT_PER_DAY: Final = 1 / 90
DAY_MS: Final = 86_400_000
_NUMERIC: Final = frozenset({"latency", "volume", "value"})
_RATES: Final = VOLUME_SIGNALS - {"volume"}


class Candidate(NamedTuple):
    """A setting that may help, as people write it, and the reason to think so."""

    key: str
    value: str | int
    why: str


def is_noisy(unexplained: int, settings: SeriesSettings, span_ms: int) -> bool:
    """Whether so many alerts are too many in this time."""
    allowed = settings.false_alarms_per_day * span_ms / DAY_MS
    return unexplained >= UNEXPLAINED_MIN and unexplained > CEILING_TIMES * allowed


def candidates(
    signal: str, settings: SeriesSettings, unexplained: Sequence[Episode], explained: Sequence[Episode]
) -> list[Candidate]:
    """What may quiet a noisy series, what costs least first."""
    found = [
        _direction(settings, unexplained, explained),
        _persistence(signal, settings, unexplained),
        _min_effect(settings, unexplained, explained),
        _min_volume(signal, settings, unexplained),
        _false_alarms(settings),
    ]
    return [it for it in found if it is not None]


def _direction(
    settings: SeriesSettings, unexplained: Sequence[Episode], explained: Sequence[Episode]
) -> Candidate | None:
    sides = {it.first.direction for it in unexplained}
    others = {it.first.direction for it in explained}
    if settings.direction != "both" or len(sides) != 1 or None in sides or not others or sides & others:
        return None
    side = "up" if "up" in sides else "down"
    other = "down" if side == "up" else "up"
    return Candidate("direction", other, f"all that nothing explains go {side}, and no incident did")


def _persistence(signal: str, settings: SeriesSettings, unexplained: Sequence[Episode]) -> Candidate | None:
    single = sum(it.first.change is Change.POINT for it in unexplained)
    if signal not in _NUMERIC or settings.persistence.needed > 1 or single < MOST * len(unexplained):
        return None
    return Candidate("persistence", PERSISTENCE, f"{single} of {len(unexplained)} were single samples")


def _min_effect(
    settings: SeriesSettings, unexplained: Sequence[Episode], explained: Sequence[Episode]
) -> Candidate | None:
    effects = sorted(_effect(it) for it in unexplained)
    most = effects[max(0, round(MOST * len(effects)) - 1)]
    bound = min([_effect(it) for it in explained], default=float("inf"))
    fits = [it for it in EFFECTS if most < it < bound and it > settings.min_effect]
    if not fits:
        return None
    return Candidate(
        "min_effect",
        f"{fits[0]:.0%}",
        f"two thirds differed by no more than {most:.0%} from what was expected",
    )


def _effect(it: Episode) -> float:
    relative = it.first.effect.relative
    return float("inf") if relative is None else abs(relative)


def _min_volume(signal: str, settings: SeriesSettings, unexplained: Sequence[Episode]) -> Candidate | None:
    counts = sorted(it.first.baseline.n for it in unexplained)
    most = counts[max(0, round(MOST * len(counts)) - 1)]
    fits = [it for it in COUNTS if it > most and it > settings.min_volume]
    if signal not in _RATES or not fits:
        return None
    return Candidate("min_volume", fits[0], f"two thirds were judged by no more than {most} runs")


def _false_alarms(settings: SeriesSettings) -> Candidate | None:
    if settings.false_alarms_per_day <= STRICT_PER_DAY:
        return None
    return Candidate("false_alarms", STRICT, "nothing that costs less is sure to help")
