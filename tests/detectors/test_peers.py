"""Siblings: one that is unlike the others is told, once; what moves all of them is not."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.alerts import Alert, State
from detectors.peers import NONE, family_of, ranked
from detectors.samples import RUNS, Key
from tests.detectors.scripted_log import Event, Log, Pipeline, cut, whole

HOUR, DAY = 3_600_000, 86_400_000
START_MS = 1_780_000_000_000
SIBLINGS = 8

Duration = Callable[[int, int], float]
"""Of a task's run, by the task's number and the hour; NaN: there is none."""


def hourly(days: int, duration: Duration, tasks: int = SIBLINGS) -> Log:
    """Runs of every task each hour, with noise of 5 %."""
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 0.05, (24 * days, tasks))
    return [
        [
            Event(
                START_MS + hour * HOUR + 1000 * task,
                "orders",
                run=f"{task}-{hour}",
                duration_ms=duration(task, hour) * float(np.exp(noise[hour, task])),
                task=f"part-{task}",
            )
            for hour in range(24 * days)
            for task in range(tasks)
            if duration(task, hour) > 0
        ]
    ]


def unlike(alerts: list[Alert]) -> list[Alert]:
    return [it for it in alerts if it.state is State.FIRING and it.transition_reason.endswith("unlike_peers")]


def late_and_slow(task: int, hour: int) -> float:
    """The last task is new after four days, and ten times as slow as the others from its first run on."""
    return 5000.0 if task < SIBLINGS - 1 else 50_000.0 if hour >= 96 else 0.0


def test_a_new_series_that_is_unlike_its_siblings_is_told_once_within_a_day() -> None:
    alerts = unlike(Pipeline().run(whole(hourly(8, late_and_slow))))
    assert [it.series.labels["task"] for it in alerts] == ["part-7"]
    assert alerts[0].baseline.n == SIBLINGS - 1
    assert alerts[0].observed == pytest.approx(50_000, rel=0.1)
    assert alerts[0].expected == pytest.approx(5000, rel=0.1)
    assert alerts[0].upper is not None
    assert 5000 < alerts[0].upper < 50_000
    assert alerts[0].p_value is not None
    assert alerts[0].p_value < 0.001
    assert "unlike its 7 siblings" in alerts[0].summary


def test_a_series_that_drifts_away_is_told_once_its_own_baseline_has_come_along() -> None:
    alerts = Pipeline().run(
        whole(hourly(60, lambda task, hour: 5000 * 1.03 ** (hour / 24 if task == 3 else 0)))
    )
    assert {it.series.labels["task"] for it in unlike(alerts)} == {"part-3"}
    reasons = [it.transition_reason for it in alerts if it.series.labels["task"] == "part-3"]
    accepted = reasons.index("resolved: baseline_shift_accepted")
    assert accepted < reasons.index("opened: unlike_peers")


@pytest.mark.parametrize("a_day", [1.01, 1.02])
def test_a_series_that_drifts_slowly_is_told_by_itself_again_and_again_and_by_its_siblings_once_at_most(
    a_day: float,
) -> None:
    alerts = Pipeline().run(
        whole(hourly(60, lambda task, hour: 5000 * a_day ** (hour / 24 if task == 3 else 0)))
    )
    reasons = [it.transition_reason for it in alerts if it.series.labels["task"] == "part-3"]
    assert sum(it.startswith("opened: ") and it != "opened: unlike_peers" for it in reasons) >= 2
    assert "resolved: baseline_shift_accepted" in reasons
    assert len(unlike(alerts)) <= 1


def test_siblings_that_have_always_been_unlike_one_another_or_move_together_are_not_told() -> None:
    def of_their_own(task: int, hour: int) -> float:
        return 1000.0 * 3.0**task * (4.0 if hour >= 120 else 1.0)

    assert unlike(Pipeline().run(whole(hourly(10, of_their_own)))) == []


def test_half_a_family_that_moves_is_no_outlier() -> None:
    alerts = Pipeline().run(
        whole(hourly(10, lambda task, hour: 20_000.0 if task % 2 and hour >= 120 else 5000.0))
    )
    assert unlike(alerts) == []


def test_what_the_series_own_alert_has_told_is_not_told_again() -> None:
    alerts = Pipeline().run(
        whole(hourly(12, lambda task, hour: 50_000.0 if task == 2 and hour >= 120 else 5000.0))
    )
    assert any(it.series.labels["task"] == "part-2" and it.state is State.FIRING for it in alerts)
    assert unlike(alerts) == []


def test_fewer_than_five_siblings_say_nothing() -> None:
    few = hourly(8, lambda task, hour: 5000.0 if task < 4 else 50_000.0 if hour >= 96 else 0.0, tasks=5)
    assert unlike(Pipeline().run(whole(few))) == []


@pytest.mark.parametrize("seed", [1, 2])
def test_batches_and_crashes_change_nothing(seed: int) -> None:
    log = hourly(7, late_and_slow)
    together = Pipeline().run(whole(log))
    pipeline = Pipeline()
    for number, payload in enumerate(cut(log, seed)):
        pipeline.feed(payload)
        if number % 23 == 0:
            pipeline.crash()
    of_both = [
        [(it.event_id, it.observed, it.p_value) for it in alerts] for alerts in (together, pipeline.alerts)
    ]
    assert unlike(together)
    assert of_both[0] == of_both[1]


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.integers(0, 4)), min_size=1, max_size=60))
def test_the_median_of_each_family_is_its_median(members: list[tuple[float, int]]) -> None:
    values = np.array([value for value, _ in members])
    family = np.unique([number for _, number in members], return_inverse=True)[1]
    medians = [np.median(values[family == number]) for number in range(family.max() + 1)]
    assert ranked(values, family, 0.5) == pytest.approx(medians)


def test_siblings_differ_in_what_is_not_the_name_of_the_family() -> None:
    def key(**labels: str) -> Key:
        return Key(RUNS, tuple(sorted(labels.items())))

    assert family_of(key(pipeline="a", task="1")) == family_of(key(pipeline="a", task="2"))
    assert family_of(key(pipeline="a", task="1")) != family_of(key(pipeline="b", task="1"))
    assert family_of(key(pipeline="a", task="1")) != family_of(key(pipeline="a", region="1"))
    assert family_of(key(pipeline="a")) == NONE
