"""Pools: whoever speaks first, they say the same; and a new series is judged by them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.numeric import Kind, NumericBank
from detectors.pools import POOL, is_known, join, leave, prior_of, whole_log

DAY_MS = 86_400_000
parts = st.lists(st.floats(1e-6, 10.0), min_size=3, max_size=30)


@settings(deadline=None)  # the first example compiles
@given(variances=parts, data=st.data())
def test_the_order_of_members_does_not_matter_and_who_left_leaves_no_trace(
    variances: list[float], data: st.DataObject
) -> None:
    said = [whole_log(variance) for variance in variances]
    shuffled = data.draw(st.permutations(said))
    one, other = np.zeros(1, POOL), np.zeros(1, POOL)
    for part in said:
        join(one[0], part)
    for part in (*shuffled, *said):
        join(other[0], part)
    for part in said:
        leave(other[0], part)
    assert one.tobytes() == other.tobytes()


def test_alike_members_make_a_prior_worth_more() -> None:
    alike, unlike = np.zeros(1, POOL), np.zeros(1, POOL)
    for k in range(10):
        join(alike[0], whole_log(0.04 * (1 + 0.01 * k)))
        join(unlike[0], whole_log(0.04 * 4.0 ** (k - 5)))
    assert is_known(alike[0])
    worth, variance = prior_of(alike[0], 0.0)
    assert variance == pytest.approx(0.042, rel=0.1)
    assert worth > 2 * prior_of(unlike[0], 0.0)[0]


def bank_of_like_series(members: int, rng: np.random.Generator) -> NumericBank:
    bank = NumericBank()
    for _ in range(members):
        slot = bank.add(Kind.RUNS)
        for day in range(24):
            bank.judge(slot, day * DAY_MS, float(3e5 * np.exp(rng.normal(0, 0.1))))
    return bank


def test_a_new_series_is_judged_from_its_third_run_on_when_there_are_like_ones() -> None:
    for members, judged in ((2, False), (10, True)):
        bank = bank_of_like_series(members, np.random.default_rng(members))
        slot = bank.add(Kind.RUNS)
        for day in range(2):
            assert not bank.judge(slot, (24 + day) * DAY_MS, 1000.0).pooled
        drop = bank.judge(slot, 26 * DAY_MS, 10.0)
        assert drop.pooled is judged
        assert drop.anomalous is judged
        assert drop.warming


def test_a_series_that_is_given_up_leaves_its_pool() -> None:
    bank = bank_of_like_series(3, np.random.default_rng(1))
    assert bank.arrays.pools["members"].sum() == 3
    bank.release(0)
    assert bank.arrays.pools["members"].sum() == 2


def test_pools_are_stored() -> None:
    bank, other = bank_of_like_series(5, np.random.default_rng(2)), NumericBank()
    other.load_blocks(bank.dump_blocks())
    assert other.arrays.pools.tobytes() == bank.arrays.pools.tobytes()
