"""The parts of a follower: the series that it consists of, what they are called, and how each is tuned."""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from detectors import follower_layout as layout
from detectors.core.layout import Records
from detectors.numeric import Direction, tuned
from detectors.numeric_layout import TUNED
from detectors.samples import FollowerKind, Key
from detectors.series import HOURLY_MEAN, Labels, Signal, measured
from detectors.settings import BUILT_IN, VOLUME_SIGNALS, Model, SeriesSettings, Settings

MEASURES: Final = {layout.ROWS: "rows", layout.BYTES: "bytes", layout.EVENTS: "events"}
_SIGNALS: Final = (
    Signal.LATENCY,
    Signal.VOLUME,
    Signal.VOLUME,
    Signal.VOLUME,
    Signal.FAILURES,
    Signal.DUPLICATES,
    Signal.FRESHNESS,
    Signal.LATENESS,
)
_UNITS: Final = ("ms", "rows", "bytes", "events", "share", "share", "ms", "share")
_OF_VALUES: Final = {layout.FRESHNESS: Signal.FRESHNESS, layout.LATENESS: Signal.LATENESS}
"""Parts of a follower of one value besides the value itself."""
_SIDES: Final = {"both": Direction.BOTH, "up": Direction.UP, "down": Direction.DOWN}
_KINDS: Final = {
    FollowerKind.RUN_EVENTS: dict(enumerate(_SIGNALS)),
    FollowerKind.VALUE: {0: Signal.VALUE, layout.HOURLY: Signal.VALUE, **_OF_VALUES},
    FollowerKind.AMOUNT: {0: Signal.VOLUME, **_OF_VALUES},
    FollowerKind.SCHEMA: {},
    FollowerKind.DELAY: {0: Signal.LATENCY},
}


class Series(NamedTuple):
    """The name of one series."""

    signal: Signal
    labels: Labels
    unit: str


def series_of(key: Key, part: int) -> Series:
    """The name of one part of the follower of a key."""
    if key.follower_kind != FollowerKind.RUN_EVENTS and part not in _OF_VALUES:
        labels = measured(key.labels, HOURLY_MEAN) if part == layout.HOURLY else key.labels
        return Series(Signal(key.kind), labels, key.unit)
    measure = MEASURES.get(part)
    labels = measured(key.labels, measure) if measure else key.labels
    return Series(_SIGNALS[part], labels, _UNITS[part])


def parts_of(key: Key) -> Iterable[int]:
    """The parts of the follower of a key."""
    return _KINDS[FollowerKind(key.follower_kind)]


def volume_keys(labels: Labels) -> tuple[Key, Key]:
    """The keys of how many records, and how many bytes, come in a window."""
    records, size = (Key(Signal.VOLUME, measured(labels, unit), unit) for unit in ("records", "bytes"))
    return records, size


def delay_key(signal: Signal, labels: Labels, measure: str) -> Key:
    """The key of a quantile of delays in a window: of those from event time to broker (`latency`), or behind other records (`lateness`)."""
    return Key(signal, measured(labels, measure), "ms")


def _of_part(kind: int, part: int, settings: SeriesSettings) -> SeriesSettings:
    """Of hours only falls count, unless nothing below does, and no model of the user's is asked about them."""
    if kind != FollowerKind.VALUE or part != layout.HOURLY:
        return settings
    direction = "up" if settings.direction == "up" else "down"
    return msgspec.structs.replace(settings, direction=direction, model=Model(BUILT_IN))


class Part(NamedTuple):
    """One series of a follower: the follower's place, and which of its parts."""

    place: int
    part: int


class Tunings:
    """The settings that are in use, as TUNED records; a follower names those of each of its parts by number.

    `zone_of` numbers time zones by name.
    """

    def __init__(self, settings: Settings, zone_of: Callable[[str], int]) -> None:
        self._settings, self._zone_of = settings, zone_of
        self._numbers: dict[SeriesSettings, int] = {}
        self.records: Records = np.zeros(0, TUNED)
        self.models: list[Model | None] = []
        """The models that are asked, None where the built-in heads judge alone."""

    def by_kind(self) -> npt.NDArray[np.int32]:
        """The numbers of each part (columns) by the kind of follower (rows), rules left out."""
        numbers = np.zeros((layout.KINDS, layout.PARTS), np.int32)
        for kind, signals in _KINDS.items():
            for part, signal in signals.items():
                settings = _of_part(kind, part, self._settings.for_signal(signal))
                numbers[kind, part] = self._number(signal, settings)
        return numbers

    def of(self, key: Key) -> list[int]:
        """The numbers of each part of one key's follower."""
        numbers = [0] * layout.PARTS
        for part in parts_of(key):
            name = series_of(key, part)
            settings = self._settings.for_series(name.signal, dict(name.labels))
            numbers[part] = self._number(name.signal, _of_part(key.follower_kind, part, settings))
        return numbers

    def _number(self, signal: Signal, settings: SeriesSettings) -> int:
        if signal not in VOLUME_SIGNALS:
            settings = msgspec.structs.replace(settings, min_volume=0.0)
        number = self._numbers.get(settings)
        if number is None:
            number = self._numbers[settings] = len(self.records)
            model = None if settings.model.name == BUILT_IN else settings.model
            record = tuned(
                _SIDES[settings.direction],
                settings.false_alarms_per_day,
                settings.min_effect,
                min_volume=settings.min_volume,
                persistence=settings.persistence,
                zone=self._zone_of(settings.time_zone),
                season=settings.season,
                asked=model is not None,
            )
            self.models.append(model)
            self.records = np.concatenate([self.records, record])
        return number
