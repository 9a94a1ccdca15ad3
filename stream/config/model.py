"""The whole configuration as one pydantic model: names, types, defaults, and what each key means.

A field that ends in a unit has an alias without it, because to users the unit is part of the value: they write
`window: 5m`, code reads `window_ms`.
"""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)

from detectors.lineage import Link, Relation
from detectors.paging import Paging
from detectors.settings import RUNBOOKS, Settings
from stream.config.bridges import Bridges
from stream.config.faults import Fault, FaultsError, Path
from stream.config.kafka_rules import Properties, parse_properties
from stream.config.properties import SUPPORTED
from stream.config.registry import SchemaRegistry
from stream.config.shadow import SERIES_SUFFIX, SHADOW
from stream.config.source import SOURCES_DEFAULT, Source
from stream.config.topic_names import Prefix, TopicName
from stream.config.tuning import Defaults, Section, SeriesEntry, Signals, Text
from stream.config.units import (
    NO_CEILING,
    DurationMs,
    FalseAlarmCeiling,
    OptionalDurationMs,
    PositiveDurationMs,
    Rate,
    StormRate,
)
from stream.formats.limits import Limits as IngestLimits

SERIES_ENTRIES_MAX = 1_000
LINEAGE_ENTRIES_MAX = 10_000
LINEAGE_NAMES_MAX = 1_000
SOURCES_MAX = 1_000
NAME_DEFAULT = "streamgauge"
ALERTS_DEFAULT = "pipeline.alerts"
PARTITIONS_MAX = 10_000

_DEFAULTS = Settings()
_PAGING = Paging()
_INGEST_LIMITS = IngestLimits()


def _whole(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("must be a whole number")  # noqa: TRY004  pydantic reports ValueError only
    return value


WHOLE = BeforeValidator(_whole)
Names = Annotated[tuple[Text, ...], Field(max_length=LINEAGE_NAMES_MAX)]
Partitions = Annotated[int, Field(ge=1, le=PARTITIONS_MAX), WHOLE]
Kafka = Annotated[
    Properties,
    PlainValidator(parse_properties),
    PlainSerializer(lambda properties: {name: str(value) for name, value in properties.items()}),
    WithJsonSchema(
        {
            "type": "object",
            "properties": {name: {"type": ["string", "number", "boolean"]} for name in sorted(SUPPORTED)},
            "additionalProperties": False,
        }
    ),
]


class Alerts(Section):
    """Where alerts go, and how many of them may be false."""

    topic: TopicName = ALERTS_DEFAULT
    """Append-only log of every state transition of every episode."""
    state_topic: TopicName = Field(default_factory=lambda data: f"{data['topic']}.state")
    """Compacted topic with the latest state of each open alert; `<topic>.state` unless written."""
    fleet_false_alarms: FalseAlarmCeiling = NO_CEILING
    """Ceiling on the false alarms of all series together, or none."""
    upstream_hold_ms: DurationMs = Field(_PAGING.upstream_hold_ms, alias="upstream_hold")
    """For how long an alert waits for one upstream of its pipeline that explains it; 0s: not at all."""
    storm: StormRate = Rate(_PAGING.storm_pages, _PAGING.storm_window_ms)
    """Alerts told to the same people in such a time; any more become one."""
    remind_ms: OptionalDurationMs = Field(_PAGING.remind_ms, alias="remind")
    """What still fires and nobody acknowledged is told again after this time, or never: none."""
    expire_ms: PositiveDurationMs = Field(_PAGING.expire_ms, alias="expire")
    """An alert whose series has not come for this time has ended."""

    def paging(self) -> Paging:
        """The same for triage."""
        return Paging(
            upstream_hold_ms=self.upstream_hold_ms,
            storm_pages=self.storm.times,
            storm_window_ms=self.storm.period_ms,
            remind_ms=self.remind_ms,
            expire_ms=self.expire_ms,
        )

    runbook_base_url: Text = RUNBOOKS
    """Where the runbooks of the kinds lie, `KIND.md`, for alerts whose series has no runbook of its own."""


class Configs(Section):
    """How configurations come in force while workers run."""

    topic: TopicName
    """Compacted topic of the tunable parts of configurations; all workers take over the last one."""


class DeadLetters(Section):
    """Where records go that cannot be read."""

    topic: TopicName
    """Undecodable records, each with its reason, topic, partition and offset."""


class Commands(Section):
    """Where people and programs say what is to be done about alerts."""

    topic: TopicName
    """Commands, each a JSON object."""


class Audit(Section):
    """Where every command is answered."""

    topic: TopicName
    """Append-only log: who asked for what and when, and what became of it."""


class LineageEntry(Section):
    """What a pipeline reads and writes, and what comes before it; beside what events tell of it."""

    pipeline: Text
    """The pipeline, by the value of its label."""
    after: Names = ()
    """Pipelines that it comes after."""
    reads: Names = ()
    """Datasets that it reads, each by its name or, of OpenLineage, as `namespace/name`."""
    writes: Names = ()
    """Datasets that it writes."""

    @model_validator(mode="after")
    def _says_something(self) -> LineageEntry:
        if not (self.after or self.reads or self.writes):
            raise ValueError("must have after, reads or writes")
        if self.pipeline in self.after:
            raise FaultsError([Fault(("after",), f"{self.pipeline} cannot come after itself")])
        return self

    def links(self) -> list[Link]:
        """The same for triage."""
        of = {Relation.READS: self.reads, Relation.WRITES: self.writes, Relation.AFTER: self.after}
        return [Link(self.pipeline, relation, name) for relation, names in of.items() for name in names]


class Time(Section):
    """How event time passes."""

    allowed_lateness_ms: DurationMs = Field(_DEFAULTS.allowed_lateness_ms, alias="allowed_lateness")
    """A record is late when its time is further than this behind the greatest time in its partition."""
    allowed_skew_ms: DurationMs = Field(_DEFAULTS.allowed_skew_ms, alias="allowed_skew")
    """A record whose time is further than this in the future is dead-lettered."""
    idle_timeout_ms: PositiveDurationMs = Field(_DEFAULTS.idle_timeout_ms, alias="idle_timeout")
    """A partition without records for this long no longer holds time back."""
    window_ms: PositiveDurationMs = Field(_DEFAULTS.window_ms, alias="window")
    """Length of the windows in which events are counted."""


class Http(Section):
    """The server of `/metrics`, `/healthz` and `/readyz`."""

    host: Annotated[str, Field(min_length=1, max_length=255)] = "127.0.0.1"
    """Address to listen on; 0.0.0.0 to be reached from other machines."""
    port: Annotated[int, Field(ge=0, le=65_535), WHOLE] = 8080
    """Port to listen on; 0 takes a free one."""


class Limits(Section):
    """Caps on memory and on what one record may do. Whatever goes over is counted."""

    record_bytes_max: Annotated[int, Field(ge=1_024, le=64 << 20), WHOLE] = _INGEST_LIMITS.record_bytes_max
    """Larger records are dead-lettered."""
    depth_max: Annotated[int, Field(ge=1, le=256), WHOLE] = _INGEST_LIMITS.nesting_max
    """Records nested deeper are dead-lettered."""
    labels_max: Annotated[int, Field(ge=1, le=1_000), WHOLE] = _INGEST_LIMITS.labels_max
    """Labels of one series; what goes over is left out."""
    label_length_max: Annotated[int, Field(ge=8, le=65_536), WHOLE] = _INGEST_LIMITS.label_chars_max
    """Characters of a label's value; what goes over is cut."""
    schema_fields_max: Annotated[int, Field(ge=1, le=100_000), WHOLE] = _INGEST_LIMITS.schema_fields_max
    """Fields of one declared schema, and paths of one record; what goes over is left out."""
    series_max: Annotated[int, Field(ge=1, le=100_000_000), WHOLE] = _DEFAULTS.series_max
    """Series that one partition of the samples topic follows; more are not followed, and that alarms once."""
    ids_max: Annotated[int, Field(ge=1_000, le=100_000_000), WHOLE] = _DEFAULTS.ids_max
    """Ids of records that are remembered of one series, 4 bytes each: a record is a duplicate if its id is one of them."""


class Topics(Section):
    """How `streamgauge topics create` makes topics that do not exist."""

    samples_partitions: Partitions = 4
    """Partitions of the samples topic: the most workers that can detect side by side."""
    replication_factor: Annotated[int, Field(ge=1, le=100), WHOLE] = 1
    """Copies of every topic; 3 on a cluster that must survive the loss of a broker."""


class Config(Section):
    """Streamgauge's configuration."""

    name: Prefix = NAME_DEFAULT
    """Consumer group, and prefix of the internal topics."""
    mode: Literal["live", "shadow"] = "live"
    """A `shadow` runs beside the live configuration on the same sources; what it writes has names of its own."""
    kafka: Kafka = Field(default_factory=dict)
    """librdkafka properties of the connection, by their own names; secrets as env:NAME or file:PATH."""
    sources: tuple[Source, ...] = Field(SOURCES_DEFAULT, min_length=1, max_length=SOURCES_MAX)
    """What is read."""
    schema_registry: SchemaRegistry | None = None
    """Where the schemas of framed records are found, in the words of confluent-kafka's client."""
    alerts: Alerts = Field(default_factory=Alerts)
    """Where alerts go."""
    dead_letters: DeadLetters = Field(
        default_factory=lambda data: DeadLetters(topic=f"{data['name']}.dead-letters")
    )
    """Where undecodable records go; the topic `<name>.dead-letters` unless written."""
    commands: Commands = Field(default_factory=lambda data: Commands(topic=f"{data['name']}.commands"))
    """Where commands are read; the topic `<name>.commands` unless written."""
    audit: Audit = Field(default_factory=lambda data: Audit(topic=f"{data['name']}.audit"))
    """Where commands are answered; the topic `<name>.audit` unless written."""
    configs: Configs = Field(default_factory=lambda data: Configs(topic=f"{data['name']}.configs"))
    """How configurations come in force while workers run; by the topic `<name>.configs` unless written."""
    bridges: Bridges = Bridges()
    """Where bridges take alerts to."""
    defaults: Defaults = Defaults()
    """Tuning of every series."""
    signals: Signals = Field(default_factory=Signals)
    """Tuning by signal, over `defaults`."""
    series: tuple[SeriesEntry, ...] = Field((), max_length=SERIES_ENTRIES_MAX)
    """Tuning of the series that match, over `signals`."""
    lineage: tuple[LineageEntry, ...] = Field((), max_length=LINEAGE_ENTRIES_MAX)
    """What comes before what, where events do not tell it."""
    time: Time = Field(default_factory=Time)
    """How event time passes."""
    http: Http = Http()
    """The server of `/metrics`, `/healthz` and `/readyz`."""
    limits: Limits = Limits()
    """Caps on memory and on what one record may do."""
    topics: Topics = Topics()
    """How missing topics are made."""
    snapshot_interval_ms: PositiveDurationMs = Field(5_000, alias="snapshot_interval")
    """How often state is stored: after a crash, at most this much is read again."""

    @model_validator(mode="after")
    def _each_topic_has_one_purpose(self) -> Config:
        uses = Counter(topic for _, topic in self._topic_keys())
        internal = set(self.internal_topics())
        faults = [
            Fault(path, f"the topic {topic} has another purpose already")
            for path, topic in self._topic_keys()
            if uses[topic] > 1 or topic in internal
        ]
        if faults:
            raise FaultsError(faults)
        return self

    @model_validator(mode="after")
    def _has_schemas_for_what_is_framed(self) -> Config:
        faults = [
            Fault(("sources", n, "encoding"), "needs a schema_file here, or the section schema_registry")
            for n, source in enumerate(self.sources)
            if source.encoding in ("avro", "protobuf") and not source.schema_file and not self.schema_registry
        ]
        if faults:
            raise FaultsError(faults)
        return self

    def _topic_keys(self) -> list[tuple[Path, str]]:
        sources: list[tuple[Path, str]] = [
            (("sources", n, "topic"), s.topic) for n, s in enumerate(self.sources)
        ]
        return [
            *sources,
            (("alerts", "topic"), self.alerts.topic),
            (("alerts", "state_topic"), self.alerts.state_topic),
            (("dead_letters", "topic"), self.dead_letters.topic),
            (("commands", "topic"), self.commands.topic),
            (("audit", "topic"), self.audit.topic),
        ]

    @property
    def samples_topic(self) -> str:
        """From ingest to detect."""
        return f"{self.name}.samples"

    @property
    def anomalies_topic(self) -> str:
        """From detect to triage."""
        return f"{self.name}.anomalies"

    @property
    def detect_state_topic(self) -> str:
        """Snapshots of detect's shards, one partition each."""
        return f"{self.name}.detect-state"

    @property
    def triage_state_topic(self) -> str:
        """Snapshots of triage's shards, one partition each."""
        return f"{self.name}.triage-state"

    @property
    def shadow_alerts_topic(self) -> str:
        """Alerts on series in the shadow; those of a configuration in the shadow all go to its own."""
        return self.alerts.topic if self.mode == SHADOW else f"{self.alerts.topic}{SERIES_SUFFIX}"

    def internal_topics(self) -> tuple[str, ...]:
        """The topics that only Streamgauge itself reads and writes."""
        return self.samples_topic, self.anomalies_topic, self.detect_state_topic, self.triage_state_topic

    def settings(self) -> Settings:
        """What the deciding stages get of it."""
        ceiling = self.alerts.fleet_false_alarms
        return Settings(
            allowed_lateness_ms=self.time.allowed_lateness_ms,
            allowed_skew_ms=self.time.allowed_skew_ms,
            idle_timeout_ms=self.time.idle_timeout_ms,
            window_ms=self.time.window_ms,
            defaults=self.defaults.tuning(),
            signals=self.signals.tunings(),
            rules=tuple(entry.rule() for entry in self.series),
            expected_changes=tuple(it.of(source.topic) for source in self.sources for it in source.expected),
            lineage=tuple(sorted({link for entry in self.lineage for link in entry.links()})),
            unexampled_topics=frozenset(it.topic for it in self.sources if it.examples == "none"),
            series_max=self.limits.series_max,
            ids_max=self.limits.ids_max,
            shards=self.topics.samples_partitions,
            paging=self.alerts.paging(),
            runbook_base_url=self.alerts.runbook_base_url,
            fleet_false_alarms_per_day=ceiling.per_day if isinstance(ceiling, Rate) else None,
        )

    def limits_for_ingest(self) -> IngestLimits:
        """The caps on one record, as ingest's decoders take them."""
        return IngestLimits(
            record_bytes_max=self.limits.record_bytes_max,
            nesting_max=self.limits.depth_max,
            labels_max=self.limits.labels_max,
            label_chars_max=self.limits.label_length_max,
            schema_fields_max=self.limits.schema_fields_max,
        )
