"""The followers of one shard: their state in arrays, their names, their settings, and how all of it is stored."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
from xxhash import xxh3_64_intdigest

from detectors import follower_layout as layout
from detectors.cadence_layout import new_scratch
from detectors.core.layout import Records
from detectors.fleet import budgeted
from detectors.fold import fold, set_timers
from detectors.follower_layout import ENDED, FINDING, FLEET, FOLLOWER, RUN, TIMERS, Arrays
from detectors.follower_table import UNKNOWN, add, fill, find, give_up, retune
from detectors.freshness import NO_TIMER
from detectors.numeric import Limits, NumericBank
from detectors.parts import Tunings
from detectors.pools import NAMES
from detectors.record_array import RecordArray
from detectors.room import ENDED_EACH, RUNS_EACH, SLOTS_EACH, TIMERS_EACH
from detectors.samples import FollowerKind, Key, decode_key
from detectors.settings import Model, Settings
from detectors.timers import TIMER

FOLD_ROWS_MAX: Final = 8192
FINDINGS_MAX: Final = 4096
IDLE_MS: Final = 30 * 86_400_000
"""A follower without a row for so long may be given up when the shard is full."""
YOUNG_IDLE_MS: Final = 3_600_000
"""The same for one with fewer than YOUNG_SAMPLES samples, which has learned next to nothing."""
YOUNG_SAMPLES: Final = 6
SWEEP_EVERY_MS: Final = 600_000
_TABLE_START: Final = 1024
_TABLE_ROOM: Final = 2
"""Places of the table for each follower, at least."""
_HEAD: Final = "followers"
_PASSING: Final = (layout.TIMERS, layout.FINDINGS, layout.FORGOTTEN, layout.NOW_MS)
"""Counters that are no part of the state: timers are set anew from the state of those who wait."""
_NAMES: Final = "names"


class Followers:
    """Every follower of a shard, by the ident of its key; a follower's place is its number in the arrays."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._bank = NumericBank()
        self._followers = RecordArray("follower", FOLLOWER, layout.FOLLOWER_BLOCK_BITS)
        self._runs = RecordArray("runs", RUN, layout.RUN_BLOCK_BITS)
        self._ended = RecordArray("ended", ENDED, layout.ENDED_BLOCK_BITS)
        self._counters = np.zeros(layout.COUNTERS, np.int64)
        self._counters[[layout.RUNS_TOP, layout.ENDED_TOP]] = 1
        self._timers: Records = np.zeros(0, TIMER)
        self._findings: Records = np.zeros(FINDINGS_MAX, FINDING)
        self._scratch = new_scratch()
        self._silence_ms = np.zeros(0, np.int64)
        self._table = np.zeros(_TABLE_START, np.int32)
        self._names: list[bytes] = []
        self._names_changed: set[int] = set()
        for name in settings.time_zones:
            self._bank.zone(name)
        self._tunings = Tunings(settings, self._bank.zone)
        self._by_kind = self._tunings.by_kind()
        self._swept_ms = 0
        self._fleet: Records = np.zeros(1, FLEET)
        self._fleet["since_ms"], self._fleet["allowed_per_day"] = -1, np.inf
        self._budget_fleet(anew=True)
        self._reserve_rows(0)

    def __len__(self) -> int:
        return int(self._counters[layout.LIVE])

    @property
    def series(self) -> int:
        """Series that are followed."""
        return int(self._counters[layout.SERIES])

    @property
    def open_runs(self) -> int:
        """Runs that started and have not ended."""
        return int(self._counters[layout.OPEN_RUNS])

    @property
    def arrays(self) -> Arrays:
        """The arrays as kernels take them; they hold until more room is reserved."""
        return Arrays(
            self._bank.arrays,
            self._followers.data,
            self._followers.dirty,
            self._runs.data,
            self._runs.dirty,
            self._ended.data,
            self._ended.dirty,
            self._timers,
            self._findings,
            self._counters,
            self._tunings.records,
            self._scratch,
            self._silence_ms,
            self._fleet,
        )

    @property
    def fleet(self) -> Any:
        """What the series may alarm by chance together: the FLEET record."""
        return self._fleet[0]

    def _budget_fleet(self, *, anew: bool) -> None:
        whole = self._settings.fleet_false_alarms_per_day
        budgeted(self._fleet, None if whole is None else whole / self._settings.shards, anew=anew)

    def key(self, place: int) -> Key:
        """The key that a follower was added for."""
        return decode_key(self._names[place])

    def all_places(self) -> list[int]:
        """The places of all followers."""
        used = self._used(layout.FOLLOWERS_TOP)
        return np.flatnonzero(self._followers.data["kind"][:used]).tolist()

    def take_forgotten(self) -> int:
        """Open runs that gave way since this was last asked."""
        forgotten = self._used(layout.FORGOTTEN)
        self._counters[layout.FORGOTTEN] = 0
        return forgotten

    def model(self, place: int, part: int) -> Model | None:
        """The model that is asked about the samples of one part, if any."""
        return self._tunings.models[int(self._followers.data[place]["tuned"][part])]

    def asked(self) -> list[tuple[int, int]]:
        """The place and part of every series that has samples and a model that is asked about them."""
        numbers = [number for number, model in enumerate(self._tunings.models) if model is not None]
        if not numbers:
            return []
        used = self._followers.data[: self._used(layout.FOLLOWERS_TOP)]
        asked = np.isin(used["tuned"][:, : layout.MEASURES], numbers)
        asked &= (used["slots"] > 0) & (used["kind"] != layout.FREE)[:, np.newaxis]
        return [(int(place), int(part)) for place, part in np.argwhere(asked)]

    def limits(self, slot: int, time_ms: int) -> Limits:
        """What the series with a slot of the bank would take at a time, see `NumericBank.limits`."""
        return self._bank.limits(slot, time_ms)

    def touch(self, place: int, seen_ms: int) -> None:
        """Note that the follower had a row at `seen_ms`."""
        follower = self._followers.data[place]
        follower["seen_ms"] = max(int(follower["seen_ms"]), seen_ms)
        self._followers.dirty[place >> layout.FOLLOWER_BLOCK_BITS] = 1

    def find(self, idents: bytes) -> npt.NDArray[np.int32]:
        """The places of the followers of some keys by ident, UNKNOWN for those that have none."""
        words = _words(idents)
        found = np.empty(len(words), np.int32)
        find(self.arrays, self._table, words, found)
        return found

    def add(
        self, idents: bytes, kinds: bytes, now_ms: int, found: npt.NDArray[np.int32]
    ) -> npt.NDArray[np.int64]:
        """Add followers for the keys that are UNKNOWN in `found`, as many as there is room for, and enter their places.

        Returns which of the keys got one; these have to be named.
        """
        unknown = int((found == UNKNOWN).sum())
        self._reserve_followers(unknown)
        room = max(0, self._settings.series_max - len(self))
        codes, new = np.frombuffer(kinds, np.uint8), np.empty(len(found), np.int64)
        count = add(self.arrays, self._table, _words(idents), codes, self._by_kind, room, now_ms, found, new)
        return new[:count]

    def name(self, places: npt.NDArray[np.int32], names: Sequence[bytes]) -> None:
        """Name followers by their keys in msgpack; settings by label apply from then on."""
        for place, name in zip(places.tolist(), names, strict=True):
            self._name(place, name)

    def fold(self, rows: Records, timers_ms: int) -> Iterator[Records]:
        """Apply rows in the order they have, then run the timers due before `timers_ms`; yields findings as they fill up."""
        for first in range(0, max(1, len(rows)), FOLD_ROWS_MAX):
            part = rows[first : first + FOLD_ROWS_MAX]
            last = first + FOLD_ROWS_MAX >= len(rows)
            yield from self._fold(part, timers_ms if last else int(part["order_ms"][-1]))

    def _fold(self, rows: Records, timers_ms: int) -> Iterator[Records]:
        done = 0
        while done <= len(rows):
            self._reserve_rows(len(rows) - done)
            done = fold(self.arrays, rows, done, timers_ms, self._settings.window_ms)
            count = self._used(layout.FINDINGS)
            self._counters[layout.FINDINGS] = 0
            if count:
                yield self._findings[:count]

    def _name(self, place: int, name: bytes) -> None:
        if place == len(self._names):
            self._names.append(name)
        else:
            self._names[place] = name
        self._names_changed.add(place >> layout.FOLLOWER_BLOCK_BITS)
        follower = self._followers.data[place]
        if name and follower["kind"] == FollowerKind.VALUE:
            follower["pool"] = _pool_of(self.key(place))
        if name and (self._settings.rules or follower["kind"] == FollowerKind.DELAY):
            follower["tuned"] = self._tunings.of(self.key(place))

    def give_up_idle(self, now_ms: int, busy: npt.NDArray[np.int32]) -> list[int]:
        """Forget followers that have been idle up to `now_ms`, and are not `busy`; which ones, at most every ten minutes."""
        if now_ms < self._swept_ms + SWEEP_EVERY_MS:
            return []
        self._swept_ms = now_ms
        kept = np.zeros(self._used(layout.FOLLOWERS_TOP), np.bool_)
        kept[busy] = True
        idle_ms, young_ms = now_ms - IDLE_MS, now_ms - YOUNG_IDLE_MS
        places = np.empty(len(kept), np.int64)
        count = give_up(self.arrays, idle_ms, young_ms, YOUNG_SAMPLES, kept, places)
        given: list[int] = places[:count].tolist()
        for place in given:
            self._name(place, b"")
        self._fill_table(len(self._table))
        return given

    def _reserve_followers(self, more: int) -> None:
        used = self._used(layout.FOLLOWERS_TOP)
        self._followers.reserve(used, more)
        if len(self._followers.data) > len(self._silence_ms):
            fresh = np.full(len(self._followers.data) - len(self._silence_ms), NO_TIMER)
            self._silence_ms = np.append(self._silence_ms, fresh)
        if (used + more) * _TABLE_ROOM > len(self._table):
            self._fill_table(1 << ((used + more) * _TABLE_ROOM * 2 - 1).bit_length())

    def _fill_table(self, size: int) -> None:
        self._table = np.zeros(size, np.int32)
        fill(self.arrays, self._table)

    def _reserve_rows(self, rows: int) -> None:
        """Make room for what so many rows can need, and one timer."""
        self._bank.reserve(SLOTS_EACH * (rows + 1))
        self._runs.reserve(self._used(layout.RUNS_TOP), RUNS_EACH * (rows + 1))
        self._ended.reserve(self._used(layout.ENDED_TOP), ENDED_EACH * (rows + 1))
        self._reserve_timers(TIMERS_EACH * (rows + 1))

    def _reserve_timers(self, more: int) -> None:
        used = self._used(TIMERS)
        if used + more > len(self._timers):
            timers = np.zeros(2 * (used + more), TIMER)
            timers[:used] = self._timers[:used]
            self._timers = timers

    def _used(self, counter: int) -> int:
        return int(self._counters[counter])

    def dump(self) -> dict[str, bytes]:
        """The whole state as bytes by block name."""
        blocks = range((len(self._names) - 1 >> layout.FOLLOWER_BLOCK_BITS) + 1)
        return {
            _HEAD: self._head(),
            **self._name_blocks(blocks),
            **self._bank.dump_blocks(),
            **dict(self._followers.blocks(self._used(layout.FOLLOWERS_TOP))),
            **dict(self._runs.blocks(self._used(layout.RUNS_TOP))),
            **dict(self._ended.blocks(self._used(layout.ENDED_TOP))),
        }

    def changed(self) -> dict[str, bytes]:
        """The blocks of `dump` that changed since this was last called, all of them after loading."""
        names, self._names_changed = sorted(self._names_changed), set()
        return {
            _HEAD: self._head(),
            **self._name_blocks(names),
            **self._bank.changed_blocks(),
            **dict(self._followers.changed(self._used(layout.FOLLOWERS_TOP))),
            **dict(self._runs.changed(self._used(layout.RUNS_TOP))),
            **dict(self._ended.changed(self._used(layout.ENDED_TOP))),
        }

    def _head(self) -> bytes:
        kept = self._counters.copy()
        kept[list(_PASSING)] = 0
        return msgspec.msgpack.encode([self._swept_ms, kept.tolist(), self._fleet.tobytes()])

    def _name_blocks(self, blocks: Sequence[int]) -> dict[str, bytes]:
        bits = layout.FOLLOWER_BLOCK_BITS
        return {
            f"{_NAMES}-{block:06}": msgspec.msgpack.encode(self._names[block << bits : (block + 1) << bits])
            for block in blocks
        }

    def load(self, blocks: Mapping[str, bytes], *, retuned: bool) -> None:
        """Take over a dumped state; `retuned` when it was written under other settings.

        Raises:
            ValueError: a block is missing or damaged, or another version wrote it.
        """
        self._swept_ms, counters, fleet = msgspec.msgpack.decode(
            blocks[_HEAD], type=tuple[int, list[int], bytes]
        )
        self._counters[:] = counters
        self._fleet[:] = np.frombuffer(fleet, FLEET)
        self._budget_fleet(anew=retuned)
        self._bank.load_blocks(blocks)
        self._followers.load(blocks, self._used(layout.FOLLOWERS_TOP))
        self._runs.load(blocks, self._used(layout.RUNS_TOP))
        self._ended.load(blocks, self._used(layout.ENDED_TOP))
        named = sorted(name for name in blocks if name.startswith(f"{_NAMES}-"))
        self._names = [name for block in named for name in msgspec.msgpack.decode(blocks[block])]
        self._names_changed = set(range(len(named)))
        places = np.array(self.all_places(), np.int64)
        self._reserve_followers(0)
        self._fill_table(len(self._table))
        self._tune(places, retuned=retuned)
        self._reserve_timers(2 * len(places) + self.open_runs)
        set_timers(self.arrays, places, self._settings.window_ms)

    def _tune(self, places: npt.NDArray[np.int64], *, retuned: bool) -> None:
        """Number the settings of all followers anew: numbers hold for one process."""
        followers = self._followers.data
        by_kind = (
            followers["kind"][places] != FollowerKind.DELAY
            if not self._settings.rules
            else np.zeros(len(places), bool)
        )
        followers["tuned"][places[by_kind]] = self._by_kind[followers["kind"][places[by_kind]]]
        for place in places[~by_kind].tolist():
            followers[place]["tuned"] = self._tunings.of(self.key(place))
        if retuned:
            retune(self.arrays, places)


def _pool_of(key: Key) -> int:
    """The number of what a series of values measures, from 1 on; 0 if that has no name."""
    name = dict(key.labels).get("name", "")
    return 1 + xxh3_64_intdigest(name.encode("utf-8", "surrogatepass")) % NAMES if name else 0


def _words(idents: bytes) -> npt.NDArray[np.int64]:
    return np.frombuffer(idents, np.int64).reshape(-1, 2)
