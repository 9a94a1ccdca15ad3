"""Progress: what the worker owns, how far it is and how far it could be; lag, readiness and stalls follow from it."""

import asyncio
import logging
import time
from collections import Counter as Tally
from collections.abc import Mapping, Sequence
from typing import Any, Final

import structlog
from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from stream.guards import ProgressWatch, StallError, Stopper
from stream.holding import Holding
from stream.ingest_agent import Ends
from stream.sources import Place, Sources
from stream.stage_agent import StageAgent
from stream.telemetry import Telemetry
from stream.transport import Membership

INTERVAL_S: Final = 1.0
ANSWER_S_MAX: Final = 5.0
LOOP_SILENCE_S_MAX: Final = 15.0
ENDS_SILENCE_S_MAX: Final = 15.0

_FIRST: Final[OffsetSpec] = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
_NEXT: Final[OffsetSpec] = OffsetSpec.latest()  # type: ignore[no-untyped-call]

log = structlog.get_logger(__name__)


class Progress:
    """Asks for the ends of the owned partitions every second, and compares them with what is handled.

    Args:
        admin: properties of the librdkafka admin client.
        stall_s: for how long records may wait, in a stable group, without anything being handled.
    """

    def __init__(  # noqa: PLR0913  the parts of a worker that it looks at
        self,
        admin: Mapping[str, Any],
        ends: Ends,
        sources: Sources,
        holding: Holding,
        agents: Sequence[StageAgent],
        membership: Membership,
        telemetry: Telemetry,
        stall_s: float,
    ) -> None:
        self._admin_properties = admin
        self._admin = self._new_admin()
        self._ends, self._sources, self._holding = ends, sources, holding
        self._agents = {agent.topic: agent for agent in agents}
        self._membership, self._telemetry, self._stall_s = membership, telemetry, stall_s
        self._watch = ProgressWatch()
        self._unsettled_since_s = time.monotonic()
        self._lag: dict[str, int] | None = None
        self._begins: dict[Place, int] | None = None
        self._unloaded: list[Place] = []
        self._ticked_s = time.monotonic()
        self.consumer: Any = None
        self.draining = False
        membership.on_change(self._on_change)

    def _on_change(self) -> None:
        self._unsettled_since_s = time.monotonic()
        self._lag = self._begins = None
        self._ends.offsets, self._ends.asked_s = {}, float("-inf")
        if self._membership.assigned:
            self._telemetry.rebalances.inc()

    async def watch(self, stopper: Stopper) -> None:
        """Look every second, for ever; a stall ends the process."""
        while True:
            await self.look()
            if self._watch.stalled_s > self._stall_s:
                stopper.stop(
                    StallError(f"records wait, and nothing was handled for {self._watch.stalled_s:.0f} s")
                )
            await asyncio.sleep(INTERVAL_S)

    async def look(self) -> bool:
        """Ask for the ends, and bring lag and the metrics up to date; returns whether Kafka answered in time."""
        self._ticked_s = time.monotonic()
        places, epoch = sorted(self._membership.assigned), self._membership.epoch
        loop = asyncio.get_running_loop()
        begins = self._begins or await loop.run_in_executor(None, self._ask, places, _FIRST)
        ends = await loop.run_in_executor(None, self._ask, places, _NEXT)
        if epoch != self._membership.epoch:
            return False
        self._begins = begins
        if ends is not None:
            self._ends.offsets, self._ends.asked_s = ends, time.monotonic()
        positions = self._positions(places)
        settled = self.settled and not self.draining
        flowing = {place: at for place, at in positions.items() if place not in self._holding.held}
        self._watch.observe(flowing, self._ends.offsets, time.monotonic(), settled=settled)
        self._show(positions)
        return ends is not None

    @property
    def settled(self) -> bool:
        """Whether an assignment is in force and its records flow."""
        return self._membership.generation >= 0 and self._sources.assigned and self.consumer.flow_active

    async def caught_up(self, topic: str) -> bool:
        """Whether a stage has folded in its topic up to the end as it is now; True when nothing is owned any more."""
        answered = await self.look()
        return not self.settled or (answered and self._lag is not None and not self._lag.get(topic, 0))

    def unhealthy(self) -> list[str]:
        """Why the process should be restarted. Called from the HTTP threads."""
        silent_s = time.monotonic() - self._ticked_s
        return [f"the event loop has not moved for {silent_s:.0f} s"] if silent_s > LOOP_SILENCE_S_MAX else []

    def unready(self) -> list[str]:
        """Why the worker is not doing its work now. Called from the HTTP threads."""
        reasons = self.unhealthy()
        if self.draining:
            reasons.append("shutting down")
        elif not self.settled:
            reasons.append(
                f"no assignment in the consumer group for {time.monotonic() - self._unsettled_since_s:.0f} s"
            )
        elif time.monotonic() - self._ends.asked_s > ENDS_SILENCE_S_MAX:
            reasons.append("Kafka does not answer")
        reasons += [
            f"the state of {place.topic} partition {place.partition} is not loaded"
            for place in self._unloaded
        ]
        reasons += self._holding.reasons()
        if self._watch.stalled_s > self._stall_s / 2:
            reasons.append(f"records wait, and nothing was handled for {self._watch.stalled_s:.0f} s")
        return reasons

    def _ask(self, places: Sequence[Place], spec: OffsetSpec) -> dict[Place, int] | None:
        """First or next offsets, as seen by a reader of committed records; None when Kafka does not answer."""
        if not places:
            return {}
        try:
            asked = self._admin.list_offsets(
                {TopicPartition(*place): spec for place in places},
                isolation_level=IsolationLevel.READ_COMMITTED,
                request_timeout=ANSWER_S_MAX,
            )
            told = {Place(it.topic, it.partition): future.result().offset for it, future in asked.items()}
        except KafkaException as error:
            reason = error.args[0].str()
        else:
            if min(told.values()) >= 0:
                return told
            reason = "no answer in time"  # of which librdkafka makes offsets that cannot be, and no error
        log.warning("offsets.unknown", error=reason)
        self._admin = self._new_admin()
        return None

    def _new_admin(self) -> AdminClient:
        """A client without memories: after a leader moved, an old one goes on asking with the epoch it knew."""
        return AdminClient(dict(self._admin_properties), logger=logging.getLogger("librdkafka"))

    def _positions(self, places: Sequence[Place]) -> dict[Place, int]:
        """The next offsets that are not handled; where nothing was handled yet, those from which is read."""
        positions: dict[Place, int] = {}
        for place in places:
            agent = self._agents.get(place.topic)
            feed = self._sources.feeds.get(place)
            position = agent.position(place.partition) if agent else feed.position if feed else None
            if position is None:
                position = self.consumer.committed(place) or (self._begins or {}).get(place)
            if position is not None:
                positions[place] = position
        return positions

    def _show(self, positions: Mapping[Place, int]) -> None:
        lag: Tally[str] = Tally({place.topic: 0 for place in self._membership.assigned})
        unloaded = []
        for place, position in positions.items():
            waiting = max(0, self._ends.offsets.get(place, 0) - position)
            lag[place.topic] += waiting
            agent = self._agents.get(place.topic)
            if waiting and agent and place.partition not in agent.shards:
                unloaded.append(place)
        self._lag, self._unloaded = dict(lag), unloaded
        self._telemetry.show_per_topic(self._telemetry.lag_records, lag)
        self._telemetry.show_per_topic(
            self._telemetry.assigned_partitions, Tally(place.topic for place in self._membership.assigned)
        )
        held = Tally({place.topic: 0 for place in self._sources.feeds})
        held.update(place.topic for place in self._holding.held)
        self._telemetry.show_per_topic(self._telemetry.held_partitions, held)
