"""A topic of which a sample is looked at: volume is exact, changes are found, and alerts say that they rest on a sample."""

import random

import pytest

from detectors.alerts import Alert
from stream.formats.records import RecordSource
from tests.detectors.payloads import SPACING_MS, Record, Topic

SAMPLE = 0.2
BY_SHARE = RecordSource(sample=SAMPLE)
BY_PACE = RecordSource(per_second=2)
READINGS = [pytest.param(BY_SHARE, id="share"), pytest.param(BY_PACE, id="pace")]
"""Both look at a fifth of the records, of which there are ten a second."""


def orders(count: int, first: int = 0, share: float = 0.0) -> list[Record]:
    chance = random.Random(first)
    return [
        {"id": number, "amount": f"{number}" if chance.random() < share else number}
        for number in range(first, first + count)
    ]


def told(
    share: float, batch: int = 500, restart: bool = False, reading: RecordSource = BY_SHARE
) -> list[Alert]:
    topic = Topic(reading)
    topic.send(orders(20_000), batch)
    if restart:
        topic.restart()
    topic.send(orders(10_000, 20_000, share), batch)
    topic.end()
    return [it for it in topic.process.alerts.values() if it.kind == "schema"]


@pytest.mark.parametrize(("share", "says"), [
    pytest.param(1.0, ", in a sample of {:.3g} % of the records", id="all"),
    pytest.param(0.3, " % of the records (of which a sample of {:.3g} % is looked at)", id="some"),
])  # fmt: skip
@pytest.mark.parametrize("reading", READINGS)
def test_a_change_is_found_in_a_sample_and_says_so(reading: RecordSource, share: float, says: str) -> None:
    (alert,) = told(share, reading=reading)
    change = alert.schema_change
    assert change is not None
    assert (change.change, change.path) == ("type_changed", "amount")
    assert change.sample == pytest.approx(SAMPLE, abs=0.03)
    assert change.share == pytest.approx(share, abs=0.06)
    assert change.first.first_offset in range(20_000, 20_100)
    assert says.format(100 * change.sample) in alert.summary


@pytest.mark.parametrize("reading", READINGS)
def test_it_is_the_same_however_batches_are_cut_and_over_restarts(reading: RecordSource) -> None:
    assert told(0.3, batch=333, restart=True, reading=reading) == told(0.3, reading=reading)


@pytest.mark.parametrize("reading", READINGS)
def test_volume_is_that_of_all_records(reading: RecordSource) -> None:
    topic = Topic(reading, window_ms=100 * SPACING_MS)
    topic.send(orders(2_000))
    topic.end()
    known = {
        (str(it.signal), dict(it.labels).get("measure")): it
        for detect in topic.process._detects
        for it in detect.followed()
    }
    assert known["volume", "records"].latest == 100
    assert 250 < known["schema", None].n < 550
