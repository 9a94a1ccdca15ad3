"""Topology: what a worker needs to know, as plain values; `stream.wiring` makes one of a configuration."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from detectors.outputs import Destination
from detectors.stage import Stage
from stream.agents import Ingesting


@dataclass(frozen=True, slots=True)
class StageSpec:
    """One folding stage: the topic it folds, where its snapshots are, and an empty stage for a shard."""

    name: str
    topic: str
    state_topic: str
    factory: Callable[[int], Stage]


@dataclass(frozen=True, slots=True)
class Clients:
    """Connection properties in the words of each client; see `stream.config.kafka`."""

    consumer: Mapping[str, Any]
    producer: Mapping[str, Any]
    admin: Mapping[str, Any]
    faust: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Topology:
    """Everything a worker needs to know.

    `stall_s` is for how long records may wait, in a stable group, without one being handled.
    """

    group: str
    version: str
    source_topics: frozenset[str]
    make_ingest: Callable[[], Ingesting]
    stages: tuple[StageSpec, ...]
    destinations: Mapping[Destination, str]
    clients: Clients
    snapshot_interval_s: float
    idle_timeout_s: float
    stall_s: float = 120.0
    http_host: str = "127.0.0.1"
    http_port: int = 0
