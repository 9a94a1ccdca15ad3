"""Exporting: the last stored snapshots of all shards and of triage, brought to one moment and taken apart into an archive.

Workers may run on: nothing is stopped. What triage has heard from a shard must lie in that shard's snapshot, so while workers run the next
snapshots are awaited; what it has not heard yet is folded in from the anomalies topic, and the alerts that come of it are kept beside the state.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from importlib.metadata import version
from typing import Any, Final

import yaml

from detectors import triage
from detectors.alerts import Mode
from detectors.notes import read_note
from detectors.outputs import Destination, Output
from detectors.portable.desk import check_format as check_desk
from detectors.portable.desk import heard, open_alerts
from detectors.portable.lifting import check_format, lifted, standing_of, tables_of
from detectors.portable.series import Portable
from detectors.portable.shard import FORMAT
from detectors.verdicts import AnomalyBatch
from stream.alert_stream import assign, messages, open_consumer
from stream.config import Config, librdkafka_properties
from stream.exits import Exit, Refused
from stream.open_alerts import open_alerts as latest_states
from stream.stages import triage_stage
from stream.state.archive import Archive, Desk, Head, Told
from stream.state.broker import Cluster
from stream.state.in_force import in_force
from stream.state.meaning import meaning_of
from stream.state.snapshots import StateTopic, Stored, records_from

AWAIT_S_MAX: Final = 30.0
_TOLD: Final = (Destination.ALERTS, Destination.ALERT_STATE, Destination.SHADOW_ALERTS)

Chunks = Mapping[str, bytes]
Say = Callable[[str], None]


def exported(config: Config, now_ms: int, say: Say) -> Archive:
    """Everything that the workers of a configuration have stored.

    Args:
        config: that of the workers.
        now_ms: the time of the export.
        say: told what is under way, and what is out of the ordinary.

    Raises:
        Refused: Kafka cannot be reached, nothing is stored, or what is stored cannot be used.
    """
    cluster = Cluster(config)
    properties = librdkafka_properties(config, "consumer")
    say("reading the snapshots")
    with (
        closing(StateTopic(properties, config.triage_state_topic, say)) as desk_topic,
        closing(StateTopic(properties, config.detect_state_topic, say)) as shard_topic,
    ):
        desk = desk_topic.stored(0)
        shards = [shard_topic.stored(shard) for shard in range(shard_topic.shards)]
        _require(config, desk, shards)
        wanted = heard(desk.snapshot.chunks) if desk.snapshot else {}
        if cluster.members(config.name):
            shards = _awaited(shard_topic, shards, wanted, say)
        if behind := _behind(shards, wanted):
            say(
                f"triage has heard more of shard {', '.join(map(str, behind))} than is stored: what it said in the last seconds before a crash "
                "may be judged twice. Let a worker run before the export to have one moment"
            )
    chunks = [it.snapshot.chunks for it in shards if it.snapshot]
    if desk.snapshot is None:
        raise _nothing(config, "triage")
    _check(chunks, desk.snapshot.chunks)
    say("taking the state apart")
    tables = tables_of(chunks)
    standings = [standing_of(of, shard) for shard, of in enumerate(chunks)]
    series = [it for of in chunks for it in lifted(of, tables)]
    covered = {it.shard: it.covered_offset for it in standings}
    told = _desk(config, properties, desk.snapshot.chunks, desk.snapshot.covered_offset, covered, say)
    tuned, _ = in_force(config)
    topics = {source.topic for source in config.sources} | {
        config.commands.topic,
        config.configs.topic,
        config.anomalies_topic,
    }
    head = Head(
        product=version("streamgauge"),
        exported_at_ms=now_ms,
        stored_at_ms=min(it.stored_at_ms for it in (desk, *shards)),
        name=config.name,
        cluster=cluster.id,
        topics=cluster.identities(topics),
        config_hash=standings[0].config_hash,
        config=_text(tuned),
        meaning=meaning_of(config),
        state_format=(*FORMAT, triage.FORMAT),
        tables=tables,
        standings=standings,
        series=len(series),
    )
    return Archive(head, sorted(series, key=_name), told)


def _text(config: Config) -> str:
    """A configuration that could be loaded again, but for its secrets."""
    said = config.model_dump(mode="json", by_alias=True, exclude_none=True)
    return yaml.safe_dump(said, sort_keys=False, allow_unicode=True)


def _name(series: Portable) -> bytes:
    return series.name


def _require(config: Config, desk: Stored, shards: Sequence[Stored]) -> None:
    missing = [shard for shard, it in enumerate(shards) if it.snapshot is None]
    if len(missing) == len(shards):
        raise _nothing(config, "detect")
    if missing:
        raise Refused(
            f"topic {config.detect_state_topic} holds no snapshot of shard {', '.join(map(str, missing))} of {len(shards)}: "
            "let the workers run until every shard has stored its state (snapshot_interval), then export again",
            Exit.DATA,
        )
    if desk.snapshot is None:
        raise _nothing(config, "triage")


def _nothing(config: Config, stage: str) -> Refused:
    return Refused(
        f"there is nothing to export: {stage} has stored no state of {config.name}. Is this the configuration of the workers "
        f"(name, kafka)? They store it every {config.snapshot_interval_ms / 1000:g} s once they have read something: streamgauge run",
        Exit.DATA,
    )


def _check(shards: Sequence[Chunks], desk: Chunks) -> None:
    try:
        for chunks in shards:
            check_format(chunks)
        check_desk(desk)
    except ValueError as error:
        raise Refused(
            f"the state cannot be exported: {error}. Export it with the release that its workers run",
            Exit.DATA,
        ) from None


def _awaited(topic: StateTopic, shards: list[Stored], wanted: Mapping[int, int], say: Say) -> list[Stored]:
    """The snapshots of the shards once they hold all that triage had heard, or what there is when time is up."""
    deadline = time.monotonic() + AWAIT_S_MAX
    if behind := _behind(shards, wanted):
        say("waiting for the next snapshots")
    while behind and time.monotonic() < deadline:
        topic.catch_up()
        shards = [topic.stored(shard) for shard in range(topic.shards)]
        behind = _behind(shards, wanted)
    return shards


def _behind(shards: Sequence[Stored], wanted: Mapping[int, int]) -> list[int]:
    """The shards of whose snapshots triage has heard more than they hold."""
    return [
        shard
        for shard, it in enumerate(shards)
        if it.snapshot is not None and it.snapshot.covered_offset < wanted.get(shard, -1)
    ]


def _desk(
    config: Config,
    properties: Mapping[str, Any],
    chunks: Chunks,
    covered_offset: int,
    covered: Mapping[int, int],
    say: Say,
) -> Desk:
    """What triage remembers once it has heard what the shards' snapshots have said."""
    stage = triage_stage(config.settings(), Mode(config.mode))
    stage.load(dict(chunks))
    due: list[Told] = []
    for message in records_from(properties, config.anomalies_topic, covered_offset + 1, say):
        value, offset = message.value(), message.offset() or 0
        if value is not None and _is_heard(value, covered):
            due += [_told(it) for it in stage.step(offset, value) if it.destination in _TOLD]
    folded = stage.dump()
    wanted = {it.alert_id for it in open_alerts(folded)}
    with closing(open_consumer(properties)) as consumer:
        partitions = assign(consumer, config.alerts.state_topic, 0)
        found = list(messages(consumer, partitions, stop_at_end=True, complain=say))
    latest = latest_states(found)
    alerts = {
        key: Told(Destination.ALERT_STATE, message.key(), message.value(), _headers(message.headers()))
        for message in found
        if (key := (message.key() or b"").decode(errors="replace")) in wanted and key in latest
    }
    return Desk(folded, [alerts[key] for key in sorted(alerts)], due)


def _is_heard(value: bytes, covered: Mapping[int, int]) -> bool:
    """Whether a record of the anomalies topic belongs to the moment of the snapshots."""
    note = read_note(value)
    return not isinstance(note, AnomalyBatch) or note.offset <= covered.get(note.shard, -1)


def _told(output: Output) -> Told:
    return Told(str(output.destination), output.key, output.value, [*output.headers])


def _headers(headers: Any) -> list[tuple[str, bytes]]:
    return [(name, bytes(value or b"")) for name, value in headers or ()]
