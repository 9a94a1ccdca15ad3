"""What is to be measured, how large, and where it is written."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bench.machine import ROOT

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Plan:
    """The knobs of a run; `chosen` are words that narrow a section down, such as a cadence or a kind of tail."""

    folder: Path = ROOT / "bench"
    quick: bool = False
    seed: int = 1
    jobs: int = 1
    chosen: frozenset[str] = frozenset()
    recordings: tuple[Path, ...] = ()

    def takes(self, kinds: Sequence[str]) -> list[str]:
        """Of some kinds those that were chosen; all when none of them was."""
        return [kind for kind in kinds if kind in self.chosen] or list(kinds)

    def spread(self, work: Callable[[T], R], items: Sequence[T]) -> list[R]:
        """`work` done on every item, on as many processes as there are jobs; results in the order of the items."""
        if self.jobs <= 1 or len(items) <= 1:
            return [work(item) for item in items]
        with ProcessPoolExecutor(self.jobs) as pool:
            return list(pool.map(work, items, chunksize=max(1, len(items) // (16 * self.jobs))))


def cores() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
