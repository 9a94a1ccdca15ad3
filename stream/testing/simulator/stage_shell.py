"""The shell of detect and of triage: `stream.stage_agent` and `stream.shard_store` in turns, in their order.

Outputs delivered, then the snapshot's parts, then its manifest, then the ack, then tombstones. A crash may fall between
any two of them, and into the middle of each.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from detectors.settings import Settings
from detectors.stage import HoleError, Stage
from stream.exits import Exit, Refused
from stream.snapshots import Entry, Snapshot, SnapshotError, SnapshotLog, SnapshotWriter
from stream.sources import Place
from stream.stages import detect_stage, triage_stage
from stream.testing.simulator.kafka import Delivery
from stream.testing.simulator.membership import Member
from stream.testing.simulator.tasks import Lock, Work

STATE_SUFFIX: Final = "-state"
QUEUED_MAX: Final = 30


@dataclass(slots=True)
class Shard:
    """The state of one partition in this worker; `last` is the next offset that may be acked once it is stored."""

    stage: Stage
    writer: SnapshotWriter
    stored_offset: int
    fresh: bool
    last: int | None = None
    rewound_at: int | None = None
    deliveries: list[Delivery] = field(default_factory=list)


class Fetched(NamedTuple):
    """A record that was fetched under some generation."""

    partition: int
    offset: int
    value: bytes
    generation: int


class StageShell:
    """Folds one internal topic into the shards of a stage, and stores their states before it acks."""

    def __init__(self, member: Member, topic: str, factory: Callable[[int], Stage], parts: "Parts") -> None:
        self.topic, self._factory, self._member, self._parts = topic, factory, member, parts
        self.shards: dict[int, Shard] = {}
        self._positions: dict[int, int] = {}
        self._folding, self._storing = Lock(), Lock()

    def changed(self) -> None:
        """Another assignment is in force: every shard is dropped."""
        self.shards.clear()
        mine = sorted(place for place in self._member.assigned if place.topic == self.topic)
        self._positions = {place.partition: self._member.start(place) for place in mine}

    @property
    def owned(self) -> list[int]:
        """The partitions that are folded here."""
        return list(self._positions)

    def position(self, partition: int) -> int | None:
        """The next offset that is not folded in; None while the shard is not loaded."""
        shard = self.shards.get(partition)
        return shard.stage.covered_offset + 1 if shard and not shard.fresh else None

    def consume(self) -> Work:
        """Fold in records in order, for ever."""
        while True:
            yield self._waiting
            for fetched in self._fetch():
                if self._folding.held or self._member.dallies():
                    yield self._folding.free
                self._folding.held = True
                yield from self._take(fetched)
                self._folding.held = False

    def _waiting(self) -> bool:
        return any(self._unread(partition) for partition in self._positions)

    def _unread(self, partition: int) -> bool:
        broker, place = self._member.broker, Place(self.topic, partition)
        return len(broker.logs[place]) > max(self._positions[partition], broker.begins.get(place, 0))

    def _fetch(self) -> list[Fetched]:
        """The next records of one partition, which then wait in the agent's queue."""
        member = self._member
        partition = member.chance.choice([it for it in self._positions if self._unread(it)])
        place, count = Place(self.topic, partition), member.chance.randint(1, QUEUED_MAX)
        records = member.broker.visible(place, self._positions[partition], count)
        self._positions[partition] = records[-1].offset + 1
        return [Fetched(partition, it.offset, it.value or b"", member.generation) for it in records]

    def _take(self, fetched: Fetched) -> Work:
        if fetched.generation != self._member.generation:
            return
        if fetched.partition not in self.shards:
            yield from self._load(fetched.partition)
        shard = self.shards.get(fetched.partition)
        if shard is not None and self._in_order(shard, fetched.partition, fetched.offset):
            if fetched.offset > shard.stage.covered_offset:
                yield from self._step(shard, fetched.offset, fetched.value)
            shard.last = fetched.offset + 1

    def _step(self, shard: Shard, offset: int, payload: bytes) -> Work:
        outputs = shard.stage.step(offset, payload)
        if outputs:
            if self._member.dallies():
                yield None
            delivery = self._member.producer.post(outputs)
            shard.deliveries = [*(it for it in shard.deliveries if not it.done()), delivery]

    def _load(self, partition: int) -> Work:
        member, epoch, generation = self._member, self._member.epoch, self._member.generation
        state = Place(self.topic + STATE_SUFFIX, partition)
        yield None
        log = self._parts.snapshot_log()
        for entry in member.broker.states[state]:
            log.add(*entry)
        snapshot = self._best(log, partition)
        stage = self._factory(partition)
        if snapshot is not None:
            stage.load(snapshot.chunks)
            _check_covered(snapshot, stage)
        yield None
        if epoch == member.epoch:
            writer = self._parts.snapshot_writer(partition, generation, frozenset(log.entries))
            self.shards[partition] = Shard(stage, writer, stage.covered_offset, snapshot is None)

    def _best(self, log: SnapshotLog, partition: int) -> Snapshot | None:
        place = Place(self.topic, partition)
        try:
            snapshot, _ = log.best()
        except SnapshotError as error:
            raise Refused(f"no snapshot of {place} can be used: {error}", Exit.DATA) from None
        if snapshot is None and self._member.broker.committed.get(place, 0) > 0:
            raise Refused(f"there is no snapshot of {place}, whose records are committed", Exit.DATA)
        if snapshot is not None and snapshot.covered_offset >= self._member.broker.end(place):
            raise Refused(f"the snapshot of {place} covers more than there is", Exit.DATA)
        return snapshot

    def _in_order(self, shard: Shard, partition: int, offset: int) -> bool:
        due = shard.stage.covered_offset + 1
        if offset <= due or shard.fresh:
            shard.fresh, shard.rewound_at = False, None
            return True
        if shard.rewound_at is None:
            self._positions[partition] = due
        elif offset <= shard.rewound_at:
            raise HoleError(f"{self.topic}[{partition}]: offset {due} is due, but the log begins at {offset}")
        shard.rewound_at = offset
        return False

    def idle(self) -> bool:
        """Whether nothing is being folded or stored."""
        return self._folding.free() and self._storing.free()

    def store_for_ever(self) -> Work:
        """Store all shards, at random times."""
        member = self._member
        while True:
            yield member.broker.after(member.chance.randint(0, member.scenario.snapshot_interval_ms))
            yield from self.store()

    def store(self) -> Work:
        """Store every shard that moved, and ack what that covers."""
        yield self._storing.free
        self._storing.held = True
        for partition, shard in list(self.shards.items()):
            yield from self._store_shard(partition, shard)
        self._storing.held = False

    def _store_shard(self, partition: int, shard: Shard) -> Work:
        epoch = self._member.epoch
        yield self._folding.free
        last, deliveries = shard.last, shard.deliveries
        if last is None or self.shards.get(partition) is not shard:
            return
        shard.last, shard.deliveries = None, []
        covered = shard.stage.covered_offset
        chunks = shard.stage.dump() if covered > shard.stored_offset else None
        yield from self._parts.storing(
            self, partition, shard, Dumped(epoch, last, deliveries, covered, chunks)
        )

    def delivered(self, deliveries: list[Delivery]) -> Work:
        """Wait until what the state's steps have put out is stored."""
        for delivery in deliveries:
            yield delivery.done

    def write(self, partition: int, shard: Shard, dumped: "Dumped") -> Work:
        """Store a dumped state: its parts, and then the manifest that closes them."""
        if dumped.chunks is None:
            return
        plan = shard.writer.plan(dumped.chunks, dumped.covered)
        yield self._post(partition, plan.parts)
        yield self._post(partition, (plan.manifest,))
        shard.stored_offset = dumped.covered
        dumped.obsolete += shard.writer.obsolete(plan)

    def ack(self, partition: int, dumped: "Dumped") -> bool:
        """Ack what the state covers, if the assignment is still the one it was dumped under."""
        if dumped.epoch != self._member.epoch:
            return False
        self._member.ack(Place(self.topic, partition), dumped.last)
        return True

    def bury(self, partition: int, dumped: "Dumped") -> Work:
        """Tombstone the keys that are not needed any more, in an order that does not depend on their random parts."""
        log = self._member.broker.states[Place(self.topic + STATE_SUFFIX, partition)]
        first = {entry.key: at for at, entry in reversed(list(enumerate(log)))}
        keys = sorted((entry.key for entry in dumped.obsolete), key=lambda key: first.get(key, -1))
        self._member.chance.shuffle(keys)
        yield self._post(partition, tuple(Entry(key, None) for key in keys))

    def _post(self, partition: int, entries: tuple[Entry, ...]) -> Callable[[], bool]:
        return self._member.producer.post_entries(Place(self.topic + STATE_SUFFIX, partition), entries).done


@dataclass(slots=True)
class Dumped:
    """A state between two steps, and what depends on it being stored."""

    epoch: int
    last: int
    deliveries: list[Delivery]
    covered: int
    chunks: dict[str, bytes] | None
    obsolete: tuple[Entry, ...] = ()


def outputs_state_ack(shell: StageShell, partition: int, shard: Shard, dumped: Dumped) -> Work:
    """The order that works: outputs delivered, then the state, then the ack, then tombstones."""
    yield from shell.delivered(dumped.deliveries)
    yield from shell.write(partition, shard, dumped)
    if shell.ack(partition, dumped):
        yield from shell.bury(partition, dumped)


@dataclass(frozen=True)
class Parts:
    """What a simulated worker is made of. Tests replace one of them by a broken one, and the judge must notice."""

    detect: Callable[[Settings, int], Stage] = detect_stage
    triage: Callable[[Settings], Stage] = triage_stage
    snapshot_log: Callable[[], SnapshotLog] = SnapshotLog
    snapshot_writer: Callable[[int, int, frozenset[str]], SnapshotWriter] = SnapshotWriter
    storing: Callable[[StageShell, int, Shard, Dumped], Work] = outputs_state_ack
    waits_for_delivery: bool = True
    """Whether ingest acks only what is stored."""


def _check_covered(snapshot: Snapshot, stage: Stage) -> None:
    if stage.covered_offset != snapshot.covered_offset:
        raise Refused(
            f"the snapshot covers {snapshot.covered_offset}, its state {stage.covered_offset}", Exit.DATA
        )
