"""Signals of anyone's records: how late they come to the broker, how far out of order, and which come twice."""

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.alerts import State
from detectors.record_blocks import PAYLOAD, Block
from detectors.record_repeats import RepeatJudge, Repeats
from detectors.settings import Tuning
from stream.formats.records import RecordSource
from tests.detectors.payloads import SPACING_MS, Record, Topic

WINDOW_MS = 100 * SPACING_MS
TIMED = RecordSource(event_time=("at",))
NAMED = RecordSource(id=("id",))


def delayed(
    topic: Topic, count: int, chance: random.Random, slow: float = 1.0, far: int = 0, far_ms: int = 60_000
) -> list[Record]:
    """Records some 200 ms old when they come to the broker, times `slow`; every so manieth is `far_ms` older."""
    records = []
    for place in range(count):
        age_ms = slow * chance.lognormvariate(5.3, 0.3) + far_ms * (far > 0 and place % far == 0)
        records.append({"at": topic.now_ms + SPACING_MS * place - round(age_ms)})
    return records


def measured(topic: Topic) -> dict[str, float]:
    """What is known of the latest window, by signal and measure."""
    return {
        f"{it.signal} {dict(it.labels).get('measure', '')}".strip(): it.latest or 0.0
        for detect in topic.process._detects
        for it in detect.followed()
    }


def test_delays_to_the_broker_and_disorder_are_followed_as_quantiles() -> None:
    topic, chance = Topic(TIMED, window_ms=6 * WINDOW_MS), random.Random(3)
    topic.send(delayed(topic, 3_000, chance, far=20, far_ms=5_000))
    topic.end()
    known = measured(topic)
    assert known["latency p50"] == pytest.approx(210, rel=0.2)
    assert known["latency p99"] == pytest.approx(5_200, rel=0.1)
    assert known["lateness p99"] == pytest.approx(5_200, rel=0.1)


def test_without_an_event_time_there_is_no_delay() -> None:
    topic = Topic(window_ms=WINDOW_MS)
    topic.send([{"id": 1}] * 1_000)
    topic.end()
    assert not [name for name in measured(topic) if name.startswith("latency")]
    assert measured(topic)["lateness p99"] == 0.0


def test_delays_have_no_freshness_and_no_lateness_of_their_own() -> None:
    topic = Topic(TIMED, window_ms=WINDOW_MS)
    topic.send(delayed(topic, 3_000, random.Random(3)))
    topic.end()
    others = {"volume records", "volume bytes", "freshness records", "freshness bytes", "schema"}
    rates = {"lateness records", "lateness bytes"}
    assert set(measured(topic)) == {"latency p50", "latency p99", "lateness p99", *others, *rates}


def test_records_that_come_late_to_the_broker_are_an_alert_however_batches_are_cut() -> None:
    def told(batch: int) -> list[tuple[str, str, str]]:
        topic, chance = Topic(TIMED, window_ms=WINDOW_MS), random.Random(3)
        topic.send(delayed(topic, 20_000, chance), batch)
        topic.send(delayed(topic, 500, chance, slow=20), batch)
        topic.end()
        return [(it.series.labels["measure"], it.updated_at, it.summary) for it in topic.opened("latency")]

    first = told(500)
    assert {measure for measure, _, _ in first} == {"p50", "p99"}
    assert "orders (measure" not in first[0][2]
    assert told(333) == first


def test_records_out_of_order_are_an_alert() -> None:
    topic, chance = Topic(TIMED, window_ms=WINDOW_MS), random.Random(3)
    topic.send(delayed(topic, 20_000, chance))
    topic.send(delayed(topic, 500, chance, far=10))
    topic.end()
    assert [it.series.labels["measure"] for it in topic.opened("lateness")] == ["p99"]


def test_lateness_has_its_own_settings() -> None:
    topic = Topic(
        TIMED,
        window_ms=WINDOW_MS,
        signals={"lateness": Tuning(direction="down"), "latency": Tuning(direction="up")},
    )
    chance = random.Random(3)
    topic.send(delayed(topic, 20_000, chance))
    topic.restart()
    topic.send(delayed(topic, 500, chance, far=10))
    topic.end()
    assert not topic.opened("lateness")
    assert topic.opened("latency")


def unique(count: int, first: int = 0) -> list[Record]:
    return [{"id": f"order-{number}", "n": 1} for number in range(first, first + count)]


def test_records_that_come_twice_are_an_alert_with_their_place() -> None:
    def told(batch: int, restart: bool) -> list[Any]:
        topic = Topic(NAMED)
        topic.send(unique(5_000), batch)
        if restart:
            topic.restart()
        topic.send([it for it in unique(500, 5_000) for _ in range(2)], batch)
        topic.send(unique(40_000, 5_500), batch)
        topic.end()
        return [
            (it.state, it.updated_at, it.summary, it.observed, it.expected, it.source_positions)
            for it in topic.process.alerts.values()
            if it.kind == "duplicates"
        ]

    (opened, resolved) = first = told(500, restart=False)
    state, _, summary, observed, expected, (place,) = opened
    assert (state, observed, expected) == (State.FIRING, 0.5, 0.0)
    assert summary.startswith("orders has records again that came before: 50%")
    assert (place.first_offset, place.last_offset) == (5_001, 5_999)
    assert resolved[0] is State.RESOLVED
    assert told(333, restart=True) == first


@pytest.mark.parametrize("records", [
    pytest.param([{"id": None}] * 9_000, id="no ids"),
    pytest.param([{"n": 1}] * 9_000, id="no id field"),
    pytest.param([{"id": {"a": 1}}] * 9_000, id="ids that are objects"),
    pytest.param([it for it in unique(9_000) for _ in range(1 + (hash(it["id"][-1]) % 2))], id="always many"),
    pytest.param([it for number, it in enumerate(unique(9_000)) for _ in range(1 + (number % 100 == 7))], id="always some"),
    pytest.param(unique(9_000), id="none"),
])  # fmt: skip
def test_what_always_repeats_and_what_has_no_id_is_no_alert(records: list[Record]) -> None:
    topic = Topic(NAMED)
    topic.send(records)
    topic.end()
    assert not topic.opened("duplicates")


def test_repeats_that_go_on_become_usual() -> None:
    topic = Topic(NAMED)
    topic.send(unique(2_000))
    topic.send([it for it in unique(5_000, 2_000) for _ in range(2)])
    topic.send([it for it in unique(30_000, 7_000) for _ in range(2)])
    topic.end()
    assert [it.state for it in topic.process.alerts.values() if it.kind == "duplicates"] == [
        State.FIRING,
        State.RESOLVED,
    ]


def block(idents: Sequence[int]) -> Block:
    payloads = np.zeros(len(idents), PAYLOAD)
    payloads["ident"], payloads["offset"] = idents, np.arange(len(idents))
    return Block(0, 0, 0, len(idents), {}, [payloads.tobytes()], [])


@given(
    st.lists(st.lists(st.integers(1, 60), max_size=40), max_size=12),
    st.integers(2, 30),
)
def test_a_repeat_is_one_of_the_latest_ids_and_memory_is_bounded(
    parts: list[list[int]], ids_max: int
) -> None:
    repeats, before = Repeats(), list[int]()
    judge = RepeatJudge(repeats, ids_max)
    for part in parts:
        again = judge._again(block(part).payloads()["ident"])
        for place, ident in enumerate(part):
            if ident in part[:place]:
                assert again[place]
            elif again[place]:
                assert ident in before
            elif ident in before:
                later = before[len(before) - before[::-1].index(ident) :]
                assert len(set(later)) >= ids_max // 2
        before += part
        assert len(repeats.young) < 4 * max(1, ids_max // 2)
        assert len(repeats.old) <= 4 * (ids_max // 2 + 40)


def test_settings_say_how_many_ids_are_remembered() -> None:
    topic = Topic(NAMED, ids_max=1_000)
    topic.send(unique(3_000))
    topic.send(unique(900))
    topic.end()
    assert not topic.opened("duplicates")
