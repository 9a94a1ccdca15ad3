import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.quality.attribution import NOBODY, Alerts, Incident, Samples, false_each, found, gathered, owners
from bench.quality.fault_runs import Course, Size, incidents_of, run
from bench.quality.per_run import PerRun
from bench.quality.staged import RUNS, alerts, run_event
from detectors.episodes import Episode, Transition
from stream.backtest import Recorded

HOUR_MS, DAY_MS = 3_600_000, 86_400_000


def incident(**more: object) -> Incident:
    """Slowness of `orders` from hour 100 to hour 110; hourly runs."""
    usual: dict[str, object] = {
        "id": "1",
        "kind": "sudden_slowdown",
        "match": {"pipeline": "orders"},
        "signals": frozenset({"latency"}),
        "starts_ms": 100 * HOUR_MS,
        "ends_ms": 110 * HOUR_MS,
        "interval_ms": HOUR_MS,
    }
    return Incident(**(usual | more))  # type: ignore[arg-type]


def whose(incidents: list[Incident], signal: str, hour: float, **labels: str) -> tuple[int, int]:
    times = np.array([hour * HOUR_MS], np.int64)
    said = owners(incidents, signal, {"pipeline": "orders"} | labels, times)
    return int(said.belongs[0]), int(said.finds[0])


@pytest.mark.parametrize(("hour", "number"), [(99.9, NOBODY), (100, 0), (110, 0), (112, 0), (112.1, NOBODY)])
def test_an_alert_belongs_from_the_start_to_the_end_and_a_grace(hour: float, number: int):
    assert whose([incident()], "latency", hour) == (number, number)


def test_labels_must_be_those_that_the_incident_names():
    named = [incident(match={"pipeline": "orders", "name": "null_share"})]
    assert whose([incident()], "latency", 105, task="load") == (0, 0)
    assert whose([incident()], "latency", 105, pipeline="billing") == (NOBODY, NOBODY)
    assert whose(named, "latency", 105) == (NOBODY, NOBODY)
    assert whose(named, "latency", 105, name="null_share") == (0, 0)


def test_another_signal_is_no_false_alert_but_finds_nothing():
    assert whose([incident()], "volume", 105) == (0, NOBODY)


def test_what_goes_on_for_weeks_takes_only_its_own_signals_and_is_found_soon_or_never():
    lasting = incident(kind="level_shift", ends_ms=3000 * HOUR_MS, for_good=True)
    assert whose([lasting], "volume", 105) == (NOBODY, NOBODY)
    assert whose([lasting], "latency", 100 + 168 + 10) == (0, 0)
    assert whose([lasting], "latency", 100 + 168 + 10.1) == (0, NOBODY)
    drift = lasting._replace(kind="slow_drift", for_good=False)
    assert whose([drift], "volume", 105) == (NOBODY, NOBODY)
    assert whose([drift], "latency", 2999) == (0, 0)


def test_of_two_incidents_the_one_that_names_the_signal_comes_first():
    both = [incident(), incident(id="2", signals=frozenset({"volume"}), starts_ms=104 * HOUR_MS)]
    assert whose(both, "latency", 105) == (0, 0)
    assert whose(both, "volume", 105) == (1, 1)
    assert whose(both, "freshness", 105) == (1, NOBODY)
    assert whose(both[::-1], "latency", 105) == (1, 1)


def samples(flags: list[bool], step_ms: int, belongs: list[int] | None = None) -> Samples:
    numbers = np.array(belongs if belongs is not None else [NOBODY] * len(flags))
    times = np.arange(len(flags), dtype=np.int64) * step_ms
    return Samples(np.zeros(len(flags), int), times, numbers, numbers)


@given(
    flags=st.lists(st.booleans(), min_size=1, max_size=60),
    others=st.lists(st.booleans(), min_size=1, max_size=60),
    step_min=st.sampled_from([5, 20, 60, 1440]),
)
def test_alerts_are_the_episodes_of_each_series(flags: list[bool], others: list[bool], step_min: int):
    parts = [samples(flags, step_min * 60_000), samples(others, step_min * 60_000)]
    parts[1] = parts[1]._replace(series=parts[1].series + 1)
    both = gathered(parts)
    said = both.alerts(np.array(flags + others))
    expected = []
    for number, each in enumerate((flags, others)):
        episode = Episode()
        expected += [
            (number, at * step_min * 60_000)
            for at, flag in enumerate(each)
            if episode.advance(at * step_min * 60_000, flag, 1.0) is Transition.OPENED
        ]
    assert list(zip(said.series.tolist(), said.times_ms.tolist(), strict=True)) == expected


def test_accounts_count_what_was_found_when_and_what_was_false():
    incidents = [incident(), incident(id="2", starts_ms=200 * HOUR_MS, ends_ms=201 * HOUR_MS)]
    hours = np.array([3, 101, 104, 105, 150, 160, 103, 170])
    told = Alerts(
        hours * HOUR_MS,
        np.array([0, 0, 1, 1, 1, 0, 2, 2]),
        np.array([NOBODY, 0, 0, 0, NOBODY, NOBODY, 0, NOBODY]),
        np.array([NOBODY, NOBODY, 0, 0, NOBODY, NOBODY, 0, NOBODY]),
        np.array([True] * 6 + [False] * 2),
    )
    assert [tuple(it) for it in found(incidents, told)] == [(3 * HOUR_MS, 3), (None, 0)]
    assert false_each(told, 3, 100 * HOUR_MS).tolist() == [1, 1, 0]


def record(time_ms: int, **event: object) -> Recorded:
    told = run_event(str(event.pop("pipeline", "orders")), time_ms, int(str(event.pop("run", 0))))
    assert told.value is not None
    value = msgspec.json.encode(msgspec.json.decode(told.value) | event)
    return told._replace(value=value, timestamp_ms=time_ms + 7)


def test_runs_become_series_of_numbers():
    runs = PerRun()
    runs.add(record(1000, state="started", run=1))
    runs.add(record(5000, state="succeeded", run=1, rows=10))
    runs.add(record(65_000, state="failed", run=2, task="load"))
    runs.add(record(95_000, state="succeeded", run=3, duration_ms=3, bytes=9))
    runs.add(Recorded(RUNS, b'{"name": "null_share", "value": 0.5, "labels": {"pipeline": "orders"}}', 9, -1))
    runs.add(Recorded(RUNS, b"not json", 9, -1))
    said = {
        (it.signal, tuple(it.labels.items())): (it.times_ms.tolist(), it.values.tolist())
        for it in runs.series()
    }
    orders = ("pipeline", "orders")
    assert said == {
        ("failures", (orders,)): ([5007, 95_007], [0, 0]),
        ("failures", (orders, ("task", "load"))): ([65_007], [1]),
        ("latency", (orders,)): ([5007, 95_007], [4000, 3]),
        ("volume", (orders, ("measure", "rows"))): ([5007], [10]),
        ("volume", (orders, ("measure", "bytes"))): ([95_007], [9]),
        ("freshness", (orders,)): ([95_007], [90_000]),
        ("nulls", (("name", "null_share"), orders)): ([9], [0.5]),
    }
    assert runs.intervals_ms() == {"orders": 90_000}


def test_incidents_are_read_as_simulate_writes_them():
    document = {
        "incidents": [
            {
                "id": "0001-late_run",
                "kind": "late_run",
                "match": {"pipeline": "a"},
                "signals": ["freshness"],
                "starts_at": "1970-01-01T00:00:02Z",
                "ends_at": "1970-01-01T00:00:03.500Z",
            }
        ]
    }
    (one,) = incidents_of(document, {"a": 60})
    assert (one.starts_ms, one.ends_ms, one.interval_ms, one.signals) == (
        2000,
        3500,
        60,
        frozenset({"freshness"}),
    )


def test_the_stages_find_a_load_without_rows():
    daily = [
        run_event("orders", day * DAY_MS, day, rows=1000 + day % 3, duration_ms=60_000)
        for day in range(1, 20)
    ]
    daily.append(run_event("orders", 20 * DAY_MS, 20, rows=0, duration_ms=60_000))
    (alert,) = [it for it in alerts(daily) if it.series.signal == "volume"]
    assert alert.observed == 0


def test_a_small_platform_is_judged_from_its_seed():
    small = Size(4, 24, 1.5)
    done = run(Course(1000, None, small, slow_too=False))
    assert done.seed == 1000
    assert done.incidents
    assert len(done.alerts.times_ms) == len(done.reasons)
    assert set(done.scores) == {
        "EWMA z",
        "seasonal median/MAD",
        "Holt-Winters",
        "River GaussianScorer",
        "in-baseline z",
    }
    assert all(len(scores) == len(done.samples.times_ms) for scores in done.scores.values())
