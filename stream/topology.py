"""Topology: what a worker needs to know, as plain values; `stream.wiring` makes one of a configuration."""

from collections import Counter as Tally
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from detectors.outputs import Destination, Output
from detectors.stage import Count, Stage
from stream.outbox import Outbox
from stream.telemetry import Telemetry

Ints = npt.NDArray[np.int64]


class Ingesting(Protocol):
    """What the ingest agent uses of `stream.ingest.Ingest`."""

    def batch(  # noqa: PLR0913  the columns of a fetched batch and where it comes from
        self,
        topic: str,
        partition: int,
        offsets: Sequence[int] | Ints,
        values: Sequence[bytes | None],
        timestamps_ms: Sequence[int] | Ints,
        previous_offset: int,
        wall_ms: int,
        caught_up: bool,
    ) -> list[Output]:
        """The outputs of one batch."""

    def mark(
        self, topic: str, partition: int, next_offset: int, wall_ms: int, caught_up: bool, idle: bool
    ) -> list[Output]:
        """The outputs that say where a partition stands."""

    def take_counts(self) -> Tally[Count]:
        """What was counted since the last call."""


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

    `besides` says what is wanted of a source topic's records beside the values: names of headers, or `KEY`.
    `beside` is something that a worker does beside its records, for ever. `stall_s` is for how long records may wait, in a stable group, without one being handled.
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
    besides: Mapping[str, Sequence[str]] = field(default_factory=dict)
    beside: Callable[[Outbox, Telemetry], Coroutine[Any, Any, None]] | None = None
    stall_s: float = 300.0
    http_host: str = "127.0.0.1"
    http_port: int = 0
