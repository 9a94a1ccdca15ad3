"""Versions: records of an old and of a new version side by side, as a rolling deploy makes them, are one migration with its progress.

What it detects: changes of one block in a share of the records that stand in the very same ones. The one in most records is the mark of the new version; another one belongs
to it if all but a twentieth of its records have the mark and chance would not do as much. They are told as one, and so is what joins them later. From then on the share of
the new version is told again when it has moved by a tenth, until one of the two has ceased.

Formula: of k records with another change, of which each has the mark with the probability p (its share of the block), all have it with p^k: below one in ten thousand is
no chance. That a version has ceased is `novelty.log_p_of_gone`. A mix of which nothing more was told for a day is what is usual.

Cost: one look at each shape of a block for each change. State: the changes that were told together, at most `PARTS_MAX`.
"""

import math
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Final

import numpy as np

from detectors.novelty import CHANCES_MIN, is_gone
from detectors.record_blocks import Block, Elements, Place
from detectors.record_changes import Found
from detectors.record_maps import folded_path
from detectors.record_renames import ADDED, REMOVED
from detectors.samples import ABSENT, Element
from detectors.structure import NULL, Migration, Structure, Trait, opener_of

CHANGE: Final = "version_mix"
NEARLY_ALL: Final = 0.99
ALONG: Final = 0.95
LOG_P_MAX: Final = math.log(1e-4)
STEP: Final = 0.1
USUAL_MS: Final = 86_400_000
PARTS_MAX: Final = 100
NAMED_MAX: Final = 5
_WORDS: Final = {ADDED: "added", REMOVED: "removed"}
_OF_TYPES: Final = ("type_changed", "nesting_changed", "nullability_changed")


class Over(StrEnum):
    """How a migration ended."""

    NEW = "new"
    OLD = "old"
    USUAL = "usual"


class Versions:
    """The versions of the records of one block."""

    def __init__(self, structure: Structure, block: Block, shapes: dict[int, Elements]) -> None:
        self._structure, self._block = structure, block
        self._looks = [
            (seen.count, _folded(shapes[ident], structure.folded), ident)
            for ident, seen in block.shapes.items()
        ]
        self.over: Over | None = None
        """How the migration that was under way has ended in this block."""

    def told(self, found: list[Found]) -> list[Found]:
        """What is to be told in place of the changes that were found: those of a migration are one, or none when that is known."""
        migration = self._structure.migration
        began = migration is None
        if migration is None:
            migration = self._begin(found)
            if migration is None:
                return found
        rest = self._joined(migration, found)
        if self._progress(migration) or began:
            migration.told_share, migration.told_ms = migration.share, self._block.last_ms
            rest = [self._mix(migration), *rest]
        return rest

    def _begin(self, found: list[Found]) -> Migration | None:
        """The migration that some changes are, if they are one."""
        partial = [(it, trait) for it in found if it.share < NEARLY_ALL and (trait := _trait(it)) is not None]
        if not partial:
            return None
        change, mark = max(partial, key=lambda it: (self._count(it[1]), it[1].path))
        if not any(self._is_along(trait, mark) for _, trait in partial if trait != mark):
            return None
        migration = Migration(mark, parts=[], traits=[], first=change.first, told_ms=self._block.last_ms)
        self._structure.migration = migration
        return migration

    def _joined(self, migration: Migration, found: list[Found]) -> list[Found]:
        """Have what belongs to the migration join it; the rest. That a field of either version goes with it is no news."""
        rest = []
        paths = {trait.path for trait in migration.traits}
        for it in found:
            trait = _trait(it)
            if it.change == REMOVED and it.path in paths:
                continue
            if trait is None:
                along = (
                    it.share < NEARLY_ALL
                    and self._has_mark(it.first, migration)
                    and self._has_mark(it.last, migration)
                )
            else:
                along = trait == migration.mark or self._is_along(trait, migration.mark)
            if along and len(migration.parts) < PARTS_MAX:
                migration.parts.append(_named(it))
                migration.traits += [trait] if trait else []
                migration.confidence = max(migration.confidence, it.confidence)
            else:
                rest.append(it)
        return rest

    def _progress(self, migration: Migration) -> bool:
        """Count the block's records of either version; whether it is to be told."""
        new, chances = self._count(migration.mark), self._chances(migration.mark)
        old = chances - new
        migration.since_new = 0.0 if new else migration.since_new + chances
        migration.since_old = 0.0 if old else migration.since_old + chances
        migration.new, migration.chances = migration.new + new, migration.chances + chances
        migration.recent_new, migration.recent = migration.recent_new + new, migration.recent + chances
        migration.last = self._last(migration.mark) or migration.last
        migration.share = migration.recent_new / migration.recent if migration.recent else migration.share
        if self._is_over(migration) or migration.recent < CHANCES_MIN:
            return False
        migration.recent = migration.recent_new = 0.0
        return abs(migration.share - migration.told_share) >= STEP

    def _is_over(self, it: Migration) -> bool:
        old = it.chances - it.new
        if is_gone(it.chances - it.since_old, old, it.since_old):
            self.over = Over.NEW
        elif is_gone(it.chances - it.since_new, it.new, it.since_new):
            self.over = Over.OLD
        elif self._block.last_ms - it.told_ms > USUAL_MS:
            self.over = Over.USUAL
        if self.over is not None:
            self._settle(it, self.over)
            self._structure.migration = None
        return self.over is not None

    def _settle(self, migration: Migration, over: Over) -> None:
        """Have what the version that ceased looked like no longer be known."""
        for trait in migration.traits if over is not Over.USUAL else ():
            state = self._structure.paths.get(trait.path)
            if state is None:
                continue
            if (trait.kind == ABSENT) is (over is Over.NEW) and trait.kind in ("", ABSENT):
                del self._structure.paths[trait.path]
            elif trait.kind in ("", ABSENT):
                state.known.pop(ABSENT, None)
            elif over is Over.OLD:
                state.known.pop(trait.kind, None)
            elif trait.kind != NULL:
                state.known = {
                    kind: n for kind, n in state.known.items() if kind in (ABSENT, NULL, trait.kind)
                }

    def _mix(self, migration: Migration) -> Found:
        parts = migration.parts[:NAMED_MAX] + ["…"] * (len(migration.parts) > NAMED_MAX)
        share = round(migration.share, 6)
        return Found(
            CHANGE, "", None, ", ".join(parts), share, migration.confidence, migration.first, migration.last
        )

    def _is_along(self, trait: Trait, mark: Trait) -> bool:
        """Whether records with a trait have the mark as well, and that is no chance."""
        times = self._count(trait)
        both = sum(
            count for count, elements, _ in self._looks if _has(elements, trait) and _has(elements, mark)
        )
        share = self._count(mark) / self._block.size
        return times > 0 and both >= ALONG * times and 0 < share < 1 and times * math.log(share) < LOG_P_MAX

    def _count(self, trait: Trait) -> int:
        return sum(count for count, elements, _ in self._looks if _has(elements, trait))

    def _chances(self, trait: Trait) -> int:
        """Records that could have a trait."""
        return sum(count for count, elements, _ in self._looks if _could(elements, trait))

    def _last(self, mark: Trait) -> Place | None:
        """The last record of the new version."""
        seen = [self._block.shapes[ident] for _, elements, ident in self._looks if _has(elements, mark)]
        return max(seen, key=lambda it: it.last).last_place if seen else None

    def _has_mark(self, place: Place, migration: Migration) -> bool:
        """Whether a record of the block has the mark."""
        payloads = self._block.payloads()
        at = np.flatnonzero((payloads["source"] == place[0]) & (payloads["offset"] == place[1]))
        marked = {ident for _, elements, ident in self._looks if _has(elements, migration.mark)}
        return len(at) > 0 and int(payloads["shape"][at[0]]) in marked


def _folded(elements: Elements, folded: list[str]) -> frozenset[Element]:
    return (
        frozenset((folded_path(path, folded), kind) for path, kind in elements)
        if folded
        else frozenset(elements)
    )


def _types(elements: Iterable[Element], path: str) -> Iterator[str]:
    return (kind for it, kind in elements if it == path and kind != ABSENT)


def _has(elements: frozenset[Element], trait: Trait) -> bool:
    there = any(True for _ in _types(elements, trait.path))
    if trait.kind == ABSENT:
        return not there and opener_of(trait.path) in elements
    return (trait.path, trait.kind) in elements if trait.kind else there


def _could(elements: frozenset[Element], trait: Trait) -> bool:
    if trait.kind in ("", ABSENT):
        return opener_of(trait.path) in elements
    return any(True for _ in _types(elements, trait.path))


def _trait(found: Found) -> Trait | None:
    """What records of the new version have; nothing for changes of values."""
    if found.change == REMOVED:
        return Trait(found.path, ABSENT)
    if found.change == ADDED:
        return Trait(found.path, "")
    if found.now_at != found.path:
        return Trait(found.now_at, "")
    if found.change in _OF_TYPES and found.to is not None:
        return Trait(found.path, NULL if found.change == "nullability_changed" else found.to)
    return None


def _named(found: Found) -> str:
    if found.now_at != found.path:
        return f"{found.path} now {found.now_at}"
    return f"{found.path} {_WORDS.get(found.change, 'changed')}"
