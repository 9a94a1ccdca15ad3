"""Persistence and least volume: what a sample must bring beside crossing its limits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.alerts import Alert
from detectors.core.layout import Records
from detectors.numeric import Direction, Kind, NumericBank
from detectors.samples import RunState
from detectors.settings import AMONG_MAX, Persistence, Settings, Tuning
from tests.detectors.scripted_log import Event, Pipeline, whole

HOUR_MS = 3_600_000
START_MS = 1_780_000_000_000
EACH = Persistence(1, 1)

persistences = st.integers(1, AMONG_MAX).flatmap(
    lambda among: st.builds(Persistence, st.integers(1, among), st.just(among))
)


def spiky(seed: int, share: float, count: int = 400) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.exp(rng.normal(5, 0.1, count)) * np.where(rng.random(count) < share, 20, 1)


def judge(values: np.ndarray, kind: Kind, **said: object) -> Records:
    bank = NumericBank()
    slot = bank.add(kind, **said)  # type: ignore[arg-type]
    times = START_MS + np.arange(len(values)) * HOUR_MS
    return bank.judge_many(np.full(len(values), slot), times, values)


def persistent(crossed: np.ndarray, persistence: Persistence) -> list[bool]:
    """Plainly: M of the last N crossed, the newest among them."""
    needed, among = persistence
    return [
        bool(crossed[now]) and int(crossed[max(0, now + 1 - among) : now + 1].sum()) >= needed
        for now in range(len(crossed))
    ]


@settings(deadline=None, max_examples=60)  # the first example may compile
@given(
    st.integers(0, 2**32 - 1), st.sampled_from([0.02, 0.2, 0.5]), st.sampled_from(list(Kind)), persistences
)
def test_a_sample_is_anomalous_when_it_and_enough_of_the_last_ones_crossed_and_nothing_else_changes(
    seed: int, share: float, kind: Kind, persistence: Persistence
) -> None:
    values = spiky(seed, share)
    each, some = judge(values, kind), judge(values, kind, persistence=persistence)
    assert some["anomalous"].tolist() == persistent(each["anomalous"], persistence)
    for name in ("score", "expected", "lower", "upper", "p_value", "n"):
        assert np.array_equal(each[name], some[name], equal_nan=True), name


def test_there_is_something_to_hold_back() -> None:
    values = spiky(1, 0.02)
    crossed, twice = judge(values, Kind.RUNS), judge(values, Kind.RUNS, persistence=Persistence(2, 3))
    assert crossed["anomalous"].sum() >= 4
    assert twice["anomalous"].sum() <= 1


def test_what_crossed_before_is_stored_and_kept_when_settings_change() -> None:
    values = spiky(2, 0.0, 60)
    values[[58, 59]] *= 20
    bank = NumericBank()
    slot = bank.add(Kind.RUNS, persistence=Persistence(2, 2))
    times = START_MS + np.arange(60) * HOUR_MS
    assert not bank.judge_many(np.full(59, slot), times[:59], values[:59])["anomalous"].any()
    other = NumericBank()
    other.load_blocks(bank.dump_blocks())
    assert other.judge(slot, int(times[59]), values[59]).anomalous
    bank.configure(
        slot,
        direction=Direction.BOTH,
        false_alarms_per_day=1 / 30,
        min_effect=0.0,
        persistence=Persistence(3, 3),
    )
    assert not bank.judge(slot, int(times[59]), values[59]).anomalous
    assert bank.judge(slot, int(times[59]) + HOUR_MS, values[59]).anomalous


@pytest.mark.parametrize("impossible", [(0, 1), (2, 1), (1, AMONG_MAX + 1)])
def test_an_impossible_persistence_is_refused(impossible: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="cannot cross"):
        NumericBank().add(persistence=Persistence(*impossible))


@pytest.mark.parametrize("wrong", [-1.0, float("nan"), float("inf")])
def test_an_impossible_least_volume_is_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="least volume"):
        NumericBank().add(min_volume=wrong)


@pytest.mark.parametrize("kind", Kind)
def test_below_the_least_volume_only_what_leaves_it_is_anomalous(kind: Kind) -> None:
    values = spiky(3, 0.0)
    values[[-30, -20, -10]] = 1.0, 900.0, 2000.0
    plain, small = judge(values, kind), judge(values, kind, min_volume=1000.0)
    assert plain["anomalous"][[-30, -20, -10]].tolist() == [True, True, True]
    assert small["anomalous"][[-30, -20, -10]].tolist() == [False, False, True]
    known = ~np.isnan(small["upper"])
    assert (small["upper"][known] >= 1000).all()
    assert (plain["score"] == small["score"]).all()


@pytest.mark.parametrize("kind", Kind)
def test_a_drop_from_above_the_least_volume_to_below_it_is_anomalous(kind: Kind) -> None:
    values = spiky(4, 0.0)
    values[-1] = 1.0
    assert judge(values, kind, min_volume=100.0)["anomalous"][-1]


def hourly(slow: set[int], failed: set[int], count: int) -> list[Event]:
    """A run of `orders` every hour that takes 100 s, give or take, or half an hour, or fails."""
    events = []
    for hour in range(count):
        start_ms = START_MS + hour * HOUR_MS
        run = f"run-{hour}"
        events.append(Event(start_ms, "orders", RunState.STARTED, run))
        duration_ms = 1_800_000 if hour in slow else 100_000 + 1000 * (hour * 7 % 5)
        state = RunState.FAILED if hour in failed else RunState.SUCCEEDED
        events.append(Event(start_ms + duration_ms, "orders", state, run))
    return events


def alerts_of(events: list[Event], tuning: Tuning) -> list[Alert]:
    return Pipeline(Settings(defaults=tuning)).run(whole([events]))


def test_one_run_that_takes_too_long_is_held_back_and_the_second_told_while_it_runs() -> None:
    twice = Tuning(persistence=Persistence(2, 3))
    assert alerts_of(hourly({50}, set(), 60), Tuning())
    assert alerts_of(hourly({50}, set(), 60), twice) == []
    alerts = alerts_of(hourly({50, 52}, set(), 60), twice)
    assert alerts[0].kind == "latency"
    assert alerts[0].transition_reason == "opened: running_too_long"
    second_ms = START_MS + 52 * HOUR_MS
    assert alerts[0].starts_at.startswith(_minute(second_ms)[:13])


def _minute(time_ms: int) -> str:
    return str(np.datetime64(time_ms, "ms"))


def test_failures_are_judged_once_there_have_been_enough_runs() -> None:
    failed = set(range(30, 36))
    few, enough = Tuning(min_volume=40), Tuning(min_volume=30)
    assert {alert.kind for alert in alerts_of(hourly(set(), failed, 36), enough)} == {"failures"}
    assert alerts_of(hourly(set(), failed, 36), few) == []
    later = failed | set(range(50, 56))
    assert {alert.kind for alert in alerts_of(hourly(set(), later, 56), few)} == {"failures"}


def test_a_least_volume_is_nothing_to_a_duration() -> None:
    huge = Tuning(min_volume=1e12)
    assert {alert.kind for alert in alerts_of(hourly({50}, set(), 60), huge)} == {"latency"}
