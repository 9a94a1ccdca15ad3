"""Renames: a field that goes and one that comes in the very same records are one field with another name, or in another place.

What it detects: of the changes of one block, a field removed and one added that have the same types, and come with the same first and last
record and in the same share. Two fields of one object are a rename when their names are alike, when they are objects with the same fields inside, or when their
values are: the same few words, numbers distributed alike, or texts of the same formats.
A field of the same name in another object has moved: its nesting has changed.

Formula: names are compared without case, `_` and `-` by the share of characters that they have in common in the same order (Ratcliff and Obershelp,
`difflib`); objects by the paths and types that both have of those that either has (Jaccard), words likewise; a single word is none. Numbers by the greatest distance of their distributions over sizes (Kolmogorov and Smirnov), of which more than a
quarter is none. The same formats, if anything has a form at all, are a half. Alike is a half and more. The confidence is that of the lesser evidence, times (1 + likeness) / 2: names prove nothing.

>>> likeness("customer_id", "customerId"), likeness("paid", "colour")
(1.0, 0.0)
"""

from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from itertools import accumulate
from typing import Final

from detectors.record_changes import Found
from detectors.record_paths import is_inside, parent_of, steps
from detectors.record_tokens import WORDS
from detectors.structure import Structure

LIKENESS_MIN: Final = 0.5
DISTANCE_MAX: Final = 0.25
"""Numbers whose distributions are farther apart are not alike."""
NUMBERS_MIN: Final = 5
ADDED, REMOVED, RENAMED, MOVED = "field_added", "field_removed", "renamed", "nesting_changed"


def with_renames(found: list[Found], structure: Structure) -> list[Found]:
    """The changes of a block, with what belongs together as one; the likest first."""
    pairs = sorted(_pairs(found, structure), key=lambda it: (-it[0], it[1].path, it[2].path))
    for like, old, new in pairs:
        if old in found and new in found:
            sure = round(min(old.confidence, new.confidence) * (1 + like) / 2, 6)
            change = RENAMED if parent_of(old.path) == parent_of(new.path) else MOVED
            one = old._replace(change=change, from_=old.path, to=new.path, confidence=sure)
            found = [one if it is old else it for it in found if it is not new]
    return found


def _pairs(found: list[Found], structure: Structure) -> Iterator[tuple[float, Found, Found]]:
    for old in (it for it in found if it.change == REMOVED):
        for new in (it for it in found if it.change == ADDED):
            if old.from_ == new.to and (old.first, old.last, old.share) == (new.first, new.last, new.share):
                like = _alike(old.path, new.path, structure)
                if like >= LIKENESS_MIN:
                    yield like, old, new


def _alike(old: str, new: str, structure: Structure) -> float:
    (*old_parent, old_name), (*new_parent, new_name) = steps(old), steps(new)
    if old_parent != new_parent:
        return float(old_name.lstrip(".") == new_name.lstrip("."))
    inside, other = _inside(old, structure), _inside(new, structure)
    same = len(inside & other) / len(inside | other) if inside and other else 0.0
    words = _words(old, structure), _words(new, structure)
    alike = len(words[0] & words[1]) / len(words[0] | words[1]) if min(map(len, words)) > 1 else 0.0
    return max(likeness(old_name, new_name), same, alike, _values_alike(old, new, structure))


def _values_alike(old: str, new: str, structure: Structure) -> float:
    """How alike the numbers or the formats of texts are at two paths, from 0 to 1."""
    one, other = structure.paths[old].values, structure.paths[new].values
    if one is None or other is None:
        return 0.0
    if one.formats or other.formats:
        same = one.formats.keys() == other.formats.keys() and WORDS not in one.formats
        return LIKENESS_MIN if same else 0.0
    return _numbers_alike(one.sizes.known, other.sizes.known)


def _numbers_alike(one: Mapping[int, float], other: Mapping[int, float]) -> float:
    """One less the greatest distance of two distributions, or nothing if there are few numbers or they are far apart.

    >>> _numbers_alike({1: 50.0, 2: 50.0}, {1: 6.0, 2: 4.0}), _numbers_alike({1: 50.0, 2: 50.0}, {2: 9.0})
    (0.9, 0.0)
    """
    totals = sum(one.values()), sum(other.values())
    if min(totals) < NUMBERS_MIN:
        return 0.0
    steps_between = (
        one.get(size, 0.0) / totals[0] - other.get(size, 0.0) / totals[1]
        for size in sorted(one.keys() | other.keys())
    )
    distance = max(map(abs, accumulate(steps_between)))
    return round(1 - distance, 6) if distance <= DISTANCE_MAX else 0.0


def _words(path: str, structure: Structure) -> set[int]:
    """The words of a path that has but few."""
    values = structure.paths[path].values
    return set(values.words.known) if values is not None and values.words is not None else set()


def _inside(outer: str, structure: Structure) -> set[tuple[str, str]]:
    return {
        (path[len(outer) :], kind)
        for path, state in structure.paths.items()
        if is_inside(path, outer)
        for kind in state.types
    }


def likeness(one: str, other: str) -> float:
    """How alike two names are, from 0 to 1."""
    return SequenceMatcher(None, _plain(one), _plain(other), autojunk=False).ratio()


def _plain(name: str) -> str:
    return name.lower().strip('."').replace("_", "").replace("-", "")
