"""Backtest: recorded records through the very stages of the worker, in one process, without Kafka.

Time is the records' own. The wall clock that marks carry is the greatest time read so far, a partition counts as idle
after its last record, and the end of the recording is when all that is still pending is judged.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby, islice
from typing import NamedTuple

import msgspec

from detectors.alerts import Alert, Mode
from detectors.detect import Detect
from detectors.ledger import Ledger
from detectors.outputs import Destination, Output
from detectors.reports import Followed
from detectors.samples import NEVER, SampleBatch
from detectors.settings import Settings
from detectors.stage import Count
from detectors.triage import Triage
from stream.formats import guess_format
from stream.formats.values import KEY, Values
from stream.ingest import Ingest

BATCH_RECORDS_MAX = 1000


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


class Backtest:
    """The three stages, back to back, with as many shards as the worker has: like series know of one another within a shard.

    `ingest` spreads rows over `settings.shards`, and `left` says how many records of each partition are still to come.
    """

    def __init__(self, settings: Settings, ingest: Ingest, left: Counter[Place], now_ms: int) -> None:
        self._settings, self._ingest, self._left, self._now_ms = settings, ingest, left, now_ms
        self._shards = [Detect(settings, shard) for shard in range(settings.shards)]
        self._triage = Triage(settings, Mode.BACKTEST)
        self._previous: dict[Place, int] = {}
        self._wall_ms = 0
        self._samples = [0] * settings.shards
        self._anomalies = 0
        self.counts: Counter[Count] = Counter()
        self.dead_letters: list[Output] = []

    def run(self, records: Iterable[Recorded]) -> Iterator[Alert]:
        """The alerts of the whole recording, in the order in which a worker would have published them."""
        for place, group in groupby(records, key=lambda record: record.place):
            while batch := list(islice(group, BATCH_RECORDS_MAX)):
                yield from self._batch(place, batch)
        self._wall_ms += self._settings.allowed_lateness_ms + 1
        for place in self._previous:
            yield from self._fold(self._mark(place))
        yield from self._triage.finish()

    def _batch(self, place: Place, batch: list[Recorded]) -> Iterator[Alert]:
        previous = self._previous.get(place)
        offsets = self._offsets(previous, batch)
        timestamps = [record.timestamp_ms for record in batch]
        self._wall_ms = max(self._wall_ms, *timestamps)
        outputs = self._ingest.batch(
            place.topic,
            place.partition,
            offsets,
            _values(batch),
            timestamps,
            previous,
            self._now_ms,
            caught_up=False,
        )
        self._previous[place] = offsets[-1]
        self._left[place] -= len(batch)
        yield from self._fold(outputs)
        if not self._left[place]:
            yield from self._fold(self._mark(place))

    def _offsets(self, previous: int | None, batch: list[Recorded]) -> list[int]:
        offsets, last = [], -1 if previous is None else previous
        for record in batch:
            last = max(record.offset, last + 1)
            offsets.append(last)
        return offsets

    def _mark(self, place: Place) -> list[Output]:
        return self._ingest.mark(
            place.topic, place.partition, self._previous[place] + 1, self._wall_ms, caught_up=True, idle=True
        )

    def _fold(self, outputs: list[Output]) -> Iterator[Alert]:
        for output in outputs:
            if output.destination is Destination.DEAD_LETTERS:
                self.dead_letters.append(output)
            elif output.destination is Destination.ANOMALIES:
                yield from self._triaged(output)
            elif output.value is not None:
                yield from self._detect_and_triage(output.partition or 0, output.value)

    def _detect_and_triage(self, shard: int, payload: bytes) -> Iterator[Alert]:
        detect = self._shards[shard]
        anomalies = detect.step(self._samples[shard], self._on_record_time(payload))
        self._samples[shard] += 1
        for output in anomalies:
            yield from self._triaged(output)
        self.counts.update(detect.take_counts())
        self.counts.update(self._triage.take_counts())

    def _triaged(self, output: Output) -> Iterator[Alert]:
        if output.value is not None:
            yield from self._triage.step(self._anomalies, output.value)
            self._anomalies += 1

    def _on_record_time(self, payload: bytes) -> bytes:
        """The batch with a mark that tells the recording's time instead of today's."""
        batch = SampleBatch.from_bytes(payload)
        if batch.mark.high_ms > NEVER:
            self._wall_ms = max(self._wall_ms, batch.mark.high_ms)
        mark = msgspec.structs.replace(batch.mark, wall_ms=self._wall_ms)
        return msgspec.msgpack.encode(msgspec.structs.replace(batch, mark=mark))

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
