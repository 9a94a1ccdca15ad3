"""Repeats: records whose id came before, and whether they have come to be far more frequent.

What it detects: a retry storm, a topic that is read and written twice, a replay. Of each record with an id a hash of 32 bits is known; it is a repeat if the same one is
among the latest of its series: at least half of `ids_max`, at most all.

Formula: the share of repeats is judged as any rate of records is (`record_rates`), over at least 30 records with an id. While it is too large it is not
learned; when it has been so for as many records as were known before, or for a day, it is what is usual.

Cost: some 100 us a block. State: 4 bytes an id, at most `ids_max` of them. Two ids have the same hash with a probability of 2^-32: of the new ids of a series
whose memory is full one in 43,000 (100,000 remembered) is wrongly a repeat, which no share that alarms (`SHARE_MIN`) comes near.
"""

import math
from typing import Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from detectors.episodes import QUIET_MS
from detectors.evidence import NOWHERE
from detectors.novelty import CHANCES_MIN, SHARE_MIN
from detectors.record_blocks import Block, Place
from detectors.record_rates import RISE, Rate, log_p_of_rise, rises

Idents = npt.NDArray[np.uint32]
ACCEPTED_MS: Final = 86_400_000


class Repeats(msgspec.Struct, array_like=True):
    """What is known of the ids of one series.

    `young` and `old` are the latest ids, each sorted; `seen`, `times`, `first` and `last` are of the records not yet judged. Since `began_ms` repeats are too many, in `many` records
    so far; `interest_ms` is when that will be over.
    """

    rate: Rate = msgspec.field(default_factory=Rate)
    young: bytes = b""
    old: bytes = b""
    seen: int = 0
    times: int = 0
    first: Place = NOWHERE
    last: Place = NOWHERE
    began_ms: int = 0
    many: int = 0
    interest_ms: int = 0
    judged: int = 0
    latest: float = 0.0


class Repeated(NamedTuple):
    """What is to be told of repeats: their share, what is expected and at most ordinary, of `n` records known; `first` and `last` of too many."""

    share: float
    expected: float
    upper: float
    n: int
    p_value: float | None = None
    first: Place | None = None
    last: Place | None = None


class RepeatJudge:
    """Judges the ids of a block, of which at most `ids_max` are remembered."""

    def __init__(self, repeats: Repeats, ids_max: int) -> None:
        self._repeats, self._generation = repeats, max(1, ids_max // 2)

    def judge(self, block: Block) -> Repeated | None:
        """What is to be told."""
        repeats = self._repeats
        payloads = block.payloads()
        payloads = payloads[payloads["ident"] > 0]
        again = self._again(payloads["ident"])
        repeats.seen += len(payloads)
        repeats.times += int(again.sum())
        places = payloads[["source", "offset"]][again]
        if len(places):
            last = _place(places[-1])
            repeats.first, repeats.last = (
                _place(places[0]) if repeats.first == NOWHERE else repeats.first,
                last,
            )
        if repeats.seen < CHANCES_MIN:
            return None
        told = self._told(block.last_ms)
        repeats.seen, repeats.times, repeats.first, repeats.last = 0, 0, NOWHERE, NOWHERE
        return told

    def _told(self, now_ms: int) -> Repeated | None:
        repeats, rate = self._repeats, self._repeats.rate
        times, chances, before = repeats.times, repeats.seen, int(rate.chances)
        repeats.latest, repeats.judged = times / chances, repeats.judged + chances
        upper = max(SHARE_MIN, RISE * rate.share, rate.peak)
        if rises(rate, times, chances):
            p_value = math.exp(log_p_of_rise(rate, times, chances))
            told = Repeated(repeats.latest, rate.share, upper, before, p_value, repeats.first, repeats.last)
            repeats.began_ms, repeats.many = repeats.began_ms or now_ms, repeats.many + chances
            repeats.interest_ms = now_ms + QUIET_MS
            if repeats.many > rate.chances or now_ms - repeats.began_ms > ACCEPTED_MS:
                rate.begin(times, chances)
            return told
        told = Repeated(repeats.latest, rate.share, upper, before)
        repeats.began_ms = repeats.many = 0
        rate.learn(times, chances)
        if not repeats.interest_ms:
            return None
        repeats.interest_ms = 0 if now_ms >= repeats.interest_ms else repeats.interest_ms
        return told

    def _again(self, idents: Idents) -> npt.NDArray[np.bool_]:
        """Which of these came before, or stand twice among them; they are remembered then."""
        repeats = self._repeats
        young, old = np.frombuffer(repeats.young, "<u4"), np.frombuffer(repeats.old, "<u4")
        distinct, firsts = np.unique(idents, return_index=True)
        again = np.ones(len(idents), np.bool_)
        new = ~_among(distinct, young)
        again[firsts] = ~new | _among(distinct, old)
        young = np.sort(np.concatenate([young, distinct[new]]), kind="stable")
        if len(young) >= self._generation:
            young, repeats.old = young[:0], young.tobytes()
        repeats.young = young.tobytes()
        return again


def _among(idents: Idents, known: Idents) -> npt.NDArray[np.bool_]:
    """Which ids stand among others that are sorted."""
    if not len(known):
        return np.zeros(len(idents), np.bool_)
    at = np.minimum(np.searchsorted(known, idents), len(known) - 1)
    return np.asarray(known[at] == idents, np.bool_)


def _place(payload: "np.void") -> Place:
    return int(payload["source"]), int(payload["offset"])
