"""The state of triage, moved to where its shards are others and its log begins anew; and what it says to people who look into it."""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import msgspec

from detectors.alerts import State
from detectors.incidents import Incident
from detectors.ledger import load_ledger
from detectors.portable.moving import Destination
from detectors.portable.shard import unpacked
from detectors.series import shard_of
from detectors.silences import Quiet
from detectors.storms import Storms
from detectors.triage import FORMAT, LEDGER

Chunks = Mapping[str, bytes]
_Fences = list[tuple[tuple[str, int], int]]
_DESK: Final = tuple[dict[str, Quiet], int, Storms, tuple[_Fences, list[str]]]


class OpenAlert(NamedTuple):
    """An incident that is open, as triage last told of it."""

    alert_id: str
    series: str
    kind: str
    state: State
    starts_at_ms: int
    acknowledged_by: str
    silenced_by: str
    snoozed_until_ms: int | None


def check_format(chunks: Chunks) -> None:
    """Make sure that triage's state is of this version.

    Raises:
        ValueError: it is of another one, or no state.
    """
    found = unpacked(chunks, "head")[0]
    if found != FORMAT:
        raise ValueError(f"triage state of format {found}; this release reads format {FORMAT}")


def heard(chunks: Chunks) -> dict[int, int]:
    """Up to which offset of its samples partition triage has heard of each shard."""
    return dict(unpacked(chunks, "head")[2])


def moved_desk(chunks: Chunks, covered_offset: int, to: Destination) -> dict[str, bytes]:
    """Triage's state, to go on at an offset of the anomalies topic with shards that have folded their samples partition so far.

    Args:
        chunks: its state.
        covered_offset: the last offset of the new log that counts as folded.
        to: where it goes; of commands and configurations that are not among its topics every record is new.
    """
    encode = msgspec.msgpack.encode
    version, _, _, *clocks, merger = unpacked(chunks, "head")
    now_ms, wall_ms, clock_ms, _, waiting = merger
    again = sorted(
        (order_ms, shard_of(tuple(map(tuple, verdict["labels"])), to.shards), number - len(waiting), verdict)
        for number, (order_ms, _, _, verdict) in enumerate(waiting)
    )
    quiet, due_ms, storms, (fences, commands) = unpacked(chunks, "desk", _DESK)
    kept = [(place, offset) for place, offset in fences if place[0] in to.topics]
    ledger = load_ledger(chunks[LEDGER])
    ledger.shares = {}
    head = [version, covered_offset, dict(enumerate(to.covered_offsets)), *clocks]
    return {
        **chunks,
        "head": encode([*head, [now_ms, wall_ms, clock_ms, {}, again]]),
        "settings": encode([to.switched, to.settings]),
        "desk": encode([quiet, due_ms, storms, (kept, commands)]),
        LEDGER: ledger.dump(),
    }


def open_alerts(chunks: Chunks) -> Iterator[OpenAlert]:
    """The incidents that are open, by group."""
    for incidents in unpacked(chunks, "incidents", dict[str, list[Incident]]).values():
        for it in incidents:
            if not it.is_over:
                yield OpenAlert(
                    it.alert_id,
                    it.lead[0],
                    str(it.kinds[0]),
                    it.state,
                    it.leading.starts_at_ms,
                    it.acknowledged_by,
                    it.silenced_by,
                    it.snoozed_until_ms,
                )


def quiets(chunks: Chunks) -> dict[str, Quiet]:
    """The silences and maintenance windows, by id."""
    known: dict[str, Quiet] = unpacked(chunks, "desk", _DESK)[0]
    return known
