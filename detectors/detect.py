"""Detect: the second stage. Folds sample batches into the state of one shard and says what is out of the ordinary.

Everything here is a function of the samples log: rows wait until the merged watermark has passed them, are applied in
the order of event time, source topic, partition and offset, and timers run in between at their own event time. A late
row takes its place where the watermark of its own source partition stood. So neither the way batches were cut nor the
way partitions interleave can change a verdict.

One row costs no Python: batches are columns, and `fold` is a kernel over the arrays of `followers`.
"""

import math
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from detectors.batch_rows import BatchRows
from detectors.core.layout import Records
from detectors.declared import DeclaredSchemas
from detectors.expected_changes import CHANGES_MAX
from detectors.follower_layout import ROW
from detectors.follower_table import UNKNOWN
from detectors.followers import Followers
from detectors.inherited import Inherited
from detectors.ledger import FLEET_DAYS
from detectors.modelled import Modelled
from detectors.orders import AcceptLevel, Adopt, Expect, Order, Relearn, Switch, is_order, read_order
from detectors.outputs import Destination, Output
from detectors.peers import Peers
from detectors.pending import Pending
from detectors.record_schemas import RecordSchemas
from detectors.record_windows import Ended, measures_of
from detectors.registrations import follower_of
from detectors.relearning import accept_level, relearn
from detectors.reports import Followed, Position, fleet_share, followed, series_refused
from detectors.run_errors import RunErrors
from detectors.samples import (
    NEVER,
    Field,
    Key,
    Mark,
    SampleBatch,
    encode_key,
)
from detectors.settings import Settings
from detectors.shard_findings import ShardFindings
from detectors.shard_verdicts import ShardVerdicts
from detectors.stage import Count
from detectors.timetable import Timetable
from detectors.warm_start import CHUNK as WARMING
from detectors.warm_start import History, Live, Wanted, WarmStart
from detectors.watching import Watch
from detectors.watermarks import Progress, Watermarks

FORMAT: Final = 15
PENDING_ROWS_MAX: Final = 1_000_000
"""Rows that may wait for a source partition that lags behind; beyond, half of them are applied without it."""

_WINDOWS: Final = -1
"""The source of rows that are made here, as the volume of a window of payloads."""


class Detect:
    """One shard: every series whose labels hash to one samples partition; `watch` looks on, and changes nothing.

    Models that come in force later learn from `history` first, see `warm_start`; without it they begin with what comes.
    """

    def __init__(
        self, settings: Settings, shard: int, watch: Watch | None = None, history: History | None = None
    ) -> None:
        self._settings, self._index, self._watch = settings, shard, watch
        self.covered_offset = -1
        self._followers = Followers(settings)
        self._declared = DeclaredSchemas(follower_of)
        self._records = RecordSchemas(settings)
        self._modelled = Modelled(shard)
        self._peers = Peers()
        self._timetable = Timetable(settings)
        self._watermarks = Watermarks(settings.allowed_lateness_ms, settings.idle_timeout_ms)
        self._inherited = Inherited()
        self._pending = Pending()
        self._sources: list[tuple[str, int]] = []
        self._errors = RunErrors()
        self._findings = self._made_findings()
        self._verdicts = ShardVerdicts()
        self._counts: Counter[Count] = Counter()
        self._full = False
        self._obeyed: dict[tuple[str, int], int] = {}
        self._switched = self._retuned = False
        self._warm_start = WarmStart(shard, history)
        self._since_ms: npt.NDArray[np.int64] | None = None
        self.is_to_be_stored = False

    def step(self, offset: int, payload: bytes) -> list[Output]:
        """Fold in one record of the samples topic; the outputs go to the anomalies topic.

        Raises:
            HoleError: source records are missing before this batch.
            ValueError: the payload is no sample batch of this version.
        """
        self.is_to_be_stored = False
        if is_order(payload):
            self._obey(read_order(payload), offset)
            self.covered_offset = offset
            return self._outputs(offset) + self._warm_start.go_on(offset)
        batch = SampleBatch.from_bytes(payload)
        before = self._watermarks.take(batch.mark)
        self._count(batch, before.fence)
        if batch.mark.last_offset > before.fence:
            self._take_rows(batch, before)
            self._inherited.pass_by((batch.mark.topic, batch.mark.partition), batch.mark.last_offset)
        if len(self._pending) > PENDING_ROWS_MAX:
            self._counts["rows_not_waited_for",] += len(self._pending) // 2
            self._watermarks.pass_by(self._pending.middle_ms())
        if len(self._records) > PENDING_ROWS_MAX:
            self._counts["rows_not_waited_for",] += len(self._records) // 2
            self._watermarks.pass_by(self._records.middle_ms())
        marks = self._watermarks
        self._apply(max(marks.rows_ms, marks.timers_ms), marks.timers_ms)
        self.covered_offset = offset
        return self._outputs(offset) + self._warm_start.go_on(offset)

    def _obey(self, order: Order, offset: int) -> None:
        """Do what is ordered, unless it was done; it counts from here on, for rows that wait as well."""
        origin = order.origin
        place = (origin.topic, origin.partition)
        if origin.offset <= self._obeyed.get(place, -1):
            self._counts["fenced", "orders"] += 1
            return
        self._obeyed[place] = origin.offset
        match order:
            case Switch() | Expect() | Adopt() if self._since_ms is not None:
                pass
            case Switch():
                self._switch(self._settings.tuned_as(order.settings), offset)
            case Adopt():
                self._adopt(origin.offset, offset)
            case Expect():
                changes = (*self._settings.expected_changes, order.change)[-CHANGES_MAX:]
                self._switch(msgspec.structs.replace(self._settings, expected_changes=changes), offset)
            case Relearn():
                relearn(self._followers, order.signal, order.labels)
            case AcceptLevel():
                accept_level(self._followers, order.signal, order.labels)

    def _adopt(self, warming_at: int, offset: int) -> None:
        warmed = self._warm_start.adopt(warming_at, offset, self._modelled)
        if warmed is not None:
            self._counts["models_warmed",] += warmed
            self.is_to_be_stored = True

    def _live(self) -> Live:
        return Live(self._followers, self._modelled, partial(Detect, self._settings, self._index))

    @property
    def models(self) -> Modelled:
        """The models of its series."""
        return self._modelled

    def follow_only(self, followed: Sequence[Wanted]) -> list[int]:
        """Follow these and no others, from their times on; their places."""
        places: list[int] = self._made_places([it.key for it in followed]).tolist()
        self._since_ms = np.zeros(max(places, default=-1) + 2, np.int64)
        self._since_ms[places] = [it.since_ms for it in followed]
        return places

    def _switch(self, settings: Settings, offset: int) -> None:
        if settings.config_hash != self._settings.config_hash:
            chunks = self.dump()
            self._settings = settings
            self._load(chunks)
        self._switched = True
        self._warm_start.begin(offset, self._live())

    def _count(self, batch: SampleBatch, fence: int) -> None:
        counts, topic = self._counts, batch.mark.topic
        offsets = batch.home_offsets()
        fresh = int((offsets > fence).sum())
        counts["records", topic] += fresh
        counts["fenced", topic] += len(offsets) - fresh
        for offset, reason in batch.dead:
            counts["dead_letters", reason] += offset > fence

    def _take_rows(self, batch: SampleBatch, before: Progress) -> None:
        """Have the batch's rows that are no repeats wait, each with its follower."""
        source, places = self._source(batch.mark), self._places(batch)
        rows = BatchRows(batch, places, source, before.high_ms, self._watermarks.least_timely_ms)
        taken = [
            self._take_runs(rows, before),
            self._take_values(rows, before),
            self._take_declared(rows, before),
            self._take_payloads(rows, before),
        ]
        if self._since_ms is None and (places == UNKNOWN).any():
            self._refuse(taken, before)

    def _take_runs(self, batch_rows: BatchRows, before: Progress) -> Records:
        rows = batch_rows.runs()
        fresh = self._fresh(rows, before)
        for index, text in batch_rows.batch.errors.items():
            if fresh[index]:
                rows["error"][index] = self._errors.keep(text)
        self._wait(batch_rows.source, rows, fresh)
        return rows

    def _take_values(self, batch_rows: BatchRows, before: Progress) -> Records:
        rows = batch_rows.values()
        self._wait(batch_rows.source, rows, self._fresh(rows, before))
        return rows

    def _take_declared(self, batch_rows: BatchRows, before: Progress) -> Records:
        batch, (rows, schemas) = batch_rows.batch, batch_rows.declared()
        if not len(rows):
            return rows
        fresh = self._fresh(rows, before)
        self._counts["late", batch.mark.topic] += int((rows["order_ms"] > rows["time_ms"])[fresh].sum())
        for index in np.flatnonzero(fresh).tolist():
            self._declare(rows[index], index, batch.schemas[int(schemas[index])])
        return rows

    def _declare(self, row: Any, index: int, fields: list[Field]) -> None:
        place, order_ms = int(row["follower"]), int(row["order_ms"])
        source, offset, time_ms = int(row["source"]), int(row["offset"]), int(row["time_ms"])
        self._declared.add(order_ms, source, offset, index, time_ms, place, fields)
        self._followers.touch(place, order_ms)

    def _take_payloads(self, batch_rows: BatchRows, before: Progress) -> Records:
        batch, rows = batch_rows.batch, batch_rows.payloads()
        is_fresh = self._fresh(rows, before)
        if is_fresh.any():
            self._records.know(batch.shapes)
            fresh = self._records.add(batch_rows.source, rows, batch.value_tokens(), is_fresh)
            self._counts["late", batch.mark.topic] += int((fresh["order_ms"] > fresh["time_ms"]).sum())
            met, numbers = np.unique(fresh["follower"], return_inverse=True)
            latest = np.full(len(met), NEVER)
            np.maximum.at(latest, numbers, fresh["order_ms"])
            for place, order_ms in zip(met.tolist(), latest.tolist(), strict=True):
                self._followers.touch(place, order_ms)
        return rows

    def _source(self, mark: Mark) -> int:
        place = (mark.topic, mark.partition)
        if place not in self._sources:
            self._sources.append(place)
        return self._sources.index(place)

    def _places(self, batch: SampleBatch) -> npt.NDArray[np.int32]:
        """The followers of the batch's keys; UNKNOWN for those that the cap keeps out."""
        followers, now_ms = self._followers, self._watermarks.rows_ms
        places = followers.find(batch.idents)
        unknown = int((places == UNKNOWN).sum())
        if not unknown or self._since_ms is not None:
            return places
        if len(followers) + unknown > self._settings.series_max:
            self._give_up_idle(now_ms, places[places != UNKNOWN])
        new = followers.add(batch.idents, batch.kinds, now_ms, places)
        followers.name(places[new], batch.key_texts(new))
        self._schedule(places[new])
        if refused := int((places == UNKNOWN).sum()):
            self._counts["series_refused",] += refused
        return places

    def _schedule(self, places: npt.NDArray[np.int32]) -> None:
        if self._settings.has_schedules:
            for place in places.tolist():
                self._timetable.follow(place, self._followers.key(place))

    def _give_up_idle(self, now_ms: int, met: npt.NDArray[np.int32]) -> None:
        """Have idle followers make room, but for those that were just `met` or that a row waits for."""
        declared = np.array(self._declared.waiting(), np.int32)
        busy = np.concatenate([met, self._pending.followers(), declared, self._records.busy()])
        given = self._followers.give_up_idle(now_ms, busy)
        for place in given:
            self._declared.forget(place)
            self._records.forget(place)
            self._modelled.forget(place)
            self._peers.forget(place)
            self._timetable.forget(place)
        if given:
            self._counts["idle_given_up",] += len(given)
            self._full = False

    def _fresh(self, rows: Records, before: Progress) -> npt.NDArray[np.bool_]:
        fresh = np.asarray((rows["offset"] > before.fence) & (rows["follower"] != UNKNOWN), np.bool_)
        if self._since_ms is not None:
            fresh &= rows["time_ms"] >= self._since_ms[rows["follower"]]
        if self._inherited and len(rows):
            source = self._sources[int(rows["source"][0])]
            fresh &= rows["offset"] > self._inherited.fences(source, rows["follower"], self._followers.key)
        return fresh

    def _wait(self, source: int, rows: Records, fresh: npt.NDArray[np.bool_]) -> None:
        if not len(rows):
            return
        if not fresh.all():
            rows = rows[fresh]
        topic, _ = self._sources[source]
        self._counts["late", topic] += int((rows["order_ms"] > rows["time_ms"]).sum())
        self._pending.add(source, rows)

    def _apply(self, rows_ms: int, timers_ms: int) -> None:
        """Apply every pending row before `rows_ms` and run every timer before `timers_ms`, in order."""
        self._count_payloads(rows_ms)
        rows = self._pending.take(rows_ms, [*self._ranked(), _WINDOWS])
        left = rows
        while (first := self._peers.due_at(left)) < len(left):
            at_ms = int(left["order_ms"][first])
            self._fold(left[:first], at_ms + 1)
            for unlike in self._peers.judge(self._followers, at_ms):
                self._verdicts.say(at_ms, self._findings.verdict(unlike))
            left = left[first:]
        self._fold(left, timers_ms)
        for told in self._declared.apply(rows_ms, self._sources, self._followers.key):
            self._verdicts.say(told.order_ms, *told.verdicts)
        if self._errors:
            self._errors.forget(rows["error"][rows["error"] > 0].tolist())

    def _count_payloads(self, rows_ms: int) -> None:
        """Judge the payloads before `rows_ms`; what is measured of each window that ends are rows of their own."""
        for told in self._records.apply(rows_ms, self._ranked(), self._sources, self._followers.key):
            self._verdicts.say(told.order_ms, *told.verdicts)
        if ended := self._records.take_ended():
            self._pending.add(_WINDOWS, self._measured(ended))

    def _measured(self, ended: list[Ended]) -> Records:
        """What is measured of windows, as rows of the series that follow it."""
        measures = [measures_of(it, self._followers.key(it.place).labels) for it in ended]
        counts = [len(it) for it in measures]
        rows = np.zeros(sum(counts), ROW)
        rows["follower"] = self._made_places([key for it in measures for key, _ in it])
        for name in ("source", "offset"):
            rows[name] = np.repeat([getattr(it, name) for it in ended], counts)
        rows["time_ms"] = rows["order_ms"] = np.repeat([it.end_ms - 1 for it in ended], counts)
        rows["value"] = [amount for it in measures for _, amount in it]
        rows = rows[rows["follower"] != UNKNOWN]
        return rows[np.argsort(rows["order_ms"], kind="stable")]

    def _made_places(self, keys: list[Key]) -> npt.NDArray[np.int32]:
        """The followers of keys that come from no batch; UNKNOWN for those that the cap keeps out."""
        idents = b"".join(key.ident for key in keys)
        places = self._followers.find(idents)
        if (places == UNKNOWN).any():
            kinds = bytes(key.follower_kind for key in keys)
            new = self._followers.add(idents, kinds, self._watermarks.rows_ms, places)
            self._followers.name(places[new], [encode_key(keys[number]) for number in new.tolist()])
            self._schedule(places[new])
            self._counts["series_refused",] += int((places == UNKNOWN).sum())
        return places

    def _fold(self, rows: Records, timers_ms: int) -> None:
        """Fold rows in, and in between look at what was due by its schedule."""
        self._timetable.begin(rows)
        last_ms = int(rows["order_ms"][-1]) if len(rows) else NEVER
        while (due_ms := self._timetable.due_ms) < max(timers_ms, last_ms):
            done = int(np.searchsorted(rows["order_ms"], due_ms, "right"))
            self._fold_through(rows[:done], due_ms + 1)
            self._verdicts.say_all(self._timetable.pass_due(self._followers, self._sources))
            rows = rows[done:]
        self._fold_through(rows, timers_ms)

    def _fold_through(self, rows: Records, timers_ms: int) -> None:
        folded = self._watch.fold(self._followers, rows, timers_ms) if self._watch else None
        for findings in folded or self._followers.fold(rows, timers_ms):
            for it in findings:
                self._verdicts.say(int(it["order_ms"]), *self._findings.told(it, rows))

    def _ranked(self) -> list[int]:
        return sorted(range(len(self._sources)), key=self._sources.__getitem__)

    def _refuse(self, taken: list[Records], before: Progress) -> None:
        """Say once in an alert that the cap keeps series out, at the first row of one."""
        if self._full:
            return
        kept_out = [it[(it["offset"] > before.fence) & (it["follower"] == UNKNOWN)] for it in taken]
        firsts = [it[int(np.argmin(it["offset"]))] for it in kept_out if len(it)]
        if not firsts:
            return
        self._full = True
        first = min(firsts, key=lambda row: int(row["offset"]))
        position = Position(*self._sources[int(first["source"])], int(first["offset"]))
        refusal = series_refused(int(first["time_ms"]), position, self._index, self._settings.series_max)
        self._verdicts.say(int(first["order_ms"]), refusal)

    def _outputs(self, offset: int) -> list[Output]:
        """The step's verdicts, or a mark without any once some time has passed."""
        marks = self._watermarks
        if not self._verdicts.is_due(marks):
            return []
        batch = self._verdicts.take(self._index, offset, marks, fleet_share(self._followers))
        return [Output(Destination.ANOMALIES, None, batch.to_bytes(), 0)]

    def followed(self) -> list[Followed]:
        """What is known of every series of the shard."""
        return [
            known
            for place in self._followers.all_places()
            for known in (
                *followed(self._followers, place),
                *self._declared.followed(place),
                *self._records.followed(place, self._followers.key(place)),
            )
        ]

    def take_counts(self) -> Counter[Count]:
        """What was counted since the last call."""
        counts, self._counts = self._counts, Counter()
        counts.update(self._modelled.take_counts())
        if refused := self._records.take_refused():
            counts["record_paths_refused",] += refused
        if accepted := self._records.take_accepted():
            counts["expected_changes",] += accepted
        if forgotten := self._followers.take_forgotten():
            counts["open_runs_forgotten",] += forgotten
        return counts

    def gauges(self) -> dict[str, float]:
        """Sizes now."""
        return {
            "series": self._followers.series,
            "open_runs": self._followers.open_runs,
            "models": len(self._modelled),
            "pending_rows": len(self._pending) + len(self._declared) + len(self._records),
            "record_paths": self._records.paths,
            **self._budget(),
        }

    def _budget(self) -> dict[str, float]:
        """This shard's share of the fleet's ceiling, and the alarms by chance that its series give, in seven days."""
        share = fleet_share(self._followers)
        budget = math.inf if share.budget_per_day is None else FLEET_DAYS * share.budget_per_day
        return {"budget_allowed": budget, "budget_expected": FLEET_DAYS * share.expected_per_day}

    def dump(self) -> dict[str, bytes]:
        """The state as chunks: what all series share, and blocks of the followers' arrays."""
        return {
            **self._own_chunks(),
            **self._records.dump(),
            **self._followers.dump(),
            **self._modelled.dump(),
            **self._peers.dump(),
            **self._timetable.dump(),
        }

    def changed(self) -> dict[str, bytes]:
        """The chunks of `dump` that may have changed since this was last called."""
        return {
            **self._own_chunks(),
            **self._records.changed(),
            **self._followers.changed(),
            **self._modelled.changed(),
            **self._peers.changed(),
            **self._timetable.dump(),
        }

    def _own_chunks(self) -> dict[str, bytes]:
        head = [
            FORMAT,
            self._settings.config_hash,
            self.covered_offset,
            self._verdicts.marked_ms,
            self._verdicts.told_ms,
            self._full,
            self._watermarks.dump(),
            self._sources,
            *self._errors.dump(),
        ]
        encode = msgspec.msgpack.encode
        return {
            "head": encode(head),
            "settings": encode([self._switched, self._settings, list(self._obeyed.items())]),
            "pending": encode(self._pending.dump()),
            WARMING: self._warm_start.dump(),
            "declared": self._declared.dump(),
            "inherited": self._inherited.dump(),
        }

    def load(self, chunks: dict[str, bytes]) -> None:
        """Take over a dumped state.

        Raises:
            ValueError: the state was written by another version.
        """
        self._switched, stored, obeyed = msgspec.msgpack.decode(
            chunks["settings"], type=tuple[bool, Settings, list[tuple[tuple[str, int], int]]]
        )
        self._obeyed = dict(obeyed)
        if self._switched:
            self._settings = self._settings.tuned_as(stored)
        self._load(chunks)
        if self._retuned:
            self._warm_start.begin(self.covered_offset, self._live())
        elif WARMING in chunks:
            self._warm_start.load(chunks[WARMING], self._live())

    def _load(self, chunks: dict[str, bytes]) -> None:
        """Take over all but the settings, which may be others than those that the state was written under."""
        version, *head = msgspec.msgpack.decode(chunks["head"])
        if version != FORMAT:
            raise ValueError(f"detector state of format {version}; this worker reads format {FORMAT}")
        config_hash, self.covered_offset, marked_ms, told_ms, self._full, watermarks, *rest = head
        self._verdicts.marked_ms, self._verdicts.told_ms = marked_ms, told_ms
        self._watermarks.load(watermarks)
        sources, latest_error, errors = rest
        self._errors = RunErrors(latest_error, errors)
        self._sources = [(topic, partition) for topic, partition in sources]
        self._followers = Followers(self._settings)
        self._retuned = config_hash != self._settings.config_hash
        self._followers.load(chunks, retuned=self._retuned)
        self._pending.load(msgspec.msgpack.decode(chunks["pending"], type=list[tuple[int, bytes]]))
        self._inherited = Inherited.loaded(chunks.get("inherited"))
        self._declared = DeclaredSchemas(follower_of)
        self._declared.load(chunks["declared"], self._followers.key)
        self._records = RecordSchemas(self._settings)
        self._records.load(chunks)
        self._modelled = Modelled(self._index)
        self._modelled.load(chunks, self._followers)
        self._peers = Peers()
        self._peers.load(chunks)
        self._timetable = Timetable(self._settings)
        self._timetable.load(chunks, self._followers, self._watermarks.timers_ms)
        self._findings = self._made_findings()

    def _made_findings(self) -> ShardFindings:
        return ShardFindings(self._followers, self._modelled, self._timetable, self._sources, self._errors)
