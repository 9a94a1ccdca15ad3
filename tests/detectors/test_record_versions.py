"""Records of two versions, as a rolling deploy makes them, are one alert with its progress, whatever the new version changes."""

import random
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from detectors.alerts import Alert, State
from detectors.verdicts import SchemaChange
from tests.detectors.payloads import Record, Topic, ordinary

KNOWN = 4_000
ROLLOUT = (0.1, 0.3, 0.5, 0.7, 0.9)


def second_version(record: Record) -> None:
    record["channel"] = "web"
    record["id"] = str(record["id"])
    del record["paid"]


def mixed(
    shares: Iterable[float], each: int = 1_000, change: Callable[[Record], Any] = second_version
) -> list[Record]:
    """Ordinary records, of which so large shares are of the new version, one share after the other."""
    chance = random.Random(5)
    records = []
    for share in shares:
        for _ in range(each):
            record = ordinary(chance)
            if chance.random() < share:
                change(record)
            records.append(record)
    return records


def told(
    records: list[Record], batch: int = 500, restart: bool = False
) -> tuple[list[Alert], list[SchemaChange]]:
    topic = Topic()
    topic.ordinary(KNOWN)
    for first in range(0, len(records), 2_500):
        if restart:
            topic.restart()
        topic.send(records[first : first + 2_500], batch)
    changes = topic.end()
    return [it for it in topic.process.alerts.values() if it.kind == "schema"], changes


def test_a_rolling_deploy_is_one_alert_with_its_progress_that_ends_with_the_old_version() -> None:
    alerts, changes = told(mixed([*ROLLOUT, 1.0, 1.0]))
    assert len({it.alert_id for it in alerts}) == 1
    assert {(it.change, it.path, it.to) for it in changes} == {
        ("version_mix", "", "channel added, id changed, paid removed")
    }
    shares = [it.schema_change.share for it in alerts if it.schema_change and it.state is State.FIRING]
    assert len(shares) in range(5, 9)
    assert shares == sorted(shares)
    assert shares[0] == pytest.approx(0.1, abs=0.05)
    assert alerts[0].summary.endswith(
        "% of them are of the new one (channel added, id changed, paid removed)"
    )
    assert (alerts[0].schema_change or changes[0]).first.first_offset in range(KNOWN, KNOWN + 80)
    assert alerts[-1].state is State.RESOLVED
    assert alerts[-1].transition_reason == "resolved: new_version_alone"
    assert "has records of the new version only, after" in alerts[-1].summary


def test_it_is_the_same_however_batches_are_cut_and_over_restarts() -> None:
    records = mixed([*ROLLOUT, 1.0])
    assert told(records, 333, restart=True) == told(records)


def test_a_new_version_that_is_rolled_back_ends_it_and_may_come_again() -> None:
    alerts, changes = told(mixed([0.1, 0.4, 0.0, 0.0, 0.2, 0.5]))
    assert [it.transition_reason for it in alerts if it.state is State.RESOLVED] == [
        "resolved: old_version_alone"
    ]
    assert "rolled back" in next(it.summary for it in alerts if it.state is State.RESOLVED)
    assert {it.change for it in changes} == {"version_mix"}
    again = [it for it in alerts if it.transition_reason == "reopened: version_mix"]
    assert [it.state for it in again] == [State.PENDING]


def test_what_the_old_version_had_is_a_change_when_it_comes_back_after_the_deploy() -> None:
    alerts, changes = told(mixed([0.3, 0.7, 1.0, 1.0, 0.0]))
    later = [it for it in changes if it.change != "version_mix"]
    assert {(it.change, it.path) for it in later} == {
        ("field_removed", "channel"),
        ("type_changed", "id"),
        ("field_added", "paid"),
    }
    assert alerts[-1].state in (State.RESOLVED, State.SUPPRESSED, State.FIRING)


def test_one_change_is_told_by_itself_and_what_is_in_other_records_too() -> None:
    _, changes = told(mixed([0.3] * 3, change=lambda it: it.update(channel="web")))
    assert [(it.change, it.path) for it in changes] == [("field_added", "channel")]

    chance = random.Random(9)

    def either(record: Record) -> None:
        record.update(channel="web") if chance.random() < 0.5 else record.update(id="x")

    _, changes = told(mixed([0.3] * 3, change=either))
    assert {(it.change, it.path) for it in changes} == {("field_added", "channel"), ("type_changed", "id")}


def test_changes_that_come_apart_in_a_tenth_each_are_told_apart() -> None:
    chance = random.Random(9)

    def both(record: Record) -> None:
        if chance.random() < 0.1:
            record["channel"] = "web"
        if chance.random() < 0.1:
            record["id"] = "x"

    _, changes = told(mixed([1.0] * 3, change=both))
    assert {(it.change, it.path) for it in changes} == {("field_added", "channel"), ("type_changed", "id")}


def test_a_deploy_at_once_is_told_change_by_change() -> None:
    _, changes = told(mixed([1.0] * 3))
    assert {(it.change, it.path) for it in changes} == {
        ("field_added", "channel"),
        ("type_changed", "id"),
        ("field_removed", "paid"),
    }


def test_an_optional_field_of_the_new_version_belongs_to_it() -> None:
    chance = random.Random(9)

    def change(record: Record) -> None:
        second_version(record)
        if chance.random() < 0.1:
            record["gift"] = True

    alerts, changes = told(mixed(ROLLOUT, change=change))
    assert {it.change for it in changes} == {"version_mix"}
    assert len({it.alert_id for it in alerts}) == 1


def test_two_versions_for_a_day_are_usual() -> None:
    topic = Topic(window_ms=3_600_000)
    topic.ordinary(KNOWN)
    for _ in range(3):
        topic.send(mixed([0.5], 500))
        topic.offset += 432_000
    topic.send(mixed([0.5], 500))
    topic.end()
    reasons = [it.transition_reason for it in topic.process.alerts.values() if it.kind == "schema"]
    assert reasons == ["opened: version_mix", "resolved: versions_usual"]
