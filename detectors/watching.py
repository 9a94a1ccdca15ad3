"""Watching: what a shard makes of one series, sample by sample, for whoever wants to look at it.

Detect says only what triage needs, and of ordinary samples not even the limits. A `Watch` folds the rows in its place, up to each row of the
series and then that row, and notes what the state said before and says after. However rows are cut they fold to the same, so nothing
that detect says of any series is changed by watching one.
"""

from collections.abc import Iterator
from math import nan
from typing import Any, Final, NamedTuple

import numpy as np

from detectors import follower_layout as layout
from detectors.core.layout import Records
from detectors.day_rules import NO_RULE
from detectors.follower_table import UNKNOWN
from detectors.followers import Followers
from detectors.parts import parts_of, series_of
from detectors.rates import HARDLY_EVER, PRIOR_YES, SELDOM, SOMETIMES
from detectors.reports import RATES
from detectors.samples import RUNS, Key
from detectors.series import Labels, Signal, unmeasured

_PRIORS: Final = {layout.FAILURES: SOMETIMES, layout.DUPLICATES: HARDLY_EVER, layout.LATENESS: SELDOM}


class Seen(NamedTuple):
    """One sample with what was expected of it, in the unit of its series; NaN: not known, or no such limit.

    Of failures, duplicates and lateness `value` is their share of the latest 32 at most; of freshness, the time (ms) since the run
    or sample before it.
    """

    time_ms: int
    value: float
    expected: float = nan
    lower: float = nan
    upper: float = nan


class Watch:
    """Notes the samples of one series while its shard is folded. A series without numbers, as a schema, has none."""

    def __init__(self, signal: Signal, labels: Labels) -> None:
        self.seen: list[Seen] = []
        keys = [(key, part) for key in _keys(signal, labels) for part in _parts(key, signal, labels)]
        self._idents, self._parts = b"".join(key.ident for key, _ in keys), [part for _, part in keys]

    def fold(self, followers: Followers, rows: Records, timers_ms: int) -> Iterator[Records]:
        """As `Followers.fold`, and note the samples of the series."""
        found = self._find(followers) if len(rows) or layout.EVENTS in self._parts else None
        if found is None:
            yield from followers.fold(rows, timers_ms)
            return
        first = 0
        for at in np.flatnonzero(rows["follower"] == found.place).tolist():
            order_ms = int(rows["order_ms"][at])
            yield from self._noted(found, rows[first:at], order_ms + 1)
            yield from self._noted(found, rows[at : at + 1], order_ms)
            first = at + 1
        yield from self._noted(found, rows[first:], timers_ms)

    def _find(self, followers: Followers) -> "_Series | None":
        places = followers.find(self._idents).tolist()
        known = [(place, part) for place, part in zip(places, self._parts, strict=True) if place != UNKNOWN]
        return _Series(followers, *known[0]) if known else None

    def _noted(self, series: "_Series", rows: Records, timers_ms: int) -> Iterator[Records]:
        """Fold rows of which at most the last one is a sample of the series."""
        time_ms = int(rows["time_ms"][-1]) if len(rows) else timers_ms
        before, expected, told = series.latest(time_ms), series.expected(time_ms), None
        for findings in series.followers.fold(rows, timers_ms):
            own = findings[(findings["follower"] == series.place) & (findings["part"] == series.part)]
            told = own[-1].copy() if len(own) and own[-1]["what"] == layout.NUMERIC else told
            yield findings
        after = series.latest(time_ms)
        if after.n > before.n:
            known = told is not None and told["time_ms"] == after.time_ms
            limits = _limits_of(told) if known else expected
            value = after.value - before.value if series.part == layout.FRESHNESS else after.value
            self.seen.append(Seen(after.time_ms, value, *limits))


class _Latest(NamedTuple):
    """How many samples a series has had, and the latest one."""

    n: int
    time_ms: int
    value: float


_Limits = tuple[float, float, float]
_UNKNOWN: Final[_Limits] = (nan, nan, nan)


class _Series(NamedTuple):
    """Where a series lies among followers."""

    followers: Followers
    place: int
    part: int

    def latest(self, time_ms: int) -> _Latest:
        """The latest sample; `time_ms` is when that of a rate came."""
        f = self.followers.arrays.followers[self.place]
        if self.part in RATES:
            outcomes = f[RATES[self.part]]
            rate = outcomes["rate"]
            share = int(rate["recent"]).bit_count() / max(int(rate["count"]), 1)
            return _Latest(int(outcomes["seen"]), time_ms, share)
        if self.part == layout.FRESHNESS:
            count, last_ms = int(f["arrivals"]["arrivals"]), int(f["arrivals"]["cadence"]["last_ms"])
            return _Latest(count, last_ms, float(last_ms) if count else nan)
        slot = int(f["slots"][self.part]) - 1
        light = self.followers.arrays.bank.light[slot]
        return _Latest(int(light["n"]), int(light["last_ms"]), float(light["latest"])) if slot >= 0 else _NONE

    def expected(self, time_ms: int) -> _Limits:
        """What is expected of a sample at a time: about how much, at least and at most."""
        f = self.followers.arrays.followers[self.place]
        if self.part in RATES:
            rate = f[RATES[self.part]]["rate"]
            yes, no = PRIOR_YES + float(rate["yes"]), _PRIORS[self.part] + float(rate["no"])
            return yes / (yes + no), nan, nan
        if self.part == layout.FRESHNESS:
            return _expected_gap(f["arrivals"]["cadence"])
        slot = int(f["slots"][self.part]) - 1
        return self.followers.limits(slot, time_ms) if slot >= 0 and time_ms > 0 else _UNKNOWN


_NONE: Final = _Latest(0, 0, nan)


def _limits_of(told: Any) -> _Limits:
    return float(told["expected"]), float(told["lower"]), float(told["upper"])


def _expected_gap(cadence: Any) -> _Limits:
    """How long after the last arrival the next one is due."""
    gap_ms = int(cadence["due_ms"]) - int(cadence["last_ms"])
    if gap_ms <= 0:
        return _UNKNOWN
    if cadence["rule"] == NO_RULE and not cadence["period_ms"]:
        return float(cadence["typical_ms"]), nan, float(gap_ms)
    expected = float(gap_ms - int(cadence["late_ms"]))
    return expected, max(0.0, expected - int(cadence["early_ms"])), float(gap_ms)


def _keys(signal: Signal, labels: Labels) -> list[Key]:
    """What a follower of such a series may be about."""
    common = unmeasured(labels)
    return [
        Key(RUNS, common),
        Key(Signal.VALUE, common),
        *(Key(kind, labels) for kind in (signal, *Signal)),
    ]


def _parts(key: Key, signal: Signal, labels: Labels) -> list[int]:
    return [part for part in parts_of(key) if series_of(key, part)[:2] == (signal, labels)]


__all__ = ["Seen", "Watch"]
