"""What export and import ask of a broker beside records: which topics are the very same, where they begin and end, and who works on them."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from confluent_kafka import Consumer, IsolationLevel, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import OffsetSpec

from stream.config import Config, librdkafka_properties
from stream.exits import Exit, Refused
from stream.topics import ANSWER_S_MAX, Broker

Place = tuple[str, int]
_FIRST: Final[OffsetSpec] = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
_NEXT: Final[OffsetSpec] = OffsetSpec.latest()  # type: ignore[no-untyped-call]
_NO_ID: Final = "AAAAAAAAAAAAAAAAAAAAAA"
"""The topic id of brokers that have none."""


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
        try:
            futures = self.admin.describe_topics(TopicCollection(topics), request_timeout=ANSWER_S_MAX)
            found = {topic: str(future.result(ANSWER_S_MAX).topic_id) for topic, future in futures.items()}
        except KafkaException:
            return {}
        return {topic: it for topic, it in found.items() if it != _NO_ID}

    def spans(self, topics: Iterable[str]) -> dict[Place, Span]:
        """Where the partitions of some topics begin and end."""
        places = [(it, partition) for it in sorted(set(topics)) for partition in range(self.partitions(it))]
        firsts, nexts = self._offsets(places, _FIRST), self._offsets(places, _NEXT)
        return {place: Span(firsts[place], nexts[place]) for place in places}

    def _offsets(self, places: list[Place], spec: OffsetSpec) -> dict[Place, int]:
        if not places:
            return {}
        asked = {TopicPartition(*place): spec for place in places}
        level = IsolationLevel.READ_COMMITTED
        futures = self.admin.list_offsets(asked, isolation_level=level, request_timeout=ANSWER_S_MAX)
        return {
            (at.topic, at.partition): future.result(ANSWER_S_MAX).offset for at, future in futures.items()
        }

    def members(self, group: str) -> list[str]:
        """The members of a consumer group that are active: who they are and where."""
        try:
            futures = self.admin.describe_consumer_groups([group], request_timeout=ANSWER_S_MAX)
            described = futures[group].result(ANSWER_S_MAX)
        except KafkaException as error:
            raise Refused(
                f"the group {group} cannot be described: {error.args[0].str()}", Exit.KAFKA
            ) from None
        return [f"{it.client_id} at {it.host}" for it in described.members]

    def committed(self, topics: Iterable[str]) -> dict[Place, int]:
        """The offsets that the group has committed; those without one are left out."""
        places = [
            TopicPartition(it, partition)
            for it in sorted(set(topics))
            for partition in range(self.partitions(it))
        ]
        consumer = self._consumer()
        try:
            found = consumer.committed(places, ANSWER_S_MAX) if places else []
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
            done = consumer.commit(offsets=offsets, asynchronous=False) or []
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
