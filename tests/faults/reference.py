"""The reference: the three pure stages folded over an input log in one thread. What it says, a worker must have said."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Final, NamedTuple

from detectors.alerts import Mode
from detectors.detect import Detect
from detectors.outputs import Destination, Output
from detectors.reports import Followed
from detectors.stage import Count, Stage
from stream.config import Config
from stream.ingest import Ingest
from stream.stages import detect_stage, triage_stage

BATCH_RECORDS: Final = 500


class Read(NamedTuple):
    """One record of an input log."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    value: bytes | None


class Reference:
    """What an undisturbed run over `records` yields: alert records, dead letters, state, and counts of all records.

    The wall clock that ingest is told is now, after all of them: what is in the future even so was so for the worker.
    """

    def __init__(self, config: Config, partitions: Mapping[str, int], records: Sequence[Read]) -> None:
        settings, shards = config.settings(), config.topics.samples_partitions
        formats = {source.topic: source.reading for source in config.sources}
        self._ingest = Ingest(
            formats, shards, partitions, config.limits_for_ingest(), settings.allowed_skew_ms
        )
        self._detect = [detect_stage(settings, shard) for shard in range(shards)]
        self._triage = [triage_stage(settings, Mode.LIVE)]
        self._wall_ms = int(time.time() * 1000)
        self.alerts: list[Output] = []
        self.alert_states: list[Output] = []
        self.dead_letters: list[Output] = []
        self.counts: Counter[Count] = Counter()
        for batch in _batches(records):
            self._fold(batch)
        for stage in self._detect:
            self.counts.update(stage.take_counts())

    @property
    def followed(self) -> list[Followed]:
        """Every series of every shard, sorted."""
        return sorted(
            series for stage in self._detect if isinstance(stage, Detect) for series in stage.followed()
        )

    def _fold(self, batch: list[tuple[int, Read]]) -> None:
        previous, records = batch[0][0], [record for _, record in batch]
        outputs = self._ingest.batch(
            records[0].topic,
            records[0].partition,
            [record.offset for record in records],
            [record.value for record in records],
            [record.timestamp_ms for record in records],
            previous,
            self._wall_ms,
            caught_up=False,
        )
        for output in outputs:
            self._take(output)

    def _take(self, output: Output) -> None:
        match output.destination:
            case Destination.SAMPLES:
                self._pass_on(self._detect, output)
            case Destination.ANOMALIES:
                self._pass_on(self._triage, output)
            case Destination.ALERTS:
                self.alerts.append(output)
            case Destination.ALERT_STATE:
                self.alert_states.append(output)
            case Destination.DEAD_LETTERS:
                self.dead_letters.append(output)

    def _pass_on(self, stages: Sequence[Stage], output: Output) -> None:
        stage = stages[output.partition or 0]
        for following in stage.step(stage.covered_offset + 1, output.value or b""):
            self._take(following)


def _batches(records: Sequence[Read]) -> Iterator[list[tuple[int, Read]]]:
    """Each partition's records in batches, the partitions taking turns; each record with the offset before it."""
    logs: dict[tuple[str, int], list[tuple[int, Read]]] = defaultdict(list)
    for record in sorted(records):
        log = logs[record.topic, record.partition]
        log.append((log[-1][1].offset if log else record.offset - 1, record))
    cut = [[log[i : i + BATCH_RECORDS] for i in range(0, len(log), BATCH_RECORDS)] for log in logs.values()]
    for turn in zip_longest(*cut):
        yield from (batch for batch in turn if batch is not None)
