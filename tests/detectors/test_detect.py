"""Detect and triage on scripted records: what each signal says, and what it keeps quiet about."""

import dataclasses

import pytest

from detectors import detect
from detectors.alerts import Alert, State
from detectors.samples import RunState
from detectors.settings import Settings, Tuning
from detectors.stage import HoleError
from tests.detectors.scripted_log import Event, Pipeline, batch, ending, whole

HOUR_MS = 3_600_000
START_MS = 1_780_000_000_000


def hourly(hours: range, **said: float) -> list[Event]:
    """A run of `orders` every hour: it takes 100 s and writes 1,000 rows, give or take a few per cent."""
    events = []
    for hour in hours:
        wobble = 1 + 0.03 * ((hour * 7) % 5 - 2)
        start_ms = START_MS + hour * HOUR_MS
        events.append(Event(start_ms, "orders", RunState.STARTED, f"run-{hour}"))
        end_ms = start_ms + int(100_000 * wobble * said.get("slower", 1))
        rows = 1000 * wobble * said.get("share", 1)
        events.append(Event(end_ms, "orders", RunState.SUCCEEDED, f"run-{hour}", rows=rows))
    return events


def alerts_of(events: list[Event], settings: Settings | None = None) -> list[Alert]:
    """The alerts of one partition's records."""
    return Pipeline(settings).run(whole([events]))


def test_ordinary_runs_give_no_alert() -> None:
    assert alerts_of(hourly(range(200))) == []


def test_a_slow_run_is_reported_while_it_runs_and_resolved_by_an_ordinary_one() -> None:
    alerts = alerts_of(hourly(range(50)) + hourly(range(50, 51), slower=10) + hourly(range(51, 53)))
    assert [alert.kind for alert in alerts] == ["latency"] * len(alerts)
    assert alerts[0].transition_reason == "opened: running_too_long"
    assert [alert.state for alert in alerts][-1] is State.RESOLVED
    assert len({alert.alert_id for alert in alerts}) == 1
    opened = alerts[0]
    assert opened.observed is not None
    assert opened.upper is not None
    assert opened.expected == pytest.approx(100_000, rel=0.1)
    assert opened.observed >= opened.upper
    assert opened.starts_at < "2026-05-30T22:56"


def test_the_second_day_of_an_incident_is_not_normal() -> None:
    alerts = alerts_of(hourly(range(50)) + hourly(range(50, 78), share=0.1))
    assert alerts[0].state is State.FIRING
    assert State.RESOLVED not in {alert.state for alert in alerts}
    assert {alert.kind for alert in alerts} == {"volume"}


def test_a_drop_in_rows_names_what_was_observed_and_expected() -> None:
    (alert,) = alerts_of(hourly(range(60)) + hourly(range(60, 61), share=0.2))
    assert alert.kind == "volume"
    assert alert.series.labels == {"pipeline": "orders", "measure": "rows"}
    assert alert.direction == "down"
    assert alert.observed == pytest.approx(200, rel=0.1)
    assert alert.expected == pytest.approx(1000, rel=0.1)
    assert alert.source_positions[0].last_offset == 121
    assert "orders carried" in alert.summary


def test_an_effect_below_the_least_one_is_kept_quiet() -> None:
    events = hourly(range(60)) + hourly(range(60, 61), share=0.2)
    assert alerts_of(events, Settings(defaults=Tuning(min_effect=0.9))) == []


def test_only_the_direction_that_matters_alarms() -> None:
    faster = hourly(range(60)) + hourly(range(60, 61), slower=0.05)
    assert [alert for alert in alerts_of(faster) if alert.kind == "latency"] == []


def test_a_run_that_does_not_come_is_reported_when_it_was_due_and_resolved_when_it_comes() -> None:
    alerts = alerts_of(hourly(range(40)) + hourly(range(45, 47)))
    assert [(alert.kind, alert.state) for alert in alerts] == [
        ("freshness", "firing"),
        ("freshness", "resolved"),
    ]
    late_ms = alerts[0].observed
    assert late_ms is not None
    assert HOUR_MS < late_ms < 2 * HOUR_MS
    assert alerts[1].ends_at is not None


def test_silence_is_judged_by_the_wall_time_of_marks_once_all_is_read() -> None:
    pipeline, log = Pipeline(), [hourly(range(40))]
    assert pipeline.run(whole(log)) == []
    assert [alert.kind for alert in pipeline.run(ending(log, after_ms=3 * HOUR_MS))] == ["freshness"]


def test_missing_data_resolves_nothing() -> None:
    pipeline, log = Pipeline(), [hourly(range(60)) + hourly(range(60, 61), share=0.1)]
    pipeline.run(whole(log))
    pipeline.run(ending(log, after_ms=100 * HOUR_MS))
    assert State.RESOLVED not in {alert.state for alert in pipeline.alerts}


def test_failures_in_a_row_are_one_incident_with_the_error_that_came_along() -> None:
    events = hourly(range(60))
    for hour in range(60, 64):
        events.append(
            Event(START_MS + hour * HOUR_MS, "orders", RunState.FAILED, f"run-{hour}", error="disk full")
        )
    alerts = [alert for alert in alerts_of(events) if alert.kind == "failures"]
    assert alerts[0].state is State.FIRING
    assert alerts[0].annotations == {"error": "disk full"}
    assert len({alert.alert_id for alert in alerts}) == 1


def test_a_run_that_is_reported_twice_is_a_duplicate_and_counts_once() -> None:
    events = hourly(range(60))
    for hour in range(54, 60):
        events.append(
            Event(START_MS + 60 * HOUR_MS + hour, "orders", RunState.SUCCEEDED, f"run-{hour}", rows=5.0)
        )
    assert {alert.kind for alert in alerts_of(events)} == {"duplicates"}


def test_each_difference_between_declared_schemas_is_an_alert() -> None:
    before = (("id", "long", False), ("amount", "int", None), ("old", "string", None))
    after = (("id", "long", True), ("amount", "decimal", None), ("new", "string", None))
    events = [Event(START_MS + n * HOUR_MS, "orders", fields=before if n < 5 else after) for n in range(6)]
    changes = {
        alert.schema_change.change: alert.schema_change for alert in alerts_of(events) if alert.schema_change
    }
    assert {change: said.path for change, said in changes.items()} == {
        "field_added": "new",
        "field_removed": "old",
        "type_changed": "amount",
        "nullability_changed": "id",
    }
    assert (changes["type_changed"].from_, changes["type_changed"].to) == ("int", "decimal")
    assert changes["field_added"].first.first_offset == 5


def test_the_order_of_fields_is_no_change() -> None:
    fields = (("id", "long", False), ("name", "string", None))
    events = [Event(START_MS, "orders", fields=fields), Event(START_MS + 1000, "orders", fields=fields[::-1])]
    assert alerts_of(events) == []


def test_a_start_that_comes_behind_its_end_still_gives_the_duration_and_is_not_waited_for() -> None:
    events = hourly(range(60))
    ended_ms = START_MS + 59 * HOUR_MS + 1_200_000
    events.append(Event(ended_ms, "orders", RunState.SUCCEEDED, "turned", rows=1000.0))
    events.append(Event(ended_ms - 100_000, "orders", RunState.STARTED, "turned"))
    pipeline, log = Pipeline(), [events]
    assert pipeline.run(whole(log)) == []
    assert pipeline.run(ending(log, after_ms=2_000_000)) == []
    (latency,) = (series for series in pipeline.detect.followed() if series.signal == "latency")
    assert (latency.n, latency.latest) == (61, 100_000)
    assert pipeline.detect.gauges()["open_runs"] == 0


def test_late_rows_are_counted_and_used() -> None:
    events = hourly(range(60))
    late_ms = START_MS + 50 * HOUR_MS
    events.append(Event(late_ms, "other", RunState.STARTED, "late"))
    events.append(Event(late_ms + 7000, "other", RunState.SUCCEEDED, "late"))
    pipeline = Pipeline()
    assert pipeline.run(whole([events])) == []
    assert pipeline.detect.take_counts()["late", "pipeline.events"] == 2
    latency = {
        series.labels: series.latest for series in pipeline.detect.followed() if series.signal == "latency"
    }
    assert latency[(("pipeline", "other"),)] == 7000


def test_a_backfill_of_old_runs_is_late_and_raises_no_alert_of_runs_that_take_too_long() -> None:
    backfilled = [dataclasses.replace(event, run=f"again-{event.run}") for event in hourly(range(20, 40))]
    assert {alert.kind for alert in alerts_of(hourly(range(60)) + backfilled)} == {"lateness"}


def test_a_late_declaration_does_not_bring_an_old_schema_back() -> None:
    old, new = (("id", "long", False),), (("id", "long", False), ("name", "string", None))
    events = [Event(START_MS, "orders", fields=old), Event(START_MS + HOUR_MS, "orders", fields=new)]
    events.append(Event(START_MS + 1, "orders", fields=old))
    assert [alert.kind for alert in alerts_of(events)] == ["schema"]


def test_a_hole_in_the_source_offsets_is_an_error() -> None:
    pipeline, log = Pipeline(), [hourly(range(10))]
    pipeline.feed(batch(log, 0, 0, 4))
    with pytest.raises(HoleError, match=r"offsets 5\.\.6 of pipeline\.events\[0\] never arrived"):
        pipeline.feed(batch(log, 0, 7, 9))


def test_series_beyond_the_cap_are_counted_and_said_once() -> None:
    events = [Event(START_MS + n, f"pipeline-{n}", rows=1.0) for n in range(10)]
    pipeline = Pipeline(Settings(series_max=3))
    alerts = pipeline.run(whole([events]))
    assert [alert.kind for alert in alerts] == ["detector_health"]
    counts = pipeline.detect.take_counts()
    assert counts["series_refused",] == 7
    assert counts["records", "pipeline.events"] == 10


def test_idle_series_make_room_when_the_shard_is_full() -> None:
    gone = [Event(START_MS + n, f"gone-{n}", rows=1.0) for n in range(2)]
    kept = [Event(START_MS + n * HOUR_MS, "kept", run=f"{n}", rows=1.0) for n in range(12)]
    new = [Event(START_MS + 12 * HOUR_MS + n, f"new-{n}", rows=1.0) for n in range(2)]
    pipeline = Pipeline(Settings(series_max=3))
    log = [[*gone, *kept, *new]]
    for first, last in ((0, 1), (2, 13), (14, 14), (15, 15)):
        pipeline.feed(batch(log, 0, first, last))
    assert pipeline.run(ending(log)) == []
    assert {dict(series.labels)["pipeline"] for series in pipeline.detect.followed()} == {
        "kept",
        "new-0",
        "new-1",
    }
    counts = pipeline.detect.take_counts()
    assert (counts["idle_given_up",], counts["series_refused",]) == (2, 0)
    before = {name: len(chunk) for name, chunk in pipeline.detect.dump().items()}
    pipeline.crash()
    assert {name: len(chunk) for name, chunk in pipeline.detect.dump().items()} == before


def test_a_series_that_comes_back_in_the_batch_that_needs_room_keeps_its_place() -> None:
    old = [Event(START_MS + n, f"old-{n}", rows=1.0) for n in range(3)]
    clock = [Event(START_MS + hour * HOUR_MS, "old-2", run=f"{hour}", rows=1.0) for hour in range(1, 4)]
    again = [Event(START_MS + 4 * HOUR_MS, name, rows=2.0) for name in ("old-0", "new")]
    pipeline, log = Pipeline(Settings(series_max=3)), [[*old, *clock, *again]]
    for first, last in ((0, 2), (3, 5), (6, 7)):
        pipeline.feed(batch(log, 0, first, last))
    pipeline.run(ending(log))
    rows = {
        dict(series.labels)["pipeline"]: (series.n, series.latest)
        for series in pipeline.detect.followed()
        if dict(series.labels).get("measure") == "rows"
    }
    assert rows == {"old-0": (2, 2.0), "old-2": (4, 1.0), "new": (1, 2.0)}


def test_a_flood_of_new_series_leaves_the_old_ones_alone() -> None:
    old = hourly(range(60))
    flood = [Event(START_MS + 60 * HOUR_MS + n, f"flood-{n}", rows=1.0) for n in range(3000)]
    late = hourly(range(60, 61), share=0.1)
    pipeline = Pipeline(Settings(series_max=1000))
    log = [[*old, *flood, *late]]
    for first in range(0, len(log[0]), 100):
        pipeline.feed(batch(log, 0, first, min(first + 100, len(log[0])) - 1))
    alerts = pipeline.run(ending(log))
    assert sorted(alert.kind for alert in alerts) == ["detector_health", "volume"]
    assert alerts[0].source_positions[0].first_offset == len(old) + 999
    assert pipeline.detect.take_counts()["series_refused",] == 2001


def test_rows_are_not_waited_for_beyond_the_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detect, "PENDING_ROWS_MAX", 100)
    pipeline, log = Pipeline(), [hourly(range(200)), hourly(range(1))]
    pipeline.feed(batch(log, 1, 0, 1))
    for first in range(0, 400, 40):
        pipeline.feed(batch(log, 0, first, first + 39))
        assert pipeline.detect.gauges()["pending_rows"] <= 100
    assert pipeline.detect.take_counts()["rows_not_waited_for",] > 0
    pipeline.run(ending(log))
    assert {series.n for series in pipeline.detect.followed() if series.signal == "freshness"} == {200}


def test_every_record_is_counted_once_however_often_it_is_sent() -> None:
    pipeline, log = Pipeline(), [hourly(range(10))]
    for first, last in ((0, 4), (0, 4), (3, 12), (5, 19), (0, 19)):
        pipeline.feed(batch(log, 0, first, last))
    counts = pipeline.detect.take_counts()
    assert counts["records", "pipeline.events"] == 20
    assert counts["fenced", "pipeline.events"] == (5 + 5 + 10 + 15 + 20) - 20


def test_history_that_arrives_at_an_idle_worker_raises_no_false_silence() -> None:
    pipeline, log = Pipeline(), [hourly(range(60)), hourly(range(60))]
    years_later_ms = START_MS + 10_000 * HOUR_MS
    for partition in (0, 1):
        pipeline.feed(batch(log, partition, 0, -1, idle=True, wall_ms=years_later_ms))
    for first, last in ((0, 50), (51, 119)):
        for partition in (0, 1):
            pipeline.feed(batch(log, partition, first, last, wall_ms=years_later_ms + 1000))
    assert pipeline.alerts == []


DAY_MS = 24 * HOUR_MS
MONDAY_MS = 1_780_272_000_000
"""2026-06-01."""


def weekday_runs(days: int, missed: tuple[int, ...] = (), late: tuple[int, ...] = ()) -> list[Event]:
    """A run of `orders` at ten past two on working days; the `missed` days have none, the `late` ones one three hours later."""
    return [
        Event(
            MONDAY_MS + day * DAY_MS + 130 * 60_000 + (day * 7 % 5) * 30_000 + (day in late) * 3 * HOUR_MS,
            "orders",
            run=f"day-{day}",
            duration_ms=60_000 + 500 * (day * 7 % 5),
        )
        for day in range(days)
        if day % 7 < 5 and day not in missed
    ]


def test_a_missed_tuesday_is_told_on_tuesday_in_words_to_act_on() -> None:
    alerts = alerts_of(weekday_runs(40, missed=(36,)))
    assert [(alert.kind, alert.state) for alert in alerts] == [
        ("freshness", "firing"),
        ("freshness", "resolved"),
    ]
    opened = alerts[0]
    assert "2026-07-07T02:10" < opened.starts_at < "2026-07-07T02:30"
    assert opened.summary.startswith(
        "orders has not run since 2026-07-06 02:10:00 UTC: a run was due between 2026-07-07 02:1"
    )
    assert opened.summary.endswith("it runs on weekdays (26 samples)")
    assert opened.baseline.method == "schedule"
    assert opened.lower is not None
    assert opened.expected is not None
    assert opened.upper is not None
    assert DAY_MS - 5 * 60_000 < opened.lower <= opened.expected < opened.upper == opened.observed


def test_a_late_run_is_overdue_and_then_arrives() -> None:
    alerts = alerts_of(weekday_runs(40, late=(36,)))
    assert [alert.transition_reason for alert in alerts] == ["opened: run_overdue", "resolved: run_arrived"]
    assert alerts[1].ends_at is not None
    assert alerts[1].ends_at.startswith("2026-07-07T05:1")


def test_an_outage_of_weeks_is_told_once() -> None:
    pipeline, log = Pipeline(), [weekday_runs(40)]
    pipeline.run(whole(log))
    alerts = pipeline.run(ending(log, after_ms=60 * DAY_MS))
    assert [(it.kind, it.state) for it in alerts] == [("freshness", "firing"), ("freshness", "expired")]


def test_a_restart_keeps_what_is_due() -> None:
    log = [weekday_runs(40)]
    pipeline = Pipeline()
    pipeline.run(whole(log))
    pipeline.crash()
    (opened,) = pipeline.run(ending(log, after_ms=4 * DAY_MS))
    undisturbed = Pipeline()
    undisturbed.run(whole(log))
    (expected,) = undisturbed.run(ending(log, after_ms=4 * DAY_MS))
    assert (opened.event_id, opened.starts_at) == (expected.event_id, expected.starts_at)


def samples(minutes: range) -> list[Event]:
    """A sample of `queue_depth` every minute."""
    return [Event(START_MS + n * 60_000, "queue_depth", value=50.0 + n * 7 % 5) for n in minutes]


def test_a_metric_that_stops_coming_is_told_and_resolved_when_it_is_back() -> None:
    clock = [Event(START_MS + n * HOUR_MS, "clock", value=1.0) for n in range(37)]
    events = sorted(
        [*samples(range(1800)), *samples(range(2100, 2200)), *clock], key=lambda event: event.time_ms
    )
    alerts = [alert for alert in alerts_of(events) if alert.kind == "freshness"]
    assert [alert.transition_reason for alert in alerts] == [
        "opened: series_silent",
        "resolved: series_back",
    ]
    assert "queue_depth has not been seen since" in alerts[0].summary
    assert alerts[0].observed is not None
    assert 60_000 < alerts[0].observed < HOUR_MS


def test_a_metric_younger_than_a_day_may_end() -> None:
    clock = [Event(START_MS + n * HOUR_MS, "clock", value=1.0) for n in range(20)]
    events = sorted([*samples(range(600)), *clock], key=lambda event: event.time_ms)
    assert alerts_of(events) == []


def test_a_publisher_whose_clock_falls_behind_comes_late_and_one_late_record_is_no_incident() -> None:
    slow_ms = 40 * 60_000
    events = []
    for n in range(600):
        time_ms = START_MS + n * 300_000
        behind_ms = slow_ms if 500 <= n < 520 or n == 300 else 0
        events.append(Event(time_ms, "clock", run=f"clock-{n}", duration_ms=1000.0))
        events.append(Event(time_ms + 1000 - behind_ms, "orders", run=f"run-{n}", duration_ms=1000.0))
    alerts = [alert for alert in alerts_of(events) if alert.kind == "lateness"]
    assert [alert.transition_reason for alert in (alerts[0], alerts[-1])] == [
        "opened: too_many_late",
        "resolved: ordinary",
    ]
    assert len({alert.alert_id for alert in alerts}) == 1
    assert len(alerts) <= 3
    assert alerts[0].labels["pipeline"] == "orders"
    assert alerts[0].starts_at > "2026-05-30T14"
    assert "orders comes late" in alerts[0].summary


def test_of_a_slow_clock_lateness_tells_and_not_freshness_for_every_run() -> None:
    behind_ms = 46 * 60_000
    events = []
    for n in range(400):
        time_ms = START_MS + n * HOUR_MS
        events.append(Event(time_ms - 1000, "clock", value=1.0))
        at_ms = time_ms - (behind_ms if 300 <= n < 320 else 0)
        events.append(Event(at_ms, "orders", run=f"run-{n}", duration_ms=1000.0))
    opened = [it for it in alerts_of(events) if it.state is State.FIRING and it.sequence == 1]
    assert [it.kind for it in opened] == ["lateness"]
