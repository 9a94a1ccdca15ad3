"""Backtest: recorded records through the very stages of the worker, in one process, whether they come from a file or from Kafka.

Time is the records' own. The wall clock that marks carry is the greatest time read so far, a partition counts as idle
after its last record, and the end of the recording is when all that is still pending is judged.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby, islice
from typing import NamedTuple

import msgspec
import numpy as np

from detectors.alerts import Alert, Mode
from detectors.detect import Detect
from detectors.ledger import Ledger
from detectors.outputs import Destination, Output
from detectors.reports import Followed
from detectors.samples import NEVER, RUN_COLUMNS, Mark, SampleBatch
from detectors.settings import Settings
from detectors.stage import Count
from detectors.triage import Triage
from stream.formats import guess_format
from stream.formats.values import KEY, Values
from stream.ingest import Ingest
from stream.message_columns import Columns

BATCH_RECORDS_MAX = 1000
_TIME = [name for name, _ in RUN_COLUMNS].index("time_ms")

_parts = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode
"""The parts of a sample batch; only its mark is read."""
_mark = msgspec.msgpack.Decoder(Mark).decode


class Place(NamedTuple):
    """A source partition."""

    topic: str
    partition: int


class Recorded(NamedTuple):
    """One recorded record; `timestamp_ms` is 0 and `offset` -1 where the recording does not say.

    `besides` are its headers by name, and its key under `KEY`.
    """

    place: Place
    value: bytes | None
    timestamp_ms: int
    offset: int
    besides: Mapping[str, bytes] = {}


class _Wrapped(msgspec.Struct):
    topic: str
    value: str | None
    timestamp: int = 0
    partition: int = 0
    offset: int = -1
    key: str | None = None
    headers: dict[str, str] = {}

    def besides(self) -> dict[str, bytes]:
        key = {} if self.key is None else {KEY: self.key}
        return {name: text.encode("utf-8", "surrogatepass") for name, text in (self.headers | key).items()}


_wrapped = msgspec.json.Decoder(_Wrapped)


def read_lines(lines: Iterable[bytes], formats: Mapping[str, str]) -> Iterator[Recorded]:
    """One record a line: `{"topic", "key", "value", "timestamp", "headers"}` with texts in it, or a bare Kafka value.

    A bare value belongs to the source (`formats`: topic to format) whose format it looks like, or else to the first.
    Blank lines are passed over.
    """
    topics = {name: topic for topic, name in reversed(list(formats.items()))}
    first = next(iter(formats))
    for raw in lines:
        line = raw.strip()
        if not line:
            continue
        try:
            record = _wrapped.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            topic = topics.get(guess_format(line) or "", first)
            yield Recorded(Place(topic, 0), line, 0, -1)
            continue
        value = None if record.value is None else record.value.encode("utf-8", "surrogatepass")
        place = Place(record.topic, record.partition)
        yield Recorded(place, value, record.timestamp, record.offset, record.besides())


class Stretch(NamedTuple):
    """Consecutive records of one source partition; `columns` is None where there are none.

    `next_offset` is the one after them, and `last` says that nothing more comes of this partition.
    """

    place: Place
    columns: Columns | None
    next_offset: int
    last: bool


def stretches(records: Iterable[Recorded], left: Counter[Place], gather: int = 1) -> Iterator[Stretch]:
    """Recorded records as columns; `left` says how many of each partition are to come.

    Of every `gather` records those of one partition are one stretch: that is faster, and `detected_at` is coarser. Or else a stretch
    ends where the partition changes.
    """
    left, reached = Counter(left), dict[Place, int]()
    for place, batch in _batches(iter(records), gather):
        offsets = _offsets(reached.get(place, 0), batch)
        reached[place] = offsets[-1] + 1
        left[place] -= len(batch)
        timestamps = [record.timestamp_ms for record in batch]
        columns = Columns(np.array(offsets), _values(batch), np.array(timestamps))
        yield Stretch(place, columns, reached[place], last=not left[place])


def _batches(records: Iterator[Recorded], gather: int) -> Iterator[tuple[Place, list[Recorded]]]:
    if gather > 1:
        while some := list(islice(records, gather)):
            by_place: dict[Place, list[Recorded]] = {}
            for record in some:
                by_place.setdefault(record.place, []).append(record)
            yield from by_place.items()
        return
    for place, group in groupby(records, key=lambda record: record.place):
        while batch := list(islice(group, BATCH_RECORDS_MAX)):
            yield place, batch


def _least_time(payload: bytes) -> int | None:
    """The least event time of a sample batch's rows."""
    batch = SampleBatch.from_bytes(payload)
    tables = [batch.runs, batch.values, batch.declared, batch.payloads]
    times = [np.frombuffer(rows.columns[_TIME], "<i8") for rows in tables if rows.columns]
    return min((int(column.min()) for column in times if len(column)), default=None)


def _offsets(due: int, batch: list[Recorded]) -> list[int]:
    offsets = []
    for record in batch:
        offsets.append(max(record.offset, due))
        due = offsets[-1] + 1
    return offsets


class Reading:
    """Ingest of a recording: what it makes of each stretch, with marks that tell the recording's time instead of today's.

    Args:
        ingest: knows every topic that is read, and its number of partitions.
        allowed_lateness_ms: how long after the last record the end of all is.
        now_ms: today, for what lies in the future even so.
    """

    def __init__(self, ingest: Ingest, allowed_lateness_ms: int, now_ms: int) -> None:
        self._ingest, self._lateness_ms, self._now_ms = ingest, allowed_lateness_ms, now_ms
        self._previous: dict[Place, int] = {}
        self._ended: set[Place] = set()
        self.records = 0
        self.first_ms: int | None = None
        """Least event time in what came first of each partition."""
        self._wall_ms = 0
        self._unmarked = 0

    def outputs(self, recording: Iterable[Stretch]) -> Iterator[list[Output]]:
        """What ingest makes of a whole recording."""
        for stretch in recording:
            yield self.take(stretch)
        yield self.end()

    @property
    def last_ms(self) -> int:
        """The greatest time read so far."""
        return self._wall_ms

    def take(self, stretch: Stretch) -> list[Output]:
        """What ingest makes of one stretch."""
        place, outputs = stretch.place, self._batch(stretch)
        if place not in self._previous:
            self._begin(outputs)
        self._previous[place] = stretch.next_offset - 1
        if stretch.last:
            self._ended.add(place)
            outputs += self._mark(place)
        return self._on_record_time(outputs)

    def end(self) -> list[Output]:
        """Nothing more comes: what is still pending may be judged."""
        self._wall_ms += self._lateness_ms + 1
        return self._on_record_time([output for place in self._previous for output in self._mark(place)])

    def _batch(self, stretch: Stretch) -> list[Output]:
        if stretch.columns is None:
            return []
        self.records += len(stretch.columns.offsets)
        self._wall_ms = max(self._wall_ms, int(stretch.columns.timestamps_ms.max()))
        outputs = self._ingest.batch(
            stretch.place.topic,
            stretch.place.partition,
            *stretch.columns,
            self._previous.get(stretch.place),
            self._now_ms,
            caught_up=False,
        )
        return outputs + self._marks_of_ended(len(stretch.columns.offsets))

    def _begin(self, outputs: list[Output]) -> None:
        samples = [it.value for it in outputs if it.destination is Destination.SAMPLES and it.value]
        times = [time_ms for payload in samples if (time_ms := _least_time(payload)) is not None]
        if times:
            self.first_ms = min([*times, *([] if self.first_ms is None else [self.first_ms])])

    def _marks_of_ended(self, records: int) -> list[Output]:
        """Now and then, that the partitions that ended do not hold back time."""
        self._unmarked += records
        if self._unmarked < BATCH_RECORDS_MAX:
            return []
        self._unmarked = 0
        return [output for place in self._ended for output in self._mark(place)]

    def _mark(self, place: Place) -> list[Output]:
        return self._ingest.mark(
            place.topic, place.partition, self._previous[place] + 1, self._wall_ms, caught_up=True, idle=True
        )

    def _on_record_time(self, outputs: list[Output]) -> list[Output]:
        return [
            output._replace(value=self._retimed(output.value))
            if output.destination is Destination.SAMPLES and output.value
            else output
            for output in outputs
        ]

    def _retimed(self, payload: bytes) -> bytes:
        version, raw, *rest = _parts(payload)
        mark = _mark(raw)
        if mark.high_ms > NEVER:
            self._wall_ms = max(self._wall_ms, mark.high_ms)
        return msgspec.msgpack.encode([version, msgspec.structs.replace(mark, wall_ms=self._wall_ms), *rest])


class Backtest:
    """Detect and triage, with as many shards as the worker has: like series know of one another within a shard."""

    def __init__(self, settings: Settings) -> None:
        self._shards = [Detect(settings, shard) for shard in range(settings.shards)]
        self._triage = Triage(settings, Mode.BACKTEST)
        self._samples = [0] * settings.shards
        self._anomalies = 0
        self.counts: Counter[Count] = Counter()
        self.dead_letters: list[Output] = []

    def run(self, ingested: Iterable[list[Output]]) -> Iterator[Alert]:
        """The alerts of a whole recording, as `Reading.outputs` gives it, in the order in which a worker would have published them."""
        for outputs in ingested:
            yield from self.fold(outputs)
        yield from self.finish()

    def finish(self) -> Iterator[Alert]:
        """The alerts of what still waits, when the recording has ended."""
        yield from self._triage.finish()

    def fold(self, outputs: list[Output]) -> Iterator[Alert]:
        """The alerts that come of the next outputs of ingest."""
        for output in outputs:
            if output.destination is Destination.DEAD_LETTERS:
                self.dead_letters.append(output)
            elif output.destination is Destination.ANOMALIES:
                yield from self._triaged(output)
            elif output.value is not None:
                yield from self._detect_and_triage(output.partition or 0, output.value)

    def _detect_and_triage(self, shard: int, payload: bytes) -> Iterator[Alert]:
        detect = self._shards[shard]
        anomalies = detect.step(self._samples[shard], payload)
        self._samples[shard] += 1
        for output in anomalies:
            yield from self._triaged(output)
        self.counts.update(detect.take_counts())
        self.counts.update(self._triage.take_counts())

    def _triaged(self, output: Output) -> Iterator[Alert]:
        if output.value is not None:
            told = self._triage.step(self._anomalies, output.value)
            yield from (alert for alert in told if alert.mode is Mode.BACKTEST)
            self._anomalies += 1

    def followed(self) -> list[Followed]:
        """What is known of every series at the end."""
        return [series for shard in self._shards for series in shard.followed()]

    def ledger(self) -> Ledger:
        """What the alert budgets spent and muted."""
        return self._triage.ledger

    def gauges(self) -> dict[str, float]:
        """Sizes at the end: series, open runs, episodes."""
        sizes: Counter[str] = Counter()
        for shard in self._shards:
            sizes.update(shard.gauges())
        return {**sizes, **self._triage.gauges()}


def _values(batch: list[Recorded]) -> Values:
    """The values of a batch, with all that stands beside one of them."""
    names = {name for record in batch for name in record.besides}
    besides = {name: Values.of([record.besides.get(name) for record in batch]) for name in names}
    return Values.of([record.value for record in batch]).beside(besides)


class Contents(NamedTuple):
    """What a recording holds: records in each source partition, and the format of each topic."""

    places: Counter[Place]
    formats: dict[str, str]


def survey(records: Iterable[Recorded], formats: Mapping[str, str]) -> Contents:
    """Look through a recording; a topic that is no source is read in the format its first clear value looks like."""
    places: Counter[Place] = Counter()
    found = dict(formats)
    for record in records:
        places[record.place] += 1
        topic = record.place.topic
        if topic not in found and (guess := guess_format(record.value or b"")):
            found[topic] = guess
    fallback = next(iter(formats.values()))
    return Contents(places, {place.topic: fallback for place in places} | found)
