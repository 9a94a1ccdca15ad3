"""Membership and time of one virtual worker: what its shells share."""

import random
from dataclasses import dataclass, field

from stream.sources import Place
from stream.testing.simulator.kafka import Broker, Producer
from stream.testing.simulator.scenario import Scenario

NO_GENERATION = -1


@dataclass
class Member:
    """A worker's view of the group, which is old while it is frozen, and what it has acked and not committed.

    `epoch` grows at every revocation and every assignment, as in the transport.
    """

    scenario: Scenario
    broker: Broker
    producer: Producer
    chance: random.Random
    skew_ms: int
    epoch: int = 0
    generation: int = NO_GENERATION
    assigned: frozenset[Place] = frozenset()
    acked: dict[Place, int] = field(default_factory=dict)

    @property
    def wall_ms(self) -> int:
        """This machine's clock."""
        return self.broker.now_ms + self.skew_ms

    def dallies(self) -> bool:
        """Whether others get a turn here, where nothing has to be waited for."""
        return self.chance.random() < self.scenario.pause_share

    def changed(self, assigned: frozenset[Place], generation: int) -> None:
        """An assignment is in force, or (empty) none; what was acked and not committed is handled again."""
        self.epoch += 1
        self.assigned, self.generation = assigned, generation
        self.acked.clear()

    def ack(self, place: Place, next_offset: int) -> None:
        """Everything before `next_offset` may be committed."""
        self.acked[place] = max(self.acked.get(place, 0), next_offset)

    def start(self, place: Place) -> int:
        """The offset from which an owned partition is read."""
        return self.broker.committed.get(place, self.broker.begins.get(place, 0))
