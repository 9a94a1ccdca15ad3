"""Payloads that are counted and not looked at, because their topic is sampled: how many there were between those that are."""

import numpy as np
import numpy.typing as npt

from detectors.core.layout import Records
from detectors.ragged import Ints
from detectors.record_rows import UNSEEN


class PassedOver:
    """How many payloads came after the latest one that was looked at, by the place of their follower."""

    def __init__(self) -> None:
        self._since: dict[int, int] = {}

    def split(self, rows: Records) -> tuple[Records, Ints]:
        """The rows that are looked at, and how many of the same follower were passed over just before each.

        `rows` are PAYLOAD_ROW records, one follower after the other, those of each in their order.
        """
        unseen = rows["shape"] == UNSEEN
        seen = rows[~unseen]
        if not len(rows) or (not self._since and not unseen.any()):
            return seen, np.zeros(len(seen), np.int64)
        starts = np.append(0, np.flatnonzero(np.diff(rows["follower"])) + 1)
        parts = np.split(unseen, starts[1:])
        places = rows["follower"][starts].tolist()
        return seen, np.concatenate([self._before(*it) for it in zip(places, parts, strict=True)])

    def _before(self, place: int, unseen: npt.NDArray[np.bool_]) -> Ints:
        """How many were passed over before each that is looked at, of one follower; those after the last are kept in mind."""
        sums = self._since.pop(place, 0) + np.cumsum(unseen)
        before = np.diff(sums[~unseen], prepend=0)
        if left := int(sums[-1] - before.sum()):
            self._since[place] = left
        return before

    def forget(self, place: int) -> None:
        """The follower at `place` was given up."""
        self._since.pop(place, None)

    def dump(self) -> dict[int, int]:
        """What is kept in mind, the same however payloads came in."""
        return dict(sorted(self._since.items()))

    def load(self, since: dict[int, int]) -> None:
        """Take over what was dumped."""
        self._since = since
