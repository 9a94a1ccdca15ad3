"""librdkafka by its C API: what confluent-kafka is linked with but does not show, messages by the array.

Every function used is of `rdkafka.h`, which promises that its ABI stays:
https://github.com/confluentinc/librdkafka/blob/v2.11.0/src/rdkafka.h
"""

import ctypes
import logging
from collections.abc import Mapping, Sequence
from ctypes import c_char_p, c_int, c_int32, c_int64, c_size_t, c_ssize_t, c_void_p
from functools import cache
from typing import Any, Final, NamedTuple, TypeVar

import confluent_kafka.cimpl
from confluent_kafka import KafkaError, KafkaException

from stream.formats.values import Values
from stream.message_columns import Columns, Functions, Message, Messages

_CONSUMER: Final = 1
_CONF_OK: Final = 0
_NO_ERROR: Final = 0
_TEXT_BYTES: Final = 512
_LOG_CALLBACK: Final = ctypes.CFUNCTYPE(None, c_void_p, c_int, c_char_p, c_char_p)
_ERROR_CALLBACK: Final = ctypes.CFUNCTYPE(None, c_void_p, c_int, c_char_p, c_void_p)
_LEVELS: Final = (
    logging.CRITICAL,
    logging.CRITICAL,
    logging.CRITICAL,
    logging.ERROR,
    logging.WARNING,
    logging.INFO,
    logging.INFO,
    logging.DEBUG,
)
"""Python's level for each of syslog's."""
_SIGNATURES: Final[Mapping[str, tuple[Any, tuple[Any, ...]]]] = {
    "rd_kafka_version_str": (c_char_p, ()),
    "rd_kafka_conf_new": (c_void_p, ()),
    "rd_kafka_conf_destroy": (None, (c_void_p,)),
    "rd_kafka_conf_set": (c_int, (c_void_p, c_char_p, c_char_p, c_char_p, c_size_t)),
    "rd_kafka_conf_set_log_cb": (None, (c_void_p, _LOG_CALLBACK)),
    "rd_kafka_conf_set_error_cb": (None, (c_void_p, _ERROR_CALLBACK)),
    "rd_kafka_new": (c_void_p, (c_int, c_void_p, c_char_p, c_size_t)),
    "rd_kafka_name": (c_char_p, (c_void_p,)),
    "rd_kafka_set_log_queue": (c_int, (c_void_p, c_void_p)),
    "rd_kafka_poll_set_consumer": (c_int, (c_void_p,)),
    "rd_kafka_queue_get_consumer": (c_void_p, (c_void_p,)),
    "rd_kafka_queue_destroy": (None, (c_void_p,)),
    "rd_kafka_topic_partition_list_new": (c_void_p, (c_int,)),
    "rd_kafka_topic_partition_list_add": (c_void_p, (c_void_p, c_char_p, c_int32)),
    "rd_kafka_topic_partition_list_set_offset": (c_int, (c_void_p, c_char_p, c_int32, c_int64)),
    "rd_kafka_topic_partition_list_destroy": (None, (c_void_p,)),
    "rd_kafka_assign": (c_int, (c_void_p, c_void_p)),
    "rd_kafka_consume_batch_queue": (c_ssize_t, (c_void_p, c_int, c_void_p, c_size_t)),
    "rd_kafka_topic_name": (c_char_p, (c_void_p,)),
    "rd_kafka_message_errstr": (c_char_p, (c_void_p,)),
    "rd_kafka_message_timestamp": (c_int64, (c_void_p, c_void_p)),
    "rd_kafka_message_destroy": (None, (c_void_p,)),
    "rd_kafka_message_headers": (c_int, (c_void_p, c_void_p)),
    "rd_kafka_header_get_last": (c_int, (c_void_p, c_char_p, c_void_p, c_void_p)),
    "rd_kafka_consumer_close": (c_int, (c_void_p,)),
    "rd_kafka_destroy": (None, (c_void_p,)),
}

PlaceT = TypeVar("PlaceT", bound=tuple[str, int])

log = logging.getLogger("librdkafka")


class Report(NamedTuple):
    """What librdkafka says of a partition in place of a record."""

    topic: str
    partition: int
    offset: int
    error: KafkaError


class Fetched(NamedTuple):
    """What librdkafka had queued: records by topic and partition, and what it reports beside them."""

    columns: dict[tuple[str, int], Columns]
    reports: list[Report]


class Consumer:
    """A consumer that is assigned by hand and never joins its group.

    One thread at a time may fetch, and none any more when it is closed. It must be closed: nothing else frees it.

    Args:
        properties: of librdkafka.
        records_max: how many records one fetch may give.
        besides: what is wanted of records beside their values, by topic: names of headers, or `KEY`.

    Raises:
        KafkaException: a property that librdkafka does not take; its error says which.
    """

    def __init__(
        self,
        properties: Mapping[str, Any],
        records_max: int,
        besides: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self._library = library()
        self._besides = besides or {}
        self._handle: int | None = self._new(properties)
        self._library.rd_kafka_set_log_queue(self._handle, None)
        self._library.rd_kafka_poll_set_consumer(self._handle)
        self._queue = self._library.rd_kafka_queue_get_consumer(self._handle)
        self._messages = Messages(records_max)
        self._functions = Functions(*(_address(getattr(self._library, name)) for name in _CALLED_BY_KERNEL))

    def assign(self, offsets: Mapping[PlaceT, int]) -> None:
        """Fetch these partitions (topic, number) from these offsets, and no others.

        Raises:
            KafkaException: librdkafka refuses.
        """
        handle, lib = self._open(), self._library
        wanted = lib.rd_kafka_topic_partition_list_new(len(offsets))
        try:
            for (topic, partition), offset in offsets.items():
                lib.rd_kafka_topic_partition_list_add(wanted, topic.encode(), partition)
                lib.rd_kafka_topic_partition_list_set_offset(wanted, topic.encode(), partition, offset)
            code = lib.rd_kafka_assign(handle, wanted)
        finally:
            lib.rd_kafka_topic_partition_list_destroy(wanted)
        if code != _NO_ERROR:
            raise KafkaException(KafkaError(code))

    def fetch(self, wait_s: float) -> Fetched:
        """What is queued, waiting so long for as much as one fetch may give; logs are told meanwhile."""
        self._open()
        messages = self._messages
        count = self._library.rd_kafka_consume_batch_queue(
            self._queue, int(wait_s * 1000), messages.pointers.ctypes.data, len(messages.pointers)
        )
        found = messages.sort(max(0, count))
        # A topic's handle and a report live as long as the messages; one topic has one handle all the while.
        places = [(self._topic(of.topic), of.partition) for of in found]
        reports = [self._report(address) for address in messages.reports()]
        besides = [self._beside(number, topic) for number, (topic, _) in enumerate(places)]
        columns = messages.take(self._functions)
        told = [
            of._replace(values=of.values.beside(beside)) if beside else of
            for of, beside in zip(columns, besides, strict=True)
        ]
        return Fetched(dict(zip(places, told, strict=True)), reports)

    def _beside(self, found: int, topic: str) -> dict[str, Values]:
        wanted = self._besides.get(topic, ())
        return {name: self._messages.beside(found, name, self._functions) for name in wanted}

    def close(self) -> None:
        """Stop fetching and free everything; a second time it does nothing."""
        if self._handle is not None:
            handle, self._handle = self._handle, None
            self._library.rd_kafka_consumer_close(handle)
            self._library.rd_kafka_queue_destroy(self._queue)
            self._library.rd_kafka_destroy(handle)

    def _new(self, properties: Mapping[str, Any]) -> int:
        lib, text = self._library, ctypes.create_string_buffer(_TEXT_BYTES)
        conf = lib.rd_kafka_conf_new()
        told = {**_software(lib), **properties, "log.queue": "true"}
        for name, value in told.items():
            if lib.rd_kafka_conf_set(conf, name.encode(), _said(value), text, _TEXT_BYTES) != _CONF_OK:
                lib.rd_kafka_conf_destroy(conf)
                raise _invalid(text.value.decode(errors="replace"))
        lib.rd_kafka_conf_set_log_cb(conf, _LOGGED)
        lib.rd_kafka_conf_set_error_cb(conf, _PASSED_OVER)
        handle: int | None = lib.rd_kafka_new(_CONSUMER, conf, text, _TEXT_BYTES)
        if handle is None:
            lib.rd_kafka_conf_destroy(conf)
            raise _invalid("Failed to create consumer: " + text.value.decode(errors="replace"))
        return handle

    def _open(self) -> int:
        if self._handle is None:
            raise RuntimeError("the consumer is closed")
        return self._handle

    def _topic(self, handle: int) -> str:
        return str(self._library.rd_kafka_topic_name(handle).decode()) if handle else ""

    def _report(self, address: int) -> Report:
        message = Message.from_address(address)
        text = self._library.rd_kafka_message_errstr(address) or b""
        error = KafkaError(message.err, text.decode(errors="replace"))
        return Report(self._topic(message.rkt), message.partition, message.offset, error)


_CALLED_BY_KERNEL: Final = (
    "rd_kafka_message_timestamp",
    "rd_kafka_message_destroy",
    "rd_kafka_message_headers",
    "rd_kafka_header_get_last",
)


@cache
def library() -> ctypes.CDLL:
    """The librdkafka that confluent-kafka uses in this process, found through its extension module.

    Raises:
        ImportError: it cannot be reached.
    """
    path = confluent_kafka.cimpl.__file__
    try:
        found = ctypes.CDLL(path)
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(found, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError) as error:
        raise ImportError(
            f"librdkafka cannot be reached through {path} ({error}); install a wheel of confluent-kafka"
        ) from error
    return found


def _logged(handle: int, level: int, facility: bytes, line: bytes) -> None:
    """Called by librdkafka in the thread that fetches or closes."""
    name = library().rd_kafka_name(handle).decode(errors="replace")
    said = line.decode(errors="replace")
    log.log(_LEVELS[min(level, len(_LEVELS) - 1)], "%s [%s] %s", facility.decode(), name, said)


def _passed_over(_handle: int, _code: int, _line: bytes, _opaque: int) -> None:
    """What concerns no partition is logged anyway, by the broker's thread; librdkafka would log it again."""


_LOGGED: Final = _LOG_CALLBACK(_logged)
_PASSED_OVER: Final = _ERROR_CALLBACK(_passed_over)


def _address(function: Any) -> int:
    return ctypes.cast(function, c_void_p).value or 0


def _said(value: Any) -> bytes:
    return (str(value).lower() if isinstance(value, bool) else str(value)).encode()


def _software(lib: ctypes.CDLL) -> dict[str, str]:
    """What brokers are told of the client: as confluent-kafka has it."""
    version = f"{confluent_kafka.__version__}-rdkafka-{lib.rd_kafka_version_str().decode()}"
    return {"client.software.name": "confluent-kafka-python", "client.software.version": version}


def _invalid(text: str) -> KafkaException:
    return KafkaException(KafkaError(KafkaError._INVALID_ARG, text))  # noqa: SLF001  librdkafka's local errors are named so
