"""Labels: what really happened, as people write it down, against which alerts are judged.

    grace: 1h                                  # how long after its end an alert may still be an incident's
    incidents:
      - match: {pipeline: "orders*"}           # globs by label, and by `signal`, as in `series` of the configuration
        from: 2026-10-01T02:00Z
        to: 2026-10-01T05:30Z
        kind: volume                           # the kind of alert that finds it, or a list; any unless written

What `streamgauge simulate` writes is read as well: `starts_at`, `ends_at`, and `signals` in place of `kind`. Of an incident that is
`expected` (a change that was meant) an alert is neither false, nor missed where there is none.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from detectors.alerts import Kind
from detectors.settings import SIGNAL_DEFAULTS, Rule, Tuning
from stream.config.document import Document, read
from stream.config.faults import ConfigError, Fault, unknown_key
from stream.config.faults import Path as KeyPath
from stream.config.units import parse_duration_ms, shown
from stream.exits import Exit, Refused

GRACE: Final = "1h"
_KEYS: Final = {"match", "from", "to", "kind"}
_SIMULATED: Final = {
    "id",
    "kind",
    "match",
    "signals",
    "starts_at",
    "ends_at",
    "expected",
    "for_good",
    "detail",
}
_TOP: Final = {"grace", "incidents"}


class Incident(NamedTuple):
    """Something that happened: to the series that match, from when to when; `kinds` of alerts find it, any if there are none."""

    name: str
    match: dict[str, str]
    kinds: frozenset[str]
    from_ms: int
    to_ms: int
    expected: bool = False

    def concerns(self, signal: str, labels: Mapping[str, str]) -> bool:
        """Whether it happened to this series."""
        return Rule(self.match, Tuning()).matches(signal, labels)

    def is_found_by(self, kind: str) -> bool:
        """Whether an alert of this kind tells it."""
        return not self.kinds or kind in self.kinds


class Labels(NamedTuple):
    """All that happened, in the order of its beginning, and how long after its end an alert may still be an incident's."""

    incidents: list[Incident]
    grace_ms: int


def read_labels(path: Path) -> Labels:
    """The labels in a YAML file.

    Raises:
        Refused: it cannot be read, with each fault as `file:line: key: reason`.
    """
    try:
        document = read(path)
    except ConfigError as error:
        raise Refused(str(error), Exit.DATA) from None
    reader = _Reader(document, str(path))
    labels = reader.labels()
    if lines := document.faults + reader.faults:
        raise Refused("\n".join(lines), Exit.DATA)
    return labels


class _Reader:
    """Turns plain values into labels, and notes everything that is wrong."""

    def __init__(self, document: Document, name: str) -> None:
        self._document, self._name = document, name
        self.faults: list[str] = []

    def labels(self) -> Labels:
        top = self._document.values
        simulated = "seed" in top
        self._check_keys(top, (), _TOP | ({"seed", "from", "to"} if simulated else set()))
        entries = top.get("incidents")
        if not isinstance(entries, list):
            self._fault(("incidents",), "is required: a list of incidents")
            entries = []
        found = [self._incident(entry, ("incidents", number)) for number, entry in enumerate(entries)]
        grace_ms = self._parsed(parse_duration_ms, top.get("grace", GRACE), ("grace",)) or 0
        known = [it for it in found if it is not None]
        return Labels(sorted(known, key=lambda it: (it.from_ms, it.name)), grace_ms)

    def _incident(self, entry: Any, path: KeyPath) -> Incident | None:
        if not isinstance(entry, dict):
            self._fault(path, f"must be a map with match, from and to, not {shown(entry)}")
            return None
        simulated = "starts_at" in entry
        self._check_keys(entry, path, _SIMULATED if simulated else _KEYS)
        begins, ends = ("starts_at", "ends_at") if simulated else ("from", "to")
        from_ms, to_ms = (self._parsed(_time_ms, entry.get(key), (*path, key)) for key in (begins, ends))
        if from_ms is not None and to_ms is not None and to_ms < from_ms:
            self._fault((*path, ends), f"lies before {begins}")
        return Incident(
            name=str(entry.get("id", f"incident {int(path[-1]) + 1}")),
            match=self._match(entry.get("match"), (*path, "match")),
            kinds=frozenset(entry.get("signals", ())) if simulated else self._kinds(entry, path),
            from_ms=from_ms or 0,
            to_ms=to_ms or 0,
            expected=bool(entry.get("expected", False)),
        )

    def _match(self, match: Any, path: KeyPath) -> dict[str, str]:
        if not isinstance(match, dict) or not match:
            self._fault(path, "is required: globs by label, such as {pipeline: orders}")
            return {}
        for key, glob in match.items():
            if not isinstance(glob, str):
                self._fault((*path, key), f"must be text: put it in quotes, not {shown(glob)}")
        return {key: str(glob) for key, glob in match.items()}

    def _kinds(self, entry: Mapping[str, Any], path: KeyPath) -> frozenset[str]:
        said = entry.get("kind") or []
        kinds = said if isinstance(said, list) else [said]
        for kind in kinds:
            if kind not in SIGNAL_DEFAULTS and kind != Kind.DETECTOR_HEALTH:
                self._fault((*path, "kind"), f"no alert is of kind {shown(kind)}", tuple(SIGNAL_DEFAULTS))
        return frozenset(map(str, kinds))

    def _parsed(self, parse: Any, value: Any, path: KeyPath) -> int | None:
        try:
            return int(parse(value))
        except ValueError as error:
            self._fault(path, str(error))
            return None

    def _check_keys(self, entry: Mapping[str, Any], path: KeyPath, known: Iterable[str]) -> None:
        for key in entry:
            if key not in known:
                fault = unknown_key((*path, key), sorted(known))
                self._fault(fault.path, fault.reason, fault.allowed)

    def _fault(self, path: KeyPath, reason: str, allowed: tuple[str, ...] = ()) -> None:
        places = self._document.places
        found = (places[path[:length]] for length in range(len(path), -1, -1) if path[:length] in places)
        self.faults.append(f"{next(found, self._name)}: {Fault(path, reason, allowed).sentence()}")


def _time_ms(text: Any) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        said = f"{shown(text)} is no time" if text is not None else "is required"
        raise ValueError(f"{said}: write one like 2026-10-01T02:00Z") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
