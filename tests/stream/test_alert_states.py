"""A state that may be overtaken by an older one is written again, and last."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from detectors.outputs import Destination, Output
from stream.alert_states import FIRST_MS, LAST_MS, AlertStates

SECOND_MS = 1000
DAY_S = 86_400


def state(key: bytes, value: bytes | None) -> Output:
    return Output(Destination.ALERT_STATE, key, value, headers=(("ce_id", b"1"),) if value else ())


RESOLVED = state(b"alert", None)


def ages_s(states: AlertStates, until_s: int) -> list[int]:
    """The ages at which RESOLVED, written at 0, is written again, looked at every second."""
    return [second for second in range(until_s) if states.due(second * SECOND_MS) == [RESOLVED]]


def test_a_state_is_written_again_whenever_it_is_twice_as_old_for_a_day():
    states = AlertStates()
    states.wrote(RESOLVED, 0)
    found = ages_s(states, 2 * DAY_S)
    assert found[:4] == [15, 30, 60, 120]
    assert all(after == 2 * before for before, after in pairwise(found))
    assert DAY_S / 2 < found[-1] <= DAY_S
    assert len(states) == 0


@given(st.integers(FIRST_MS, LAST_MS // 4))
def test_whatever_arrives_late_is_overtaken_before_it_is_three_times_as_late(late_ms: int):
    states = AlertStates()
    states.wrote(RESOLVED, 0)
    for now_ms in range(0, late_ms, 5 * SECOND_MS):
        states.due(now_ms)
    assert any(states.due(now_ms) for now_ms in range(late_ms, 3 * late_ms, 5 * SECOND_MS))


def test_a_newer_state_takes_the_place_of_an_older_one():
    states = AlertStates()
    states.wrote(state(b"alert", b"worse"), 0)
    states.wrote(RESOLVED, 10 * SECOND_MS)
    assert states.due(15 * SECOND_MS) == []
    assert states.due(25 * SECOND_MS) == [RESOLVED]


def test_after_hours_without_a_mark_a_state_is_written_once():
    states = AlertStates()
    states.wrote(RESOLVED, 0)
    assert states.due(3 * 3600 * SECOND_MS) == [RESOLVED]
    assert states.due(3 * 3600 * SECOND_MS + SECOND_MS) == []


@given(
    st.lists(
        st.tuples(st.sampled_from([b"a", b"b", b"c"]), st.none() | st.binary(), st.integers(0, 600)),
        max_size=20,
    ),
    st.integers(0, 20),
)
def test_a_state_that_was_stored_and_loaded_goes_on_as_it_was(
    written: list[tuple[bytes, bytes | None, int]], cut: int
):
    kept, stored = AlertStates(), AlertStates()
    for number, (key, value, second) in enumerate(sorted(written, key=lambda it: it[2])):
        if number == cut:
            chunks = stored.dump()
            stored = AlertStates()
            stored.load(chunks)
        for states in (kept, stored):
            states.wrote(state(key, value), second * SECOND_MS)
        assert kept.due(second * SECOND_MS) == stored.due(second * SECOND_MS)
    later = [10_000 * SECOND_MS, 100_000 * SECOND_MS]
    assert [kept.due(now_ms) for now_ms in later] == [stored.due(now_ms) for now_ms in later]
