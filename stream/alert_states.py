"""Alert states: the records of the compacted topic that are written once more, so that none stays overtaken.

A worker that has lost its partitions may have writes under way that arrive after those of its successor: it was cut off, or frozen
and wakes. On the log of transitions they are repeats. On the compacted topic an alert's older state would come to lie behind its
newer one, and stay. So what can be overtaken, any state but an alert's first, is written again after 15 s, and again whenever it
has become twice as old, for a day: who wakes late is overtaken in turn.
"""

from typing import Final

import msgspec

from detectors.outputs import Destination, Output

FIRST_MS: Final = 15_000
LAST_MS: Final = 86_400_000
STATES_MAX: Final = 20_000
"""States remembered, of about 2.5 kB each; the oldest give way."""
_CHUNK: Final = "alert-states"
_NEVER: Final = 1 << 62


class _Written(msgspec.Struct, array_like=True):
    """A state by what its record holds, when it was first written, and the age at which it is written again (ms)."""

    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    since_ms: int
    age_ms: int = FIRST_MS

    @property
    def due_ms(self) -> int:
        return self.since_ms + self.age_ms


class AlertStates:
    """The states of one anomalies partition's alerts that will be written again; times are those of the marks."""

    def __init__(self) -> None:
        self._written: dict[bytes, _Written] = {}
        self._due_ms = _NEVER

    def __len__(self) -> int:
        return len(self._written)

    def wrote(self, output: Output, now_ms: int) -> None:
        """Remember a state that replaces an older one of the same alert."""
        key = output.key or b""
        self._written.pop(key, None)
        written = self._written[key] = _Written(output.value, output.headers, now_ms)
        self._due_ms = min(self._due_ms, written.due_ms)
        if len(self._written) > STATES_MAX:
            del self._written[next(iter(self._written))]

    def due(self, now_ms: int) -> list[Output]:
        """The states that are to be written again now."""
        if now_ms < self._due_ms:
            return []
        ready = [(key, written) for key, written in self._written.items() if written.due_ms <= now_ms]
        for key, written in ready:
            while written.due_ms <= now_ms:
                written.age_ms *= 2
            if written.age_ms > LAST_MS:
                del self._written[key]
        self._find_due()
        return [
            Output(Destination.ALERT_STATE, key, written.value, headers=written.headers)
            for key, written in ready
        ]

    def dump(self) -> dict[str, bytes]:
        """The state as a chunk."""
        return {_CHUNK: msgspec.msgpack.encode(list(self._written.items()))}

    def load(self, chunks: dict[str, bytes]) -> None:
        """Take over a dumped state."""
        self._written = dict(msgspec.msgpack.decode(chunks[_CHUNK], type=list[tuple[bytes, _Written]]))
        self._find_due()

    def _find_due(self) -> None:
        self._due_ms = min((written.due_ms for written in self._written.values()), default=_NEVER)
