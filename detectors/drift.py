"""Drift: what a block of payloads changes in the structure of its series. A block is judged first, and learned after.

What it detects: a field added or removed, a type that is new where others stood, null where there was none, an object or array in place
of a plain value or the other way round. What was optional, nullable or of several types stays so: that more of it comes is no change.

Formula: `novelty`. A trait that has never been there gathers evidence from the record on in which it first was, and is a change when it
cannot be chance; when as many chances have passed as before it, it was rare all the time and is known from then on. An optional
field has vanished when it cannot be chance that it is missing, and it is missing three times longer than it ever was.

Cost: some 20 us and one look at each path for a block of up to 1,000 payloads. State: `structure`.
"""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from detectors.evidence import NOWHERE, Evidence, evidence_after
from detectors.novelty import CHANCES_MIN, confidence, is_gone, log_p_of_gone
from detectors.record_blocks import Block, Elements, Seen, by_element, lacking
from detectors.record_changes import Found, found_with
from detectors.record_examples import masked
from detectors.record_maps import fold_crowds, fold_maps, folded_seen
from detectors.record_paths import ROOT, VALUES, is_inside
from detectors.record_rates import Rate, log_p_of_rise, rate_text, rises
from detectors.record_renames import ADDED, REMOVED, with_renames
from detectors.record_tokens import EMPTY, TEXT_CODES
from detectors.record_values import BlockValues, Look, Slots
from detectors.samples import ABSENT, Element
from detectors.structure import (
    CHANCES_MAX,
    NULL,
    PATHS_MAX,
    PathState,
    Structure,
    is_field,
    opener_of,
)
from detectors.value_drift import ValueJudge
from detectors.value_state import new_values

GAPS: Final = 3.0
NEARLY_ALL: Final = 0.99
UNEXAMPLED: Final = frozenset({REMOVED, "enum_removed", "null_rate_changed", "nullability_changed"})
"""Changes after which nothing is there, or nothing new."""
NESTED: Final = frozenset({"object", "array"})


class _Look(NamedTuple):
    """A block as seen at one path: its chances, and how often the path was there, by type."""

    path: str
    chances: int
    kinds: dict[str, Seen]
    had: int


class Judge:
    """Judges one block against the structure of its series."""

    def __init__(self, structure: Structure, block: Block, shapes: dict[int, Elements], slots: Slots) -> None:
        self._structure, self._block, self._shapes = structure, block, shapes
        self.refused = 0
        """Paths that there was no room for."""
        seen = by_element(block, shapes)
        self._seen = folded_seen(seen, structure.folded)
        if fold_crowds(structure, self._seen):
            self._seen = folded_seen(seen, structure.folded)
        self._values = BlockValues(block, slots, structure.folded)
        self._before = {element: self._known(element) for element in self._seen if element[1] in NESTED}

    def judge(self) -> list[Found]:
        """The changes, in the order of their paths; the structure has learned the block then."""
        structure = self._structure
        found = [change for look in self._looks() for change in self._judge(look)]
        found += self._judge_values()
        structure.records += self._block.size
        structure.blocks += 1
        structure.first_ms = structure.first_ms or self._block.first_ms
        structure.last_ms = self._block.last_ms
        structure.crowded = self.refused > 0
        fold_maps(structure)
        return [self._with_example(it) for it in with_renames(found, structure)]

    def _with_example(self, found: Found) -> Found:
        """The change with what stands there now, if anything does."""
        if found.change in UNEXAMPLED:
            return found
        token = self._values.at(found.now_at, found.last)
        return found if token is None else found._replace(example=masked(token))

    def _judge_values(self) -> Iterator[Found]:
        """What changes in the values of paths that are known; those of a new path are learned."""
        for path, look in self._values.looks():
            state = self._structure.paths.get(path)
            if state is None:
                continue
            state.values = state.values or new_values()
            found = ValueJudge(path, state.values, look, self._block.size).judge()
            if state.new is None:
                yield from found
                yield from self._empties(path, state, look)

    def _empties(self, path: str, state: PathState, look: Look) -> list[Found]:
        """Whether empty texts have become far more frequent."""
        empty = look.codes.get(EMPTY, 0)
        texts = empty + sum(look.codes.get(code, 0) for code in TEXT_CODES)
        if not texts:
            return []
        return self._rate(path, state, "empty", empty, texts, look.find_code(EMPTY) if empty else None)

    def _known(self, element: Element) -> float:
        """How many records had an object or array at a path before the block."""
        path, kind = element
        state = self._structure.paths.get(path)
        return state.known.get(kind, 0.0) if state is not None and state.new is None else 0.0

    def _looks(self) -> Iterator[_Look]:
        kinds: dict[str, dict[str, Seen]] = {path: {} for path in self._structure.paths}
        for (path, kind), seen in self._seen.items():
            kinds.setdefault(path, {})[kind] = seen
        for path in sorted(kinds):
            opener = self._seen.get(opener_of(path))
            chances = self._block.size if path == ROOT else opener.count if opener else 0
            if chances:
                times = sum(seen.count for kind, seen in kinds[path].items() if kind != ABSENT)
                yield _Look(path, chances, kinds[path], min(times, chances))

    def _judge(self, look: _Look) -> list[Found]:
        structure = self._structure
        state = structure.paths.get(look.path)
        if state is not None and state.gone and look.had:
            state = self._back(look, state)
        if state is None:
            state = self._first(look)
            if state is None:
                return []
        if state.new is not None:
            return self._settle(look, state, state.new)
        found = self._compare(look, state) or self._rises(look, state)
        self._learn(look, state)
        return found

    def _back(self, look: _Look, state: PathState) -> PathState:
        """A path that had vanished is there again: an optional one as it was, another as one that is new."""
        if ABSENT in state.known:
            state.gone = False
            return state
        evidence = evidence_after(state.missing)
        back = PathState(known={}, fresh={}, gap=state.missing, rates={})
        back.new = evidence if state.missing >= CHANCES_MIN else None
        self._structure.paths[look.path] = back
        return back

    def _first(self, look: _Look) -> PathState | None:
        """The state of a path that is seen for the first time; None when there are too many."""
        structure = self._structure
        if len(structure.paths) >= PATHS_MAX:
            self.refused += 1
            return None
        state = structure.paths[look.path] = PathState(known={}, fresh={}, rates={})
        before = 0.0 if look.path == ROOT else self._before.get(opener_of(look.path), 0.0)
        if is_field(look.path) and before >= CHANCES_MIN and not structure.crowded:
            state.new = evidence_after(before)
            parent = opener_of(look.path)[0]
            structure.late[parent] = structure.late.get(parent, 0) + 1
        return state

    def _settle(self, look: _Look, state: PathState, evidence: Evidence) -> list[Found]:
        """Whether a new path is a change by now, or was only rare."""
        for kind, seen in look.kinds.items():
            if kind != ABSENT:
                state.known[kind] = state.known.get(kind, 0.0) + seen.count
        evidence.gather(look.chances, look.had, _merged(look.kinds), self._block.size)
        if evidence.is_new:
            to = _types(state.known) or NULL
            self._accept(state, evidence)
            return [found_with(ADDED, look.path, None, to, evidence)]
        if evidence.is_old:
            self._accept(state, evidence)
        return []

    def _accept(self, state: PathState, evidence: Evidence) -> None:
        state.new = None
        state.chances, state.had = evidence.since, evidence.times
        if evidence.since > evidence.times:
            state.known[ABSENT] = evidence.since - evidence.times

    def _compare(self, look: _Look, state: PathState) -> list[Found]:
        """The traits of a path that is known."""
        traits = {kind: seen for kind, seen in look.kinds.items() if kind != ABSENT}
        missing = look.chances - look.had
        lacks = look.kinds.get(ABSENT)
        if (
            is_field(look.path)
            and state.chances
            and not state.gone
            and (missing or lacks)
            and ABSENT not in state.known
        ):
            traits[ABSENT] = self._absence(look, missing, lacks)
        kinds = (traits.keys() - state.known.keys()) | state.fresh.keys()
        seen = {kind: traits[kind].count if kind in traits else 0 for kind in kinds}
        often = sorted(kinds, key=lambda kind: (-seen[kind], kind))
        changes = [self._trait(look, state, kind, traits.get(kind)) for kind in often]
        found = [change for change in changes if change is not None]
        if is_field(look.path) and ABSENT in state.known and not state.gone and not look.had:
            found += self._vanished(look, state)
        return found

    def _rises(self, look: _Look, state: PathState) -> list[Found]:
        """Whether null or no value at all, where either is known, has become far more frequent."""
        found = []
        null = look.kinds.get(NULL)
        if NULL in state.known and look.had:
            found += self._rate(look.path, state, NULL, null.count if null else 0, look.had, null)
        if ABSENT in state.known and look.had and is_field(look.path) and VALUES not in look.path:
            lacks = look.kinds.get(ABSENT)
            seen = self._absence(look, look.chances - look.had, lacks)
            found += self._rate(look.path, state, ABSENT, look.chances - look.had, look.chances, seen)
        return found

    def _rate(
        self, path: str, state: PathState, what: str, times: int, chances: int, seen: Seen | None
    ) -> list[Found]:
        rate = state.rates.setdefault(what, Rate())
        if seen is None or not rises(rate, times, chances):
            rate.learn(times, chances)
            return []
        before, now = rate_text(rate.share, what), rate_text(times / chances, what)
        sure, share = confidence(log_p_of_rise(rate, times, chances)), round(times / chances, 6)
        rate.begin(times, chances)
        return [Found("null_rate_changed", path, before, now, share, sure, seen.first_place, seen.last_place)]

    def _absence(self, look: _Look, missing: int, lacks: Seen | None) -> Seen:
        """Where the path was absent."""
        opener = opener_of(look.path)
        inside = any(is_inside(look.path, outer) for outer in self._structure.folded)
        where = None if inside else lacking(self._block, self._shapes, look.path, opener)
        where = where or lacks or self._seen[opener]
        absence = where.copy()
        absence.count = min(look.chances, missing + (lacks.count if lacks else 0))
        return absence

    def _trait(self, look: _Look, state: PathState, kind: str, seen: Seen | None) -> Found | None:
        if kind in state.known or not self._is_news(state, kind):
            return None
        evidence = state.fresh.get(kind)
        chances = look.chances if kind == ABSENT else look.had
        if evidence is None:
            before = state.chances if kind == ABSENT else state.had
            evidence = state.fresh[kind] = evidence_after(before)
        evidence.gather(chances, seen.count if seen else 0, seen, self._block.size)
        if evidence.is_new:
            return self._changed(look.path, state, kind, evidence)
        if evidence.is_old:
            state.known[kind] = evidence.times
            del state.fresh[kind]
        return None

    def _is_news(self, state: PathState, kind: str) -> bool:
        """Whether a trait tells anything: not the first of all, nor a whole number among numbers."""
        if kind in (ABSENT, NULL):
            return True
        return bool(state.types) and not (kind == "integer" and "number" in state.known)

    def _changed(self, path: str, state: PathState, kind: str, evidence: Evidence) -> Found:
        before = _types(state.known) or NULL
        del state.fresh[kind]
        if kind == ABSENT:
            if evidence.share >= NEARLY_ALL:
                state.gone = True
            else:
                state.known[ABSENT] = evidence.times
            return found_with(REMOVED, path, before, None, evidence)
        if kind == NULL:
            state.known[NULL] = evidence.times
            return found_with("nullability_changed", path, "required", "nullable", evidence)
        nesting = (kind in NESTED) or all(it in NESTED for it in state.types)
        if evidence.share >= NEARLY_ALL:
            state.known = {it: times for it, times in state.known.items() if it in (ABSENT, NULL)}
        state.known[kind] = evidence.times
        return found_with("nesting_changed" if nesting else "type_changed", path, before, kind, evidence)

    def _vanished(self, look: _Look, state: PathState) -> list[Found]:
        before, missing = state.chances - state.missing, state.missing + look.chances
        if missing <= GAPS * state.gap or not is_gone(before, state.had, missing):
            return []
        state.gone = True
        opener = self._seen[opener_of(look.path)]
        first = opener.first_place if state.missed == NOWHERE else state.missed
        sure = confidence(log_p_of_gone(before, state.had, missing))
        was = _types(state.known) or NULL
        return [Found(REMOVED, look.path, was, None, 1.0, sure, first, opener.last_place)]

    def _learn(self, look: _Look, state: PathState) -> None:
        state.chances += look.chances
        if ABSENT in state.known:
            state.known[ABSENT] += look.chances - look.had
        seen = _merged(look.kinds)
        if seen is None:
            opener = self._seen.get(opener_of(look.path))
            if state.missed == NOWHERE and opener:
                state.missed = opener.first_place
            state.missing += look.chances
            return
        self._count(look, state)
        each = look.chances / self._block.size
        state.gap = max(state.gap, state.missing + each * seen.first)
        state.missing, state.missed = each * (self._block.size - 1 - seen.last), NOWHERE
        if state.chances > CHANCES_MAX:
            state.halve()

    def _count(self, look: _Look, state: PathState) -> None:
        began = not state.had
        state.had += look.had
        for kind, seen in look.kinds.items():
            if kind in state.known or (kind != ABSENT and (began or not self._is_news(state, kind))):
                state.known[kind] = state.known.get(kind, 0.0) + (seen.count if kind != ABSENT else 0)
        missing = look.chances - look.had
        if began and (missing or ABSENT in look.kinds):
            state.known[ABSENT] = state.known.get(ABSENT, 0.0) + missing


def _merged(kinds: dict[str, Seen]) -> Seen | None:
    """What was seen of a path, whatever its type."""
    found: Seen | None = None
    for kind, seen in kinds.items():
        if kind != ABSENT and found is not None:
            found.add(seen)
        elif kind != ABSENT:
            found = seen.copy()
    return found


def _types(kinds: Iterable[str]) -> str:
    return " | ".join(sorted({kind for kind in kinds if kind not in (ABSENT, NULL)}))
