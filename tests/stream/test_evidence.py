"""Evidence: the samples around an incident, and what is said where they are no longer retained."""

import io
import json
import math

import msgspec
from rich.console import Console

from detectors.alerts import Alert, Kind, RootCause, Window, encode
from detectors.verdicts import Change, SchemaChange, SourcePosition
from detectors.watching import Seen
from stream import explanation
from stream.alert_story import Story, read_story
from stream.alert_stream import Received
from stream.evidence import Evidence, around, drawn, epoch_ms, has_samples
from tests.stream.alert_examples import FIRING, RESOLVED

MINUTE_MS = 60_000
START_MS = epoch_ms(FIRING.starts_at)
ALERTS = [FIRING, RESOLVED]
NAN = math.nan


def samples(first: int, last: int) -> list[Seen]:
    """One a minute, counted from the beginning of the incident."""
    return [Seen(START_MS + n * MINUTE_MS, 5000.0 + n, 5300.0, NAN, 7100.0) for n in range(first, last)]


def rested(alert: Alert, from_: str) -> Alert:
    return msgspec.structs.replace(alert, baseline=msgspec.structs.replace(alert.baseline, from_=from_))


YOUNG = [rested(alert, FIRING.starts_at) for alert in ALERTS]
"""Alerts that rest on nothing that is older than themselves."""


def window_to(end: str) -> Window:
    return Window(FIRING.starts_at, end)


def test_an_incident_is_shown_with_what_came_before_and_after_it():
    found = around(YOUNG, samples(-5_000, 5_000))
    assert found.notes == []
    assert found.samples == samples(-96, 65)
    picture = drawn(YOUNG, found)
    assert picture.incidents_ms == [(START_MS, epoch_ms(RESOLVED.ends_at or ""))]
    assert picture.alerts_ms == [epoch_ms(FIRING.updated_at), epoch_ms(RESOLVED.updated_at)]
    assert picture.span_ms == (START_MS - 96 * MINUTE_MS, START_MS + 64 * MINUTE_MS)


def test_a_silence_is_shown_though_nothing_came():
    silent = [
        msgspec.structs.replace(it, change=Change.SILENCE, window=window_to(it.updated_at)) for it in YOUNG
    ]
    found = around(silent, samples(-100, -20))
    told = Seen(epoch_ms(FIRING.updated_at), 31_200.0, 5_300.0, NAN, 7_100.0)
    assert str(found.samples) == str([*samples(-96, -20), told])
    assert found.to_ms == epoch_ms(RESOLVED.updated_at)


def test_an_incident_that_is_open_lasts_until_the_last_sample():
    found = around(YOUNG[:1], samples(-500, 90))
    assert found.incident_ms == (START_MS, START_MS + 89 * MINUTE_MS)
    assert drawn(YOUNG[:1], found).incidents_ms == [found.incident_ms]


def test_a_younger_detector_is_said():
    (note,) = around(ALERTS, samples(-500, 500)).notes
    assert note.startswith(
        "the alert rests on 118 samples since 2026-02-24T10:00:00.000Z, but what is retained"
    )


def test_what_came_after_the_incident_is_drawn_when_nothing_else_is_left():
    found = around(ALERTS, samples(100, 200))
    assert found.samples == samples(100, 200)
    assert "after the incident: drawn is what came since" in found.notes[0]
    assert drawn(ALERTS, found).incidents_ms == []


def test_what_came_long_before_is_drawn_when_the_incident_itself_is_not_there():
    found = around(YOUNG, samples(-9_000, -8_000))
    assert len(found.samples) == 1_000
    assert "of the time of the incident no sample is retained" in found.notes[0]


def test_without_samples_there_is_nothing_to_draw():
    found = around(ALERTS, [])
    assert (found.samples, len(found.notes)) == ([], 1)
    assert not has_samples(msgspec.structs.replace(FIRING, kind=Kind.SCHEMA))


def text(story: Story, evidence: Evidence) -> str:
    console = Console(file=io.StringIO(), width=300, no_color=True)
    console.print(explanation.text(story, evidence, 100))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


PLACE = SourcePosition("orders.records", 1, 7, 7)
CHANGE = SchemaChange(
    change="field_removed",
    path="customer.id",
    from_="string",
    to=None,
    share=0.5,
    confidence=1.0,
    first=PLACE,
    last=PLACE,
)
CAUSED = msgspec.structs.replace(
    FIRING,
    root_cause=RootCause("ab" * 16, ["orders", "payments"]),
    children=["cd" * 16],
    schema_change=CHANGE,
)


def test_everything_that_is_known_is_read():
    root = msgspec.structs.replace(FIRING, alert_id="ab" * 16, summary="the root")
    given = [Received(alert, encode(alert), 0) for alert in (CAUSED, root)]
    story = read_story(given, CAUSED.alert_id, "topic")
    said = text(story, Evidence([], 0, 0, (0, 0), ["only a [note]"]))
    for part in (
        "opened: above_range",
        "told",
        "orders → payments",
        "FIRING  the root",
        "and 1 more",
        "field_removed at customer.id: from string to None",
        "in 0.5 of the records",
        "orders.records[1]@7",
        "pipeline.events[2]@17",
        "note: only a [note]",
    ):
        assert part in said, part


def test_as_json_it_is_one_object_without_numbers_that_are_none():
    given = [Received(alert, encode(alert), 0) for alert in ALERTS]
    story = read_story(given, FIRING.alert_id, "topic")
    plain = explanation.plain(story, around(YOUNG, samples(-3, 3)))
    told = json.loads(msgspec.json.encode(plain))
    assert [it["state"] for it in told["story"]] == ["firing", "resolved"]
    assert told["root_cause"] is None
    assert told["series"]["samples"][0]["lower"] is None
    assert told["series"]["samples"][0]["upper"] == 7100.0
