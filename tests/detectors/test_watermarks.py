"""The merged clock of a shard."""

import pytest

from detectors.samples import NEVER, Mark
from detectors.stage import HoleError
from detectors.watermarks import Watermarks

LATENESS_MS = 10
IDLE_TIMEOUT_MS = 100


def mark(
    partition: int, first: int, last: int, high_ms: int = NEVER, idle: bool = False, wall_ms: int = 0
) -> Mark:
    return Mark("events", partition, first, last, high_ms, idle, idle, wall_ms, {"events": 2})


def test_time_stands_still_until_every_partition_has_reported() -> None:
    watermarks = Watermarks(LATENESS_MS, IDLE_TIMEOUT_MS)
    watermarks.take(mark(0, 0, 9, high_ms=1000))
    assert watermarks.rows_ms == NEVER
    watermarks.take(mark(1, 0, 9, high_ms=500))
    assert watermarks.rows_ms == 500 - LATENESS_MS


def test_an_idle_partition_holds_nothing_back() -> None:
    watermarks = Watermarks(LATENESS_MS, IDLE_TIMEOUT_MS)
    watermarks.take(mark(0, 0, 9, high_ms=1000))
    watermarks.take(mark(1, 0, -1, idle=True, wall_ms=1200))
    assert watermarks.rows_ms == 1000 - LATENESS_MS


def test_an_idle_partition_whose_marks_have_ceased_holds_time_back() -> None:
    watermarks = Watermarks(LATENESS_MS, IDLE_TIMEOUT_MS)
    watermarks.take(mark(0, 0, 9, high_ms=1000))
    watermarks.take(mark(1, 0, -1, idle=True, wall_ms=700))
    assert watermarks.rows_ms == 700 - LATENESS_MS


def test_a_burst_after_a_pause_waits_for_partitions_that_were_idle_to_prove_it_again() -> None:
    watermarks = Watermarks(LATENESS_MS, IDLE_TIMEOUT_MS)
    watermarks.take(mark(0, 0, -1, idle=True, wall_ms=5000))
    watermarks.take(mark(1, 0, -1, idle=True, wall_ms=5000))
    paused_ms = watermarks.rows_ms
    watermarks.take(mark(0, 0, 9, high_ms=5005, wall_ms=5010))
    watermarks.take(mark(1, 0, -1, idle=True, wall_ms=5050))
    assert watermarks.rows_ms == paused_ms
    watermarks.take(mark(1, 0, -1, idle=True, wall_ms=5010 + IDLE_TIMEOUT_MS))
    assert watermarks.rows_ms == 5005 - LATENESS_MS


def test_when_all_are_idle_what_was_seen_is_applied_and_waiting_is_judged_by_the_wall_clock_of_the_marks() -> (
    None
):
    watermarks = Watermarks(LATENESS_MS, IDLE_TIMEOUT_MS)
    watermarks.take(mark(0, 0, 9, high_ms=1000, idle=True, wall_ms=5000))
    watermarks.take(mark(1, 0, -1, idle=True, wall_ms=5002))
    assert watermarks.rows_ms == 1001
    assert watermarks.timers_ms == 5000 - LATENESS_MS


def test_rows_that_are_ahead_of_the_wall_clock_wait_for_it() -> None:
    watermarks = Watermarks(LATENESS_MS, IDLE_TIMEOUT_MS)
    watermarks.take(mark(0, 0, 9, high_ms=6000, idle=True, wall_ms=5000))
    watermarks.take(mark(1, 0, -1, idle=True, wall_ms=5000))
    assert watermarks.rows_ms == 5000 - LATENESS_MS


def test_a_backlog_that_comes_after_a_pause_is_read_in_its_own_time() -> None:
    watermarks = Watermarks(LATENESS_MS, IDLE_TIMEOUT_MS)
    watermarks.take(mark(0, 0, -1, idle=True, wall_ms=5000))
    watermarks.take(mark(1, 0, -1, idle=True, wall_ms=5000))
    watermarks.take(mark(0, 0, 9, high_ms=1000, wall_ms=5001))
    watermarks.take(mark(1, 0, 9, high_ms=900, wall_ms=5001))
    assert watermarks.rows_ms == watermarks.timers_ms == 900 - LATENESS_MS


def test_event_time_never_goes_back() -> None:
    watermarks = Watermarks(LATENESS_MS, IDLE_TIMEOUT_MS)
    watermarks.take(mark(0, 0, 9, high_ms=1000, idle=True, wall_ms=5000))
    watermarks.take(mark(1, 0, 0, high_ms=900, idle=True, wall_ms=5000))
    watermarks.take(mark(1, 1, 1, high_ms=950))
    assert watermarks.rows_ms == 1001


def test_a_repeated_mark_changes_nothing() -> None:
    watermarks = Watermarks(LATENESS_MS, IDLE_TIMEOUT_MS)
    watermarks.take(mark(0, 0, 9, high_ms=1000))
    watermarks.take(mark(1, 0, 9, high_ms=2000))
    before = watermarks.dump()
    assert watermarks.take(mark(1, 0, 4, high_ms=1500)).fence == 9
    assert watermarks.dump() == before


def test_a_gap_between_marks_is_a_hole() -> None:
    watermarks = Watermarks(LATENESS_MS, IDLE_TIMEOUT_MS)
    watermarks.take(mark(0, 5, 9))
    with pytest.raises(HoleError, match=r"offsets 10\.\.11 of events\[0\]"):
        watermarks.take(mark(0, 12, 15))


def test_the_state_is_carried_over() -> None:
    watermarks, other = Watermarks(LATENESS_MS, IDLE_TIMEOUT_MS), Watermarks(LATENESS_MS, IDLE_TIMEOUT_MS)
    watermarks.take(mark(0, 0, 9, high_ms=1000))
    watermarks.take(mark(1, 0, 9, high_ms=2000, idle=True, wall_ms=3000))
    other.load(watermarks.dump())
    assert other.dump() == watermarks.dump()
