"""The judge: every source record and every alert is accounted for, and what is left is what should be left."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from detectors.alerts import Alert, decode
from detectors.outputs import Destination
from detectors.stage import Count, Stage
from stream.sources import Place
from stream.stages import detect_stage, triage_stage
from stream.testing.simulator.kafka import KEYED_PARTITIONS, Broker, Stored
from stream.testing.simulator.run import Outcome
from stream.testing.simulator.scenario import CANARY
from stream.testing.simulator.undisturbed import Undisturbed, followed, undisturbed
from stream.testing.simulator.worker import (
    ALERT_STATE,
    ALERTS,
    ANOMALIES,
    DEAD_LETTERS,
    SAMPLES,
)

PROCESSING_TIMES: Final = {"detected_at": "", "detection_delay_ms": 0}
SHOWN: Final = 3
TRIAGED: Final = Place(ANOMALIES, 0)


@dataclass(frozen=True)
class Verdict:
    """What the judge found of one run; no complaints is what is wanted."""

    seed: int
    complaints: tuple[str, ...]
    faults: Counter[str]
    alerts: int
    repeats: int


def judge(outcome: Outcome) -> Verdict:
    """Compare a run with the undisturbed fold of its source records."""
    broker = outcome.broker
    stored = [record for n in range(KEYED_PARTITIONS) for record in broker.logs[Place(ALERTS, n)]]
    expected = undisturbed(outcome.scenario, broker)
    complaints = tuple(_complaints(outcome, stored, expected))
    ids = {decode(record.value or b"").event_id for record in stored}
    return Verdict(outcome.scenario.seed, complaints, outcome.faults, len(ids), len(stored) - len(ids))


def _complaints(outcome: Outcome, stored: list[Stored], expected: Undisturbed) -> Iterator[str]:
    yield from (f"a worker stopped: {error!r}" for error in outcome.stops)
    if outcome.unfinished:
        yield outcome.unfinished
        return
    yield from _alerts(stored, expected)
    yield from _open_alerts(outcome.broker, expected)
    yield from _letters(outcome.broker, expected)
    yield from _folds(outcome, expected)
    yield from _offsets(outcome)


def _alerts(stored: list[Stored], expected: Undisturbed) -> Iterator[str]:
    """I2, I3, I6: none missing, none extra, repeats equal but for processing times, the canary found, stories in order."""
    wanted = {
        alert.event_id: alert
        for output in expected.alerts
        if output.destination is Destination.ALERTS
        for alert in [decode(output.value or b"")]
    }
    found: dict[str, tuple[Alert, tuple[tuple[str, bytes], ...]]] = {}
    sequences: dict[str, int] = {}
    for record in stored:
        alert = decode(record.value or b"")
        first = found.setdefault(alert.event_id, (alert, record.headers))
        if _timeless(first[0]) != _timeless(alert) or first[1] != record.headers:
            yield f"a repeat differs: {_differences(first[0], alert)}"
        if first[0] is alert:
            if alert.sequence != sequences.get(alert.alert_id, 0) + 1:
                yield f"alert {alert.alert_id} came as number {alert.sequence} after {sequences.get(alert.alert_id, 0)}"
            sequences[alert.alert_id] = alert.sequence
    yield from _some("missing", [_told(alert) for key, alert in wanted.items() if key not in found])
    yield from _some("never due", [_told(alert) for key, (alert, _) in found.items() if key not in wanted])
    for key in wanted.keys() & found.keys():
        if _timeless(wanted[key]) != _timeless(found[key][0]):
            yield f"an alert differs: {_differences(wanted[key], found[key][0])}"
    if not any(
        alert.labels.get("pipeline") == CANARY and alert.kind == "latency" for alert, _ in found.values()
    ):
        yield "the canary was not found"


def _open_alerts(broker: Broker, expected: Undisturbed) -> Iterator[str]:
    """What compaction leaves of the state topic are the open alerts as they are, whatever arrived late."""
    wanted: dict[bytes | None, Alert | None] = {
        output.key: _state(output.value)
        for output in expected.alerts
        if output.destination is Destination.ALERT_STATE
    }
    found: dict[bytes | None, Alert | None] = {}
    for n in range(KEYED_PARTITIONS):
        found |= {record.key: _state(record.value) for record in broker.logs[Place(ALERT_STATE, n)]}
    wrong = [key for key in wanted.keys() | found.keys() if wanted.get(key) != found.get(key)]
    shown = [f"{key!r} is {found.get(key)}, not {wanted.get(key)}" for key in sorted(wrong, key=str)]
    yield from _some("states of alerts", shown)


def _state(value: bytes | None) -> Alert | None:
    return None if value is None else _timeless(decode(value))


def _letters(broker: Broker, expected: Undisturbed) -> Iterator[str]:
    """I1: a dead letter for each record that has earned one, and for no other."""
    wanted = {output.key: (output.value, output.headers) for output in expected.dead_letters}
    found: dict[bytes | None, tuple[bytes | None, tuple[tuple[str, bytes], ...]]] = {}
    for n in range(KEYED_PARTITIONS):
        found |= {
            record.key: (record.value, record.headers) for record in broker.logs[Place(DEAD_LETTERS, n)]
        }
    if found.keys() != wanted.keys():
        yield f"dead letters {sorted(map(str, found.keys() ^ wanted.keys()))}"


def _folds(outcome: Outcome, expected: Undisturbed) -> Iterator[str]:
    """I1, I4: the workers' state is the fold of their logs, every record counted once, and all as if undisturbed."""
    scenario = outcome.scenario
    counts: Counter[Count] = Counter()
    series: list[str] = []
    for shard in range(scenario.shards):
        stage = detect_stage(scenario.settings, shard)
        yield from _same_state(outcome, Place(SAMPLES, shard), stage)
        counts += stage.take_counts()
        series += followed(stage)
    yield from _same_state(outcome, TRIAGED, triage_stage(scenario.settings))
    for kind in ("records", "late", "dead_letters"):
        here, there = (
            {key: n for key, n in it.items() if key[0] == kind and n} for it in (counts, expected.counts)
        )
        if here != there:
            yield f"counted {kind}: {here}, but {there} undisturbed"
    held = sum(len(outcome.broker.logs[place]) for place in scenario.places())
    if sum(n for key, n in counts.items() if key[0] == "records") != held:
        yield f"{held} source records, counted {counts}"
    if sorted(series) != sorted(expected.followed):
        yield from _some("series", sorted(set(series) ^ set(expected.followed)))


def _same_state(outcome: Outcome, place: Place, stage: Stage) -> Iterator[str]:
    """Fold a log into a fresh stage, and compare with its owner's."""
    for record in outcome.broker.logs[place]:
        stage.step(record.offset, record.value or b"")
    held = [
        shell.shards[place.partition].stage
        for worker in outcome.workers
        for shell in worker.stages
        if shell.topic == place.topic and place.partition in shell.shards
    ]
    if len(held) != 1:
        yield f"{place} is held by {len(held)} workers"
    for other in held:
        if other.dump() != stage.dump():
            yield f"the state of {place} is not the fold of its log"


def _offsets(outcome: Outcome) -> Iterator[str]:
    """Everything is committed, and nothing beyond."""
    scenario, broker = outcome.scenario, outcome.broker
    samples = [Place(SAMPLES, n) for n in range(scenario.shards)]
    for place in (*scenario.places(), *samples, TRIAGED):
        if broker.committed.get(place, 0) != broker.end(place):
            yield f"{place} ends at {broker.end(place)}, committed {broker.committed.get(place)}"


def _timeless(alert: Alert) -> Alert:
    return msgspec.structs.replace(alert, **PROCESSING_TIMES)


def _differences(one: Alert, other: Alert) -> str:
    both = msgspec.to_builtins(one), msgspec.to_builtins(other)
    keys = [key for key in both[0] if both[0][key] != both[1][key] and key not in PROCESSING_TIMES]
    return f"{_told(one)}: " + ", ".join(f"{key} {both[0][key]!r} {both[1][key]!r}" for key in keys)


def _told(alert: Alert) -> str:
    return f"{alert.kind} {alert.labels} {alert.state} ({alert.transition_reason}) at {alert.updated_at}"


def _some(what: str, found: list[str]) -> Iterator[str]:
    if found:
        yield f"{what}: {len(found)}, such as " + "; ".join(found[:SHOWN])
