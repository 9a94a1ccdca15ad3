"""Relearning: what people say of a series goes into what is known of it. Only its samples from here on count, or its new level is the level."""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np

from detectors import follower_layout as layout
from detectors import numeric_slots
from detectors.core.layout import Record
from detectors.followers import Followers
from detectors.numeric_layout import LIGHT_BLOCK_BITS, MODEL_BLOCK_BITS, RUNS
from detectors.parts import parts_of, series_of
from detectors.reports import RATES
from detectors.series import Labels, Signal

RELEARNED: Final = frozenset(
    {Signal.LATENCY, Signal.VOLUME, Signal.VALUE, Signal.FAILURES, Signal.DUPLICATES, Signal.LATENESS}
)
"""The signals whose series can be learned anew."""
LEVELLED: Final = frozenset({Signal.LATENCY, Signal.VOLUME, Signal.VALUE})
"""The signals whose series have a level."""
_OF_NEW_LEVEL: Final = (
    *("rise", "fall", "recent", "shifted", "unrest"),
    *("new_runs", "new_since_ms", "proposed", "missed", "new_mean", "new_late", "new_square"),
)


class _Found(NamedTuple):
    place: int
    part: int


def relearn(followers: Followers, signal: Signal, labels: Labels) -> bool:
    """Forget what is known of a series; whether anything was."""
    return any(_forget(followers, found) for found in _find(followers, signal, labels))


def accept_level(followers: Followers, signal: Signal, labels: Labels) -> bool:
    """Make the level that the latest runs of a series agree on its level; without one, learn it anew."""
    return any(
        _accept(followers, found) or _forget(followers, found) for found in _find(followers, signal, labels)
    )


def _find(followers: Followers, signal: Signal, labels: Labels) -> Iterator[_Found]:
    """The parts that are called so: what is counted in different units shares a signal, told apart by a label."""
    for place in followers.all_places():
        key = followers.key(place)
        if set(key.labels) <= set(labels):
            for part in parts_of(key):
                series = series_of(key, part)
                if (series.signal, series.labels) == (signal, labels):
                    yield _Found(place, part)


def _forget(followers: Followers, found: _Found) -> bool:
    arrays = followers.arrays
    follower = arrays.followers[found.place]
    followers.touch(found.place, int(follower["seen_ms"]))
    if found.part in RATES:
        follower[RATES[found.part]] = np.zeros((), layout.OUTCOMES)
        return True
    slot = _slot(follower, found.part)
    if slot is None:
        return False
    numeric_slots.release(arrays.bank, slot)
    follower["slots"][found.part] = 0
    arrays.counters[layout.SERIES] -= 1
    return True


def _accept(followers: Followers, found: _Found) -> bool:
    bank = followers.arrays.bank
    slot = _slot(followers.arrays.followers[found.place], found.part)
    if slot is None or bank.light[slot]["kind"] != RUNS or bank.light[slot]["deep"] <= 0:
        return False
    place = int(bank.light[slot]["deep"])
    model = bank.models[place]
    if not model["new_runs"]:
        return False
    _take_level(bank.light[slot], model)
    bank.light_dirty[slot >> LIGHT_BLOCK_BITS] = bank.models_dirty[place >> MODEL_BLOCK_BITS] = 1
    return True


def _take_level(light: Record, model: Record) -> None:
    """As `run_head.accept`, and no episode is open any more."""
    model["level"] += model["new_mean"]
    for name in _OF_NEW_LEVEL:
        model[name] = 0
    for name in ("interest_ms", "told_ms", "told_severity", "told_step"):
        light[name] = 0


def _slot(follower: Any, part: int) -> int | None:
    """The slot of a numeric part that has had samples."""
    slot = int(follower["slots"][part]) if part < layout.MEASURES else 0
    return slot - 1 if slot else None
