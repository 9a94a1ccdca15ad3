"""Detect: the second stage. Folds sample batches into the state of one shard and says what is out of the ordinary.

Everything here is a function of the samples log: rows wait until the merged watermark has passed them, are applied in
the order of event time, source topic, partition and offset, and timers run in between at their own event time. A late
row takes its place where the watermark of its own source partition stood. So neither the way batches were cut nor the
way partitions interleave can change a verdict.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from operator import itemgetter
from typing import Any

import msgspec

from detectors.declared import DeclaredSchemaFollower
from detectors.outputs import Destination, Output
from detectors.runs import RunEvent, RunFollower
from detectors.samples import (
    NEVER,
    RUN_COLUMNS,
    RUNS,
    SCHEMA_COLUMNS,
    VALUE_COLUMNS,
    Key,
    SampleBatch,
)
from detectors.series import Signal, shard_of
from detectors.settings import Settings
from detectors.shard import Followed, Position, Shard
from detectors.stage import Count
from detectors.values import ValueFollower
from detectors.verdicts import VERSION, AnomalyBatch, Baseline, Change, Reason, Verdict
from detectors.watermarks import Progress, Watermarks

FORMAT = 1
BLOCK_FOLLOWERS = 256
MARK_EVERY_MS = 1000
RUN_OUTCOMES = 3
"""Series of each run follower that need no slot in the bank: failures, duplicates, freshness."""

Follower = RunFollower | ValueFollower | DeclaredSchemaFollower
Row = tuple[int, str, int, int, int, int, Follower, Any]
"""Time at which it is applied, source topic, partition, offset, place in its batch, event time, who follows it, and what
it says."""

_order = itemgetter(0, 1, 2, 3, 4)


class Detect:
    """One shard: every series whose labels hash to one samples partition."""

    def __init__(self, settings: Settings, shard: int, triage_partitions: int) -> None:
        self._settings, self._index, self._triage_partitions = settings, shard, triage_partitions
        self.covered_offset = -1
        self._shard = Shard(settings)
        self._watermarks = Watermarks(settings.allowed_lateness_ms, settings.idle_timeout_ms)
        self._followers: dict[tuple[str, Any], Follower] = {}
        self._pending: list[Row] = []
        self._marked_ms = NEVER
        self._full = False

    def step(self, offset: int, payload: bytes) -> list[Output]:
        """Fold in one record of the samples topic; the outputs go to the anomalies topic.

        Raises:
            HoleError: source records are missing before this batch.
            ValueError: the payload is no sample batch of this version.
        """
        batch = SampleBatch.from_bytes(payload)
        before = self._watermarks.take(batch.mark)
        self._count(batch, before.fence)
        for row in self._rows(batch, before):
            self._pending.append(row)
        self._apply(self._watermarks.rows_ms, self._watermarks.timers_ms)
        self.covered_offset = offset
        return self._outputs(offset)

    def _count(self, batch: SampleBatch, fence: int) -> None:
        counts, topic = self._shard.counts, batch.mark.topic
        offsets = batch.home_offsets()
        fresh = int((offsets > fence).sum())
        counts["records", topic] += fresh
        counts["fenced", topic] += len(offsets) - fresh
        for offset, reason in batch.dead:
            counts["dead_letters", reason] += offset > fence

    def _rows(self, batch: SampleBatch, before: Progress) -> Iterator[Row]:
        """The batch's rows that are no repeats, each with its follower."""
        mark = batch.mark
        if mark.last_offset <= before.fence:
            return
        followers = [self._follower(key) for key in batch.keys]
        for place, (offset, time_ms, high_ms, key, content) in enumerate(_contents(batch)):
            follower = followers[key]
            if offset <= before.fence or follower is None:
                continue
            order_ms = max(time_ms, self._watermarks.least_timely_ms(max(high_ms, before.high_ms)))
            self._shard.counts["late", mark.topic] += order_ms > time_ms
            yield (order_ms, mark.topic, mark.partition, offset, place, time_ms, follower, content)

    def _apply(self, rows_ms: int, timers_ms: int) -> None:
        """Apply every pending row before `rows_ms` and run every timer before `timers_ms`, in order."""
        pending, timers = self._pending, self._shard.timers
        pending.sort(key=_order)
        ready = bisect_left(pending, rows_ms, key=itemgetter(0))
        for order_ms, topic, partition, offset, _, time_ms, follower, content in pending[:ready]:
            timers.run_until(order_ms)
            follower.apply(time_ms, Position(topic, partition, offset), content, late=order_ms > time_ms)
        del pending[:ready]
        timers.run_until(timers_ms - 1)

    def _follower(self, key: Key) -> Follower | None:
        """Who follows these series; None when the shard is full."""
        place = (key.kind, key.labels)
        follower = self._followers.get(place)
        if follower is None:
            if len(self._followers) >= self._settings.series_max:
                self._refuse()
                return None
            follower = self._followers[place] = self._new_follower(key)
        return follower

    def _new_follower(self, key: Key) -> Follower:
        if key.kind == RUNS:
            return RunFollower(self._shard, key)
        if key.kind == Signal.SCHEMA:
            return DeclaredSchemaFollower(self._shard, key)
        return ValueFollower(self._shard, key)

    def _refuse(self) -> None:
        """Count a series that the cap keeps out, and say so once in an alert."""
        self._shard.counts["series_refused",] += 1
        if self._full:
            return
        self._full = True
        now_ms = self._watermarks.wall_ms
        self._shard.verdicts.append(
            Verdict(
                signal=Signal.VALUE,
                labels=(("cap", "limits.series_max"), ("shard", str(self._index))),
                detector="detector_health",
                time_ms=now_ms,
                window_start_ms=now_ms,
                window_end_ms=now_ms,
                anomalous=True,
                reason=Reason.SERIES_CAP,
                change=Change.POINT,
                baseline=Baseline("cap", 0, now_ms, now_ms),
                positions=(),
                severity_score=1.0,
                unit="series",
                observed=float(self._settings.series_max + 1),
                upper=float(self._settings.series_max),
            )
        )

    def _outputs(self, offset: int) -> list[Output]:
        """The step's verdicts for each triage partition, and a mark to each once time has moved on by a second."""
        now_ms = self._watermarks.timers_ms
        due = now_ms >= self._marked_ms + MARK_EVERY_MS
        if due:
            self._marked_ms = now_ms
        verdicts: list[list[Verdict]] = [[] for _ in range(self._triage_partitions)]
        for verdict in self._shard.verdicts:
            verdicts[shard_of(verdict.labels, self._triage_partitions)].append(verdict)
        self._shard.verdicts.clear()
        return [
            Output(Destination.ANOMALIES, None, self._batch(offset, said).to_bytes(), partition)
            for partition, said in enumerate(verdicts)
            if said or due
        ]

    def _batch(self, offset: int, verdicts: list[Verdict]) -> AnomalyBatch:
        marks = self._watermarks
        return AnomalyBatch(VERSION, self._index, offset, marks.timers_ms, marks.wall_ms, tuple(verdicts))

    def followed(self) -> list[Followed]:
        """What is known of every series of the shard."""
        return [known for follower in self._followers.values() for known in follower.followed()]

    def take_counts(self) -> Counter[Count]:
        """What was counted since the last call."""
        counts = Counter(self._shard.counts)
        self._shard.counts.clear()
        return counts

    def gauges(self) -> dict[str, float]:
        """Sizes now."""
        runs = [follower for follower in self._followers.values() if isinstance(follower, RunFollower)]
        schemas = sum(isinstance(follower, DeclaredSchemaFollower) for follower in self._followers.values())
        return {
            "series": len(self._shard.bank) + RUN_OUTCOMES * len(runs) + schemas,
            "open_runs": sum(follower.open_runs for follower in runs),
            "pending_rows": len(self._pending),
        }

    def dump(self) -> dict[str, bytes]:
        """The state as chunks: what all series share, the followers in blocks, and the bank's own blocks."""
        encode = msgspec.msgpack.encode
        followers = list(self._followers.values())
        head = [
            FORMAT,
            self._settings.config_hash,
            self.covered_offset,
            self._marked_ms,
            self._full,
            self._watermarks.dump(),
            [[*row[:6], row[6].key, row[7]] for row in self._pending],
        ]
        blocks = range(0, len(followers), BLOCK_FOLLOWERS)
        return {
            "head": encode(head),
            **{
                f"followers-{start // BLOCK_FOLLOWERS:06}": encode(
                    [
                        [follower.key, follower.dump()]
                        for follower in followers[start : start + BLOCK_FOLLOWERS]
                    ]
                )
                for start in blocks
            },
            **{f"bank-{name}": block for name, block in self._shard.bank.dump_blocks().items()},
        }

    def load(self, chunks: dict[str, bytes]) -> None:
        """Take over a dumped state.

        Raises:
            ValueError: the state was written by another version.
        """
        version, config_hash, covered, marked_ms, full, watermarks, pending = msgspec.msgpack.decode(
            chunks["head"]
        )
        if version != FORMAT:
            raise ValueError(f"detector state of format {version}; this worker reads format {FORMAT}")
        self.covered_offset, self._marked_ms, self._full = covered, marked_ms, full
        self._shard = Shard(self._settings, retuned=config_hash != self._settings.config_hash)
        self._watermarks.load(watermarks)
        bank = {
            name.removeprefix("bank-"): block for name, block in chunks.items() if name.startswith("bank-")
        }
        self._shard.bank.load_blocks(bank)
        self._followers = {}
        for name in sorted(chunks):
            if name.startswith("followers-"):
                for key, state in msgspec.msgpack.decode(chunks[name]):
                    self._restore(msgspec.convert(key, Key)).load(state)
        self._pending = [self._pending_row(row) for row in pending]

    def _restore(self, key: Key) -> Follower:
        follower = self._followers[key.kind, key.labels] = self._new_follower(key)
        return follower

    def _pending_row(self, row: list[Any]) -> Row:
        *order, time_ms, raw_key, content = row
        key = msgspec.convert(raw_key, Key)
        if key.kind == RUNS:
            content = RunEvent(*content)
        order_ms, topic, partition, offset, place = order
        return (
            order_ms,
            topic,
            partition,
            offset,
            place,
            time_ms,
            self._followers[key.kind, key.labels],
            content,
        )


def _contents(batch: SampleBatch) -> Iterator[tuple[int, int, int, int, Any]]:
    """Offset, event time, greatest event time before it, key and content of every row."""
    columns = [column.tolist() for column in batch.table(batch.runs, RUN_COLUMNS).values()]
    errors = batch.errors
    for index, (offset, time_ms, high_ms, key, run, state, duration_ms, rows, size) in enumerate(
        zip(*columns, strict=True)
    ):
        event = RunEvent(run, state, duration_ms, rows, size, errors.get(index, "") if errors else "")
        yield offset, time_ms, high_ms, key, event
    columns = [column.tolist() for column in batch.table(batch.values, VALUE_COLUMNS).values()]
    for offset, time_ms, high_ms, key, value in zip(*columns, strict=True):
        yield offset, time_ms, high_ms, key, value
    columns = [column.tolist() for column in batch.table(batch.declared, SCHEMA_COLUMNS).values()]
    for offset, time_ms, high_ms, key, schema in zip(*columns, strict=True):
        yield offset, time_ms, high_ms, key, batch.schemas[schema]
