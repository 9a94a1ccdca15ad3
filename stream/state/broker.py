"""What export and import ask of a broker beside records: which topics are the very same, where they begin and end, and who works on them."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple, TypeVar

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import OffsetSpec

from stream.config import Config, librdkafka_properties
from stream.exits import Exit, Refused
from stream.shard_store import answered
from stream.topics import ANSWER_S_MAX, Broker

Place = tuple[str, int]
Answer = TypeVar("Answer")
_FIRST: Final[OffsetSpec] = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
_NEXT: Final[OffsetSpec] = OffsetSpec.latest()  # type: ignore[no-untyped-call]
_NO_ID: Final = "AAAAAAAAAAAAAAAAAAAAAA"
"""The topic id of brokers that have none."""


_UNABLE: Final = (
    KafkaError._UNSUPPORTED_FEATURE,  # noqa: SLF001  librdkafka's own codes begin with _
    KafkaError.UNSUPPORTED_VERSION,
)


class Span(NamedTuple):
    """The first offset that is left in a partition, and the next one that will be written."""

    first: int
    next: int


class Cluster:
    """One cluster, through a configuration.

    Raises:
        Refused: no broker answers.
    """

    def __init__(self, config: Config) -> None:
        self._broker, self._config = Broker(config), config
        self._broker.reach()
        self._metadata = self._broker.admin.list_topics(timeout=ANSWER_S_MAX)
        self.admin = self._broker.admin

    @property
    def id(self) -> str:
        """Its id; empty if it has none."""
        return str(getattr(self._metadata, "cluster_id", "") or "")

    def partitions(self, topic: str) -> int:
        """How many a topic has; 0: there is no such topic."""
        known = self._metadata.topics.get(topic)
        return 0 if known is None or known.error is not None else len(known.partitions)

    def identities(self, topics: Iterable[str]) -> dict[str, str]:
        """What tells each topic that is there from any other one, of this cluster or another."""
        there = sorted({it for it in topics if self.partitions(it)})
        ids = self._topic_ids(there)
        return {it: f"{self.id}/{ids.get(it) or it}" for it in there}

    def _topic_ids(self, topics: list[str]) -> dict[str, str]:
        if not topics:
            return {}
        found = _asked(lambda: self._described(topics))
        return {topic: it for topic, it in found.items() if it != _NO_ID}

    def _described(self, topics: list[str]) -> dict[str, str]:
        try:
            futures = self.admin.describe_topics(TopicCollection(topics), request_timeout=ANSWER_S_MAX)
            return {topic: str(future.result(ANSWER_S_MAX).topic_id) for topic, future in futures.items()}
        except KafkaException as error:
            if error.args[0].code() in _UNABLE:
                return {}
            raise

    def spans(self, topics: Iterable[str]) -> dict[Place, Span]:
        """Where the partitions of some topics begin and end."""
        places = self._places(topics)
        firsts, nexts = self._offsets(places, _FIRST), self._offsets(places, _NEXT)
        return {place: Span(firsts[place], nexts[place]) for place in places}

    def _offsets(self, places: list[Place], spec: OffsetSpec) -> dict[Place, int]:
        return _asked(lambda: self._listed(places, spec)) if places else {}

    def _listed(self, places: list[Place], spec: OffsetSpec) -> dict[Place, int]:
        asked = {TopicPartition(*place): spec for place in places}
        level = IsolationLevel.READ_COMMITTED
        futures = self.admin.list_offsets(asked, isolation_level=level, request_timeout=ANSWER_S_MAX)
        return {
            (at.topic, at.partition): future.result(ANSWER_S_MAX).offset for at, future in futures.items()
        }

    def _places(self, topics: Iterable[str]) -> list[Place]:
        return [(it, partition) for it in sorted(set(topics)) for partition in range(self.partitions(it))]

    def members(self, group: str) -> list[str]:
        """The members of a consumer group that are active: who they are and where."""
        described = _asked(lambda: self._group(group))
        return [f"{it.client_id} at {it.host}" for it in described.members]

    def _group(self, group: str) -> Any:
        futures = self.admin.describe_consumer_groups([group], request_timeout=ANSWER_S_MAX)
        return futures[group].result(ANSWER_S_MAX)

    def committed(self, topics: Iterable[str]) -> dict[Place, int]:
        """The offsets that the group has committed; those without one are left out."""
        places = [TopicPartition(*place) for place in self._places(topics)]
        consumer = self._consumer()
        try:
            found = _asked(lambda: consumer.committed(places, ANSWER_S_MAX)) if places else []
        finally:
            consumer.close()
        return {(it.topic, it.partition): it.offset for it in found if it.offset >= 0}

    def commit(self, positions: Mapping[Place, int]) -> None:
        """Have the group, in which nobody is, begin at these offsets.

        Raises:
            Refused: Kafka does not take them, as while somebody is in the group.
        """
        consumer = self._consumer()
        try:
            offsets = [TopicPartition(*place, offset) for place, offset in sorted(positions.items())]
            done = answered(lambda: consumer.commit(offsets=offsets, asynchronous=False)) or []
            errors = [it.error for it in done if it.error is not None]
        except KafkaException as error:
            errors = [error.args[0]]
        finally:
            consumer.close()
        if errors:
            raise Refused(
                f"Kafka does not take the positions of the group {self._config.name}: {errors[0].str()}",
                Exit.KAFKA,
            )

    def _consumer(self) -> Consumer:
        properties: dict[str, Any] = librdkafka_properties(self._config, "consumer")
        return Consumer(
            {**properties, "group.id": self._config.name, "enable.auto.commit": False, "log_level": 0}
        )


def _asked(ask: Callable[[], Answer]) -> Answer:
    """The answer to a question, asked again while leaders and coordinators move.

    Raises:
        Refused: there is none.
    """
    try:
        return answered(ask)
    except KafkaException as error:
        raise Refused(f"Kafka: {error.args[0].str()}", Exit.KAFKA) from None
