"""Virtual Kafka: topics, committed offsets, a consumer group's generation, producers, and the clock they all share."""

import random
import zlib
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from detectors.outputs import Destination, Output
from stream.snapshots import Entry
from stream.sources import Place

KEYED_PARTITIONS = 2


class Stored(NamedTuple):
    """A record in a log."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp_ms: int
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass
class Broker:
    """Logs, and what the group has committed. Source topics show a record once the clock has reached its timestamp."""

    now_ms: int
    logs: defaultdict[Place, list[Stored]] = field(default_factory=lambda: defaultdict(list))
    begins: dict[Place, int] = field(default_factory=dict)
    committed: dict[Place, int] = field(default_factory=dict)
    states: defaultdict[Place, list[Entry]] = field(default_factory=lambda: defaultdict(list))
    generation: int = 0
    away: set[Place] = field(default_factory=set)
    """Partitions that take no records for now: no leader, or too few replicas."""

    def after(self, wait_ms: int) -> Callable[[], bool]:
        """The condition that so much time has passed from now on."""
        due_ms = self.now_ms + wait_ms
        return lambda: self.now_ms >= due_ms

    def append(
        self, place: Place, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]]
    ) -> None:
        """Store a record of an internal or output topic."""
        log = self.logs[place]
        log.append(Stored(len(log), key, value, self.now_ms, tuple(headers)))

    def publish(self, place: Place, value: bytes | None, timestamp_ms: int, gap: int = 0) -> None:
        """Add a record to a source partition; `gap` offsets before it hold no record."""
        log = self.logs[place]
        log.append(Stored((log[-1].offset + 1 if log else 0) + gap, None, value, timestamp_ms))

    def visible(self, place: Place, offset: int, count: int) -> list[Stored]:
        """At most `count` records from `offset` on that are there by now."""
        log, offset = self.logs[place], max(offset, self.begins.get(place, 0))
        at = min(offset, len(log))
        while at and log[at - 1].offset >= offset:
            at -= 1
        return [record for record in log[at : at + count] if record.timestamp_ms <= self.now_ms]

    def end(self, place: Place) -> int:
        """The next offset of a partition, as it is now."""
        log = self.logs[place]
        at = len(log)
        while at and log[at - 1].timestamp_ms > self.now_ms:
            at -= 1
        return log[at - 1].offset + 1 if at else 0

    def commit(self, generation: int, offsets: Mapping[Place, int]) -> bool:
        """Commit for the group, which refuses members of an older generation."""
        if generation != self.generation:
            return False
        self.committed.update(offsets)
        return True

    def compact(self, place: Place, chance: random.Random) -> None:
        """What log compaction may do at any time: of each key keep the last record, up to a random point."""
        log = self.states[place]
        clean = log[: chance.randint(0, len(log))]
        last = {entry.key: at for at, entry in enumerate(log)}
        self.states[place] = [entry for at, entry in enumerate(clean) if last[entry.key] == at] + log[
            len(clean) :
        ]


class Delivery:
    """Records under way; `left` are not stored yet."""

    __slots__ = ("left",)

    def __init__(self, left: int) -> None:
        self.left = left

    def done(self) -> bool:
        """Whether every record is stored."""
        return not self.left


class _Sent(NamedTuple):
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    delivery: Delivery


class Producer:
    """One worker's producer: records of one partition land in order, those of different partitions in any."""

    def __init__(self, broker: Broker, topics: Mapping[Destination, str]) -> None:
        self._broker, self._topics = broker, topics
        self._queues: dict[Place, deque[_Sent]] = {}

    def post(self, outputs: Iterable[Output]) -> Delivery:
        """Hand over the outputs of a stage."""
        delivery = Delivery(0)
        for output in outputs:
            place = Place(self._topics[output.destination], _partition(output))
            self._send(place, _Sent(output.key, output.value, output.headers, delivery))
        return delivery

    def post_entries(self, place: Place, entries: Iterable[Entry]) -> Delivery:
        """Hand over records of a state topic."""
        delivery = Delivery(0)
        for entry in entries:
            self._send(place, _Sent(entry.key.encode(), entry.value, (), delivery))
        return delivery

    def _send(self, place: Place, sent: _Sent) -> None:
        sent.delivery.left += 1
        self._queues.setdefault(place, deque()).append(sent)

    @property
    def busy(self) -> bool:
        """Whether records are under way."""
        return bool(self._queues)

    def land(self, chance: random.Random) -> None:
        """Some records of one partition are stored."""
        open_ = [place for place in self._queues if place not in self._broker.away]
        if not open_:
            return
        place = chance.choice(open_)
        queue = self._queues[place]
        self._land(place, queue, chance.randint(1, len(queue)))
        if not queue:
            del self._queues[place]

    def land_all(self) -> None:
        """Everything under way is stored."""
        for place, queue in self._queues.items():
            self._land(place, queue, len(queue))
        self._queues.clear()

    def abandon(self, chance: random.Random) -> None:
        """The process is gone: of each partition a first part may still land, the rest is lost."""
        for place, queue in self._queues.items():
            self._land(place, queue, 0 if place in self._broker.away else chance.randint(0, len(queue)))
        self._queues.clear()

    def _land(self, place: Place, queue: deque[_Sent], count: int) -> None:
        for _ in range(count):
            sent = queue.popleft()
            if place.topic.endswith("-state"):
                self._broker.states[place].append(Entry((sent.key or b"").decode(), sent.value))
            else:
                self._broker.append(place, sent.key, sent.value, sent.headers)
            sent.delivery.left -= 1


def _partition(output: Output) -> int:
    return zlib.crc32(output.key or b"") % KEYED_PARTITIONS if output.partition is None else output.partition
