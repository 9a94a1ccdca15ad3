"""Ledgers: what stands in the alert budgets' ledger, read from the snapshots of triage. Nothing is stopped, joined or committed."""

from collections.abc import Iterator

import msgspec
from confluent_kafka import Consumer, KafkaError

from detectors.ledger import Ledger, load_ledger
from detectors.triage import LEDGER
from stream.alert_stream import REACH_TIMEOUT_S, assign
from stream.exits import Exit, Refused
from stream.snapshots import SnapshotError, SnapshotLog

_POLL_S = 1.0


def read_ledger(consumer: Consumer, state_topic: str) -> Ledger | None:
    """The ledgers of all triage shards as one, as old as the last snapshots; None while there is no snapshot.

    Args:
        consumer: of `alert_stream.open_consumer`.
        state_topic: the topic of triage's snapshots.

    Raises:
        Refused: Kafka does not answer, there is no such topic, or what it holds cannot be read.
    """
    ledgers = [ledger for log in _logs(consumer, state_topic) if (ledger := _ledger(log, state_topic))]
    if not ledgers:
        return None
    whole, *others = ledgers
    for other in others:
        whole.merge(other)
    return whole


def _logs(consumer: Consumer, topic: str) -> list[SnapshotLog]:
    logs = [SnapshotLog() for _ in range(assign(consumer, topic, 0))]
    for partition, key, value in _records(consumer, topic, len(logs)):
        logs[partition].add(key, value)
    return logs


def _records(consumer: Consumer, topic: str, partitions: int) -> Iterator[tuple[int, str, bytes | None]]:
    silent_s = 0.0
    left = set(range(partitions))
    while left:
        message = consumer.poll(_POLL_S)
        if message is None:
            silent_s += _POLL_S
            if silent_s > REACH_TIMEOUT_S:
                raise Refused(f"Kafka stopped answering before the end of the topic {topic}", Exit.KAFKA)
            continue
        silent_s, error = 0.0, message.error()
        if error is None:
            yield message.partition() or 0, (message.key() or b"").decode(errors="replace"), message.value()
        elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  so named by librdkafka
            left.discard(message.partition() or 0)
        elif error.fatal() or error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
            raise Refused(f"Kafka: {error.str()}", Exit.KAFKA)


def _ledger(log: SnapshotLog, topic: str) -> Ledger | None:
    try:
        snapshot, _ = log.best()
        return None if snapshot is None else load_ledger(snapshot.chunks[LEDGER])
    except (SnapshotError, KeyError, ValueError, msgspec.MsgspecError) as error:
        raise Refused(f"topic {topic} holds no ledger that can be read: {error}", Exit.DATA) from None
