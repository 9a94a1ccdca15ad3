"""Peers: says when one series is unlike its siblings, even if its own history is short or has drifted along.

Siblings are the series of one pipeline (or metric name), signal and unit with the same label names, of the same shard. All series of a pipeline
lie in one; those of a metric without the label `pipeline` spread over the shards, each of which knows a part of the family. It takes six of a family.

Every six hours of event time the levels of a family (log scale) are compared, each without its usual distance from the family:
what moves all of them moves none. With m the median and S = 1.4826 MAD of the others' positions, t = (x - m) / sqrt(S^2 (1 + 1/n) + s^2)
with s the standard error of the level (Iglewicz and Hoaglin, How to Detect and Handle Outliers, 1993, "modified z-score"). As the MAD has an efficiency of 37 %
(Rousseeuw and Croux, JASA 88, 1993), t has 0.37 (n - 1) degrees of freedom: six siblings prove only gross things. Siblings need not be normal: it
also has to lie twice as far out as all but a fifth of the family, so a group within it that moves together is not told. A series that is not known for
ten samples has no usual distance: it is judged by the levels themselves.

A series with an open episode is not told again; a distance that has lasted a week becomes the usual one. Evaluated between two
rows, so nothing depends on batches. Cost: some microseconds a series every six hours, 64 bytes a follower.
"""

import math
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from xxhash import xxh3_64_intdigest

from detectors import follower_layout as layout
from detectors.budget import chance_of_p_value
from detectors.core.layout import DAY_MS, HOUR_MS, SLOW, Records
from detectors.episodes import WORSENED_STEP
from detectors.follower_layout import FINDING, FOLLOWERS_TOP, MEASURES, Arrays
from detectors.followers import Followers
from detectors.numeric_layout import BOTH, DOWN, LIGHT_BLOCK_BITS, RUNS, UP, YOUNG_SAMPLES
from detectors.record_array import RecordArray
from detectors.samples import Key
from detectors.student_t import upper_quantile, upper_tail

PERIOD_MS: Final = 6 * HOUR_MS
FAMILY_MIN: Final = 6
SAMPLES_MIN, SAMPLES_KNOWN = 3, 10
"""Samples from which on a series is compared at all, and by its usual distance."""
SHARE: Final = 0.1
"""Of the budget of a series."""
EFFICIENCY: Final = 0.37
SPREAD_MIN: Final = 0.02
MAD_TO_DEVIATION: Final = 1.4826
EFFECT_MIN: Final = 0.2
BEYOND: Final = 2.0
OTHERS_SHARE: Final = 0.2
MEMORY: Final = 120
"""Evaluations that the usual distance remembers: 30 days."""
CLIP: Final = 3.0
ACCEPTED_MS: Final = 7 * DAY_MS
RUNS_MEMORY, VALUES_MEMORY = 50.0, 250.0
NONE: Final = -1
BLOCK_BITS: Final = 8
_FAMILY: Final = ("pipeline", "name", "dataset")

PEER = np.dtype(
    [
        ("family", "<i8"),
        ("usual", "<f4", (MEASURES,)),
        ("known", "<u2", (MEASURES,)),
        ("since_ms", "<i8", (MEASURES,)),
    ]
)
"""What is known of one follower among its siblings: the hash of its family (0: not looked up, NONE: it has none), and of each part the usual distance, the
evaluations that it rests on, and since when the series is out of line, negative if something else told of it."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Level(NamedTuple):
    """Levels on the log scale, their standard errors, and the samples known, of some series."""

    level: Floats
    error: Floats
    n: Ints


class Peers:
    """The families of one shard."""

    def __init__(self) -> None:
        self._state = RecordArray("peers", PEER, BLOCK_BITS)
        self._used = 0
        self._due_ms = 0

    def due_at(self, rows: Records) -> int:
        """The first of these rows before which families are to be compared; their number if there is none."""
        if not len(rows) or rows["order_ms"][-1] < self._due_ms:
            return len(rows)
        return int(np.searchsorted(rows["order_ms"], self._due_ms))

    def forget(self, place: int) -> None:
        """A follower is given up."""
        if place < self._used:
            self._state.data[place : place + 1].view(np.uint8)[:] = 0
            self._state.dirty[place >> BLOCK_BITS] = 1

    def judge(self, followers: Followers, now_ms: int) -> list[Any]:
        """Compare all families at `now_ms`, the time of the row at hand; FINDING records of what is out of line."""
        self._due_ms = (now_ms // PERIOD_MS + 1) * PERIOD_MS
        a = followers.arrays
        self._look_up(followers, int(a.counters[FOLLOWERS_TOP]))
        found: list[Any] = []
        for part in range(MEASURES):
            found += self._judge_part(a, part, now_ms)
        return found

    def _look_up(self, followers: Followers, top: int) -> None:
        self._state.reserve(self._used, top - self._used)
        self._used = max(self._used, top)
        kinds = followers.arrays.followers["kind"][:top]
        for place in np.flatnonzero(
            (self._state.data["family"][:top] == 0) & (kinds != layout.FREE)
        ).tolist():
            self._state.data[place]["family"] = family_of(followers.key(place))
            self._state.dirty[place >> BLOCK_BITS] = 1

    def _judge_part(self, a: Arrays, part: int, now_ms: int) -> list[Any]:
        peers = self._state.data[: self._used]
        slots = a.followers["slots"][: self._used, part].astype(np.int64) - 1
        of_hours = (a.followers["kind"][: self._used] == layout.VALUE) & (part == layout.HOURLY)
        places = np.flatnonzero((peers["family"] > 0) & (slots >= 0) & ~of_hours)
        light = a.bank.light[slots[places]]
        stale_ms = np.maximum(2000.0 * light["interval_s"], PERIOD_MS)
        places = places[
            (light["last_ms"] >= now_ms - stale_ms) & (light["n"] >= SAMPLES_MIN) & (light["asked"] == 0)
        ]
        _, family, sizes = np.unique(peers["family"][places], return_inverse=True, return_counts=True)
        places = places[sizes[family] >= FAMILY_MIN]
        if not len(places):
            return []
        family = np.unique(peers["family"][places], return_inverse=True)[1]
        self._state.dirty[np.unique(places >> BLOCK_BITS)] = 1
        compared = _Compared(a, part, places, slots[places], family, peers)
        return [
            finding
            for i in range(len(places))
            if (finding := _settle(a, compared, peers, i, now_ms)) is not None
        ]

    def dump(self) -> dict[str, bytes]:
        """The whole state as chunks by name."""
        return {"peers": self._head(), **dict(self._state.blocks(self._used))}

    def changed(self) -> dict[str, bytes]:
        """The chunks of `dump` that changed since this was last called."""
        return {"peers": self._head(), **dict(self._state.changed(self._used))}

    def _head(self) -> bytes:
        return np.array([self._used, self._due_ms], "<i8").tobytes()

    def load(self, chunks: Mapping[str, bytes]) -> None:
        """Take over a dumped state.

        Raises:
            ValueError: a chunk is missing or damaged.
        """
        if len(chunks.get("peers", b"")) != 2 * np.dtype("<i8").itemsize:
            raise ValueError("what is known of siblings has no readable head")
        self._used, self._due_ms = np.frombuffer(chunks["peers"], "<i8").tolist()
        self._state.load(chunks, self._used)


def family_of(key: Key) -> int:
    """The hash of a key's family, above 0; NONE for a key that has no label beside the name of the family."""
    own = [f"{name}={value}" for name, value in key.labels if name in _FAMILY]
    others = [name for name, _ in key.labels if name not in _FAMILY]
    if not own or not others:
        return NONE
    text = "\n".join([key.kind, key.unit, *own, *others])
    return 1 + (xxh3_64_intdigest(text.encode("utf-8", "surrogatepass")) >> 2)


def levels_of(a: Arrays, slots: Ints) -> Level:
    """What some slots of the bank are at now."""
    light = a.bank.light[slots]
    n, places = light["n"].astype(np.int64), light["deep"].astype(np.int64)
    level, error = np.zeros(len(slots)), np.zeros(len(slots))
    runs, deep, young = light["kind"] == RUNS, (light["kind"] != RUNS) & (places > 0), places < 0
    models = a.bank.models[places[runs]]
    level[runs] = models["level"]
    error[runs] = np.sqrt(models["variance"][:, 0] + SPREAD_MIN**2) / np.sqrt(
        np.clip(models["n"], 1, RUNS_MEMORY)
    )
    scorers = a.bank.deep[places[deep]]
    level[deep] = _log_scale(scorers["level"][:, SLOW])
    relative = scorers["scale"][:, SLOW] / (1.0 + np.abs(scorers["level"][:, SLOW]))
    error[deep] = relative / np.sqrt(np.clip(scorers["n"], 1, VALUES_MEMORY))
    kept = a.bank.young[-places[young]]["value"]
    known = np.arange(YOUNG_SAMPLES) < n[young][:, None]
    level[young] = [
        np.median(_log_scale(values[is_known])) for values, is_known in zip(kept, known, strict=True)
    ]
    error[young] = [
        _error_of(_log_scale(values[is_known])) for values, is_known in zip(kept, known, strict=True)
    ]
    return Level(level, error, n)


def _error_of(values: Floats) -> float:
    return float(np.std(values)) / math.sqrt(max(len(values) - 1, 1))


def _log_scale(x: Floats) -> Floats:
    return np.asarray(np.sign(x) * np.log1p(np.abs(x)), np.float64)


def _plain(y: float) -> float:
    return math.copysign(math.expm1(min(abs(y), 600.0)), y)


def ranked(values: Floats, family: Ints, share: float) -> Floats:
    """For each family the value at a share of its sorted values (0.5: the median), for families numbered from 0 on."""
    order = np.lexsort((values, family))
    sizes = np.bincount(family)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    at = share * (sizes - 1)
    low, high = starts + np.floor(at).astype(np.int64), starts + np.ceil(at).astype(np.int64)
    ordered = values[order]
    return np.asarray(0.5 * (ordered[low] + ordered[high]), np.float64)


class _Compared:
    """The members of some families beside each other: where each is, where its family says it should be, and how sure that is."""

    def __init__(self, a: Arrays, part: int, places: Ints, slots: Ints, family: Ints, peers: Records) -> None:
        self.part, self.places, self.slots = part, places, slots
        said = levels_of(a, slots)
        self.level, self.n = said.level, said.n
        self.known = peers["known"][places, part] > 0
        usual = peers["usual"][places, part].astype(np.float64)
        enough = np.bincount(family, self.known) >= FAMILY_MIN
        by_usual = self.known & enough[family]
        centre = ranked(said.level, family, 0.5)
        within = np.where(self.known, said.level - usual, np.nan)
        known_centre = _of_known(within, self.known, family, centre)
        self.centre = known_centre[family]
        self.off, self.deviation = np.zeros(len(places)), np.ones(len(places))
        self.rest, self.size = np.zeros(len(places)), np.bincount(family)[family]
        error = np.maximum(said.error, ranked(said.error, family, 0.5)[family])
        self._place(said.level - centre[family], error, family, np.ones(len(places), np.bool_))
        if by_usual.any():
            numbers = np.unique(family[by_usual], return_inverse=True)[1]
            self._place((within - self.centre)[by_usual], error[by_usual], numbers, by_usual)
        self.judged = ~self.known | by_usual

    def _place(self, off: Floats, error: Floats, family: Ints, where: npt.NDArray[np.bool_]) -> None:
        spread = np.maximum(MAD_TO_DEVIATION * ranked(np.abs(off), family, 0.5), SPREAD_MIN)[family]
        n = np.bincount(family)[family]
        self.off[where] = off
        self.deviation[where] = np.sqrt(spread**2 * (1.0 + 1.0 / n) + error**2)
        self.rest[where] = ranked(np.abs(off), family, 1.0 - OTHERS_SHARE)[family]
        self.size[where] = n


def _of_known(within: Floats, known: npt.NDArray[np.bool_], family: Ints, otherwise: Floats) -> Floats:
    """The median of each family over the members whose usual distance is known; `otherwise` where there is none."""
    centre = otherwise.copy()
    if known.any():
        numbers, inverse = np.unique(family[known], return_inverse=True)
        centre[numbers] = ranked(within[known], inverse, 0.5)
    return centre


def _settle(a: Arrays, c: _Compared, peers: Records, i: int, now_ms: int) -> Any | None:
    """Judge one member, then learn it; its finding if it is to be told."""
    peer, light = peers[int(c.places[i])], a.bank.light[int(c.slots[i])]
    off, since_ms = float(c.off[i]), int(peer["since_ms"][c.part])
    p_value, limit = _p_value(c, light, i) if _may_be_out(c, light, i) else (1.0, math.inf)
    if abs(off) <= limit:
        peer["since_ms"][c.part] = 0
        _learn(c, peer, i)
        return None
    if since_ms and now_ms - abs(since_ms) >= ACCEPTED_MS:
        peer["since_ms"][c.part], peer["known"][c.part] = 0, 1
        peer["usual"][c.part] = c.level[i] - c.centre[i]
        return None
    others = light["interest_ms"] > 0
    if not since_ms:
        peer["since_ms"][c.part] = -now_ms if others else now_ms
    if since_ms < 0 or (others and not since_ms):
        return None
    return _tell(a, c, i, now_ms, p_value, limit, new=not since_ms)


def _may_be_out(c: _Compared, light: Any, i: int) -> bool:
    off, direction = float(c.off[i]), int(light["direction"])
    if not c.judged[i] or (direction == UP and off < 0.0) or (direction == DOWN and off > 0.0):
        return False
    least = math.log1p(max(float(light["min_effect"]), EFFECT_MIN))
    return abs(off) > max(BEYOND * float(c.rest[i]), least)


def _p_value(c: _Compared, light: Any, i: int) -> tuple[float, float]:
    """How likely a member of the family is as far off, and how far off is still ordinary under the budget."""
    sides = 2.0 if light["direction"] == BOTH else 1.0
    freedom = EFFICIENCY * (float(c.size[i]) - 1.0)
    deviation = float(c.deviation[i])
    alpha = SHARE * float(light["false_alarms_per_day"]) * PERIOD_MS / DAY_MS
    limit = deviation * upper_quantile(alpha / sides, freedom)
    least = math.log1p(max(float(light["min_effect"]), EFFECT_MIN))
    limit = max(limit, BEYOND * float(c.rest[i]), least)
    return min(1.0, sides * upper_tail(abs(float(c.off[i])) / deviation, freedom)), limit


def _learn(c: _Compared, peer: Any, i: int) -> None:
    """Move the usual distance of a member that is in line."""
    part, known = c.part, int(peer["known"][c.part])
    if c.n[i] < SAMPLES_KNOWN:
        return
    distance = float(c.level[i] - c.centre[i])
    if known == 0:
        peer["usual"][part], peer["known"][part] = distance, 1
        return
    step = distance - float(peer["usual"][part])
    bound = CLIP * float(c.deviation[i])
    peer["known"][part] = min(known + 1, MEMORY)
    peer["usual"][part] += min(max(step, -bound), bound) / (known + 1)


def _tell(
    a: Arrays, c: _Compared, i: int, now_ms: int, p_value: float, limit: float, *, new: bool
) -> Any | None:
    """Keep the episode open; the finding that begins it."""
    slot, place = int(c.slots[i]), int(c.places[i])
    light, arrivals = a.bank.light[slot], a.followers[place]["arrivals"]
    lasting_ms = 2 * max(PERIOD_MS, int(1000.0 * float(light["interval_s"])))
    light["interest_ms"] = max(int(light["interest_ms"]), now_ms + lasting_ms)
    a.bank.light_dirty[slot >> LIGHT_BLOCK_BITS] = 1
    if not new:
        return None
    chance, allowed = chance_of_p_value(p_value, PERIOD_MS / 1000.0), float(a.fleet[0]["allowed_per_day"])
    score = float(light["threshold"]) + math.log(abs(float(c.off[i])) / limit)
    light["told_ms"], light["told_severity"] = now_ms, score
    light["told_step"], light["single_min"] = (WORSENED_STEP if chance <= allowed else 0.0), 0
    return _finding(c, i, light, arrivals, now_ms, (p_value, limit, chance, allowed, score))


def _finding(
    c: _Compared,
    i: int,
    light: Any,
    arrivals: Any,
    now_ms: int,
    said: tuple[float, float, float, float, float],
) -> Any:
    p_value, limit, chance, allowed, score = said
    usual = float(c.level[i] - c.off[i])
    finding = np.zeros(1, FINDING)[0]
    finding["what"], finding["part"], finding["follower"] = layout.UNLIKE, c.part, c.places[i]
    finding["order_ms"] = finding["time_ms"] = now_ms
    finding["start_ms"] = light["last_ms"]
    finding["observed"], finding["expected"] = _plain(float(c.level[i])), _plain(usual)
    finding["lower"] = math.nan if light["direction"] == UP else _plain(usual - limit)
    finding["upper"] = math.nan if light["direction"] == DOWN else _plain(usual + limit)
    finding["p_value"], finding["score"] = p_value, score
    finding["chance_per_day"], finding["allowed_per_day"] = chance, allowed
    finding["muted"], finding["anomalous"] = chance > allowed, 1
    finding["n"], finding["since_ms"], finding["last_ms"] = c.size[i] - 1, light["first_ms"], light["last_ms"]
    finding["change"] = 1 if c.off[i] > 0.0 else -1
    finding["source"], finding["offset"] = (arrivals["source"], -1), (arrivals["offset"], 0)
    return finding
