"""At most so many records a second are looked at: which ones depends on the log alone."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.formats.limits import Limits
from stream.formats.pace import LOOKBACK, NOTHING, Past, after, shares
from stream.formats.records import RecordSource
from stream.ingest import Ingest

START_MS = 1_780_000_000_000
RATE = 200.0


def log(gaps: list[int], holes: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Offsets and timestamps, with gaps in time and holes between offsets that follow each other over and over."""
    count = 3 * LOOKBACK
    return (
        np.cumsum(np.resize(np.array(holes), count)),
        START_MS + np.cumsum(np.resize(np.array(gaps), count)),
    )


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.integers(-3, 40), min_size=1, max_size=30),
    st.lists(st.integers(1, 4), min_size=1, max_size=9),
    st.lists(st.integers(1, 900), min_size=1, max_size=8),
    st.integers(0, 3 * LOOKBACK - 1),
)
def test_chances_are_the_same_however_batches_are_cut_and_wherever_reading_goes_on(
    gaps: list[int], holes: list[int], sizes: list[int], start: int
) -> None:
    offsets, times = log(gaps, holes)
    whole = shares(NOTHING, offsets, times, RATE)
    assert ((whole > 0) & (whole <= 1)).all()
    before = offsets >= offsets[start] - LOOKBACK
    past = Past(offsets[before][: start - len(offsets)], times[before][: start - len(offsets)])
    first, found = start, []
    for size in np.resize(sizes, len(offsets)):
        part = slice(first, min(first + int(size), len(offsets)))
        if part.start == part.stop:
            break
        found.append(shares(past, offsets[part], times[part], RATE))
        past = after(past, offsets[part], times[part])
        first = part.stop
    assert np.concatenate(found).tolist() == whole[start:].tolist()


@pytest.mark.parametrize("per_ms", [0.05, 0.2, 1, 30, 100])
def test_chances_add_up_to_the_rate_and_never_to_more(per_ms: float) -> None:
    count = max(int(10_000 * per_ms), 4 * LOOKBACK)
    times = START_MS + (np.arange(count) / per_ms).astype(np.int64)
    chances = shares(NOTHING, np.arange(count), times, RATE)[LOOKBACK:]
    seconds = len(chances) / per_ms / 1000
    assert chances.sum() / seconds == pytest.approx(min(RATE, per_ms * 1000), rel=0.06)


def test_a_rush_after_a_lull_overshoots_by_no_more_than_is_looked_back_to() -> None:
    times = START_MS + np.append(np.arange(1000) * 1000, 1_000_000 + np.arange(50_000) // 50)
    rush = shares(NOTHING, np.arange(len(times)), times, RATE)[1000:]
    assert rush.sum() < RATE + LOOKBACK


def test_records_without_a_timestamp_are_all_looked_at() -> None:
    assert shares(NOTHING, np.arange(3), np.zeros(3, np.int64), RATE).tolist() == [1, 1, 1]


def test_what_is_looked_at_does_not_depend_on_where_reading_goes_on() -> None:
    chance = random.Random(3)
    values = [b'{"id": %d}' % chance.randrange(10**6) for _ in range(6_000)]
    times = [START_MS + number // 20 for number in range(6_000)]

    def passed(ingest: Ingest, first: int, last: int, previous: int | None) -> int:
        ingest.batch(
            "t", 0, range(first, last), values[first:last], times[first:last], previous, times[-1], caught_up=False
        )  # fmt: skip
        return ingest.take_counts()["records_passed_over",]

    def past_of(topic: str, partition: int, offset: int) -> Past:
        assert (topic, partition) == ("t", 0)
        known = range(offset - LOOKBACK, offset)
        return Past(np.array(known), np.array(times[known.start : offset]))

    def ingest() -> Ingest:
        reading = RecordSource(per_second=2_000)
        return Ingest({"t": reading}, 1, {"t": 2}, Limits(), 300_000, past_of=past_of)

    one, other = ingest(), ingest()
    passed(one, 0, 2_500, None)
    in_one_go = passed(one, 2_500, 6_000, 2_499)
    assert in_one_go == pytest.approx(3_500 * 0.95, rel=0.02)
    assert passed(other, 2_500, 3_333, 2_499) + passed(other, 3_333, 6_000, 3_332) == in_one_go
