"""Mock Kafka: the cluster of mock brokers inside librdkafka, for faults that take milliseconds.

It speaks Kafka's protocol on loopback ports, so every librdkafka client can use it. Its brokers can be taken down, slowed and
made to answer with errors; logs are in memory, nothing is ever compacted. What it cannot do is shown on Apache Kafka.
"""

import ctypes
from collections.abc import Sequence
from enum import IntEnum
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import confluent_kafka

from stream.exits import Exit, Refused

_PRODUCER: Final = 0
_ERROR_BYTES: Final = 512
_LIBRARY: Final = "librdkafka*"


class Request(IntEnum):
    """Kinds of requests that can be answered with an error (Kafka's API keys)."""

    PRODUCE = 0
    FETCH = 1
    LIST_OFFSETS = 2
    METADATA = 3
    OFFSET_COMMIT = 8
    OFFSET_FETCH = 9
    FIND_COORDINATOR = 10
    INIT_PRODUCER_ID = 22


class MockKafka:
    """A cluster of mock brokers, numbered from 1. Use as a context manager.

    Args:
        brokers: how many.

    Raises:
        Refused: this build of confluent-kafka does not carry the mock cluster.
    """

    def __init__(self, brokers: int = 1) -> None:
        self._library = _library()
        self.brokers = range(1, brokers + 1)
        error = ctypes.create_string_buffer(_ERROR_BYTES)
        settings = self._library.rd_kafka_conf_new()
        self._library.rd_kafka_conf_set(settings, b"log_level", b"0", error, _ERROR_BYTES)
        self._client = self._library.rd_kafka_new(_PRODUCER, settings, error, _ERROR_BYTES)
        if not self._client:
            raise Refused(f"librdkafka: {error.value.decode()}", Exit.FAILURE)
        self._cluster = self._library.rd_kafka_mock_cluster_new(self._client, brokers)
        self.bootstrap_servers: str = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._library.rd_kafka_mock_cluster_destroy(self._cluster)
        self._library.rd_kafka_destroy(self._client)

    def make_topic(self, name: str, partitions: int = 1) -> str:
        """Make a topic with a replica on every broker; returns its name."""
        self._done(
            self._library.rd_kafka_mock_topic_create(
                self._cluster, name.encode(), partitions, len(self.brokers)
            )
        )
        return name

    def take_down(self, *brokers: int) -> None:
        """Close these brokers' connections and refuse new ones; all brokers when none is named."""
        for broker in brokers or self.brokers:
            self._done(self._library.rd_kafka_mock_broker_set_down(self._cluster, broker))

    def bring_up(self, *brokers: int) -> None:
        """Let these brokers answer again; all brokers when none is named."""
        for broker in brokers or self.brokers:
            self._done(self._library.rd_kafka_mock_broker_set_up(self._cluster, broker))

    def slow_down(self, latency_ms: int) -> None:
        """Have every answer take so long."""
        for broker in self.brokers:
            self._done(self._library.rd_kafka_mock_broker_set_rtt(self._cluster, broker, latency_ms))

    def answer(self, request: Request, errors: Sequence[int]) -> None:
        """Answer the next requests of a kind with these error codes (`KafkaError.…`), one each, whoever asks."""
        codes = (ctypes.c_int * len(errors))(*errors)
        self._library.rd_kafka_mock_push_request_errors_array(self._cluster, request, len(errors), codes)

    def lead(self, topic: str, partition: int, broker: int) -> None:
        """Make a broker the leader of a partition."""
        self._done(
            self._library.rd_kafka_mock_partition_set_leader(self._cluster, topic.encode(), partition, broker)
        )

    def coordinate(self, group: str, broker: int) -> None:
        """Make a broker the coordinator of a consumer group."""
        self._done(
            self._library.rd_kafka_mock_coordinator_set(self._cluster, b"group", group.encode(), broker)
        )

    def _done(self, code: int) -> None:
        if code:
            raise Refused(f"the mock cluster answered with error {code}", Exit.FAILURE)


@cache
def _library() -> ctypes.CDLL:
    """The very library that confluent-kafka has loaded."""
    bundled = Path(confluent_kafka.__file__).parents[1] / "confluent_kafka.libs"
    found = sorted(bundled.glob(_LIBRARY))
    if not found:
        raise Refused(f"there is no librdkafka in {bundled}", Exit.USAGE)
    library = ctypes.CDLL(str(found[0]))
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int32
    signatures: dict[str, tuple[Any, list[Any]]] = {
        "rd_kafka_conf_new": (pointer, []),
        "rd_kafka_conf_set": (ctypes.c_int, [pointer, text, text, text, ctypes.c_size_t]),
        "rd_kafka_new": (pointer, [ctypes.c_int, pointer, text, ctypes.c_size_t]),
        "rd_kafka_destroy": (None, [pointer]),
        "rd_kafka_mock_cluster_new": (pointer, [pointer, ctypes.c_int]),
        "rd_kafka_mock_cluster_destroy": (None, [pointer]),
        "rd_kafka_mock_cluster_bootstraps": (text, [pointer]),
        "rd_kafka_mock_topic_create": (ctypes.c_int, [pointer, text, ctypes.c_int, ctypes.c_int]),
        "rd_kafka_mock_broker_set_down": (ctypes.c_int, [pointer, number]),
        "rd_kafka_mock_broker_set_up": (ctypes.c_int, [pointer, number]),
        "rd_kafka_mock_broker_set_rtt": (ctypes.c_int, [pointer, number, ctypes.c_int]),
        "rd_kafka_mock_partition_set_leader": (ctypes.c_int, [pointer, text, number, number]),
        "rd_kafka_mock_coordinator_set": (ctypes.c_int, [pointer, text, text, number]),
        "rd_kafka_mock_push_request_errors_array": (
            None,
            [pointer, ctypes.c_int16, ctypes.c_size_t, pointer],
        ),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
