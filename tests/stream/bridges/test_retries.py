import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.bridges.retries import ASKED_S_MAX, LONGEST_S, Attempts, Retries
from stream.bridges.target import Rejected, Unavailable


def test_refusals_are_given_up_after_so_many_and_absence_after_so_long() -> None:
    refused = Attempts(Retries(3, 1e9), 0)
    assert [refused.wait_s(Rejected("no"), 1, 0) is None for _ in range(3)] == [False, False, True]
    away = Attempts(Retries(3, 100), 1000)
    assert away.wait_s(Unavailable("away"), 1099, 0) is not None
    assert away.wait_s(Unavailable("away"), 1100, 0) is None


def test_what_is_asked_for_is_the_least_that_is_waited_up_to_a_limit() -> None:
    attempts = Attempts(Retries(3, 1e9), 0)
    assert attempts.wait_s(Unavailable("busy", 30), 0, 0) == 30
    assert attempts.wait_s(Unavailable("busy", 1e9), 0, 0) == ASKED_S_MAX


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=100))
def test_waits_grow_to_a_longest_one_and_chance_moves_each_by_half_at_most(chances: list[float]) -> None:
    attempts = Attempts(Retries(3, float("inf")), 0)
    for number, chance in enumerate(chances):
        full_s = min(LONGEST_S, 0.5 * 2**number)
        wait_s = attempts.wait_s(Unavailable("away"), 0, chance)
        assert wait_s == pytest.approx(full_s * (1 + chance) / 2)
