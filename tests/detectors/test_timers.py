"""Timers run in the order of event time, each once."""

from hypothesis import given
from hypothesis import strategies as st

from detectors.timers import Timers


class Recorder:
    """Writes down what ran out."""

    def __init__(self) -> None:
        self.ran: list[tuple[int, str, int]] = []

    def expire(self, purpose: str, token: int, due_ms: int) -> None:
        self.ran.append((due_ms, purpose, token))


@given(st.lists(st.tuples(st.integers(0, 50), st.sampled_from(["a", "b"]), st.integers(0, 3)), max_size=40))
def test_due_timers_run_once_each_in_an_order_that_does_not_depend_on_how_they_were_set(
    entries: list[tuple[int, str, int]],
) -> None:
    recorder, timers = Recorder(), Timers()
    for due_ms, purpose, token in entries:
        timers.set(due_ms, (("pipeline", "x"),), purpose, token, recorder)
    for now_ms in (10, 25, 50):
        timers.run_until(now_ms)
        assert all(due_ms > now_ms for due_ms in [timers.next_ms()] if due_ms is not None)
    assert recorder.ran == sorted(set(entries))


def test_a_timer_may_set_the_next_one() -> None:
    class Ticker:
        def __init__(self) -> None:
            self.ticks: list[int] = []

        def expire(self, purpose: str, token: int, due_ms: int) -> None:
            self.ticks.append(due_ms)
            timers.set(due_ms + 10, (), purpose, token, self)

    timers, ticker = Timers(), Ticker()
    timers.set(10, (), "tick", 0, ticker)
    timers.run_until(45)
    assert ticker.ticks == [10, 20, 30, 40]
