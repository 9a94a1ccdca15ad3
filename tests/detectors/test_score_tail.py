import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.score_tail import KEPT, P_VALUE_MIN, SPANS, WARM_UP, ScoreTail, Tail

SCORES = st.lists(st.floats(-1e6, 1e6), min_size=WARM_UP, max_size=KEPT + 50)


@given(scores=SCORES, score=st.floats(-1e9, 1e9), more=st.floats(0, 1e9))
def test_a_higher_number_is_never_less_unusual_and_all_is_a_chance(
    scores: list[float], score: float, more: float
):
    tail = Tail()
    for it in scores:
        tail.learn(it, clipped=False)
    p_value, higher = tail.p_value(score), tail.p_value(score + more)
    assert p_value is not None
    assert higher is not None
    assert 0 <= higher <= p_value * (1 + 1e-9) <= 1.01


@given(scores=SCORES, score=st.floats(-1e6, 1e6))
def test_nothing_is_rarer_than_it_was_seen(scores: list[float], score: float):
    tail = Tail()
    for it in scores:
        tail.learn(it, clipped=False)
    kept = scores[-KEPT:]
    p_value = tail.p_value(score)
    assert p_value is not None
    assert p_value >= sum(it >= score for it in kept) / (len(kept) + 1)
    assert tail.numbers() == kept


def test_there_is_no_p_value_before_the_warm_up():
    tail = ScoreTail()
    said = []
    for n in range(2 * WARM_UP):
        said.append(tail.p_value(n % 7))
        tail.learn(n % 7, anomalous=False)
    known = [it is not None for it in said]
    assert known.index(True) == WARM_UP + SPANS[-1]
    assert all(known[WARM_UP + SPANS[-1] :])


@pytest.mark.parametrize("draw", ["gauss", "exponential", "uniform", "coarse"])
def test_p_values_keep_what_they_promise(draw: str):
    rng = random.Random(11)
    draws = {
        "gauss": lambda: abs(rng.gauss(0, 1)),
        "exponential": lambda: rng.expovariate(1),
        "uniform": rng.random,
        "coarse": lambda: float(rng.randint(0, 5)),
    }
    tail, said = ScoreTail(), []
    for _ in range(30_000):
        score = draws[draw]()
        p_value = tail.p_value(score)
        if p_value is not None:
            said.append(p_value)
        tail.learn(score, anomalous=False)
    for alpha in (0.05, 0.01, 0.001):
        assert sum(it <= alpha for it in said) / len(said) <= 2 * alpha


def test_one_extreme_score_or_several_high_ones_are_unusual():
    rng, tail = random.Random(3), ScoreTail()
    for _ in range(600):
        tail.learn(rng.random(), anomalous=False)
    assert tail.p_value(0.5) > 0.3  # type: ignore[operator]
    assert tail.p_value(5.0) < 1e-6  # type: ignore[operator]
    run = []
    for _ in range(12):
        run.append(tail.p_value(0.98))
        tail.learn(0.98, anomalous=False)
    assert run[0] is not None
    assert run[-1] is not None
    assert run[0] > 0.01
    assert P_VALUE_MIN <= run[-1] < 1e-3
    assert tail.p_value(0.3) > 0.1  # type: ignore[operator]


def test_an_incident_does_not_hide_the_next_one():
    rng, tail = random.Random(3), ScoreTail()

    def ordinary() -> None:
        for _ in range(300):
            tail.learn(rng.random(), anomalous=False)

    ordinary()
    ordinary()
    before = tail.p_value(5.0)
    for _ in range(40):
        tail.learn(5.0, anomalous=True)
    ordinary()
    after = tail.p_value(5.0)
    assert before is not None
    assert after is not None
    assert after < 1e-4


@given(scores=st.lists(st.floats(0, 10), max_size=150), more=st.lists(st.floats(0, 10), max_size=40))
def test_what_is_loaded_goes_on(scores: list[float], more: list[float]):
    tail, again = ScoreTail(), ScoreTail()
    for n, score in enumerate(scores):
        tail.learn(score, anomalous=n % 11 == 0)
    again.load(tail.dump())
    for score in more:
        assert again.p_value(score) == tail.p_value(score)
        again.learn(score, anomalous=False)
        tail.learn(score, anomalous=False)
    assert again.dump() == tail.dump()
