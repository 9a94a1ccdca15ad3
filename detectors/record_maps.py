"""Maps in records: objects whose names are data, which no one record gives away: new names keep coming. Their values are folded to `{*}`."""

from typing import Final

from detectors.record_blocks import Seen
from detectors.record_paths import ROOT, VALUES, folded, is_inside, parent_of
from detectors.samples import ABSENT, Element
from detectors.structure import NULL, PATHS_MAX, PathState, Structure, is_field

NAMES_MIN: Final = 16
LATE_MIN: Final = 8
LATE_SHARE: Final = 0.25
"""An object is a map when it has so many names, of which so many came up late."""
USUAL: Final = 0.5
OBJECTS_MIN: Final = 100
BLOCKS_MIN: Final = 8


def folded_seen(seen: dict[Element, Seen], parents: list[str]) -> dict[Element, Seen]:
    """What was seen in a block, with names below these parents folded; none is counted more often than its parent."""
    if not parents:
        return seen
    found: dict[Element, Seen] = {}
    for (path, kind), it in seen.items():
        short = folded_path(path, parents)
        if short == path:
            found[path, kind] = it.copy()
        elif (short, kind) in found:
            found[short, kind].add(it)
        else:
            found[short, kind] = it.copy()
    for (path, _), it in found.items():
        if path.endswith(VALUES) and path.removesuffix(VALUES) in parents:
            parent = found.get((path.removesuffix(VALUES), "object"))
            it.count = min(it.count, parent.count if parent else 0)
    return found


def folded_path(path: str, parents: list[str]) -> str:
    """A path, with names below these parents folded, the outermost first."""
    for parent in parents:
        if is_inside(path, parent):
            path = folded(path, parent)
    return path


def fold_maps(structure: Structure) -> None:
    """Fold the objects that have turned out to be maps: names keep coming up, or there are many, all alike and none usual."""
    if len(structure.paths) == structure.checked and structure.blocks > BLOCKS_MIN:
        return
    structure.checked = len(structure.paths)
    names: dict[str, list[str]] = {}
    for path in structure.paths:
        if is_field(path):
            names.setdefault(parent_of(path), []).append(path)
    for parent, inside in sorted(names.items()):
        if parent == ROOT or parent not in structure.paths or len(inside) < NAMES_MIN:
            continue
        late = structure.late.get(parent, 0)
        if (late >= LATE_MIN and late >= LATE_SHARE * len(inside)) or _are_alike(structure, parent, inside):
            _fold(structure, parent)


def fold_crowds(structure: Structure, seen: dict[Element, Seen]) -> bool:
    """Fold, before a block with this in it would bring more paths than are followed, what is a map by the block alone; whether there is any.

    It is one when it has very many names, none of them usual, and what stands there is of the same types.
    """
    if len(structure.paths.keys() | {path for path, _ in seen}) <= PATHS_MAX:
        return False
    names: dict[str, dict[str, list[tuple[str, int]]]] = {}
    for (path, kind), it in seen.items():
        if is_field(path) and kind != ABSENT:
            names.setdefault(parent_of(path), {}).setdefault(path, []).append((kind, it.count))
    crowds = [
        parent for parent, own in sorted(names.items()) if parent != ROOT and _is_crowd(seen, parent, own)
    ]
    for parent in crowds:
        _fold(structure, parent)
    return bool(crowds)


def _is_crowd(seen: dict[Element, Seen], parent: str, names: dict[str, list[tuple[str, int]]]) -> bool:
    objects = seen.get((parent, "object"))
    if objects is None or objects.count < OBJECTS_MIN or len(names) < NAMES_MIN:
        return False
    types = {
        frozenset("number" if kind == "integer" else kind for kind, _ in own if kind != NULL)
        for own in names.values()
    }
    often = max(sum(count for _, count in own) for own in names.values())
    return often <= USUAL * objects.count and len(types - {frozenset()}) <= 1


def _are_alike(structure: Structure, parent: str, names: list[str]) -> bool:
    """Whether none of some names is in more than half of the objects, and what stands there is of the same types."""
    objects = structure.paths[parent].known.get("object", 0.0)
    states = [structure.paths[name] for name in names]
    types = states[0].types
    return objects >= OBJECTS_MIN and all(
        state.had <= USUAL * objects and (state.types == types or state.new) for state in states
    )


def _fold(structure: Structure, parent: str) -> None:
    structure.folded = sorted([*structure.folded, parent], key=len)
    structure.late.pop(parent, None)
    inside = [path for path in structure.paths if is_inside(path, parent)]
    for path in sorted(inside):
        state = structure.paths.pop(path)
        into = structure.paths.setdefault(folded(path, parent), PathState(known={}, fresh={}, rates={}))
        into.chances += state.chances
        into.had += state.had
        for kind, times in state.known.items():
            into.known[kind] = into.known.get(kind, 0.0) + times
    for path in [path for path in structure.late if is_inside(path, parent)]:
        del structure.late[path]
