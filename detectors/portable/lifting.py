"""Lifting: a shard's state taken apart into series that can be carried, and where the shard stands."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np

from detectors import follower_layout as layout
from detectors import numeric_layout as bank
from detectors import timetable
from detectors.core.layout import Records
from detectors.declared import DeclaredRow
from detectors.inherited import Fences
from detectors.portable.series import (
    Measure,
    Portable,
    Read,
    Scheduled,
    Source,
    Standing,
    Tables,
    Waiting,
    WaitingPayloads,
)
from detectors.portable.shard import FORMAT, STRUCTURES, array_of, unpacked
from detectors.portable.sources import Numbers, moved, renumbered
from detectors.ragged import Ints, places_of, starts_of
from detectors.record_blocks import Block, Elements
from detectors.record_declared import Difference
from detectors.record_rows import PAYLOAD_ROW
from detectors.record_tokens import TOKEN, value_paths
from detectors.record_values import Slots
from detectors.record_windows import Window
from detectors.settings import Settings
from detectors.structure import Structure

Chunks = Mapping[str, bytes]
_GIVEN_BACK: Final = b"\xc0"
_PLACES: Final = ("slots", "tuned", "ended", "open_first", "open_last", "unmeasured_first", "unmeasured_last")
_Settings = tuple[bool, Settings, list[tuple[Source, int]]]
_Bank = tuple[int, list[int], list[str], bytes]
_Records = tuple[
    list[tuple[int, bytes, bytes]],
    dict[int, Block],
    dict[int, Elements],
    dict[int, tuple[Difference, ...]],
    dict[int, Window],
    dict[int, int],
]


def check_format(chunks: Chunks) -> None:
    """Make sure that a shard's state is of this version.

    Raises:
        ValueError: it is of another one, or no state.
    """
    found = unpacked(chunks, "head")[0], unpacked(chunks, "bank", _Bank)[0]
    if found != FORMAT:
        raise ValueError(
            f"detector state of format {found[0]}.{found[1]}; this release reads {FORMAT[0]}.{FORMAT[1]}"
        )


def tables_of(shards: Sequence[Chunks]) -> Tables:
    """The sources and time zones that the states of some shards name."""
    sources = {tuple(it) for chunks in shards for it in unpacked(chunks, "head")[7]}
    zones = {zone for chunks in shards for zone in unpacked(chunks, "bank", _Bank)[2]}
    return Tables(sorted(sources), sorted(zones))


def standing_of(chunks: Chunks, shard: int) -> Standing:
    """Where a shard stands."""
    _, config_hash, covered, _, _, full, watermarks, *_ = unpacked(chunks, "head")
    _, settings, obeyed = unpacked(chunks, "settings", _Settings)
    rows_ms, timers_ms, wall_ms, busy_ms, expected, partitions = watermarks
    swept_ms, _, raw_fleet = unpacked(chunks, "followers", tuple[int, list[int], bytes])
    fleet = np.frombuffer(raw_fleet, layout.FLEET)[0]
    inherited = unpacked(chunks, "inherited", list[Fences]) if "inherited" in chunks else []
    return Standing(
        shard=shard,
        covered_offset=covered,
        config_hash=config_hash,
        settings=settings,
        obeyed=obeyed,
        rows_ms=rows_ms,
        timers_ms=timers_ms,
        wall_ms=wall_ms,
        busy_since_ms=busy_ms,
        expected=expected,
        read=[Read(*it) for it in partitions],
        inherited=inherited,
        full=full,
        swept_ms=swept_ms,
        families_due_ms=int(np.frombuffer(chunks["peers"], "<i8")[1]),
        fleet_since_ms=int(fleet["since_ms"]),
        fleet_allowed_per_day=float(fleet["allowed_per_day"]),
        troubles_told=unpacked(chunks, "models", tuple[Any, list[tuple[str, str]]])[1],
    )


def lifted(chunks: Chunks, tables: Tables) -> Iterator[Portable]:
    """Every follower of a shard.

    Raises:
        ValueError: the state is damaged.
    """
    shard = _Shard(chunks, tables)
    for place in np.flatnonzero(shard.followers["kind"]).tolist():
        yield shard.portable(place)


class _Shard:
    """One shard's state, with its sources and zones numbered as the tables have them."""

    def __init__(self, chunks: Chunks, tables: Tables) -> None:
        own = [tuple(it) for it in unpacked(chunks, "head")[7]]
        self._numbers: Numbers = {number: tables.sources.index(it) for number, it in enumerate(own)}
        _, tops, zones, _ = unpacked(chunks, "bank", _Bank)
        _, counters, _ = unpacked(chunks, "followers", tuple[int, list[int], bytes])
        self.followers = array_of(chunks, "follower", counters[layout.FOLLOWERS_TOP])
        self._runs = array_of(chunks, "runs", counters[layout.RUNS_TOP])
        self._ended = array_of(chunks, "ended", counters[layout.ENDED_TOP])
        self._light = array_of(chunks, "light", tops[bank.LIGHT_TOP])
        self._light["zone"] = np.array([tables.zones.index(it) for it in zones])[self._light["zone"]]
        self._number_sources()
        self._places = {name: _taken(self.followers, name) for name in _PLACES}
        self._next, self._states = _taken(self._runs, "next"), _taken(self._light, "deep")
        _taken(self._ended, "next")
        self._deep = array_of(chunks, "deep", tops[bank.DEEP_TOP])
        self._young = array_of(chunks, "young", tops[bank.YOUNG_TOP])
        self._models = array_of(chunks, "run_model", tops[bank.MODEL_TOP])
        self._peers = array_of(chunks, "peers", int(np.frombuffer(chunks["peers"], "<i8")[0]))
        named = sorted(it for it in chunks if it.startswith("names-"))
        self._names: list[bytes] = [name for it in named for name in unpacked(chunks, it, list[bytes])]
        self._asked = _models_of(chunks)
        declared, self._declarations = unpacked(
            chunks, "declared", tuple[list[tuple[int, Any]], list[DeclaredRow]]
        )
        self._declared = dict(declared)
        self._new, self._awaited, self._overdue = map(
            dict,
            unpacked(chunks, timetable.CHUNK, timetable.State)
            if timetable.CHUNK in chunks
            else timetable.EMPTY,
        )
        self._read_records(chunks)
        self._read_pending(chunks)

    def _read_records(self, chunks: Chunks) -> None:
        waiting, self._blocks, self._shapes, self._differences, self._windows, self._passed = unpacked(
            chunks, "records", _Records
        )
        self._structures: dict[int, Structure] = {}
        for name in STRUCTURES:
            self._structures |= unpacked(chunks, name, dict[int, Structure])
        slots = Slots()
        for ident, elements in self._shapes.items():
            slots.know(ident, value_paths(elements))
        self._payloads: dict[int, list[WaitingPayloads]] = {}
        self._payload_shapes: dict[int, set[int]] = {}
        for source, raw, tokens in waiting:
            self._sort_payloads(source, np.frombuffer(raw, PAYLOAD_ROW), np.frombuffer(tokens, TOKEN), slots)

    def _sort_payloads(self, source: int, rows: Records, tokens: Any, slots: Slots) -> None:
        """Note for each follower which payloads of a source wait for it."""
        sizes = slots.sizes(rows["shape"])
        starts = starts_of(sizes)
        for place, mine in _by_follower(rows):
            own = rows[mine]
            self._payload_shapes.setdefault(place, set()).update(own["shape"].tolist())
            own["follower"] = own["address"] = 0
            renumbered(own, "source", self._numbers)
            said = tokens[places_of(starts[mine], sizes[mine])]
            waiting = WaitingPayloads(self._numbers.get(source, source), own.tobytes(), said.tobytes())
            self._payloads.setdefault(place, []).append(waiting)

    def _read_pending(self, chunks: Chunks) -> None:
        errors: dict[int, str] = unpacked(chunks, "head")[9]
        self._waiting: dict[int, list[Waiting]] = {}
        for source, raw in unpacked(chunks, "pending", list[tuple[int, bytes]]):
            rows = np.frombuffer(raw, layout.ROW)
            for place, mine in _by_follower(rows):
                own = rows[mine]
                texts = {at: errors[it] for at, it in enumerate(own["error"].tolist()) if it}
                own["follower"] = own["error"] = 0
                renumbered(own, "source", self._numbers)
                waiting = Waiting(self._numbers.get(source, source), own.tobytes(), texts)
                self._waiting.setdefault(place, []).append(waiting)

    def portable(self, place: int) -> Portable:
        """What is known of the follower at a place."""
        own = {name: places[place] for name, places in self._places.items()}
        block = self._blocks.get(place)
        window = self._windows.get(place)
        structure = self._structures.get(place)
        shapes = {*(block.shapes if block else ()), *self._payload_shapes.get(place, ())}
        return Portable(
            name=self._names[place],
            follower=self.followers[place : place + 1].tobytes(),
            measures=[self._measure(slot) for slot in own["slots"].tolist()],
            open=self._run_list(int(own["open_first"])),
            unmeasured=self._run_list(int(own["unmeasured_first"])),
            ended=[self._ended[it : it + 1].tobytes() for it in own["ended"].tolist() if it],
            peer=self._peer(place),
            models=self._asked.get(place, {}),
            declared=self._declared.get(place),
            structure=structure and moved(structure, self._numbers),
            block=block and moved(block, self._numbers),
            window=window and msgspec.structs.replace(window, source=self._numbers[window.source]),
            shapes={it: self._shapes[it] for it in sorted(shapes)},
            differences={it: self._differences[it] for it in sorted(shapes & self._differences.keys())},
            passed=self._passed.get(place, 0),
            scheduled=self._scheduled(place),
            waiting=sorted(self._waiting.get(place, []), key=lambda it: it.source),
            waiting_payloads=sorted(self._payloads.get(place, []), key=lambda it: it.source),
            waiting_declared=[
                it._replace(follower=0, source=self._numbers[it.source])
                for it in self._declarations
                if it.follower == place
            ],
        )

    def _number_sources(self) -> None:
        """Number the sources in followers and runs as the table has them."""
        arrivals, windows = self.followers["arrivals"], self.followers["window"]
        renumbered(arrivals, "source", self._numbers, arrivals["arrivals"] > 0)
        for name in ("first_source", "last_source"):
            renumbered(windows, name, self._numbers, windows["window"] != -1)
        renumbered(self._runs, "source", self._numbers)

    def _run_list(self, first: int) -> bytes:
        places, at = [], first
        while at:
            places.append(at)
            at = int(self._next[at])
        return b"".join(self._runs[it : it + 1].tobytes() for it in places)

    def _measure(self, slot: int) -> Measure | None:
        if not slot:
            return None
        light, place = self._light[slot - 1 : slot], int(self._states[slot - 1])
        states = self._models if light["kind"][0] == bank.RUNS else self._deep if place > 0 else self._young
        state = states[abs(place) : abs(place) + 1].tobytes() if place else b""
        return Measure(light.tobytes(), state, place < 0)

    def _scheduled(self, place: int) -> Scheduled | None:
        kept = Scheduled(self._new.get(place), self._awaited.get(place), self._overdue.get(place))
        return None if kept == Scheduled(None, None, None) else kept

    def _peer(self, place: int) -> bytes:
        peer = self._peers[place : place + 1]
        return peer.tobytes() if len(peer) and peer[0]["family"] else b""


def _taken(records: Records, field: str) -> Ints:
    """A field of records, which is 0 in all of them then: a place means nothing elsewhere."""
    values = records[field].copy()
    records[field] = 0
    return values


def _by_follower(rows: Records) -> Iterator[tuple[int, Ints]]:
    """The followers of some rows, and which rows are theirs, in order."""
    order = np.argsort(rows["follower"], kind="stable")
    cuts = np.flatnonzero(np.diff(rows["follower"][order])) + 1
    for mine in np.split(order, cuts):
        if len(mine):
            yield int(rows["follower"][mine[0]]), mine


def _models_of(chunks: Chunks) -> dict[int, dict[int, bytes]]:
    """The models that some followers have, by place and part."""
    places, _ = unpacked(chunks, "models", tuple[list[tuple[int, int]], Any])
    found: dict[int, dict[int, bytes]] = {}
    for place, part in places:
        chunk = chunks.get(f"model-{place:06}-{part}", _GIVEN_BACK)
        if chunk != _GIVEN_BACK:
            found.setdefault(place, {})[part] = chunk
    return found
