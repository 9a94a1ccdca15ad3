"""Compared: the differences between what a shape has and what is declared."""

from collections.abc import Iterable
from types import EllipsisType
from typing import Final

from detectors.record_declared import LACKING, NULL, TYPE, UNDECLARED, Difference
from detectors.record_paths import ITEMS, ROOT, VALUES, field_names, joined, parent_of, step_of, steps
from detectors.samples import ABSENT, Element
from stream.formats.declarations.json_schema import Place
from stream.formats.limits import Limits

PLACES_MAX: Final = 20_000
"""Paths of which is remembered what is declared there; when there are more, all are forgotten."""


class Declaration:
    """What is declared of the records of a topic. A difference is found once for each shape."""

    def __init__(self, root: Place, limits: Limits) -> None:
        self._root, self._limits = root, limits
        self._places: dict[str, Place | EllipsisType | None] = {ROOT: root}

    def differences(self, elements: Iterable[Element]) -> list[Difference]:
        """Every difference of a shape, in the order of paths. One that a cap cut short lacks nothing: whether it does is not known."""
        if len(self._places) > PLACES_MAX:
            self._places = {ROOT: self._root}
        kinds: dict[str, set[str]] = {}
        for path, kind in elements:
            kinds.setdefault(path, set()).add(kind)
        found = [it for path, own in kinds.items() for it in self._at(path, own - {ABSENT})]
        if len(kinds) < self._limits.schema_fields_max:
            found += [it for path in kinds for it in self._lacking(path, kinds)]
        return sorted(found)

    def _at(self, path: str, kinds: set[str]) -> list[Difference]:
        place = self._place(path)
        if place is ... or not kinds:
            return []
        if place is None:
            return [Difference(UNDECLARED, path, "undeclared", _said(kinds))]
        others = {kind for kind in kinds if not place.takes(kind)}
        found = []
        if "null" in others:
            found.append(Difference(NULL, path, _said(place.types), "null"))
        if others - {"null"}:
            found.append(Difference(TYPE, path, _said(place.types), _said(others - {"null"})))
        return found

    def _lacking(self, path: str, kinds: dict[str, set[str]]) -> list[Difference]:
        place = self._place(path)
        if not isinstance(place, Place) or "object" not in kinds[path] or joined(path, VALUES) in kinds:
            return []
        found = []
        for name in place.required:
            below = joined(path, step_of(name))
            is_short = len(below) <= self._limits.schema_text_chars_max
            if is_short and ABSENT in kinds.get(below, {ABSENT}):
                inner = place.field(name)
                found.append(Difference(LACKING, below, _said(inner.types if inner else None), ABSENT))
        return found

    def _place(self, path: str) -> Place | EllipsisType | None:
        """What is declared at a path; None: nothing; `...`: that says what stands above."""
        if path not in self._places:
            self._places[path] = _below(self._place(parent_of(path)), steps(path)[-1])
        return self._places[path]


def _below(above: Place | EllipsisType | None, step: str) -> Place | EllipsisType | None:
    if not isinstance(above, Place):
        return ...
    if step == ITEMS:
        return above.items() if above.takes("array") else ...
    if not above.takes("object"):
        return ...
    return above.values() if step == VALUES else above.field(field_names(step)[0])


def _said(types: Iterable[str] | None) -> str:
    return " or ".join(sorted(types)) if types is not None else "anything"
