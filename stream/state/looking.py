"""Looking into an archive: what is in it, in numbers, and what is known of one series."""

import math
from collections import Counter
from typing import Any, Final

import msgspec

from detectors.commands import Maintenance, Silence
from detectors.portable.desk import OpenAlert, open_alerts, quiets
from detectors.portable.known import Known, known_of, limits_of, part_of
from detectors.portable.series import Portable
from detectors.wording import time_text
from stream.config.selector import Selector
from stream.exits import Exit, Refused
from stream.state.archive import Archive

LARGEST: Final = 10
_KINDS: Final = ("runs", "values", "share", "arrivals", "schema")


class ShardSummary(msgspec.Struct):
    """One shard as it stood: the offset of its samples partition, its event time, and how far the sources were read."""

    shard: int
    covered_offset: int
    event_time: str
    read: dict[str, int]


class Count(msgspec.Struct):
    """How many series of one signal there are, by kind, how many are warming up, and what they take."""

    signal: str
    series: int
    by_kind: dict[str, int]
    warming: int
    bytes: int


class Large(msgspec.Struct):
    """A label set, and how many bytes its state takes."""

    labels: str
    bytes: int


class AlertSummary(msgspec.Struct):
    """An open alert."""

    alert_id: str
    series: str
    kind: str
    state: str
    since: str
    acknowledged_by: str = ""
    silenced_by: str = ""
    snoozed_until: str = ""


class QuietSummary(msgspec.Struct):
    """A silence or maintenance window."""

    command_id: str
    match: dict[str, str]
    author: str
    comment: str
    recurring: bool


class Summary(msgspec.Struct):
    """What an archive holds."""

    format: int
    product: str
    exported_at: str
    stored_at: str
    name: str
    cluster: str
    config_hash: str
    state_format: str
    shards: list[ShardSummary]
    label_sets: int
    series: int
    heads: int
    bytes: int
    signals: list[Count]
    largest: list[Large]
    oldest: str
    newest: str
    open_alerts: list[AlertSummary]
    silences: list[QuietSummary]


def summary_of(archive: Archive) -> Summary:
    """What an archive holds."""
    head, known = archive.head, [it for series in archive.series for it in known_of(series)]
    sizes = sorted(((it.size_bytes, it.name) for it in archive.series), reverse=True)
    names = {it.name: it for it in archive.series}
    times = [it.last_ms for it in known if it.last_ms is not None and it.last_ms > 0]
    return Summary(
        format=head.format,
        product=head.product,
        exported_at=time_text(head.exported_at_ms),
        stored_at=time_text(head.stored_at_ms),
        name=head.name,
        cluster=head.cluster,
        config_hash=head.config_hash,
        state_format=".".join(map(str, head.state_format)),
        shards=[_shard(it) for it in head.standings],
        label_sets=len(archive.series),
        series=len(known),
        heads=sum(measure is not None for it in archive.series for measure in it.measures),
        bytes=sum(size for size, _ in sizes),
        signals=_counts(known),
        largest=[Large(_labels(names[name]), size) for size, name in sizes[:LARGEST]],
        oldest=time_text(min(times)) if times else "",
        newest=time_text(max(times)) if times else "",
        open_alerts=[_alert(it) for it in open_alerts(archive.desk.chunks)],
        silences=[_quiet(it) for it in quiets(archive.desk.chunks).values()],
    )


def known_series(archive: Archive, selector: Selector) -> Known:
    """What is known of one series, with the bounds of what it would take next.

    Raises:
        Refused: the archive holds no such series.
    """
    wanted = str(selector)
    for series in archive.series:
        for known in known_of(series):
            if known.series == wanted:
                _add_limits(archive, series, known)
                return known
    like = sorted(
        known.series
        for series in archive.series
        if selector.labels.items() <= dict(series.labels).items()
        for known in known_of(series)
    )
    found = f": with these labels there are {', '.join(like[:5])}" if like else ""
    raise Refused(f"the state holds no series {wanted}{found}", Exit.USAGE)


def _add_limits(archive: Archive, series: Portable, known: Known) -> None:
    part = part_of(series, known.series)
    if part is None:
        return
    limits = limits_of(series, part, archive.head.standings[0], archive.head.tables)
    known.lower, known.upper = _number(limits.lower), _number(limits.upper)
    known.level = known.level if math.isnan(limits.expected) else limits.expected


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _shard(standing: Any) -> ShardSummary:
    read = {f"{it.topic}/{it.partition}": it.last_offset for it in standing.read}
    return ShardSummary(standing.shard, standing.covered_offset, time_text(max(0, standing.rows_ms)), read)


def _counts(known: list[Known]) -> list[Count]:
    found = []
    for signal in sorted({it.signal for it in known}):
        own = [it for it in known if it.signal == signal]
        kinds = Counter(it.kind for it in own)
        by_kind = {kind: kinds[kind] for kind in _KINDS if kinds[kind]}
        found.append(
            Count(signal, len(own), by_kind, sum(it.warming for it in own), sum(it.bytes for it in own))
        )
    return found


def _labels(series: Portable) -> str:
    return ", ".join(f"{name}={value}" for name, value in series.labels)


def _alert(alert: OpenAlert) -> AlertSummary:
    snoozed = alert.snoozed_until_ms
    return AlertSummary(
        alert.alert_id,
        alert.series,
        alert.kind,
        str(alert.state),
        time_text(alert.starts_at_ms),
        alert.acknowledged_by,
        alert.silenced_by,
        time_text(snoozed) if snoozed is not None else "",
    )


def _quiet(quiet: Silence | Maintenance) -> QuietSummary:
    return QuietSummary(
        quiet.command_id,
        dict(quiet.match),
        quiet.author,
        quiet.comment,
        isinstance(quiet, Maintenance) and quiet.recurring is not None,
    )
