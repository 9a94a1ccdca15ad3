"""Timetable: the series of a shard that have a declared schedule, from the first run or sample on. For them it tells freshness, in place of what was learned.

What is counted in windows comes when its window ends, so it has a window longer.

A due time passes between rows, in the order of event time. What has not come by then is told once, and when it comes after all the kernel of `freshness` says
so, because it is given an open episode here.
"""

import heapq
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from msgspec.structs import replace

from detectors.core.layout import Records
from detectors.due_times import Due, due_after
from detectors.episodes import WORSENED_STEP
from detectors.follower_layout import FRESHNESS
from detectors.followers import Followers
from detectors.freshness import OVERDUE_SEVERITY
from detectors.parts import parts_of, series_of
from detectors.reports import Position, source_positions
from detectors.samples import FollowerKind, Key
from detectors.settings import Schedule, Settings
from detectors.verdicts import Baseline, Change, Direction, Reason, Verdict

DECLARED: Final = "declared_schedule"
"""The detector, and the method of its baseline."""
NOTHING_DUE: Final = 1 << 62
CHUNK: Final = "timetable"


class Told(NamedTuple):
    """What one series was to keep to when its due time passed."""

    schedule: Schedule
    time_zone: str
    due: Due


class Timetable:
    """What is due next of each scheduled series, by its follower's place."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._new: dict[int, tuple[Schedule, str]] = {}
        self._awaited: dict[int, Told] = {}
        self._overdue: dict[int, Told] = {}
        self._queue: list[tuple[int, int]] = []

    def __contains__(self, place: int) -> bool:
        return place in self._awaited

    @property
    def due_ms(self) -> int:
        """When something is next due, or `NOTHING_DUE`."""
        while self._queue and not self._stands(*self._queue[0]):
            heapq.heappop(self._queue)
        return self._queue[0][0] if self._queue else NOTHING_DUE

    def _stands(self, due_ms: int, place: int) -> bool:
        return place in self._awaited and self._awaited[place].due.due_ms == due_ms

    def follow(self, place: int, key: Key) -> None:
        """A follower is new; its first row is still to come."""
        if (declared := self._declared(key)) is not None:
            self._new[place] = declared

    def _declared(self, key: Key) -> tuple[Schedule, str] | None:
        if not self._settings.has_schedules or FRESHNESS not in parts_of(key):
            return None
        series = series_of(key, FRESHNESS)
        settings = self._settings.for_series(series.signal, dict(series.labels))
        schedule = settings.schedule
        if key.follower_kind == FollowerKind.AMOUNT:
            schedule = schedule._replace(within_ms=schedule.within_ms + self._settings.window_ms)
        return (schedule, settings.time_zone) if schedule.cron else None

    def begin(self, rows: Records) -> None:
        """Await what comes next of new followers whose first rows are among these."""
        if not self._new:
            return
        places, first = np.unique(rows["follower"], return_index=True)
        for place, at in zip(places.tolist(), first.tolist(), strict=True):
            if place in self._new:
                row = rows[at]
                self._await(place, *self._new.pop(place), max(int(row["time_ms"]), int(row["order_ms"])))

    def _await(
        self, place: int, schedule: Schedule, time_zone: str, after_ms: int, before_ms: int = 0
    ) -> None:
        due = due_after(schedule, time_zone, after_ms, before_ms)
        self._awaited[place] = Told(schedule, time_zone, due)
        heapq.heappush(self._queue, (due.due_ms, place))

    def pass_due(
        self, followers: Followers, sources: Sequence[tuple[str, int]]
    ) -> Iterator[tuple[int, Verdict]]:
        """Look at all that is due next, once every row up to then is folded; what has not come, with its time."""
        now_ms = self.due_ms
        while self.due_ms == now_ms:
            _, place = heapq.heappop(self._queue)
            told = self._awaited[place]
            self._await(place, told.schedule, told.time_zone, told.due.expected_ms, told.due.due_ms)
            arrivals = followers.arrays.followers[place]["arrivals"]
            if int(arrivals["cadence"]["last_ms"]) < told.due.from_ms and place not in self._overdue:
                self._overdue[place] = told
                _open_episode(arrivals, now_ms)
                followers.touch(place, 0)
                yield now_ms, _overdue(followers.key(place), arrivals, told, sources)

    def arrived(self, place: int, verdict: Verdict, event_ms: int) -> Verdict | None:
        """What is to be told of a run or sample of `event_ms` that has come: nothing unless it was overdue."""
        told = self._overdue.pop(place, None)
        if told is None:
            last_ms = verdict.window_start_ms
            due_ms = last_ms + int(verdict.upper or 0)
            return None if place in self._awaited else _corrected(verdict, last_ms < event_ms <= due_ms)
        said = replace(
            _corrected(verdict, told.due.from_ms <= event_ms <= told.due.due_ms),
            detector=DECLARED,
            baseline=replace(verdict.baseline, method=DECLARED, warming=False),
            schedule=_text(told),
        )
        return _limited(said, told.due)

    def forget(self, place: int) -> None:
        """A follower is given up."""
        for known in (self._new, self._awaited, self._overdue):
            known.pop(place, None)

    def dump(self) -> dict[str, bytes]:
        """The state as a chunk."""
        state = [list(it.items()) for it in (self._new, self._awaited, self._overdue)]
        return {CHUNK: msgspec.msgpack.encode(state)}

    def load(self, chunks: dict[str, bytes], followers: Followers, now_ms: int) -> None:
        """Take over a dumped state; a schedule that is another now counts from `now_ms` on."""
        new, awaited, overdue = (
            msgspec.msgpack.decode(chunks[CHUNK], type=State) if CHUNK in chunks else EMPTY
        )
        known, fresh = dict(awaited), dict(new)
        self._overdue = dict(overdue)
        if not self._settings.has_schedules:
            return
        for place in followers.all_places():
            declared = self._declared(followers.key(place))
            if declared is None:
                continue
            told = known.get(place)
            if told is not None and (told.schedule, told.time_zone) == declared:
                self._awaited[place] = told
                heapq.heappush(self._queue, (told.due.due_ms, place))
            elif place in fresh or not followers.arrays.followers[place]["arrivals"]["arrivals"]:
                self._new[place] = declared
            else:
                self._await(place, *declared, now_ms)


State = tuple[list[tuple[int, tuple[Schedule, str]]], list[tuple[int, Told]], list[tuple[int, Told]]]
"""What is dumped, by place: of which nothing came yet, what is awaited, and what was overdue."""
EMPTY: Final[State] = ([], [], [])


def _open_episode(arrivals: Any, now_ms: int) -> None:
    """As `interest.begins_or_worsens`, so that the next arrival ends it."""
    arrivals["interest_ms"], arrivals["told_ms"] = now_ms, now_ms
    arrivals["told_severity"], arrivals["told_step"] = OVERDUE_SEVERITY, WORSENED_STEP


def _overdue(key: Key, arrivals: Any, told: Told, sources: Sequence[tuple[str, int]]) -> Verdict:
    series = series_of(key, FRESHNESS)
    last_ms, due_ms = int(arrivals["cadence"]["last_ms"]), told.due.due_ms
    of_runs = key.follower_kind == FollowerKind.RUN_EVENTS
    verdict = Verdict(
        signal=series.signal,
        labels=series.labels,
        detector=DECLARED,
        time_ms=due_ms,
        window_start_ms=last_ms,
        window_end_ms=due_ms,
        anomalous=True,
        reason=Reason.RUN_OVERDUE if of_runs else Reason.SERIES_SILENT,
        change=Change.SILENCE,
        baseline=Baseline(DECLARED, int(arrivals["arrivals"]), int(arrivals["first_ms"]), last_ms),
        positions=source_positions(Position(*sources[int(arrivals["source"])], int(arrivals["offset"]))),
        severity_score=OVERDUE_SEVERITY,
        unit=series.unit,
        observed=float(due_ms - last_ms),
        direction=Direction.UP,
        owner=key.owner,
        schedule=_text(told),
    )
    return _limited(verdict, told.due)


def _corrected(verdict: Verdict, on_time: bool) -> Verdict:
    """Say of what has come after all that it had come in time, if it had."""
    if not on_time:
        return verdict
    of_runs = verdict.reason is Reason.RUN_ARRIVED
    return replace(verdict, reason=Reason.RUN_ON_TIME if of_runs else Reason.SAMPLE_ON_TIME)


def _limited(verdict: Verdict, due: Due) -> Verdict:
    """A verdict with what was expected after the last arrival."""
    last_ms = verdict.window_start_ms
    expected = float(due.expected_ms - last_ms)
    return replace(verdict, expected=expected, lower=expected, upper=float(due.due_ms - last_ms))


def _text(told: Told) -> str:
    return f"by its schedule, {told.schedule.written}, {told.time_zone}"
