"""Declared schedules: what does not come at its time is told from the first day on, and nothing else is."""

from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.alerts import Alert, State
from detectors.due_times import due_after
from detectors.orders import Origin, Switch, encode
from detectors.settings import NO_SCHEDULE, Rule, Schedule, Settings, Tuning
from tests.detectors.payloads import Topic
from tests.detectors.scripted_log import Event, Pipeline, batch, cut, ending, whole

DAY_MS, HOUR_MS, MINUTE_MS = 86_400_000, 3_600_000, 60_000
TWO = Schedule("daily 02:00-02:20", "0 2 * * *", 20 * MINUTE_MS)
WEEKDAYS = Schedule("weekdays 02:00-02:20", "0 2 * * mon-fri", 20 * MINUTE_MS)
BERLIN = "Europe/Berlin"
MONDAY_MS = int(datetime(2026, 6, 1, 2, 0, tzinfo=ZoneInfo(BERLIN)).timestamp() * 1000)


def scheduled(schedule: Schedule = TWO, time_zone: str = BERLIN) -> Settings:
    tuning = Tuning(schedule=schedule, time_zone=time_zone)
    return Settings(rules=(Rule({"pipeline": "orders"}, tuning),))


def nightly(*days: float, pipeline: str = "orders", late_ms: int = 0) -> list[Event]:
    """A run at two at night of some days after the first Monday."""
    return [
        Event(MONDAY_MS + round(day * DAY_MS) + late_ms, pipeline, run=f"{pipeline}-{day}") for day in days
    ]


def clock(minutes: float = 0, days: float = 0) -> list[Event]:
    """Another pipeline's events, by which time passes."""
    return [Event(MONDAY_MS + round(days * DAY_MS + minutes * MINUTE_MS), "clock", run=f"{days}-{minutes}")]


def told(events: list[Event], settings: Settings) -> list[Alert]:
    return [it for it in Pipeline(settings).run(whole([events])) if it.labels["pipeline"] == "orders"]


def course(alerts: list[Alert]) -> list[str]:
    return [f"{it.state} {it.transition_reason}" for it in alerts]


def test_a_run_that_is_missing_on_its_second_day_is_told_when_its_window_ends():
    alerts = told([*nightly(0), *clock(minutes=21, days=1)], scheduled())
    assert course(alerts) == ["firing opened: run_overdue"]
    (alert,) = alerts
    assert alert.starts_at == "2026-06-02T00:20:00.000Z"
    assert alert.baseline.method == "declared_schedule"
    assert (alert.expected, alert.upper) == (DAY_MS, DAY_MS + 20 * MINUTE_MS)
    assert "was due between 2026-06-02 00:00:00 and 00:20:00 UTC" in alert.summary
    assert "by its schedule, daily 02:00-02:20, Europe/Berlin" in alert.summary


def test_what_comes_within_its_window_or_a_little_early_is_not_missed():
    events = [*nightly(0), *nightly(1, late_ms=19 * MINUTE_MS), *nightly(2, late_ms=-5 * MINUTE_MS)]
    assert told([*events, *clock(minutes=30, days=2)], scheduled()) == []


def test_a_run_in_between_is_not_the_one_that_was_due():
    assert course(told([*nightly(0, 0.5), *clock(minutes=21, days=1)], scheduled())) == [
        "firing opened: run_overdue"
    ]


def test_what_comes_after_all_resolves_and_what_is_missing_for_days_is_told_once():
    alerts = told([*nightly(0, 3.5), *clock(minutes=21, days=3.5)], scheduled())
    assert course(alerts) == ["firing opened: run_overdue", "resolved resolved: run_arrived"]
    assert alerts[1].summary.startswith("orders has run again")


def test_days_off_are_kept_and_the_other_series_are_not_judged():
    events = [*nightly(0, 1, 2, 3, 4), *clock(minutes=30, days=6.9), *nightly(7), *clock(minutes=30, days=7)]
    assert told(events, scheduled(WEEKDAYS)) == []
    other = [*nightly(0, pipeline="other"), *clock(days=3)]
    assert Pipeline(scheduled()).run(whole([other])) == []


def test_what_was_learned_is_silent_where_a_schedule_is_declared():
    hourly = [Event(MONDAY_MS + n * HOUR_MS, "orders", run=str(n)) for n in range(60)]
    events = [*hourly, *clock(minutes=5 * 60, days=2.5)]
    assert course(told(events, Settings())) == ["firing opened: run_overdue"]
    assert told(events, scheduled()) == []


def test_a_run_that_was_only_told_late_corrects_the_alert():
    on_time = [Event(MONDAY_MS + DAY_MS + 10 * MINUTE_MS, "orders", run="second")]
    alerts = told(
        [*nightly(0), *clock(minutes=40, days=1), *on_time, *clock(minutes=60, days=1)], scheduled()
    )
    assert course(alerts) == ["firing opened: run_overdue", "corrected corrected: run_on_time"]
    assert alerts[1].notify
    assert alerts[1].ends_at is not None
    assert "had run in time, which was only told" in alerts[1].summary


def test_a_run_that_came_late_and_was_told_late_has_arrived():
    late = [Event(MONDAY_MS + DAY_MS + 25 * MINUTE_MS, "orders", run="second")]
    alerts = told([*nightly(0), *clock(minutes=40, days=1), *late, *clock(minutes=60, days=1)], scheduled())
    assert course(alerts)[1] == "resolved resolved: run_arrived"


def test_a_schedule_that_was_learned_is_corrected_too():
    hourly = [Event(MONDAY_MS + n * HOUR_MS, "orders", run=str(n)) for n in range(61) if n != 60]
    on_time = [Event(MONDAY_MS + 60 * HOUR_MS, "orders", run="60")]
    events = [*hourly, *clock(minutes=61 * 60 + 55), *on_time, *clock(minutes=62 * 60 - 1)]
    assert course(told(events, Settings())) == [
        "firing opened: run_overdue",
        "corrected corrected: run_on_time",
    ]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1 << 32), st.sets(st.integers(0, 20), max_size=12), st.integers(0, 3))
def test_neither_batches_nor_crashes_change_what_is_told(seed: int, missed: set[int], crashes: int):
    runs = [
        it
        for day in range(1, 21)
        if day not in missed
        for it in nightly(day, late_ms=seed % (25 * MINUTE_MS))
    ]
    log = [[*nightly(0), *runs], [it for n in range(0, 21 * 24, 3) for it in clock(minutes=60 * n)]]
    whole_run, pieces = Pipeline(scheduled()), Pipeline(scheduled())
    whole_run.run(whole(log))
    for number, payload in enumerate(cut(log, seed)):
        pieces.feed(payload)
        if crashes and number % (7 * crashes) == 0:
            pieces.crash()
    assert [it.event_id for it in pieces.alerts] == [it.event_id for it in whole_run.alerts]
    assert missed & set(range(1, 20)) == set() or whole_run.alerts


def test_what_is_counted_in_windows_has_a_window_longer():
    """The topic's windows end each five minutes, and it is expected two minutes after each ten."""
    expected = Schedule("", "2-59/10 * * * *", 61_000)
    topic = Topic(rules=(Rule({"topic": "orders"}, Tuning(schedule=expected)),))
    topic.send([{"id": 1}] * 18_000)
    assert topic.opened("freshness") == []
    topic.end()
    assert {it.baseline.method for it in topic.opened("freshness")} == {"declared_schedule"}


def test_a_schedule_that_comes_in_force_counts_from_then_on_and_one_that_goes_is_forgotten():
    events = [
        *nightly(0, 1),
        *clock(minutes=30, days=3),
        *clock(minutes=30, days=4),
        *clock(minutes=1, days=5),
    ]
    pipeline = Pipeline()

    def payloads(*switches: Settings) -> Iterator[bytes]:
        yield batch([events], 0, 0, 2)
        for offset, wanted in enumerate(switches):
            yield encode(Switch(origin=Origin("configs", 0, offset), settings=wanted))
        yield batch([events], 0, 3, len(events) - 1)
        yield from ending([events])

    assert course(pipeline.run(payloads(scheduled()))) == ["firing opened: run_overdue"]
    assert pipeline.alerts[0].starts_at == "2026-06-05T00:20:00.000Z"
    assert Pipeline().run(payloads(scheduled(), scheduled(NO_SCHEDULE))) == []


@pytest.mark.parametrize(
    ("cron", "after", "expected"),
    [
        ("30 2 * * *", "2026-03-28T12:00+01:00", "2026-03-29T01:30+00:00"),
        ("30 2 * * *", "2026-10-24T12:00+02:00", "2026-10-25T00:30+00:00"),
        ("30 2 * * *", "2026-10-25T02:30+02:00", "2026-10-26T01:30+00:00"),
        ("0 * * * *", "2026-10-25T02:00+02:00", "2026-10-25T02:00+00:00"),
    ],
)
def test_an_hour_that_is_skipped_is_the_next_and_of_two_the_first_counts(
    cron: str, after: str, expected: str
):
    after_ms = int(datetime.fromisoformat(after).timestamp() * 1000)
    due = due_after(Schedule("", cron, MINUTE_MS), BERLIN, after_ms)
    assert datetime.fromtimestamp(due.expected_ms / 1000, UTC) == datetime.fromisoformat(expected)


def test_states_are_final_or_not():
    assert [it for it in State if it.is_final] == [State.RESOLVED, State.CORRECTED, State.EXPIRED]
