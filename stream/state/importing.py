"""Importing: an archive's state written as the snapshots of a deployment, whatever its number of shards, for workers to go on from.

The internal logs begin anew at their present ends. Where a source topic is the very one that the state was learned from, the group begins at
the first record that some shard had not read; where it is another one, at the present end, for nobody knows which of its records were learned.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from typing import Any, Final, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from detectors import triage
from detectors.outputs import Destination as To
from detectors.portable.desk import moved_desk
from detectors.portable.moving import Destination, moved_shards, reads, source_topic
from detectors.portable.series import Portable
from detectors.portable.shard import FORMAT
from detectors.triage import ANOMALIES
from stream import topics
from stream.alert_stream import assign, messages, open_consumer
from stream.config import Config, librdkafka_properties
from stream.exits import Exit, Refused
from stream.open_alerts import open_alerts
from stream.outbox import Record
from stream.snapshots import SnapshotWriter
from stream.state.archive import Archive, Head, Told
from stream.state.broker import Cluster, Place, Span
from stream.state.in_force import in_force
from stream.state.meaning import changed_sources, meaning_of, windows_differ
from stream.state.snapshots import StateTopic, Stored
from stream.wiring import clients

DELIVERY_S_MAX: Final = 60.0
POLL_S: Final = 0.1

Chunks = dict[str, bytes]
Say = Callable[[str], None]


class Left(NamedTuple):
    """What was not imported: the series of a topic, how many, and why."""

    topic: str
    reason: str
    series: int


class Position(NamedTuple):
    """Where a source partition is read on, and why there."""

    topic: str
    partition: int
    next_offset: int
    goes_on: bool
    lost: int


class Plan(NamedTuple):
    """What an import does: the chunks of each shard and of triage, the positions of the group, and what is left out.

    `stored` are the snapshots that there are; `is_done` says that they are these already.
    """

    shards: list[Chunks]
    desk: Chunks
    covered_offsets: list[int]
    desk_covered_offset: int
    series: int
    left: list[Left]
    positions: list[Position]
    commits: dict[Place, int]
    alerts: list[Told]
    stored: dict[str, list[Stored]]
    is_done: bool


def planned(archive: Archive, config: Config, *, leave_out: bool, say: Say) -> Plan:
    """What importing an archive into the deployment of a configuration would do. Nothing is changed.

    Raises:
        Refused: the state is of another format, its series mean something else there, workers are running, or topics are not as they must be.
    """
    head = archive.head
    _check_format(head)
    cluster = Cluster(config)
    _check_topics(cluster, config)
    _check_nobody_works(cluster, config)
    series, left = _kept(archive, meaning_of(config), leave_out=leave_out)
    sources = [source.topic for source in config.sources]
    same = _same_topics(cluster, config, head)
    spans = cluster.spans([*sources, config.samples_topic, config.anomalies_topic, config.commands.topic])
    shards = config.topics.samples_partitions
    covered = [spans[config.samples_topic, shard].next - 1 for shard in range(shards)]
    desk_covered = spans[config.anomalies_topic, 0].next - 1
    firsts = {place: span.first for place, span in spans.items()}
    tuned, switched = in_force(config)
    to = Destination(tuned.settings(), switched, covered, same, firsts)
    say("putting the state together")
    chunks = list(moved_shards(series, head.standings, head.tables, to))
    desk = moved_desk(archive.desk.chunks, desk_covered, to)
    stored = _stored(config, say)
    positions = _positions(head, to, sources, spans)
    return Plan(
        shards=chunks,
        desk=desk,
        covered_offsets=covered,
        desk_covered_offset=desk_covered,
        series=len(series),
        left=left,
        positions=positions,
        commits=_commits(cluster, config, positions, spans),
        alerts=archive.desk.alerts,
        stored=stored,
        is_done=_is_stored(stored[config.detect_state_topic], chunks)
        and _is_stored(stored[config.triage_state_topic], [desk]),
    )


def carried_out(plan: Plan, archive: Archive, config: Config, say: Say) -> None:
    """Write what was planned: snapshots, the states of open alerts, and last the positions of the group.

    Raises:
        Refused: Kafka does not take something; what is there then is complete where it counts, and importing again puts it right.
    """
    writer = _Writer(config)
    say("writing the snapshots of all shards")
    detect, desk = plan.stored[config.detect_state_topic], plan.stored[config.triage_state_topic]
    for shard, chunks in enumerate(plan.shards):
        _store(writer, config.detect_state_topic, shard, chunks, plan.covered_offsets[shard], detect[shard])
    _store(writer, config.triage_state_topic, 0, plan.desk, plan.desk_covered_offset, desk[0])
    say("writing the open alerts")
    to = {
        To.ALERTS: config.alerts.topic,
        To.ALERT_STATE: config.alerts.state_topic,
        To.SHADOW_ALERTS: config.shadow_alerts_topic,
    }
    told = [*_missing(archive.desk.alerts, config, say), *archive.desk.due]
    writer.write(Record(to[To(it.destination)], it.key, it.value, headers=tuple(it.headers)) for it in told)
    say("setting the positions")
    Cluster(config).commit(plan.commits)


def _check_format(head: Head) -> None:
    reads_now = (*FORMAT, triage.FORMAT)
    if tuple(head.state_format) != reads_now:
        raise Refused(
            f"the archive holds state of format {'.'.join(map(str, head.state_format))}, written by Streamgauge {head.product}; this release reads "
            f"{'.'.join(map(str, reads_now))}: import it with the release that wrote it",
            Exit.DATA,
        )


def _check_topics(cluster: Cluster, config: Config) -> None:
    try:
        problems = topics.check(cluster.admin, topics.wanted(config))
    except KafkaException as error:
        raise Refused(f"Kafka: {error.args[0].str()}", Exit.KAFKA) from None
    if problems:
        said = "\n".join(f"  {problem}" for problem in problems)
        raise Refused(f"topics are not as they must be:\n{said}", Exit.KAFKA)


def _check_nobody_works(cluster: Cluster, config: Config) -> None:
    if members := cluster.members(config.name):
        raise Refused(
            f"workers of {config.name} are running ({'; '.join(members[:3])}): they would go on from what they know and store it over "
            "what is imported. Stop them, import, and start them again",
            Exit.KAFKA,
        )


def _kept(
    archive: Archive, meaning: Mapping[str, Any], *, leave_out: bool
) -> tuple[list[Portable], list[Left]]:
    """The series that mean the same, and what is left out."""
    head = archive.head
    if (why := windows_differ(head.meaning, meaning)) is not None:
        raise Refused(f"the series of the archive mean something else here: {why}", Exit.CONFIG)
    reasons = changed_sources(head.meaning, meaning)
    of = [source_topic(it, head.tables) for it in archive.series]
    counts = {topic: sum(it == topic for it in of) for topic in reasons}
    left = [Left(topic, reason, counts[topic]) for topic, reason in reasons.items() if counts[topic]]
    if left and not leave_out:
        said = "\n".join(f"  {it.topic}: {it.reason} ({it.series} of {len(of)} label sets)" for it in left)
        raise Refused(
            f"some series of the archive mean something else here:\n{said}\nimport the others with --leave-out, or mend the configuration",
            Exit.CONFIG,
        )
    out = {it.topic for it in left}
    kept = [it for it, topic in zip(archive.series, of, strict=True) if topic not in out]
    if archive.series and not kept:
        raise Refused("no series of the archive means the same here: nothing would be imported", Exit.CONFIG)
    return kept, left


def _same_topics(cluster: Cluster, config: Config, head: Head) -> set[str]:
    """The topics of sources and commands that are the very ones, and the name that orders of triage go by if its log is."""
    wanted = [*(source.topic for source in config.sources), config.commands.topic, config.configs.topic]
    there = cluster.identities([*wanted, config.anomalies_topic])
    same = {topic for topic in wanted if topic in there and head.topics.get(topic) == there[topic]}
    log = config.anomalies_topic
    return same | ({ANOMALIES} if log in there and head.topics.get(log) == there[log] else set())


def _stored(config: Config, say: Say) -> dict[str, list[Stored]]:
    """The snapshots that there are in both state topics."""
    found = {}
    for topic in (config.detect_state_topic, config.triage_state_topic):
        state = StateTopic(librdkafka_properties(config, "consumer"), topic, say)
        found[topic] = [state.stored(shard) for shard in range(state.shards)]
        state.close()
    return found


def _is_stored(stored: Sequence[Stored], chunks: Sequence[Chunks]) -> bool:
    there = [it.snapshot.chunks if it.snapshot else None for it in stored]
    return there == list(chunks)


def _positions(
    head: Head, to: Destination, sources: Sequence[str], spans: Mapping[Place, Span]
) -> list[Position]:
    read = {(it.topic, it.partition): it.last_offset + 1 for it in reads(head.standings, to)}
    reached = {
        (it.topic, it.partition): it.last_offset + 1
        for it in reads(head.standings, to._replace(first_left={}))
    }
    found = []
    for place, span in sorted(spans.items()):
        if place[0] not in sources:
            continue
        lost = read[place] - reached[place] if place in read else 0
        goes_on = place[0] in to.topics
        next_offset = read.get(place, span.first) if goes_on else span.next
        found.append(Position(*place, next_offset, goes_on, lost))
    return found


def _commits(
    cluster: Cluster, config: Config, positions: Sequence[Position], spans: Mapping[Place, Span]
) -> dict[Place, int]:
    """The positions of the group: in sources, in the internal logs, and among commands unless it has been there."""
    logs = (config.samples_topic, config.anomalies_topic)
    commits = {place: span.next for place, span in spans.items() if place[0] in logs}
    known = cluster.committed([config.commands.topic])
    commands = {
        place: span.next
        for place, span in spans.items()
        if place[0] == config.commands.topic and place not in known
    }
    return commits | commands | {(it.topic, it.partition): it.next_offset for it in positions}


def _store(
    writer: "_Writer", topic: str, shard: int, chunks: Chunks, covered_offset: int, stored: Stored
) -> None:
    """Write a snapshot, and when it is there drop all that were before it."""
    generation = stored.snapshot.generation + 1 if stored.snapshot else 0
    snapshots = SnapshotWriter(shard, generation, stored.keys)
    plan = snapshots.plan(chunks, covered_offset)
    for entries in (plan.parts, (plan.manifest,), snapshots.obsolete(plan)):
        writer.write(Record(topic, it.key.encode(), it.value, shard) for it in entries)


class _Writer:
    """Writes records, and waits until the broker has them."""

    def __init__(self, config: Config) -> None:
        self._producer = Producer({**clients(config).producer, "log_level": 0})
        self._errors: list[str] = []

    def write(self, records: Iterable[Record]) -> None:
        """Write records.

        Raises:
            Refused: the broker does not take one.
        """
        for it in records:
            self._produce(it)
        left = self._producer.flush(DELIVERY_S_MAX)
        if left or self._errors:
            why = self._errors[0] if self._errors else f"no answer in {DELIVERY_S_MAX:g} s"
            raise Refused(
                f"Kafka did not take what was written: {why}. Import again when it is well", Exit.KAFKA
            )

    def _produce(self, it: Record) -> None:
        while True:
            try:
                self._producer.produce(
                    it.topic,
                    it.value,
                    it.key,
                    -1 if it.partition is None else it.partition,
                    self._answered,
                    headers=[*it.headers],
                )
            except BufferError:
                self._producer.poll(POLL_S)
            else:
                return

    def _answered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._errors.append(f"topic {message.topic()}: {error.str()}")


def _missing(alerts: Sequence[Told], config: Config, say: Say) -> list[Told]:
    """The states of alerts that their topic does not hold."""
    with closing(open_consumer(librdkafka_properties(config, "consumer"))) as consumer:
        partitions = assign(consumer, config.alerts.state_topic, 0)
        known = open_alerts(messages(consumer, partitions, stop_at_end=True, complain=say))
    return [it for it in alerts if known.get((it.key or b"").decode(errors="replace")) != it.value]
