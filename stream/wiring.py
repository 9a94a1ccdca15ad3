"""Wiring: how a configuration becomes the topology of a worker."""

from collections.abc import Iterator, Mapping
from importlib.metadata import version
from itertools import takewhile
from typing import Final

from detectors.alerts import Mode
from detectors.outputs import Destination
from detectors.warm_start import History
from stream.command_intake import CommandIntake
from stream.config import Config, faust_broker, librdkafka_properties
from stream.config_intake import ConfigIntake
from stream.formats import beside
from stream.formats.encodings.choice import no_registry
from stream.formats.encodings.schemas import SchemaOf
from stream.ingest import Ingest
from stream.intake import Intake
from stream.lookback import Lookback
from stream.registry import Registry
from stream.retained import Retained
from stream.stages import detect_stage, triage_stage
from stream.topology import Clients, StageSpec, Topology

DELIVERY_MS: Final = 30_000
RECORD_BYTES_MAX: Final = 8 << 20


def topology(config: Config, source_partitions: Mapping[str, int]) -> Topology:
    """What `config` asks for, on a broker whose source topics have so many partitions."""
    settings = config.settings()
    readings = {source.topic: source.reading for source in config.sources}
    shards = config.topics.samples_partitions
    limits, registry = config.limits_for_ingest(), registry_of(config)
    schema_of, versions_of = (registry.schema, registry.versions) if registry else (no_registry, None)
    return Topology(
        group=config.name,
        version=version("streamgauge"),
        source_topics=frozenset({*readings, config.commands.topic, config.configs.topic}),
        besides={topic: beside(reading) for topic, reading in readings.items()},
        make_ingest=lambda: Intake(
            Ingest(
                readings,
                shards,
                source_partitions,
                limits,
                settings.allowed_skew_ms,
                schema_of,
                settings.allowed_lateness_ms,
                Lookback(librdkafka_properties(config, "consumer")).past,
                versions_of,
            ),
            CommandIntake(config.commands.topic),
            ConfigIntake(config),
        ),
        stages=(
            StageSpec(
                "detect",
                config.samples_topic,
                config.detect_state_topic,
                lambda shard: detect_stage(settings, shard, samples_before(config, shard)),
            ),
            StageSpec(
                "triage",
                config.anomalies_topic,
                config.triage_state_topic,
                lambda _: triage_stage(settings, Mode(config.mode)),
            ),
        ),
        destinations={
            Destination.SAMPLES: config.samples_topic,
            Destination.ANOMALIES: config.anomalies_topic,
            Destination.ALERTS: config.alerts.topic,
            Destination.ALERT_STATE: config.alerts.state_topic,
            Destination.SHADOW_ALERTS: config.shadow_alerts_topic,
            Destination.DEAD_LETTERS: config.dead_letters.topic,
            Destination.AUDIT: config.audit.topic,
        },
        clients=clients(config),
        snapshot_interval_s=config.snapshot_interval_ms / 1000,
        idle_timeout_s=config.time.idle_timeout_ms / 1000,
        http_host=config.http.host,
        http_port=config.http.port,
    )


def samples_before(config: Config, shard: int) -> History:
    """Reads what is retained of a shard's samples, in a worker that has assigned it already."""

    def read(first: int, before: int) -> Iterator[tuple[int, bytes]]:
        retained = Retained(librdkafka_properties(config, "consumer"), config.samples_topic, shard)
        kept = takewhile(lambda it: it.offset < before, retained.read(first))
        return ((it.offset, it.value) for it in kept)

    return read


def schemas_of(config: Config) -> SchemaOf:
    """Where the schemas of framed values come from."""
    registry = registry_of(config)
    return registry.schema if registry else no_registry


def registry_of(config: Config) -> Registry | None:
    """The registry that is configured; one thread at a time may ask it."""
    registry = config.schema_registry
    return Registry(registry.properties()) if registry else None


def clients(config: Config) -> Clients:
    """The connections that `config` describes."""
    return Clients(
        consumer=librdkafka_properties(config, "consumer"),
        producer={
            "delivery.timeout.ms": DELIVERY_MS,
            "message.max.bytes": RECORD_BYTES_MAX,
            **librdkafka_properties(config, "producer"),
        },
        admin=librdkafka_properties(config, "admin"),
        faust=faust_broker(config),
    )
