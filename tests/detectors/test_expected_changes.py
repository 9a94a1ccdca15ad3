"""A change that is expected becomes what is known without a word; all else is told."""

from collections.abc import Callable
from typing import Any

import pytest

from detectors.expected_changes import ExpectedChange
from tests.detectors.payloads import TOPIC, Record, Topic


def changed(record: Record) -> None:
    """A new field, a type that changes, and another name."""
    record["channel"] = "web"
    record["total"] = str(record["total"])
    record["notes"] = record.pop("note")


ALL = [("field_added", "channel"), ("renamed", "note"), ("type_changed", "total")]


def told(
    *expected: ExpectedChange, change: Callable[[Record], Any] = changed
) -> tuple[list[tuple[str, str]], Topic]:
    topic = Topic(expected=expected)
    topic.ordinary(3000)
    topic.ordinary(3000, change)
    return sorted((it.change, it.path) for it in topic.end()), topic


@pytest.mark.parametrize(
    ("expected", "left"),
    [
        (ExpectedChange(TOPIC, "channel", "field_added"), ALL[1:]),
        (ExpectedChange(TOPIC, "channel"), ALL[1:]),
        (ExpectedChange(TOPIC, "note"), [ALL[0], ALL[2]]),
        (ExpectedChange(TOPIC, "notes", "renamed"), [ALL[0], ALL[2]]),
        (ExpectedChange(TOPIC, "total", "field_added"), ALL),
        (ExpectedChange("other", "channel"), ALL),
        (ExpectedChange(TOPIC, "chan"), ALL),
    ],
)
def test_only_what_is_expected_is_not_told(expected: ExpectedChange, left: list[tuple[str, str]]) -> None:
    found, topic = told(expected)
    assert len(found) == len(left)
    assert [change for change, _ in found] == [change for change, _ in left]
    assert topic.process.counts()["expected_changes",] == 3 - len(left)


def test_what_was_expected_is_the_new_baseline_and_its_end_is_told() -> None:
    topic = Topic(expected=(ExpectedChange(TOPIC, "channel", "field_added"),))
    topic.ordinary(3000)
    topic.ordinary(3000, lambda record: record.update(channel="web"))
    topic.ordinary(3000)
    assert [(it.change, it.path) for it in topic.end()] == [("field_removed", "channel")]
