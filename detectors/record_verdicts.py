"""Verdicts on a block of payloads: what was found in it, as triage takes it."""

from collections.abc import Sequence
from typing import Final

import msgspec

from detectors.record_blocks import Block, Place
from detectors.record_changes import Found
from detectors.record_declared import CHANGES as DIFFERENCES
from detectors.record_repeats import Repeated
from detectors.record_versions import CHANGE as VERSION_MIX
from detectors.record_versions import Over
from detectors.reports import Position, source_positions
from detectors.samples import Key
from detectors.series import Signal
from detectors.structure import PATHS_MAX
from detectors.verdicts import (
    Baseline,
    Change,
    Direction,
    Reason,
    SchemaChange,
    SourcePosition,
    Verdict,
)

DETECTOR: Final = "record_structure"
REPEATS: Final = "record_repeats"
UNIT: Final = "paths"

Sources = Sequence[tuple[str, int]]

_REASONS: Final = {VERSION_MIX: Reason.VERSION_MIX, **dict.fromkeys(DIFFERENCES, Reason.DECLARED_DIFFERS)}
_ENDS: Final = {
    Over.NEW: Reason.NEW_VERSION_ALONE,
    Over.OLD: Reason.OLD_VERSION_ALONE,
    Over.USUAL: Reason.VERSIONS_USUAL,
}


class Said:
    """Puts what was found in one block into verdicts, with `examples` or without."""

    def __init__(
        self, key: Key, block: Block, baseline: Baseline, sources: Sources, *, examples: bool
    ) -> None:
        self._examples = examples
        self._key, self._block, self._baseline, self._sources = key, block, baseline, sources

    def changed(self, found: Found) -> Verdict:
        """A change of the schema."""
        first, last = self._place(found.first), self._place(found.last)
        change = SchemaChange(
            found.change,
            found.path,
            found.from_,
            found.to,
            found.share,
            found.confidence,
            first,
            last,
            found.example if self._examples else None,
            self._block.sample,
        )
        positions = _between(first, last)
        reason = _REASONS.get(found.change, Reason.SCHEMA_CHANGED)
        return msgspec.structs.replace(
            self._verdict(reason, positions), severity_score=1.0, schema_change=change
        )

    def over(self, over: Over) -> Verdict:
        """Records are no longer of two versions, or have been for so long that this is usual."""
        return msgspec.structs.replace(self._verdict(_ENDS[over], self._positions()), anomalous=False)

    def ordinary(self) -> Verdict:
        """The schema has not changed."""
        return self._verdict(Reason.ORDINARY, self._positions())

    def full(self, paths: int) -> Verdict:
        """There are more paths than are followed."""
        return msgspec.structs.replace(
            self._verdict(Reason.PATHS_CAP, self._positions()),
            detector="detector_health",
            severity_score=1.0,
            unit=UNIT,
            observed=float(paths + 1),
            upper=float(PATHS_MAX),
        )

    def repeated(self, found: Repeated) -> Verdict:
        """How many of the records came before: too many of them, or, of those that were, no longer."""
        many = found.first is not None and found.last is not None
        positions = (
            _between(self._place(found.first), self._place(found.last))
            if found.first is not None and found.last is not None
            else self._positions()
        )
        return msgspec.structs.replace(
            self._verdict(Reason.TOO_MANY_REPEATED if many else Reason.ORDINARY, positions),
            signal=Signal.DUPLICATES,
            detector=REPEATS,
            change=Change.POINT,
            baseline=Baseline(REPEATS, found.n, self._baseline.from_ms, self._baseline.to_ms),
            unit="share",
            observed=found.share,
            expected=found.expected,
            upper=found.upper,
            p_value=found.p_value,
            direction=Direction.UP if many else None,
            severity_score=found.share / found.upper if many else 0.0,
        )

    def _verdict(self, reason: Reason, positions: tuple[SourcePosition, ...]) -> Verdict:
        return Verdict(
            signal=Signal.SCHEMA,
            labels=self._key.labels,
            detector=DETECTOR,
            time_ms=self._block.last_ms,
            window_start_ms=self._block.first_ms,
            window_end_ms=self._block.last_ms,
            anomalous=reason is not Reason.ORDINARY,
            reason=reason,
            change=Change.SCHEMA,
            baseline=self._baseline,
            positions=positions,
            owner=self._key.owner,
        )

    def _positions(self) -> tuple[SourcePosition, ...]:
        last = max(self._block.shapes.values(), key=lambda seen: seen.last)
        return (self._place(last.last_place),)

    def _place(self, place: Place) -> SourcePosition:
        source, offset = place
        topic, partition = self._sources[source]
        return SourcePosition(topic, partition, offset, offset)


def _between(first: SourcePosition, last: SourcePosition) -> tuple[SourcePosition, ...]:
    return source_positions(
        Position(first.topic, first.partition, first.first_offset),
        Position(last.topic, last.partition, last.last_offset),
    )
