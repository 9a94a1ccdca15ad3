"""Rederived: an alert made once more from what Kafka retains, and compared with what was told.

The anomalies topic says in which order triage heard what. Its notes of lineage and commands are taken as they are; in place of each of
detect's batches stands what detect makes of the same samples today. So samples, detectors and triage are all gone through again. Only a batch whose
samples are no longer retained is taken as it was recorded.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from detectors.alerts import Alert, Mode, encode
from detectors.detect import Detect
from detectors.notes import read_note
from detectors.settings import Settings
from detectors.stage import HoleError
from detectors.triage import Triage
from detectors.verdicts import AnomalyBatch
from stream.exits import Exit, Refused
from stream.retained import Kept

PROCESSING: Final = ("detected_at", "detection_delay_ms")
"""The fields of an alert that are no function of the records."""
LEARNED: Final = (
    "summary",
    "severity",
    "starts_at",
    "expected",
    "lower",
    "upper",
    "p_value",
    "effect",
    "direction",
    "change",
    "baseline",
)
"""The fields that rest on what detect has learned of the series."""

DECIDED: Final = ("state", "transition_reason", "notify", "root_cause", "children", "annotations", "owner")
"""The fields that rest on what triage knows of other alerts, of lineage and of commands."""


class Gone(NamedTuple):
    """Whether the samples topic and the anomalies topic have lost their first records to retention."""

    samples: bool
    notes: bool


class ShardLog(NamedTuple):
    """The retained samples of one shard, the first of which has the offset `begin`."""

    begin: int
    records: Iterator[Kept]


class _Shard:
    """Detect of one shard, folded as far as is asked for."""

    def __init__(self, settings: Settings, number: int, log: ShardLog) -> None:
        self._detect, self._records, self._number = Detect(settings, number), log.records, number
        self._begin, self._next = log.begin, next(log.records, None)

    def holds(self, offset: int) -> bool:
        """Whether a sample batch is retained."""
        return offset >= self._begin

    def is_ahead(self, offset: int) -> bool:
        """Whether a sample batch is still to be folded."""
        return offset > max(self._detect.covered_offset, self._begin - 1)

    def through(self, offset: int) -> Iterator[tuple[int, bytes]]:
        """Fold all batches up to an offset; what is said of each, with its offset."""
        while self._next is not None and self._next.offset <= offset:
            here, self._next = self._next, next(self._records, None)
            try:
                outputs = self._detect.step(here.offset, here.value)
            except (ValueError, HoleError) as error:
                place = f"{self._number}@{here.offset}"
                raise Refused(f"the samples topic at {place}: {error}", Exit.DATA) from None
            self._detect.take_counts()
            yield from ((here.offset, output.value) for output in outputs if output.value is not None)


class Batches(msgspec.Struct):
    """How detect's batches came out: as recorded, otherwise, or not derived because their samples are gone."""

    equal: int = 0
    differing: int = 0
    not_retained: int = 0
    first_differing: str = ""
    """Partition and offset of its samples."""

    def note(self, recorded: AnomalyBatch, *, equal: bool) -> None:
        """Count one that was derived."""
        self.equal += equal
        self.differing += not equal
        if not equal and not self.first_differing:
            self.first_differing = f"{recorded.shard}@{recorded.offset}"


class Rederived(NamedTuple):
    """The records of the alert that came out, those of other alerts of its series, and how detect's batches did."""

    alerts: list[Alert]
    of_series: list[Alert]
    batches: Batches


def rederive(settings: Settings, told: Alert, notes: Iterable[Kept], logs: Sequence[ShardLog]) -> Rederived:
    """Go through all that is retained once more, for the records of the alert that `told` is one of.

    Args:
        settings: those under which the alert was made.
        told: a record of the alert.
        notes: the records of the anomalies topic in their order.
        logs: the samples topic, shard by shard.

    Raises:
        Refused: what is retained is of another version, or has a hole.
    """
    triage, batches = Triage(settings, Mode(told.mode)), Batches()
    shards = [_Shard(settings, number, log) for number, log in enumerate(logs)]
    found: dict[str, Alert] = {}
    others: dict[str, Alert] = {}
    for kept in notes:
        for payload in _derived(kept, shards, batches):
            for alert in triage.step(kept.offset, payload):
                if alert.alert_id == told.alert_id:
                    found.setdefault(alert.event_id, alert)
                elif alert.fingerprint == told.fingerprint:
                    others.setdefault(alert.event_id, alert)
            triage.take_answers()
    return Rederived(list(found.values()), list(others.values()), batches)


def _derived(kept: Kept, shards: Sequence[_Shard], batches: Batches) -> Iterator[bytes]:
    """What triage hears in place of one record of the anomalies topic."""
    try:
        note = read_note(kept.value)
    except (ValueError, msgspec.MsgspecError) as error:
        raise Refused(f"the anomalies topic at {kept.offset}: {error}", Exit.DATA) from None
    if not isinstance(note, AnomalyBatch):
        yield kept.value
        return
    if note.shard >= len(shards) or not shards[note.shard].holds(note.offset):
        batches.not_retained += 1
        yield kept.value
        return
    shard = shards[note.shard]
    again, said = not shard.is_ahead(note.offset), b""
    for offset, payload in shard.through(note.offset):
        said = payload if offset == note.offset else b""
        yield payload
    if not again and (said or note.verdicts):
        batches.note(note, equal=said == kept.value)


_LISTED_MAX: Final = 12
MISSING: Final = "missing"
NEW: Final = "new"


class Difference(NamedTuple):
    """A field of a record that is not as it was told; or `MISSING` or `NEW` of a whole record, with its transition."""

    sequence: int
    field: str
    told: Any
    derived: Any


def differences(told: Sequence[Alert], values: Sequence[bytes], derived: Sequence[Alert]) -> list[Difference]:
    """What differs between records as they were told, `values` being their bytes, and as they came out, but for processing times."""
    by_event = {alert.event_id: alert for alert in derived}
    found: list[Difference] = []
    for alert, value in zip(told, values, strict=True):
        again = by_event.pop(alert.event_id, None)
        if again is None:
            found.append(Difference(alert.sequence, MISSING, alert.transition_reason, None))
        else:
            found += _of_record(alert, value, again)
    found += [Difference(it.sequence, NEW, None, it.transition_reason) for it in by_event.values()]
    return found


def _of_record(alert: Alert, value: bytes, again: Alert) -> list[Difference]:
    timed = msgspec.structs.replace(again, **{name: getattr(alert, name) for name in PROCESSING})
    if encode(timed) == value:
        return []
    was, now = msgspec.to_builtins(alert), msgspec.to_builtins(timed)
    fields = [
        Difference(alert.sequence, name, was[name], now[name]) for name in was if was[name] != now[name]
    ]
    return fields or [Difference(alert.sequence, "bytes", len(value), len(encode(timed)))]


def reasons(
    settings: Settings, told: Alert, found: Sequence[Difference], result: Rederived, gone: Gone
) -> list[str]:
    """Why a re-derived alert can differ from the one that was told."""
    fields = {it.field for it in found}
    said = [
        *(_of_settings(settings, told) if fields & {MISSING, "config_hash"} else ()),
        *_of_retention(fields, gone),
    ]
    instead = {it.alert_id for it in result.of_series if _overlap(it, told)}
    if instead and MISSING in fields:
        said.append(
            f"at that time its series has other alerts: {_listed(instead)}; an alert is named by the sample that opened it"
        )
    if any(it.field == NEW and it.sequence < told.sequence for it in found):
        said.append("the alert topic may no longer hold the alert's earlier records")
    if result.batches.not_retained:
        said.append(
            f"{result.batches.not_retained:,} of detect's batches were taken as recorded: their samples are gone"
        )
    return said or ["another version of Streamgauge may have made it"]


def _overlap(alert: Alert, other: Alert) -> bool:
    """Whether two alerts were open at one time, as far as these records say; their times compare as text."""
    first, last = other.starts_at, other.ends_at or other.updated_at
    return alert.starts_at <= last and (alert.ends_at or alert.updated_at) >= first


def _of_settings(settings: Settings, told: Alert) -> Iterator[str]:
    if told.config_hash != settings.config_hash:
        yield (
            f"the alert was made under the configuration {told.config_hash}, and this one is {settings.config_hash}: "
            "give the one of that time with --config"
        )


def _of_retention(fields: set[str], gone: Gone) -> Iterator[str]:
    if gone.samples:
        yield (
            "the samples topic no longer begins at its first record, and detect had learned from what is gone"
            + _among(fields, LEARNED)
        )
    if gone.notes:
        yield (
            "the anomalies topic no longer begins at its first record, and triage knew of what is gone: open alerts, "
            "lineage, silences, acknowledgements" + _among(fields, DECIDED)
        )


def _among(fields: set[str], some: Sequence[str]) -> str:
    """Which of the fields that differ are some of these."""
    differing = fields & set(some)
    return f"; that may be why these differ: {_listed(differing)}" if differing else ""


def _listed(names: set[str]) -> str:
    first, more = sorted(names)[:_LISTED_MAX], len(names) - _LISTED_MAX
    return ", ".join(first) + (f" and {more} more" if more > 0 else "")
