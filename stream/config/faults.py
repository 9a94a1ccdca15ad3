"""What is wrong with a configuration: one fault by key, and the error that carries all of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TypeAlias

from stream.exits import Exit, Refused

Path: TypeAlias = tuple[str | int, ...]

ALLOWED_SHOWN_MAX = 24


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: the key, the reason, and the values that would do."""

    path: Path
    reason: str
    allowed: tuple[str, ...] = ()

    def sentence(self) -> str:
        """`http.port: reason (allowed: ...)`."""
        allowed = f" (allowed: {', '.join(self.allowed)})" if self.allowed else ""
        return f"{dotted(self.path)}: {self.reason}{allowed}" if self.path else f"{self.reason}{allowed}"


class FaultsError(ValueError):
    """Several faults found by one validator; their paths are relative to the value it validated."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(fault.sentence() for fault in faults))
        self.faults = tuple(faults)


class ConfigError(Refused):
    """The configuration cannot be used. `lines` holds one `place: key: reason` for each fault."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("\n".join(lines), Exit.CONFIG)
        self.lines = tuple(lines)


def dotted(path: Path) -> str:
    """`sources[1].format` for ("sources", 1, "format")."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def unknown_key(path: Path, valid: Sequence[str]) -> Fault:
    """The fault of a key that does not exist: names the nearest that does, and the others while they are few."""
    near = get_close_matches(str(path[-1]), valid, n=1, cutoff=0.6)
    reason = f"unknown key, did you mean {near[0]}?" if near else "unknown key"
    return Fault(path, reason, tuple(valid) if len(valid) <= ALLOWED_SHOWN_MAX else ())
