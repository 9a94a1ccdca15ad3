"""The alert topic, read by a consumer group at least once: an alert is committed when it was said to be done, never before."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from detectors.alerts import Alert, decode
from stream.alert_stream import CHANGING_LEADERS, REACH_TIMEOUT_S, UNREADABLE, in_time, judge, partitions_of
from stream.exits import Exit, Refused
from stream.formats.dead import Position

COMMIT_MS: Final = 1_000
"""How long what is done may wait for its commit; after a kill so much comes again."""
_WAIT_S: Final = 0.2
_OVERRIDES: Final[Mapping[str, Any]] = {
    "enable.auto.commit": True,
    "auto.commit.interval.ms": COMMIT_MS,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "earliest",
    "partition.assignment.strategy": "range",
    "allow.auto.create.topics": False,
    "fetch.wait.max.ms": 100,
    "log_level": 0,
}
_GETTING_READY: Final = (
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError._WAIT_COORD,  # noqa: SLF001  librdkafka's own codes begin with _
    *CHANGING_LEADERS,
)
"""A group's broker is being chosen, or reads its state, or a partition's is."""
_HAS_MEMBERS: Final = (
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError.ILLEGAL_GENERATION,
)

log = structlog.get_logger(__name__)


class Delivery(NamedTuple):
    """An alert, the bytes and headers of its record, and where that lies."""

    alert: Alert
    value: bytes
    headers: tuple[tuple[str, bytes], ...]
    place: Position


class Unreadable(NamedTuple):
    """A record that holds no alert, where it lies, and why not."""

    value: bytes
    place: Position
    reason: str

    def __str__(self) -> str:
        place = self.place
        return f"{place.topic}[{place.partition}]@{place.offset} holds no alert: {self.reason}"


class AlertGroup:
    """A member of a consumer group on the alert topic; it gives one record at a time.

    A group that has committed nothing yet begins at the end of the topic (`from_beginning`: with what it holds), and commits that before it reads: what comes
    from then on is not missed, even if nobody reads for a while, and whoever joins later and asks for another beginning.

    Args:
        properties: of librdkafka, for the connection.
        group: the consumer group.
        topic: the alert topic.
        from_beginning: a new group begins with what the topic holds instead.

    `joined` says whether the group has told it what it is to read, which may be nothing.

    Raises:
        Refused: a property is not accepted, Kafka cannot be reached, or there is no such topic.
    """

    def __init__(
        self, properties: Mapping[str, Any], group: str, topic: str, *, from_beginning: bool = False
    ) -> None:
        self.topic = topic
        self._under_way: Position | None = None
        self._holding = False
        self._owned: set[int] = set()
        self.joined = False
        try:
            self._consumer = Consumer({**properties, **_OVERRIDES, "group.id": group})
        except KafkaException as error:
            raise Refused(f"kafka: {error.args[0].str()}", Exit.CONFIG) from None
        try:
            in_time(lambda: self._begin(from_beginning), _GETTING_READY)
            self._consumer.subscribe([topic], on_assign=self._gained, on_revoke=self._lost)
        except KafkaException as error:
            self._consumer.close()
            servers = properties.get("bootstrap.servers")
            raise Refused(
                f"Kafka cannot be reached at {servers}: {error.args[0].str()}", Exit.KAFKA
            ) from None
        except Refused:
            self._consumer.close()
            raise

    def poll(self, wait_s: float = _WAIT_S) -> Delivery | Unreadable | None:
        """The next record, or None when none comes in time. The one before has to be `done`, or it comes again elsewhere.

        Raises:
            Refused: Kafka refuses the topic or the group.
        """
        message = self._consumer.poll(wait_s)
        if message is None:
            return None
        if error := message.error():
            judge(error, _complain)
            return None
        self._under_way = _position(message)
        value = message.value()
        if value is None:
            self.done()
            return None
        return _read(value, message, self._under_way)

    def done(self) -> None:
        """The record that `poll` gave last needs nothing more; it will be committed. Nothing if it was taken away meanwhile."""
        if (place := self._under_way) is None:
            return
        self._under_way = None
        try:
            self._consumer.store_offsets(
                offsets=[TopicPartition(place.topic, place.partition, place.offset + 1)]
            )
        except KafkaException as error:
            log.info("alert.not_ours_any_more", reason=error.args[0].str())

    def commit(self) -> None:
        """Commit what is done now instead of within a second.

        Raises:
            KafkaException: Kafka does not answer, or the partition has gone to another member.
        """
        try:
            self._consumer.commit(asynchronous=False)
        except KafkaException as error:
            if error.args[0].code() != KafkaError._NO_OFFSET:  # noqa: SLF001  librdkafka's own codes begin with _
                raise

    def wait(self, seconds: float, until: Callable[[], bool]) -> bool:
        """Stay in the group for so long, or until something is so, without taking more records; whether the one under way is still ours."""
        deadline = time.monotonic() + seconds
        self._hold(True)
        try:
            while self._under_way and not until() and (left_s := deadline - time.monotonic()) > 0:
                self._pass_time(min(left_s, _WAIT_S))
        finally:
            self._hold(False)
        return self._under_way is not None

    def lag(self) -> int:
        """Records of the owned partitions that are not done, as far as known without asking Kafka."""
        ends = [(place, self._bounds(place, cached=True)[1]) for place in self._places(self._owned)]
        positions = {it.partition: it.offset for it in self._consumer.position([place for place, _ in ends])}
        return sum(
            max(0, end - positions[place.partition]) for place, end in ends if positions[place.partition] >= 0
        ) + (self._under_way is not None)

    def close(self) -> None:
        """Commit what is done and leave the group."""
        self._consumer.close()

    def _begin(self, from_beginning: bool) -> None:
        places = self._places(partitions_of(self._consumer, self.topic))
        known = self._consumer.committed(places, timeout=REACH_TIMEOUT_S)
        if all(place.offset < 0 for place in known):
            bounds = [self._bounds(place, cached=False) for place in places]
            starts = [first if from_beginning else end for first, end in bounds]
            self._commit_start(
                [
                    TopicPartition(self.topic, place.partition, start)
                    for place, start in zip(places, starts, strict=True)
                ]
            )

    def _commit_start(self, starts: list[TopicPartition]) -> None:
        try:
            self._consumer.commit(offsets=starts, asynchronous=False)
        except KafkaException as error:
            if error.args[0].code() not in _HAS_MEMBERS:  # they have found out where to begin
                raise

    def _bounds(self, place: TopicPartition, *, cached: bool) -> tuple[int, int]:
        """The first record of a partition, and the next one that will be written."""
        first, end = self._consumer.get_watermark_offsets(place, timeout=REACH_TIMEOUT_S, cached=cached)
        return first, end

    def _places(self, partitions: Sequence[int] | set[int]) -> list[TopicPartition]:
        return [TopicPartition(self.topic, partition) for partition in sorted(partitions)]

    def _hold(self, wanted: bool) -> None:
        self._holding = wanted
        places = self._places(self._owned)
        if wanted:
            self._consumer.pause(places)
        else:
            self._consumer.resume(places)

    def _pass_time(self, wait_s: float) -> None:
        """Let the client do what a group asks of its members; a record that comes all the same is left for later."""
        message = self._consumer.poll(wait_s)
        if message is None:
            return
        if error := message.error():
            judge(error, _complain)
        else:
            place = _position(message)
            self._consumer.seek(TopicPartition(place.topic, place.partition, place.offset))

    def _gained(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        # Assigned here and not after this returns, as otherwise they could not be paused before their first record.
        consumer.assign(partitions)
        self.joined = True
        self._owned = {it.partition for it in partitions}
        if self._holding:
            consumer.pause(partitions)

    def _lost(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        gone = {it.partition for it in partitions}
        self._owned -= gone
        if self._under_way and self._under_way.partition in gone:
            self._under_way = None


def _position(message: Message) -> Position:
    return Position(
        message.topic() or "", message.partition() or 0, message.offset() or 0, message.timestamp()[1]
    )


def _read(value: bytes, message: Message, place: Position) -> Delivery | Unreadable:
    try:
        alert = decode(value)
    except UNREADABLE as error:
        return Unreadable(value, place, str(error))
    headers = message.headers()
    pairs = headers.items() if isinstance(headers, dict) else headers or ()
    return Delivery(alert, value, tuple((name, _bytes(text)) for name, text in pairs), place)


def _bytes(value: str | bytes | None) -> bytes:
    return value.encode() if isinstance(value, str) else value or b""


def _complain(what: str) -> None:
    log.warning("kafka.says", what=what)
