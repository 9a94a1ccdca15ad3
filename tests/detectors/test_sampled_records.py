"""A topic of which a sample is looked at: volume is exact, changes are found, and alerts say that they rest on a sample."""

import random

import pytest

from detectors.alerts import Alert
from stream.formats.records import RecordSource
from tests.detectors.payloads import SPACING_MS, TOPIC, Record, Topic

SAMPLE = 0.2


def orders(count: int, first: int = 0, share: float = 0.0) -> list[Record]:
    chance = random.Random(first)
    return [
        {"id": number, "amount": f"{number}" if chance.random() < share else number}
        for number in range(first, first + count)
    ]


def told(share: float, batch: int = 500, restart: bool = False) -> list[Alert]:
    topic = Topic(RecordSource(sample=SAMPLE), sampled_topics={TOPIC: SAMPLE})
    topic.send(orders(20_000), batch)
    if restart:
        topic.restart()
    topic.send(orders(10_000, 20_000, share), batch)
    topic.end()
    return [it for it in topic.process.alerts.values() if it.kind == "schema"]


@pytest.mark.parametrize(("share", "says"), [
    pytest.param(1.0, ", in a sample of 20 % of the records", id="all"),
    pytest.param(0.3, " % of the records (of which a sample of 20 % is looked at)", id="some"),
])  # fmt: skip
def test_a_change_is_found_in_a_sample_and_says_so(share: float, says: str) -> None:
    (alert,) = told(share)
    change = alert.schema_change
    assert change is not None
    assert (change.change, change.path, change.sample) == ("type_changed", "amount", SAMPLE)
    assert change.share == pytest.approx(share, abs=0.06)
    assert change.first.first_offset in range(20_000, 20_100)
    assert says in alert.summary


def test_it_is_the_same_however_batches_are_cut_and_over_restarts() -> None:
    assert told(0.3, batch=333, restart=True) == told(0.3)


def test_volume_is_that_of_all_records() -> None:
    topic = Topic(RecordSource(sample=SAMPLE), window_ms=100 * SPACING_MS, sampled_topics={TOPIC: SAMPLE})
    topic.send(orders(2_000))
    topic.end()
    known = {
        (str(it.signal), dict(it.labels).get("measure")): it
        for detect in topic.process._detects
        for it in detect.followed()
    }
    assert known["volume", "records"].latest == 100
    assert 250 < known["schema", None].n < 550
