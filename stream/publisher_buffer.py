"""The buffer between a pipeline and Kafka: bounded, never blocking, and its own in every process.

librdkafka keeps records and sends them from a thread of its own, in order, for as long as Kafka is away. What finds
the buffer full, and what the broker refuses for good, is dropped, counted, and said in the log once per interval.
"""

import ctypes
import logging
import os
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

BUFFER_BYTES_MAX: Final = 32 << 20
LOG_INTERVAL_S: Final = 60.0
_FREE_AFTER_S: Final = 1.0
_KINDS_MAX: Final = 20

log = logging.getLogger("streamgauge.publisher")

_DEFAULTS: Final[Mapping[str, Any]] = {
    "client.id": "streamgauge-publisher",
    "partitioner": "murmur2_random",
    "linger.ms": 5,
    "reconnect.backoff.ms": 1_000,
    "compression.type": "lz4",
    "queue.buffering.max.kbytes": BUFFER_BYTES_MAX >> 10,
    "message.timeout.ms": 0,
    "log_level": 0,
}
_PROMISED: Final[Mapping[str, Any]] = {"enable.idempotence": True, "acks": "all"}


class Buffer:
    """Takes records for Kafka; no call raises, and none but `flush` and `close` waits.

    Args:
        properties: of the librdkafka producer.
        records_max: how many records are kept while Kafka is away.
        clock: seconds that never run backwards; says when the log may speak again.
    """

    def __init__(
        self, properties: Mapping[str, Any], records_max: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._properties = {
            **_DEFAULTS,
            "queue.buffering.max.messages": records_max,
            **properties,
            **_PROMISED,
            "error_cb": self._on_error,
        }
        self._clock = clock
        self._made_by = os.getpid()
        self._reset()
        _buffers.add(self)

    def _reset(self) -> None:
        self._lock = threading.RLock()
        self._producer: Producer | None = None
        self._closed = False
        self._retry_at_s = float("-inf")
        self._speak_at_s = float("-inf")
        self._unsaid: Counter[str] = Counter()
        self._away_reason = ""
        self._taken = self._answered = 0
        self.delivered = 0
        self.dropped = 0

    @property
    def forked(self) -> bool:
        """Whether this process is a fork of the one that made the buffer."""
        return os.getpid() != self._made_by

    @property
    def pending(self) -> int:
        """Records that are kept and not yet on the broker."""
        return max(0, self._taken - self._answered)

    def put(self, topic: str, key: bytes, value: bytes) -> None:
        """Takes a record; it is dropped when there is no room."""
        producer = self._opened()
        if producer is None:
            self.drop("the publisher is closed" if self._closed else f"there is no producer{self._because()}")
            return
        producer.poll(0)
        with self._lock:
            self._taken += 1
        try:
            producer.produce(topic, value, key, on_delivery=self._on_delivery)
        except BufferError:
            self._count_answer()
            self.drop(f"the buffer is full{self._because()}")
        except KafkaException as error:
            self._refused(producer, error.args[0])
        producer.poll(0)

    def drop(self, reason: str, count: int = 1) -> None:
        """Counts records that cannot be taken."""
        if count:
            with self._lock:
                self.dropped += count
            self.mention(f"an event was dropped: {reason}", count)

    def mention(self, what: str, count: int = 1) -> None:
        """Puts something into the log: at once, or with all that comes up until the interval is over."""
        with self._lock:
            self._unsaid[
                what if what in self._unsaid or len(self._unsaid) < _KINDS_MAX else "and other things"
            ] += count
            if self._clock() < self._speak_at_s:
                return
            self._speak_at_s = self._clock() + LOG_INTERVAL_S
        self._speak()

    def flush(self, timeout_s: float) -> bool:
        """Waits, at most so long, until every record is on the broker or dropped; whether that is so."""
        producer = self._producer
        if producer is None:
            return True
        producer.flush(max(0.0, timeout_s))
        return self.pending == 0

    def close(self, timeout_s: float) -> bool:
        """Flushes, then drops what is left; records that come later are dropped."""
        with self._lock:
            self._closed = True
            producer = self._producer
        flushed = self.flush(timeout_s)
        if producer is not None:
            self._abandon(producer)
        self._speak()
        return flushed

    def after_fork(self) -> None:
        """Starts afresh in a forked child: librdkafka's threads, and the records they hold, stayed with the parent."""
        if self._producer is not None:
            _keep_for_ever(self._producer)
        self._reset()

    def _opened(self) -> Producer | None:
        with self._lock:
            if self._producer is None and not self._closed and self._clock() >= self._retry_at_s:
                self._open()
            return self._producer

    def _open(self) -> None:
        try:
            self._producer = Producer(self._properties)
        except (KafkaException, TypeError, ValueError) as error:
            self._retry_at_s = self._clock() + LOG_INTERVAL_S
            cause = error.args[0] if error.args else error
            self._away_reason = cause.str() if isinstance(cause, KafkaError) else str(cause)

    def _refused(self, producer: Producer, error: KafkaError) -> None:
        self._count_answer()
        self.drop(error.str())
        if error.fatal():
            self._abandon(producer)  # librdkafka has given it up; the next record opens another

    def _abandon(self, producer: Producer) -> None:
        """Drops what a producer still holds. No call into librdkafka here: its threads may hang in a name lookup."""
        with self._lock:
            if self._producer is not producer:
                return
            self._producer = None
            waiting, self._answered = self.pending, self._taken
        self.drop(f"it was still waiting when the publisher closed{self._because()}", waiting)
        _free_aside(producer)

    def _on_delivery(self, error: KafkaError | None, message: Message) -> None:
        self._count_answer(delivered=error is None)
        if error is None:
            return
        if error.code() in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC):  # noqa: SLF001  a public constant
            self.drop(f"there is no topic {message.topic()}")
        else:
            self.drop(error.str())

    def _count_answer(self, *, delivered: bool = False) -> None:
        with self._lock:
            self._answered += 1
            self.delivered += delivered

    def _on_error(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001  as above; the reason was said before
            return
        self._away_reason = error.str()
        self.mention(f"Kafka cannot be reached, events are kept: {_without_node(error.str())}")

    def _because(self) -> str:
        return f" ({_without_node(self._away_reason)})" if self._away_reason else ""

    def _speak(self) -> None:
        with self._lock:
            unsaid, self._unsaid = self._unsaid, Counter()
        for what, times in unsaid.items():
            log.warning(
                "%s%s [delivered %d, waiting %d, dropped %d]",
                what,
                f" ({times} times)" if times > 1 else "",
                self.delivered,
                self.pending,
                self.dropped,
            )


def _without_node(reason: str) -> str:
    """The error without the broker's node number and the time it took, which differ every time."""
    return reason.partition(" (after ")[0]


def _free_aside(producer: Producer) -> None:
    """Frees a producer in a thread that nobody waits for: freeing waits for threads that may hang in a name lookup.

    When the interpreter ends before that, the producer is never freed, which is as good.
    """
    _keep_for_ever(producer)
    with suppress(RuntimeError):  # no thread can be started when the interpreter is ending
        threading.Thread(target=_free_later, args=(producer,), name="publisher-free", daemon=True).start()


def _free_later(producer: Producer) -> None:
    time.sleep(_FREE_AFTER_S)  # by then this thread holds the last reference
    ctypes.pythonapi.Py_DecRef(ctypes.py_object(producer))


def _keep_for_ever(producer: Producer) -> None:
    """Never frees a producer, not even at interpreter exit: freeing it would wait for threads that do not exist here."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(producer))


def _after_fork() -> None:
    for buffer in list(_buffers):
        buffer.after_fork()


_buffers: "weakref.WeakSet[Buffer]" = weakref.WeakSet()
os.register_at_fork(after_in_child=_after_fork)
