"""Blindness: which series could lose half of their values unseen, told by their limits, and which setting would open their eyes.

A series is judged once more by itself, sample by sample. It sees a loss where its lower limit lies above half of what was expected, and a doubling where
its upper limit lies below twice of it. A volume has to see a loss, a latency a doubling, any other value one of them. It is blind if that held for fewer than a
tenth of the later half of its samples; one with fewer than thirty samples in all of history is too young to tell. What could help, the first that shows half of such changes:

1. `direction: both`, where a loss is no news by the configuration.
2. `min_effect: 20%`, where the configuration ignores more.
3. `min_volume: 0`, where what is expected lies below it.
4. `false_alarms: 1 per 7d`: limits are as wide as the ceiling asks for.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec
import numpy as np

from detectors.numeric import Direction, Kind, NumericBank
from detectors.settings import MIN_EFFECT, SeriesSettings
from stream.trial.noise import Candidate
from stream.trial.samples import Points

JUDGED_MIN: Final = 30
BLIND_BELOW: Final = 0.1
SEES_FROM: Final = 0.5
LOSS: Final = 0.5
_SIDES: Final = {"both": Direction.BOTH, "up": Direction.UP, "down": Direction.DOWN}
_LOOSER: Final = "1 per 7d"
_LOOSER_PER_DAY: Final = 1 / 7


class Sight(NamedTuple):
    """Of how many samples what share would have shown a halving or a doubling, whichever counts."""

    samples: int
    share: float

    @property
    def is_blind(self) -> bool:
        """Whether hardly any would have; those with too few samples are not meant."""
        return self.samples >= JUDGED_MIN and self.share < BLIND_BELOW


def sight(signal: str, points: Points, settings: SeriesSettings) -> Sight:
    """What a series could have seen with these settings. It is judged by itself: like series do not help it."""
    if len(points.values) < JUDGED_MIN:
        return Sight(len(points.values), 0.0)
    bank = NumericBank()
    slot = bank.add(
        Kind.VALUES if signal == "value" else Kind.RUNS,
        direction=_SIDES[settings.direction],
        false_alarms_per_day=settings.false_alarms_per_day,
        min_effect=settings.min_effect,
        min_volume=settings.min_volume if signal == "volume" else 0.0,
        persistence=settings.persistence,
        time_zone=settings.time_zone,
    )
    said = bank.judge_many(np.full(len(points.values), slot), points.times_ms, points.values)
    later = said[len(said) // 2 :]
    expected = later["expected"]
    known = np.isfinite(expected) & (expected > 0)
    loss, doubling = later["lower"] > expected * LOSS, later["upper"] < expected / LOSS
    if signal == "volume":
        seen = loss & (expected >= settings.min_volume)
    else:
        seen = doubling if signal == "latency" else loss | doubling
    return Sight(len(points.values), float(np.mean(seen[known])) if known.any() else 1.0)


def candidate(signal: str, points: Points, settings: SeriesSettings) -> tuple[Candidate, Sight] | None:
    """The first setting that would show half of such changes, and what would be seen with it."""
    for offered, changed in _offered(signal, settings):
        found = sight(signal, points, changed)
        if found.share >= SEES_FROM:
            return offered, found
    return None


def _offered(signal: str, settings: SeriesSettings) -> Iterator[tuple[Candidate, SeriesSettings]]:
    if signal != "latency" and settings.direction == "up":
        yield (
            Candidate("direction", "both", "a loss is no news by its direction"),
            msgspec.structs.replace(settings, direction="both"),
        )
    if settings.min_effect > MIN_EFFECT:
        yield (
            Candidate(
                "min_effect", f"{MIN_EFFECT:.0%}", f"differences below {settings.min_effect:.0%} are ignored"
            ),
            msgspec.structs.replace(settings, min_effect=MIN_EFFECT),
        )
    if signal == "volume" and settings.min_volume:
        yield (
            Candidate("min_volume", 0, f"amounts below {settings.min_volume:g} are ignored"),
            msgspec.structs.replace(settings, min_volume=0.0),
        )
    if settings.false_alarms_per_day < _LOOSER_PER_DAY:
        yield (
            Candidate("false_alarms", _LOOSER, "its limits are as wide as its ceiling asks for"),
            msgspec.structs.replace(settings, false_alarms_per_day=_LOOSER_PER_DAY),
        )
