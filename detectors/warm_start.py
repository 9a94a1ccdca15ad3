"""Warm start: models that come in force while a worker runs learn what the samples topic retains of their series, before they have a say.

Beside the live shard a second one, of these series alone, goes through the retained records from the first on, some in each step, until it has come up with the live one. Then
the shard orders itself to adopt the models (`orders.Adopt`): so they have a say from one place in its log on, whoever reads it, and what they know there is a function of what
the log retained. A worker that was killed in between begins again; one that comes to the order first goes through the log there and then, and the state is stored before anything
rests on it: what is retained now may not be later.

Of each series as many of the last samples count as make `SAMPLES_MAX` for all together, and none older than `SPAN_MS`.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple, Protocol

import msgspec

from detectors.followers import Followers
from detectors.modelled import Modelled
from detectors.orders import Adopt, Origin, encode
from detectors.outputs import Destination, Output
from detectors.parts import Part
from detectors.samples import Key
from detectors.stage import HoleError

History = Callable[[int, int], Iterator[tuple[int, bytes]]]
"""The records of a shard's samples topic that are retained from an offset on and before another, each with its own, the oldest first."""

SAMPLES_MAX: Final = 200_000
SPAN_MS: Final = 30 * 86_400_000
ASKED_EACH: Final = 1_000
BYTES_EACH: Final = 8 << 20
"""Samples of models, or bytes of records, that are gone through beside one step of the live shard."""
RECORDS_EACH: Final = 4
"""At least so many records are: each step of the live shard is one more to catch up with."""
CHUNK: Final = "warming"
ORIGIN: Final = "warm-start"
"""The origin of the orders to adopt."""


class Wanted(NamedTuple):
    """A follower whose past is wanted: where it is, its key, and since when."""

    place: int
    key: Key
    since_ms: int


class Warming(NamedTuple):
    """What is under way since an offset: the series, and of each follower from which event time (ms) on its rows count."""

    at: int
    parts: list[Part]
    since_ms: dict[int, int]

    def followed(self, followers: Followers) -> list[Wanted]:
        """The followers of these series."""
        return [Wanted(place, followers.key(place), since) for place, since in self.since_ms.items()]


def warming(at: int, followers: Followers, parts: list[Part]) -> Warming:
    """Begin with some series at an offset."""
    each = SAMPLES_MAX / max(1, len(parts))
    since_ms: dict[int, int] = {}
    arrays = followers.arrays
    for place, part in parts:
        light = arrays.bank.light[int(arrays.followers[place]["slots"][part]) - 1]
        span_ms = min(SPAN_MS, int(each * 1000.0 * float(light["interval_s"])))
        begins_ms = int(light["last_ms"]) - span_ms
        since_ms[place] = min(begins_ms, since_ms.get(place, begins_ms))
    return Warming(at, parts, since_ms)


class Shard(Protocol):
    """What is used of `detect.Detect`."""

    @property
    def models(self) -> Modelled:
        """The models of its series."""

    def follow_only(self, followed: Sequence[Wanted]) -> list[int]:
        """Follow these and no others, from their times on; their places."""

    def step(self, offset: int, payload: bytes) -> list[Output]:
        """Fold in one record."""


class Past:
    """The retained past of some series, gone through as far as is asked for.

    Args:
        make: an empty shard, as it is now in force.
        parts: the series by where they are in the live shard.
        followed: their followers.
        history: of the shard's samples.
    """

    def __init__(
        self, make: Callable[[], Shard], parts: list[Part], followed: list[Wanted], history: History
    ) -> None:
        self._make, self._parts, self._followed, self._history = make, parts, followed, history
        self._next = self._until = 0
        self._records: Iterator[tuple[int, bytes]] | None = None
        self._begin()

    def _begin(self) -> None:
        self._shard = self._make()
        self._places = self._shard.follow_only(self._followed)

    def reach(self, before: int, *, whole: bool = False) -> bool:
        """Go on towards an offset, the `whole` way or a little; whether everything before it has been gone through."""
        read = records = 0
        asked_max = self._shard.models.asked + ASKED_EACH
        while self._next < before:
            if self._records is None:
                self._records, self._until = self._history(self._next, before), before
            offset, payload = next(self._records, (self._until, b""))
            if offset >= self._until:
                self._records, self._next = None, self._until
                continue
            self._fold(offset, payload)
            self._next, read, records = offset + 1, read + len(payload), records + 1
            enough = read >= BYTES_EACH or self._shard.models.asked >= asked_max
            if enough and records >= RECORDS_EACH and not whole:
                return False
        return True

    def _fold(self, offset: int, payload: bytes) -> None:
        try:
            self._shard.step(offset, payload)
        except (ValueError, HoleError):  # of an earlier version, or nothing that leads on from it
            self._begin()

    def teach(self, models: Modelled) -> int:
        """Have the models of the live shard adopted from here; how many know the past now."""
        places = dict(zip([it.place for it in self._followed], self._places, strict=True))
        warmed = 0
        for part in self._parts:
            if part not in models.waiting:
                continue
            model = self._shard.models.of(Part(places[part.place], part.part))
            if model is not None:
                models.adopt(part, model)
                warmed += 1
        return warmed


class Live(NamedTuple):
    """What is used of the live shard: its followers, its models, and how one is made that is empty, as it is now in force."""

    followers: Followers
    models: Modelled
    empty: Callable[[], Shard]


class WarmStart:
    """The warm start of one shard: begun where models come in force, gone on with in each step, ended by an order to adopt.

    Args:
        shard: its number.
        history: of its samples; without it models begin with what comes.
    """

    def __init__(self, shard: int, history: History | None) -> None:
        self._shard, self._history = shard, history
        self._warming: Warming | None = None
        self._past: Past | None = None
        self._is_ordered = False

    def begin(self, at: int, live: Live) -> None:
        """Have models that came in force at an offset learn the past of their series, if any are new."""
        parts = live.models.unlearned(live.followers) if self._history else []
        self._set_out(warming(at, live.followers, parts) if parts else None, live)

    def _set_out(self, warming: Warming | None, live: Live) -> None:
        self._warming, self._is_ordered = warming, False
        if warming is None or self._history is None:
            self._past, live.models.waiting = None, frozenset()
        else:
            followed = warming.followed(live.followers)
            self._past = Past(live.empty, warming.parts, followed, self._history)
            live.models.waiting = frozenset(warming.parts)

    def go_on(self, offset: int) -> list[Output]:
        """Go on with the past beside a step; where it has come up to that offset, the order to adopt what it has learned, once."""
        if self._warming is None or self._past is None or self._is_ordered:
            return []
        if not self._past.reach(offset + 1):
            return []
        self._is_ordered = True
        order = Adopt(origin=Origin(ORIGIN, self._shard, self._warming.at))
        return [Output(Destination.SAMPLES, None, encode(order), self._shard)]

    def adopt(self, at: int, before: int, models: Modelled) -> int | None:
        """Obey the order to adopt, which lies at offset `before`, what is under way since offset `at`.

        Returns:
            How many models know the past now; None if something else is under way, or nothing.
        """
        if self._warming is None or self._past is None or at != self._warming.at:
            return None
        self._past.reach(before, whole=True)
        warmed = self._past.teach(models)
        self._warming = self._past = None
        models.waiting = frozenset()
        return warmed

    def dump(self) -> bytes:
        """What is under way, to be begun again by another worker."""
        return msgspec.msgpack.encode(self._warming)

    def load(self, chunk: bytes, live: Live) -> None:
        """Begin again with what was under way."""
        self._set_out(msgspec.msgpack.decode(chunk, type=Warming | None), live)
