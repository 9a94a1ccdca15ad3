"""The volume of anyone's records: how many come in a window and how large, however they were cut; too few of them is an alert."""

import json
import random
from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from detectors.alerts import State
from detectors.record_rows import PAYLOAD_ROW
from detectors.record_windows import RecordWindows
from stream.formats.records import RecordSource
from tests.detectors.payloads import SPACING_MS, TOPIC, Topic

WINDOW_MS = 1000


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9000), st.integers(0, 50)), max_size=60),
    st.lists(st.integers(0, 60), max_size=5),
)
def test_each_window_but_a_series_first_has_its_records_and_bytes(
    payloads: list[tuple[int, int, int]], cuts: list[int]
) -> None:
    payloads = sorted(payloads, key=lambda it: it[1])
    rows = np.zeros(len(payloads), PAYLOAD_ROW)
    for at, (follower, order_ms, size) in enumerate(payloads):
        rows[at]["follower"], rows[at]["order_ms"], rows[at]["size"], rows[at]["offset"] = (
            follower,
            order_ms,
            size,
            at,
        )
    windows, ended = RecordWindows(WINDOW_MS), []
    ends = sorted({*(cut for cut in cuts if cut < len(rows)), len(rows)})
    for first, last in zip([0, *ends], ends, strict=False):
        before_ms = int(rows["order_ms"][last]) if last < len(rows) else 20_000
        ended += windows.take(rows[first:last], before_ms)
        fresh = RecordWindows(WINDOW_MS)
        fresh.load(windows.dump())
        windows = fresh

    records, sizes = Counter[tuple[int, int]](), Counter[tuple[int, int]]()
    for follower, order_ms, size in payloads:
        records[follower, order_ms // WINDOW_MS] += 1
        sizes[follower, order_ms // WINDOW_MS] += size
    firsts = {follower: min(number for it, number in records if it == follower) for follower, _ in records}
    expected = {
        (follower, (number + 1) * WINDOW_MS, count, sizes[follower, number])
        for (follower, number), count in records.items()
        if number != firsts[follower]
    }
    assert {(it.place, it.end_ms, it.records, it.bytes) for it in ended} == expected
    assert len(ended) == len(expected)


def test_volume_is_followed_by_topic_and_label_in_records_and_bytes() -> None:
    source = RecordSource((), (("region", ("region",)),))
    topic = Topic(source, shards=2, window_ms=100 * SPACING_MS)
    record = {"region": "eu", "id": 1}
    topic.send([record] * 1000)
    topic.end()
    known = {
        dict(it.labels).get("measure"): it
        for detect in topic.process._detects
        for it in detect.followed()
        if it.signal == "volume"
    }
    assert set(known) == {"records", "bytes"}
    assert {dict(it.labels)["region"] for it in known.values()} == {"eu"}
    assert {name: it.unit for name, it in known.items()} == {"records": "records", "bytes": "bytes"}
    assert known["records"].n in (9, 10)
    size = len(json.dumps(record).encode())
    assert known["bytes"].latest == size * (known["records"].latest or 0)


def test_a_topic_that_carries_a_fifth_of_its_records_is_an_alert_of_its_volume() -> None:
    def run(batch: int) -> list[tuple[str, str]]:
        topic, chance = Topic(window_ms=100 * SPACING_MS), random.Random(1)
        records = [{"id": 1, "kind": chance.choice("ab")} for _ in range(30_000)]
        topic.send(records, batch)
        topic.send([{"id": 1, "kind": "a", "pad": "x" * 2000}] * 400, batch)
        topic.end()
        return [
            (str(sorted(it.series.labels.items())), it.updated_at)
            for it in topic.process.alerts.values()
            if it.kind == "volume" and it.state in (State.FIRING, State.SUPPRESSED)
        ]

    found = run(500)
    assert found
    assert f"('topic', '{TOPIC}')" in found[0][0]
    assert "('measure', 'bytes')" in found[0][0]
    assert run(333) == found


def test_topics_beyond_the_cap_are_said_once_and_harm_nothing() -> None:
    topic = Topic(RecordSource((), (("region", ("region",)),)), series_max=1)
    topic.send([{"region": region} for region in ("eu", "us", "asia") * 20])
    topic.end()
    (alert,) = topic.opened("detector_health")
    assert alert.labels["cap"] == "limits.series_max"
