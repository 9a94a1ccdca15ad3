"""Record schemas: what payloads look like, learned series by series, and verdicts on what changes in it; and how many there are."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from detectors.core.layout import Records
from detectors.declared import Told
from detectors.drift import Judge
from detectors.episodes import QUIET_MS
from detectors.pending import Pending
from detectors.ragged import starts_of
from detectors.record_blocks import Block, Blocks, Closed, Elements
from detectors.record_changes import Found
from detectors.record_declared import Difference, differences_of, differing, is_difference
from detectors.record_passed import PassedOver
from detectors.record_repeats import RepeatJudge, Repeats
from detectors.record_rows import PAYLOAD_ROW
from detectors.record_tokens import TOKEN, Tokens, value_paths
from detectors.record_values import Slots
from detectors.record_verdicts import DETECTOR, UNIT, Said, Sources
from detectors.record_versions import Versions
from detectors.record_windows import Ended, RecordWindows
from detectors.reports import Followed
from detectors.samples import Key, ShapeTable
from detectors.series import Signal
from detectors.settings import Settings
from detectors.structure import Structure
from detectors.token_log import TokenLog
from detectors.verdicts import Baseline, Verdict

CHUNKS: Final = 16
TOPIC: Final = "topic"
"""The label that names the topic of a series."""
SHAPES_MAX: Final = 20_000
"""Shapes remembered before those that nothing waits for are forgotten."""
SHAPES_STORED_MAX: Final = 500
"""The same when state is stored: to look through all that waits takes longer than to store some more."""


class RecordSchemas:
    """Every series of payloads of a shard, by the place of its follower, and the payloads that wait."""

    def __init__(self, settings: Settings) -> None:
        self._expected, self._accepted, self._ids_max = settings.expected_changes, 0, settings.ids_max
        self._unexampled = settings.unexampled_topics
        window_ms = settings.window_ms
        self._structures: dict[int, Structure] = {}
        self._blocks = Blocks(window_ms)
        self._windows = RecordWindows(window_ms)
        self._passed = PassedOver()
        self._ended: list[Ended] = []
        self._pending = Pending(PAYLOAD_ROW)
        self._tokens = TokenLog()
        self._slots = Slots()
        self._shapes: dict[int, Elements] = {}
        self._differences: dict[int, tuple[Difference, ...]] = {}
        self._dirty = set(range(CHUNKS))
        self._refused = 0

    def __len__(self) -> int:
        return len(self._pending)

    @property
    def paths(self) -> int:
        """How many paths are followed."""
        return sum(len(it.paths) for it in self._structures.values())

    def know(self, shapes: ShapeTable) -> None:
        """Take in the shapes of a batch."""
        for place, ident in enumerate(shapes.shape_idents().tolist()):
            if ident not in self._shapes:
                elements = [(path, kind) for path, kind in shapes.elements_of(place)]
                self._shapes[ident] = tuple(it for it in elements if not is_difference(it))
                if differences := differences_of(elements):
                    self._differences[ident] = differences
                self._slots.know(ident, value_paths(self._shapes[ident]))

    def add(self, source: int, rows: Records, tokens: Tokens, fresh: npt.NDArray[np.bool_]) -> Records:
        """Have the `fresh` ones of some payloads wait, and give those: PAYLOAD_ROW records.

        `tokens` are those of the values of all, end to end.
        """
        sizes = self._slots.sizes(rows["shape"])
        first = self._tokens.add(tokens, int((fresh & (sizes > 0)).sum()))
        rows["address"] = first + starts_of(sizes)
        self._pending.add(source, rows[fresh])
        return rows[fresh]

    def busy(self) -> npt.NDArray[np.int32]:
        """The followers whose payloads wait or are being counted."""
        return np.append(self._pending.followers(), np.array(self._blocks.places(), np.int32))

    def middle_ms(self) -> int:
        """The time before which half of those that wait are to be applied."""
        return self._pending.middle_ms()

    def apply(
        self, before_ms: int, ranked: list[int], sources: Sources, key_of: Callable[[int], Key]
    ) -> Iterator[Told]:
        """Count every payload before `before_ms`, and judge the blocks that end."""
        rows = self._pending.take(before_ms, ranked)
        rows = rows[np.argsort(rows["follower"], kind="stable")]
        self._ended += self._windows.take(rows, before_ms)
        rows, passed = self._passed.split(rows)
        sizes = self._slots.sizes(rows["shape"])
        tokens = self._tokens.take(rows["address"], sizes)
        for closed in self._blocks.take(rows, tokens, sizes, passed, before_ms):
            structure = self._structures.setdefault(closed.place, Structure(paths={}, folded=[], late={}))
            self._dirty.add(closed.place % CHUNKS)
            if verdicts := self._judge(closed, structure, sources, key_of(closed.place)):
                yield Told(closed.order_ms, verdicts)
        if len(self._shapes) > SHAPES_MAX:
            self._forget_shapes()

    def _judge(self, closed: Closed, structure: Structure, sources: Sources, key: Key) -> list[Verdict]:
        block, seen = closed.block, structure.records
        baseline = Baseline(DETECTOR, seen, structure.first_ms, structure.last_ms)
        judge = Judge(structure, block, self._shapes, self._slots)
        versions = Versions(structure, block, self._shapes)
        found = versions.told(self._unexpected(key, judge.judge()))
        found += self._unexpected(key, differing(structure.differing, block, self._differences))
        self._refused += judge.refused
        topic = dict(key.labels).get(TOPIC, "")
        said = Said(key, block, baseline, sources, examples=topic not in self._unexampled)
        verdicts = [said.changed(change) for change in found]
        if versions.over is not None:
            verdicts.append(said.over(versions.over))
        if found or structure.migration is not None:
            structure.interest_ms = max(structure.interest_ms, block.last_ms + QUIET_MS)
        elif structure.interest_ms:
            structure.interest_ms = 0 if block.last_ms >= structure.interest_ms else structure.interest_ms
            verdicts.append(said.ordinary())
        if judge.refused and not structure.full:
            structure.full = True
            verdicts.append(said.full(len(structure.paths)))
        return [*verdicts, *self._repeated(block, structure, said)]

    def _repeated(self, block: Block, structure: Structure, said: Said) -> list[Verdict]:
        """Whether too many records came before."""
        if structure.repeats is None:
            if not block.payloads()["ident"].any():
                return []
            structure.repeats = Repeats()
        told = RepeatJudge(structure.repeats, self._ids_max).judge(block)
        return [said.repeated(told)] if told else []

    def _forget_shapes(self) -> None:
        wanted = self._blocks.idents() | set(self._pending.shapes().tolist())
        self._shapes = {ident: self._shapes[ident] for ident in sorted(wanted)}
        self._differences = {ident: it for ident, it in sorted(self._differences.items()) if ident in wanted}
        self._know_slots()

    def _know_slots(self) -> None:
        self._slots = Slots()
        for ident, elements in self._shapes.items():
            self._slots.know(ident, value_paths(elements))

    def take_ended(self) -> list[Ended]:
        """The windows that have ended since the last call."""
        ended, self._ended = self._ended, []
        return ended

    def _unexpected(self, key: Key, found: list[Found]) -> list[Found]:
        """What is to be told of the changes that were found; the others are part of what is known by now."""
        labels = dict(key.labels)
        told = [it for it in found if not any(of.is_that(labels, it) for of in self._expected)]
        self._accepted += len(found) - len(told)
        return told

    def take_accepted(self) -> int:
        """Changes that were found since the last call and expected."""
        accepted, self._accepted = self._accepted, 0
        return accepted

    def take_refused(self) -> int:
        """Paths that were met since the last call and not followed."""
        refused, self._refused = self._refused, 0
        return refused

    def forget(self, place: int) -> None:
        """The follower at `place` was given up."""
        self._structures.pop(place, None)
        self._blocks.forget(place)
        self._windows.forget(place)
        self._passed.forget(place)
        self._dirty.add(place % CHUNKS)

    def followed(self, place: int, key: Key) -> list[Followed]:
        """What is known of the series of the follower at `place`; the latest is its number of paths."""
        it = self._structures.get(place)
        if it is None:
            return []
        paths = sum(state.new is None and not state.gone for state in it.paths.values())
        known = [Followed(Signal.SCHEMA, key.labels, UNIT, it.records, float(paths))]
        if it.repeats is not None:
            known.append(
                Followed(Signal.DUPLICATES, key.labels, "share", it.repeats.judged, it.repeats.latest)
            )
        return known

    def dump(self) -> dict[str, bytes]:
        """The state as chunks."""
        return self._chunks(range(CHUNKS))

    def changed(self) -> dict[str, bytes]:
        """The chunks that may have changed since this was last called."""
        dirty, self._dirty = self._dirty, set()
        return self._chunks(sorted(dirty))

    def _chunks(self, numbers: Iterable[int]) -> dict[str, bytes]:
        if len(self._shapes) > SHAPES_STORED_MAX:
            self._forget_shapes()
        encode = msgspec.msgpack.encode
        waiting = [self._waiting(source, raw) for source, raw in self._pending.dump()]
        seen = self._shapes, self._differences
        chunks = {
            "records": encode(
                (waiting, self._blocks.dump(), *seen, self._windows.dump(), self._passed.dump())
            )
        }
        for number in numbers:
            own = {place: it for place, it in sorted(self._structures.items()) if place % CHUNKS == number}
            chunks[f"records-{number}"] = encode(own)
        return chunks

    def _waiting(self, source: int, raw: bytes) -> tuple[int, bytes, bytes]:
        """Rows of a source partition that wait, and their tokens, the same however they came in."""
        rows = np.frombuffer(bytearray(raw), PAYLOAD_ROW)
        sizes = self._slots.sizes(rows["shape"])
        tokens = self._tokens.read(rows["address"], sizes)
        rows["address"] = 0
        return source, rows.tobytes(), tokens.tobytes()

    def load(self, chunks: dict[str, bytes]) -> None:
        """Take over a dumped state."""
        waiting, blocks, self._shapes, self._differences, windows, passed = _head.decode(chunks["records"])
        self._know_slots()
        self._pending, self._tokens = Pending(PAYLOAD_ROW), TokenLog()
        for source, raw, tokens in waiting:
            rows = np.frombuffer(bytearray(raw), PAYLOAD_ROW)
            self.add(source, rows, np.frombuffer(tokens, TOKEN), np.ones(len(rows), bool))
        self._blocks.load(blocks)
        self._windows.load(windows)
        self._passed.load(passed)
        self._structures = {}
        for number in range(CHUNKS):
            self._structures |= _structures.decode(chunks[f"records-{number}"])
        self._dirty = set(range(CHUNKS))


_head = msgspec.msgpack.Decoder(
    tuple[
        list[tuple[int, bytes, bytes]],
        dict[int, Block],
        dict[int, Elements],
        dict[int, tuple[Difference, ...]],
        dict[int, Any],
        dict[int, int],
    ]
)
_structures = msgspec.msgpack.Decoder(dict[int, Structure])
