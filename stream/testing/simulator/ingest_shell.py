"""The shell of ingest: `stream.ingest_agent` and `stream.sources` in turns."""

from collections.abc import Callable
from dataclasses import dataclass

from detectors.outputs import Output
from stream.ingest import Ingest
from stream.ingest_agent import ENDS_AGE_S_MAX
from stream.lineage_notes import notes_first
from stream.sources import Place
from stream.testing.simulator.kafka import Stored
from stream.testing.simulator.membership import Member
from stream.testing.simulator.tasks import Work

ENDS_AGE_MS_MAX = int(ENDS_AGE_S_MAX * 1000)


@dataclass(slots=True)
class Feed:
    """How far an owned source partition is fetched and handled, as next offsets, and when a record last came."""

    fetched: int
    handled: int
    arrived_ms: int
    touched_ms: int
    busy: bool = False
    idle_ms: int = -1


class IngestShell:
    """Fetches batches of any size, delivers what ingest makes of them, and acks; writes marks when it is time."""

    def __init__(self, member: Member, make_ingest: Callable[[], Ingest], waits: bool) -> None:
        self._member, self._make_ingest, self._waits = member, make_ingest, waits
        self._ingest = make_ingest()
        self.feeds: dict[Place, Feed] = {}
        self._ends: dict[Place, int] = {}
        self._asked_ms = 0

    def changed(self) -> None:
        """Another assignment is in force: everything fetched is dropped."""
        member = self._member
        now_ms = member.broker.now_ms
        self._ingest = self._make_ingest()
        self._ends = {}
        places = sorted(place for place in member.assigned if place.topic in member.scenario.formats)
        starts = ((place, member.start(place)) for place in places)
        self.feeds = {place: Feed(start, start, now_ms, now_ms) for place, start in starts}

    def consume(self) -> Work:
        """Handle batches, for ever."""
        member = self._member
        while True:
            yield self._waiting
            place = member.chance.choice(
                [place for place, feed in self.feeds.items() if self._unread(place, feed)]
            )
            feed, epoch = self.feeds[place], member.epoch
            previous_offset = feed.fetched - 1
            batch = member.broker.visible(
                place, feed.fetched, member.chance.choice(member.scenario.batch_sizes)
            )
            feed.fetched, feed.arrived_ms = batch[-1].offset + 1, member.broker.now_ms
            yield None
            if epoch == member.epoch:
                yield from self._handle(place, feed, previous_offset, batch)

    def _handle(self, place: Place, feed: Feed, previous_offset: int, batch: list[Stored]) -> Work:
        member, epoch = self._member, self._member.epoch
        feed.busy = True
        notes, rest = notes_first(self._outputs(place, previous_offset, batch))
        if notes:
            yield member.producer.post(notes).done
        if epoch != member.epoch:
            return
        delivery = member.producer.post(rest)
        if self._waits:
            yield delivery.done
        feed.busy = False
        if epoch == member.epoch:
            feed.idle_ms = -1
            feed.touched_ms, feed.handled = member.broker.now_ms, batch[-1].offset + 1
            member.ack(place, feed.handled)

    def _outputs(self, place: Place, previous_offset: int, batch: list[Stored]) -> list[Output]:
        return self._ingest.batch(
            place.topic,
            place.partition,
            [record.offset for record in batch],
            [record.value for record in batch],
            [record.timestamp_ms for record in batch],
            previous_offset,
            self._member.wall_ms,
            self._at_end(place, batch[-1].offset + 1),
        )

    def _waiting(self) -> bool:
        return any(self._unread(place, feed) for place, feed in self.feeds.items())

    def _unread(self, place: Place, feed: Feed) -> bool:
        return self._member.broker.end(place) > feed.fetched

    def ask_for_ends(self) -> Work:
        """Learn now and then where the owned partitions end."""
        member = self._member
        while True:
            yield member.broker.after(member.chance.randint(0, member.scenario.ends_interval_ms))
            self._ends = {place: member.broker.end(place) for place in self.feeds}
            self._asked_ms = member.broker.now_ms

    def mark(self) -> Work:
        """Say where each partition stands, at random times."""
        member = self._member
        while True:
            yield member.broker.after(member.chance.randint(0, member.scenario.mark_interval_ms))
            outputs: list[Output] = []
            for place, feed in self.feeds.items():
                if not feed.busy and member.chance.random() < member.scenario.mark_share:
                    feed.touched_ms = member.broker.now_ms
                    outputs += self._mark(place, feed)
            delivery = member.producer.post(outputs)
            yield delivery.done

    def _mark(self, place: Place, feed: Feed) -> list[Output]:
        member = self._member
        caught_up = feed.handled == feed.fetched and self._at_end(place, feed.handled)
        idle = (
            caught_up and member.broker.now_ms - feed.arrived_ms >= member.scenario.settings.idle_timeout_ms
        )
        feed.idle_ms = member.broker.now_ms if idle else -1
        return self._ingest.mark(place.topic, place.partition, feed.handled, member.wall_ms, caught_up, idle)

    def idle_since(self, now_ms: int) -> list[Place]:
        """The partitions that a mark has called idle at `now_ms` or later."""
        return [place for place, feed in self.feeds.items() if feed.idle_ms >= now_ms]

    def _at_end(self, place: Place, position: int) -> bool:
        """Whether `position` is at the end, by knowledge that is fresh."""
        end = self._ends.get(place)
        return (
            end is not None
            and position >= end
            and self._member.broker.now_ms - self._asked_ms < ENDS_AGE_MS_MAX
        )
