"""Planting: the state of one shard put together from series that were carried there."""

import math
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
import numpy as np

from detectors import follower_layout as layout
from detectors import numeric_layout as bank
from detectors import timetable, warm_start
from detectors.core.layout import Record, Records
from detectors.follower_layout import FOLLOWER
from detectors.follower_table import OUTCOME_SERIES, VALUE_SERIES
from detectors.pools import KINDS, NAMES, PACES, POOL, POOLS
from detectors.portable.series import Portable, Standing, Tables
from detectors.portable.shard import FORMAT, LAYOUTS, STRUCTURES, blocks_of, raw_records
from detectors.ragged import places_of, starts_of
from detectors.record_rows import PAYLOAD_ROW
from detectors.record_schemas import CHUNKS
from detectors.record_tokens import TOKEN, value_paths
from detectors.record_values import Slots
from detectors.samples import NEVER

_NO_PLACE: Final = 1
"""Records of an array in which place 0 says that there is none."""
_OWN_SERIES: Final = {layout.RUN_EVENTS: OUTCOME_SERIES, layout.SCHEMA: 1}
"""Series of a follower that need no slot in the bank, by kind."""


def planted(
    series: Iterable[Portable], standing: Standing, tables: Tables, *, switched: bool
) -> dict[str, bytes]:
    """The chunks of a shard's state.

    Args:
        series: those that lie in the shard; their places follow from their keys.
        standing: where the shard stands.
        tables: what series and standing name by number.
        switched: whether the settings of `standing` hold instead of those that the shard is started with.
    """
    shard = _Shard(sorted(series, key=lambda it: it.key.ident))
    encode = msgspec.msgpack.encode
    pending = shard.pending()
    partitions = [[*msgspec.structs.astuple(it)] for it in standing.read]
    clocks = [standing.rows_ms, standing.timers_ms, standing.wall_ms, standing.busy_since_ms]
    head = [FORMAT[0], standing.config_hash, standing.covered_offset, NEVER, NEVER, standing.full]
    watermarks = [*clocks, standing.expected, partitions]
    return {
        "head": encode([*head, watermarks, tables.sources, len(shard.errors), shard.errors]),
        "settings": encode([switched, standing.settings, standing.obeyed]),
        "inherited": encode(standing.inherited),
        "followers": encode([standing.swept_ms, shard.counters, _fleet(standing)]),
        "bank": encode((FORMAT[1], shard.tops, tables.zones, shard.pools.tobytes())),
        "peers": np.array([len(shard.peers), standing.families_due_ms], "<i8").tobytes(),
        "models": encode([sorted(shard.models), sorted(standing.troubles_told)]),
        **{f"model-{place:06}-{part}": raw for (place, part), raw in shard.models.items()},
        **shard.names(),
        **shard.arrays(),
        **shard.records(),
        "pending": encode(pending),
        "declared": encode(shard.declared()),
        timetable.CHUNK: encode(shard.timetable()),
        warm_start.CHUNK: encode(None),  # the past that models were learning is not where they go
    }


def _fleet(standing: Standing) -> bytes:
    """What the series may alarm by chance together, to be counted with the first row."""
    fleet = np.zeros(1, layout.FLEET)
    fleet["since_ms"], fleet["allowed_per_day"] = standing.fleet_since_ms, standing.fleet_allowed_per_day
    fleet["budget_per_day"] = math.inf
    return fleet.tobytes()


class _Growing:
    """Records end to end, with where the next one will lie."""

    def __init__(self, name: str, first: int) -> None:
        self._name = name
        self._parts: list[bytes] = [bytes(first * LAYOUTS[name][0].itemsize)]
        self.top = first

    def add(self, raw: bytes) -> int:
        """Append one or more records; the place of the first."""
        place = self.top
        self.top += len(raw) // LAYOUTS[self._name][0].itemsize
        self._parts.append(raw)
        return place

    def blocks(self) -> dict[str, bytes]:
        return blocks_of(self._name, raw_records(self._name, b"".join(self._parts)))


class _Shard:
    """The arrays of a shard, filled follower by follower."""

    def __init__(self, series: Sequence[Portable]) -> None:
        self._series = series
        self._runs, self._ended = _Growing("runs", _NO_PLACE), _Growing("ended", _NO_PLACE)
        self._light, self._deep = _Growing("light", 0), _Growing("deep", _NO_PLACE)
        self._young, self._run_models = _Growing("young", _NO_PLACE), _Growing("run_model", _NO_PLACE)
        self.pools: Records = np.zeros(POOLS, POOL)
        self.peers: Records = np.zeros(len(series), LAYOUTS["peers"][0])
        self.models: dict[tuple[int, int], bytes] = {}
        self.errors: dict[int, str] = {}
        self._open_runs = self._measured = self._others = 0
        self._followers: Records = np.zeros(len(series), FOLLOWER)
        for place, it in enumerate(series):
            self._plant(place, it)

    def _plant(self, place: int, it: Portable) -> None:
        record = raw_records("follower", it.follower)[0]
        record["open_first"], record["open_last"] = self._run_list(it.open)
        record["unmeasured_first"], record["unmeasured_last"] = self._run_list(it.unmeasured)
        for at, chunk in enumerate(it.ended):
            record["ended"][at] = self._ended.add(chunk)
        for part, measure in enumerate(it.measures):
            record["slots"][part] = 0 if measure is None else 1 + self._slot(measure)
        self._followers[place] = record
        if it.peer:
            self.peers[place] = raw_records("peers", it.peer)[0]
        self.models |= {(place, part): raw for part, raw in it.models.items()}
        self._open_runs += int(record["open_count"])
        self._others += _OWN_SERIES.get(int(record["kind"]), VALUE_SERIES)

    def _run_list(self, raw: bytes) -> tuple[int, int]:
        """Lay down runs as a list; its first and last."""
        runs = raw_records("runs", raw)
        if not len(runs):
            return 0, 0
        first = self._runs.top
        runs["next"][:-1] = first + 1 + np.arange(len(runs) - 1)
        return self._runs.add(runs.tobytes()), first + len(runs) - 1

    def _slot(self, measure: Any) -> int:
        light = raw_records("light", measure.light)
        record, is_runs = light[0], light[0]["kind"] == bank.RUNS
        if measure.state:
            states = self._run_models if is_runs else self._young if measure.is_young else self._deep
            place = states.add(measure.state)
            record["deep"] = -place if measure.is_young else place
        if is_runs and measure.state:
            model = raw_records("run_model", measure.state)[0]
            self._join(int(model["pool"]), int(model["pooled"]))
        elif not is_runs:
            self._join(KINDS * PACES + (int(record["pool"]) - 1) % NAMES, int(record["pooled"]))
        self._measured += 1
        return self._light.add(light.tobytes())

    def _join(self, number: int, part: int) -> None:
        """Put what a series says into its pool; 0 says nothing."""
        if part:
            pool: Record = self.pools[number]
            pool["members"] += 1
            pool["total"] += part
            pool["squares"] += part * part

    @property
    def counters(self) -> list[int]:
        """Those of the followers' arrays."""
        counters = [0] * layout.COUNTERS
        counters[layout.FOLLOWERS_TOP] = counters[layout.LIVE] = len(self._series)
        counters[layout.RUNS_TOP], counters[layout.ENDED_TOP] = self._runs.top, self._ended.top
        counters[layout.OPEN_RUNS], counters[layout.SERIES] = self._open_runs, self._measured + self._others
        return counters

    @property
    def tops(self) -> list[int]:
        """The counters of the bank."""
        counters = [0] * bank.COUNTERS
        counters[bank.LIGHT_TOP], counters[bank.DEEP_TOP] = self._light.top, self._deep.top
        counters[bank.YOUNG_TOP], counters[bank.MODEL_TOP] = self._young.top, self._run_models.top
        return counters

    def names(self) -> dict[str, bytes]:
        """The names of all followers as chunks."""
        names, size = [it.name for it in self._series], 1 << layout.FOLLOWER_BLOCK_BITS
        return {
            f"names-{start // size:06}": msgspec.msgpack.encode(names[start : start + size])
            for start in range(0, len(names), size)
        }

    def arrays(self) -> dict[str, bytes]:
        """The blocks of all arrays."""
        growing = (self._runs, self._ended, self._light, self._deep, self._young, self._run_models)
        grown = {name: block for it in growing for name, block in it.blocks().items()}
        return {**blocks_of("follower", self._followers), **grown, **blocks_of("peers", self.peers)}

    def pending(self) -> list[tuple[int, bytes]]:
        """The rows that wait, by source; `errors` are theirs from then on."""
        by_source: dict[int, list[Records]] = {}
        for place, it in enumerate(self._series):
            for waiting in it.waiting:
                rows = np.frombuffer(bytearray(waiting.rows), layout.ROW)
                rows["follower"] = place
                for at, text in sorted(waiting.errors.items()):
                    serial = len(self.errors) + 1
                    self.errors[serial], rows["error"][at] = text, serial
                by_source.setdefault(waiting.source, []).append(rows)
        return [
            (source, _in_order(np.concatenate(rows))[0].tobytes())
            for source, rows in sorted(by_source.items())
        ]

    def declared(self) -> tuple[list[Any], list[Any]]:
        """Declared schemas, and the declarations that wait."""
        known = [(place, it.declared) for place, it in enumerate(self._series) if it.declared is not None]
        waiting = [
            row._replace(follower=place)
            for place, it in enumerate(self._series)
            for row in it.waiting_declared
        ]
        return known, waiting

    def timetable(self) -> timetable.State:
        """What is due of each follower that has a schedule."""
        kept = [(place, it.scheduled) for place, it in enumerate(self._series) if it.scheduled is not None]
        return (
            [(place, it.new) for place, it in kept if it.new is not None],
            [(place, it.awaited) for place, it in kept if it.awaited is not None],
            [(place, it.overdue) for place, it in kept if it.overdue is not None],
        )

    def records(self) -> dict[str, bytes]:
        """What is known of payloads, and those that wait."""
        numbered, encode = list(enumerate(self._series)), msgspec.msgpack.encode
        shapes = {ident: elements for it in self._series for ident, elements in it.shapes.items()}
        blocks = {place: it.block for place, it in numbered if it.block is not None}
        windows = {place: it.window for place, it in numbered if it.window is not None}
        differences = {ident: those for it in self._series for ident, those in it.differences.items()}
        passed = {place: it.passed for place, it in numbered if it.passed}
        whole = self._payloads(shapes), blocks, shapes, differences, windows, passed
        chunks = {"records": encode(whole)}
        for number, name in enumerate(STRUCTURES):
            own = {place: it.structure for place, it in numbered[number::CHUNKS] if it.structure is not None}
            chunks[name] = encode(own)
        return chunks

    def _payloads(self, shapes: dict[int, Any]) -> list[tuple[int, bytes, bytes]]:
        slots = Slots()
        for ident, elements in shapes.items():
            slots.know(ident, value_paths(elements))
        by_source: dict[int, list[tuple[Records, Any]]] = {}
        for place, it in enumerate(self._series):
            for waiting in it.waiting_payloads:
                rows = np.frombuffer(bytearray(waiting.rows), PAYLOAD_ROW)
                rows["follower"] = place
                tokens = np.frombuffer(waiting.tokens, TOKEN)
                by_source.setdefault(waiting.source, []).append((rows, tokens))
        found = []
        for source, parts in sorted(by_source.items()):
            rows, order = _in_order(np.concatenate([rows for rows, _ in parts]))
            tokens = np.concatenate([tokens for _, tokens in parts])
            sizes = np.empty(len(rows), np.int64)
            sizes[order] = slots.sizes(rows["shape"])
            said = tokens[places_of(starts_of(sizes)[order], sizes[order])]
            found.append((source, rows.tobytes(), said.tobytes()))
        return found


def _in_order(rows: Records) -> tuple[Records, Any]:
    """Rows of one source in the order in which they are applied, and that order."""
    order = np.lexsort((rows["offset"], rows["order_ms"]))
    return rows[order], order
