"""An alert made once more: equal to the byte from what is retained, and told apart with reasons where it is not."""

import random
from datetime import UTC, datetime
from functools import cache
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.alerts import Alert, Mode, encode
from detectors.commands import Acknowledge, Silence
from detectors.detect import Detect
from detectors.lineage import Link, Relation
from detectors.notes import VERSION, CommandNote, LineageNote
from detectors.notes import encode as encode_note
from detectors.settings import Settings, Tuning
from detectors.triage import Triage
from stream.exits import Refused
from stream.rederived import (
    MISSING,
    NEW,
    Batches,
    Difference,
    Gone,
    Rederived,
    ShardLog,
    differences,
    reasons,
    rederive,
)
from stream.retained import Kept
from tests.detectors.scripted_log import cut
from tests.detectors.test_determinism import START_MS, platform

SHARDS = 2
SETTINGS = Settings(shards=SHARDS)


class Recorded(NamedTuple):
    """What a deployment has left on its topics."""

    samples: list[list[Kept]]
    notes: list[Kept]
    alerts: list[Alert]


@cache
def recorded(seed: int) -> Recorded:
    """Two shards that read logs of their own in turns, with lineage, a command and repeats in between."""
    rng = random.Random(seed)
    logs = [list(cut(platform(shard), seed + shard)) for shard in range(SHARDS)]
    shards, at = [Detect(SETTINGS, shard) for shard in range(SHARDS)], [0] * SHARDS
    triage = Triage(SETTINGS, Mode.LIVE)
    notes: list[Kept] = []
    alerts: list[Alert] = []

    def hear(value: bytes) -> None:
        alerts.extend(triage.step(len(notes), value))
        notes.append(Kept(len(notes), 0, value))

    hear(encode_note(LineageNote(VERSION, (START_MS,), (Link("payments", Relation.AFTER, "orders"),))))
    hear(encode_note(silence()))
    while left := [shard for shard in range(SHARDS) if at[shard] < len(logs[shard])]:
        shard = rng.choice(left)
        for output in shards[shard].step(at[shard], logs[shard][at[shard]]):
            hear(output.value or b"")
            if rng.random() < 0.1:
                hear(output.value or b"")
        at[shard] += 1
        if alerts and alerts[-1].state == "firing":
            hear(encode_note(acknowledgement(alerts[-1].alert_id)))
    samples = [[Kept(offset, 0, value) for offset, value in enumerate(log)] for log in logs]
    return Recorded(samples, notes, alerts)


def silence() -> CommandNote:
    """Of the schemas of datasets, for all of the log."""
    given_at, until = datetime(2026, 5, 28, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
    command = Silence(
        command_id="quiet", author="ada", time=given_at, match={"dataset": "warehouse.*"}, until=until
    )
    return CommandNote(VERSION, "streamgauge.commands", 0, 0, START_MS, command)


def acknowledgement(alert_id: str) -> CommandNote:
    given_at = datetime(2026, 6, 1, tzinfo=UTC)
    command = Acknowledge(command_id=alert_id, author="ada", time=given_at, alert_id=alert_id)
    return CommandNote(VERSION, "streamgauge.commands", 0, 1, START_MS, command)


def again(
    what: Recorded, told: Alert, its_settings: Settings = SETTINGS, first: int = 0, first_note: int = 0
) -> Rederived:
    logs = [ShardLog(first, iter(records[first:])) for records in what.samples]
    return rederive(its_settings, told, what.notes[first_note:], logs)


def compared(what: Recorded, told: Alert, result: Rederived) -> list[Difference]:
    """Told later, as processing times are."""
    records = {it.event_id: it for it in what.alerts if it.alert_id == told.alert_id}
    later = [
        msgspec.structs.replace(it, detected_at=it.updated_at, detection_delay_ms=9)
        for it in records.values()
    ]
    return differences(later, [encode(it) for it in later], result.alerts)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1), number=st.integers(0, 10_000))
def test_every_alert_comes_out_equal_to_the_byte(seed: int, number: int):
    what = recorded(seed)
    told = what.alerts[number % len(what.alerts)]
    result = again(what, told)
    assert compared(what, told, result) == []
    assert (result.batches.differing, result.batches.not_retained) == (0, 0)
    assert result.batches.equal > 20


def test_the_log_has_what_makes_alerts_depend_on_one_another():
    alerts = recorded(0).alerts
    assert {"acknowledged", "suppressed", "resolved"} <= {str(it.state) for it in alerts}
    assert len({it.alert_id for it in alerts}) > 5


def test_other_settings_make_another_alert_and_that_is_said():
    what = recorded(0)
    told = next(it for it in what.alerts if it.kind == "latency")
    other = msgspec.structs.replace(SETTINGS, defaults=Tuning(severity="critical"))
    result = again(what, told, other)
    found = compared(what, told, result)
    assert {"severity", "config_hash"} <= {it.field for it in found}
    assert any(
        "under the configuration" in it for it in reasons(other, told, found, result, Gone(False, False))
    )


def test_what_retention_took_is_said():
    what = recorded(0)
    told = next(it for it in what.alerts if it.kind == "latency")
    begin = len(what.samples[0]) // 3
    result = again(what, told, first=begin, first_note=1)
    assert result.batches.not_retained > 0
    found = compared(what, told, result)
    assert found
    said = " ".join(reasons(SETTINGS, told, found, result, Gone(True, True)))
    for part in (
        "detect had learned from what is gone",
        "triage knew of what is gone",
        "were taken as recorded",
    ):
        assert part in said


def test_only_alerts_of_the_same_time_are_named_in_its_place():
    told = recorded(0).alerts[0]
    same = msgspec.structs.replace(told, alert_id="a" * 32)
    later = msgspec.structs.replace(told, alert_id="b" * 32, starts_at="2030-01-01T00:00:00.000Z")
    result = Rederived([], [same, later], Batches())
    found = [Difference(1, MISSING, told.transition_reason, None)]
    (said,) = reasons(SETTINGS, told, found, result, Gone(False, False))
    assert same.alert_id in said
    assert later.alert_id not in said


def test_records_that_are_missing_or_new_are_told_with_their_transition():
    what = recorded(0)
    told = [it for it in what.alerts if it.alert_id == what.alerts[0].alert_id]
    values = [encode(it) for it in told]
    assert differences(told, values, told[1:]) == [Difference(1, MISSING, told[0].transition_reason, None)]
    assert differences(told[1:], values[1:], told) == [Difference(1, NEW, None, told[0].transition_reason)]
    spaced = [msgspec.json.format(value, indent=1) for value in values]
    assert {it.field for it in differences(told, spaced, told)} == {"bytes"}


@pytest.mark.parametrize("where", ["samples", "notes"])
def test_what_cannot_be_read_is_named_with_its_offset(where: str):
    what, bad = recorded(0), Kept(0, 0, b"\x00")
    logs = [ShardLog(0, iter([bad] if where == "samples" else records)) for records in what.samples]
    with pytest.raises(Refused, match=r"at ([01]@)?0: "):
        rederive(SETTINGS, what.alerts[0], [bad] if where == "notes" else what.notes, logs)
