"""Ingest: fetched batches of source records in, columnar sample batches and dead letters out.

Stateless but for the greatest event time seen in each source partition since reading there began, and, of topics of which so many records a second
are looked at, the times of the latest.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.lineage import Link
from detectors.outputs import Destination, Output
from detectors.samples import NEVER, Mark
from detectors.settings import Settings
from detectors.stage import Count
from stream.formats import Reading, reader_for
from stream.formats.caps import Caps
from stream.formats.dead import DeadReason, Position, UnreadableError, dead_letter
from stream.formats.declarations.compatibility import VersionsOf
from stream.formats.encodings.choice import no_registry
from stream.formats.encodings.schemas import SchemaOf
from stream.formats.limits import Limits
from stream.formats.pace import NOTHING, Past, PastOf, after, no_past, shares
from stream.formats.placement import Ints, Placement, Records
from stream.formats.records import RecordSource
from stream.formats.table import Table
from stream.formats.values import Values
from stream.lineage_notes import LineageTeller, notes_first

LATENESS_MS: Final = Settings().allowed_lateness_ms


class _Standing:
    """Where ingest stands in one source partition."""

    def __init__(self) -> None:
        self.last_offset = -1
        self.high_ms = NEVER
        self.past = NOTHING


class _Fetched(NamedTuple):
    """Consecutive records of one source partition, as columns."""

    topic: str
    partition: int
    offsets: Ints
    values: Values
    timestamps_ms: Ints
    previous_offset: int | None

    def halves(self) -> "tuple[_Fetched, _Fetched]":
        """The first records and the others; neither is empty."""
        cut = len(self.offsets) // 2
        offsets, values, times = self.offsets, self.values, self.timestamps_ms
        first = self._replace(offsets=offsets[:cut], values=values[:cut], timestamps_ms=times[:cut])
        rest = self._replace(offsets=offsets[cut:], values=values[cut:], timestamps_ms=times[cut:])
        return first, rest._replace(previous_offset=int(offsets[cut - 1]))


class Ingest:
    """Turns the records of all sources into samples; reads no clock, and does no I/O but for schemas.

    Args:
        formats: how each source topic is read: the name of its format, or what is said of its records.
        samples_partitions: number of partitions of the samples topic.
        source_partitions: every source topic and its number of partitions.
        limits: caps on records and on what is kept of them.
        allowed_skew_ms: how far an event time may lie ahead of the wall clock and of the record's Kafka timestamp.
        allowed_lateness_ms: how far behind the greatest event time of its partition a record is not late; from when on lineage counts.
        schema_of: gives the schemas that framed values name; it may ask a registry, and does not wait long.
        past_of: gives what came before where reading goes on, of topics of which so many records a second are looked at.
        versions_of: gives the versions of a registry's subject before one, likewise.

    Raises:
        ValueError: a format that does not exist.
    """

    def __init__(  # noqa: PLR0913 - what is read, what bounds it, and whom it may ask
        self,
        formats: Mapping[str, Reading],
        samples_partitions: int,
        source_partitions: Mapping[str, int],
        limits: Limits,
        allowed_skew_ms: int,
        schema_of: SchemaOf = no_registry,
        allowed_lateness_ms: int = LATENESS_MS,
        past_of: PastOf = no_past,
        versions_of: VersionsOf | None = None,
    ) -> None:
        self._caps = Caps(limits)
        self._readers = {
            topic: reader_for(topic, reading, self._caps, samples_partitions, schema_of, versions_of)
            for topic, reading in formats.items()
        }
        self._shards = samples_partitions
        self._partitions = dict(source_partitions)
        self._letter_bytes_max = limits.dead_letter_bytes_max
        self._sample_bytes_max = limits.sample_bytes_max
        self._skew_ms, self._lateness_ms = allowed_skew_ms, allowed_lateness_ms
        self._paces = {
            topic: reading.per_second / source_partitions[topic]
            for topic, reading in formats.items()
            if isinstance(reading, RecordSource) and reading.per_second is not None
        }
        self._past_of = past_of
        self._standings: dict[tuple[str, int], _Standing] = {}
        self._lineage = LineageTeller()

    def batch(  # noqa: PLR0913 - the columns of a fetched batch and where it comes from
        self,
        topic: str,
        partition: int,
        offsets: Sequence[int] | Ints,
        values: Sequence[bytes | None],
        timestamps_ms: Sequence[int] | Ints,
        previous_offset: int | None,
        wall_ms: int,
        caught_up: bool,
    ) -> list[Output]:
        """What one fetched batch tells of lineage, its sample batches, one for each samples partition, and its dead letters.

        Where a sample batch would grow beyond the limit, the fetched batch is cut in halves, each with its own.

        Args:
            topic: the source topic.
            partition: its partition.
            offsets: of the records, ascending, at least one.
            values: what they hold; None is a tombstone.
            timestamps_ms: their Kafka timestamps, 0 or less when unknown.
            previous_offset: offset of the record fetched before these, None when there is none.
            wall_ms: the wall clock.
            caught_up: the partition is read to its end.

        Raises:
            ValueError: no records, or columns of different lengths.
        """
        if len(offsets) == 0 or not len(offsets) == len(values) == len(timestamps_ms):
            raise ValueError("ingest needs at least one record, and a value and a timestamp for each offset")
        fetched = _Fetched(
            topic,
            partition,
            np.asarray(offsets, np.int64),
            Values.of(values),
            np.asarray(timestamps_ms, np.int64),
            previous_offset,
        )
        standing = self._standings.setdefault((topic, partition), _Standing())
        before = copy(standing)
        outputs = self._outputs(fetched, wall_ms, caught_up)
        if len(offsets) == 1 or all(len(output.value or b"") <= self._sample_bytes_max for output in outputs):
            return outputs
        self._standings[topic, partition] = before
        notes, _ = notes_first(outputs)
        return notes + [
            output
            for half in fetched.halves()
            for output in self.batch(*half, wall_ms, caught_up and bool(half.offsets[-1] == offsets[-1]))
        ]

    def _outputs(self, fetched: "_Fetched", wall_ms: int, caught_up: bool) -> list[Output]:
        topic, partition, offsets, values, timestamps_ms, previous_offset = fetched
        standing = self._standings[topic, partition]
        if previous_offset is None or previous_offset != standing.last_offset:
            standing.high_ms = NEVER
            standing.past = self._past(topic, partition, int(offsets[0]))
        if topic in self._paces:
            values.shares = shares(standing.past, offsets, timestamps_ms, self._paces[topic])
            standing.past = after(standing.past, offsets, timestamps_ms)
        table = self._readers[topic].read(values, timestamps_ms)  # type: ignore[arg-type]
        records = self._records(table, offsets, timestamps_ms, standing, wall_ms)
        standing.last_offset = int(offsets[-1])
        mark = Mark(
            topic,
            partition,
            first_offset=int(offsets[0]) if previous_offset is None else previous_offset + 1,
            last_offset=standing.last_offset,
            high_ms=standing.high_ms,
            idle=False,
            caught_up=caught_up,
            wall_ms=wall_ms,
            partitions=self._partitions,
        )
        placement = Placement(table, records, self._shards)
        outputs = [self._samples(shard, placement.encode(shard, mark)) for shard in range(self._shards)]
        for record, why in sorted(table.dead.items()):
            position = Position(topic, partition, int(offsets[record]), int(timestamps_ms[record]))
            outputs.append(dead_letter(position, values[record] or b"", why, self._letter_bytes_max))
        return self._lineage.notes(_told_links(table, records, self._lateness_ms)) + outputs

    def mark(
        self, topic: str, partition: int, next_offset: int, wall_ms: int, caught_up: bool, idle: bool
    ) -> list[Output]:
        """A mark without rows for each samples partition: reading stands before `next_offset`.

        A partition that is read again from an earlier offset, or for the first time, has seen no event time.
        """
        standing = self._standings.get((topic, partition))
        high_ms = standing.high_ms if standing and next_offset > standing.last_offset else NEVER
        mark = Mark(
            topic,
            partition,
            next_offset,
            next_offset - 1,
            high_ms,
            idle,
            caught_up,
            wall_ms,
            self._partitions,
        )
        nothing = np.empty(0, np.int64)
        placement = Placement(
            Table(0), Records(nothing, nothing, nothing, nothing.astype(bool)), self._shards
        )
        return [self._samples(shard, placement.encode(shard, mark)) for shard in range(self._shards)]

    def take_counts(self) -> Counter[Count]:
        """Which caps bit how often since the last call: `("limited", name of the limit)`, and `("event_time_missing",)`.

        Names count when they are first met, not for every record that repeats them.
        """
        counts = self._caps.counts
        self._caps.counts = Counter()
        return counts

    def _past(self, topic: str, partition: int, offset: int) -> Past:
        return self._past_of(topic, partition, offset) if topic in self._paces and offset else NOTHING

    def _samples(self, shard: int, payload: bytes) -> Output:
        return Output(Destination.SAMPLES, key=None, value=payload, partition=shard)

    def _records(
        self, table: Table, offsets: Ints, kafka_ms: Ints, standing: _Standing, wall_ms: int
    ) -> Records:
        """Refuse impossible times, and carry `high_ms` forward over the records that are alive.

        A publisher's fast clock moves it no further than the Kafka timestamp of its record.
        """
        times = np.asarray(table.times, np.int64)
        timed = times != NEVER
        self._refuse_times(table, times, timed, kafka_ms, wall_ms)
        alive = np.ones(len(times), bool)
        alive[list(table.dead)] = False
        reached = np.where(kafka_ms > 0, np.minimum(times, kafka_ms), times)
        highs = np.maximum.accumulate(np.append(standing.high_ms, np.where(alive & timed, reached, NEVER)))
        standing.high_ms = int(highs[-1])
        return Records(offsets, times, highs[:-1], alive)

    def _refuse_times(
        self, table: Table, times: Ints, timed: NDArray[np.bool_], kafka_ms: Ints, wall_ms: int
    ) -> None:
        clock_ms = np.where(kafka_ms > 0, np.minimum(kafka_ms, wall_ms), wall_ms)
        for record in np.flatnonzero(timed & ((times < 0) | (times > clock_ms + self._skew_ms))).tolist():
            if record in table.dead:
                continue
            if times[record] < 0:
                why = UnreadableError(DeadReason.BAD_TIME, "the event time lies before 1970")
            else:
                ahead = f"{int(times[record] - clock_ms[record])} ms ahead of the wall clock or the Kafka timestamp"
                why = UnreadableError(
                    DeadReason.FUTURE_TIME, f"the event time is {ahead}; {self._skew_ms} ms are allowed"
                )
            table.dead[record] = why


def _told_links(table: Table, records: Records, lateness_ms: int) -> Iterator[tuple[Link, int]]:
    """The links that records which are alive tell, and the least time from which on each counts: that at which detect applies the record."""
    told: dict[int, tuple[tuple[Link, ...], int]] = {}
    for record, links in table.links:
        if record not in table.dead:
            time_ms = max(int(records.times[record]), int(records.highs[record]) - lateness_ms)
            _, least_ms = told.get(id(links), (links, time_ms))
            told[id(links)] = links, min(least_ms, time_ms)
    for links, time_ms in told.values():
        for link in links:
            yield link, time_ms
