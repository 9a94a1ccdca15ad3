"""The shape that detect and triage share: a pure fold of one partition's log, with a state that can be carried on."""

from collections import Counter
from typing import Protocol

from detectors.outputs import Output

Count = tuple[str, ...]
"""A counter's name and its label values, such as `("records", "pipeline.events")`."""


class HoleError(Exception):
    """Records are missing from the log: going on would lose them unseen."""


class Stage(Protocol):
    """State of one shard and the step that folds the next record into it.

    The same records give the same outputs and the same state, whatever the process, the pauses and the restarts.
    """

    @property
    def covered_offset(self) -> int:
        """Offset of the last record folded in; -1 before the first."""

    @property
    def is_to_be_stored(self) -> bool:
        """Whether the last step rests on what may be gone later, so that its state is to be stored before the next."""

    def step(self, offset: int, payload: bytes) -> list[Output]:
        """Fold in the record at `offset`, above `covered_offset`; its outputs are delivered before the state is stored.

        Raises:
            HoleError: source records are missing.
            ValueError: the payload cannot be read by this version.
        """

    def dump(self) -> dict[str, bytes]:
        """The state as named chunks; a chunk whose content did not change has the same bytes again."""

    def changed(self) -> dict[str, bytes]:
        """The chunks of `dump` that may have changed since this was last called; all of them at first and after `load`.

        No chunk ever goes away.
        """

    def load(self, chunks: dict[str, bytes]) -> None:
        """Take over a dumped state, in place of the present one."""

    def take_counts(self) -> Counter[Count]:
        """What was counted since the last call, for metrics; no part of the state."""

    def gauges(self) -> dict[str, float]:
        """Sizes now, for metrics: `series`, `open_runs`, `pending_rows`, `episodes`..."""
