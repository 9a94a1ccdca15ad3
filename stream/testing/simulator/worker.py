"""One virtual worker: a member of the group with the shells of ingest, detect and triage, and its tasks."""

import random
from typing import Final

from detectors.outputs import Destination
from stream.sources import Place
from stream.testing.simulator.ingest_shell import IngestShell
from stream.testing.simulator.kafka import Broker, Producer
from stream.testing.simulator.membership import NO_GENERATION, Member
from stream.testing.simulator.scenario import CLOCK_SKEW_MS_MAX, Scenario
from stream.testing.simulator.stage_shell import STATE_SUFFIX, Parts, StageShell
from stream.testing.simulator.tasks import Task, Work

SAMPLES: Final = "samples"
ANOMALIES: Final = "anomalies"
ALERTS: Final = "alerts"
ALERT_STATE: Final = "open-alerts"
DEAD_LETTERS: Final = "dead-letters"
TOPICS: Final = {
    Destination.SAMPLES: SAMPLES,
    Destination.ANOMALIES: ANOMALIES,
    Destination.ALERTS: ALERTS,
    Destination.ALERT_STATE: ALERT_STATE,
    Destination.DEAD_LETTERS: DEAD_LETTERS,
}
INGEST_TASKS: Final = 3


class Worker:
    """A process. `frozen` while it stands still; what it believes about the group may then be old."""

    def __init__(self, scenario: Scenario, parts: Parts, broker: Broker, chance: random.Random) -> None:
        skew_ms = chance.choice([0, 0, chance.randint(-CLOCK_SKEW_MS_MAX, CLOCK_SKEW_MS_MAX)])
        self.producer = Producer(broker, TOPICS)
        self.member = Member(scenario, broker, self.producer, chance, skew_ms)
        self.ingest = IngestShell(self.member, scenario.make_ingest, parts.waits_for_delivery)
        settings = scenario.settings
        self.stages = (
            StageShell(
                self.member,
                SAMPLES,
                lambda shard: parts.detect(settings, shard),
                parts,
            ),
            StageShell(self.member, ANOMALIES, lambda _: parts.triage(settings), parts),
        )
        self.frozen = False
        works = [self.ingest.consume(), self.ingest.mark(), self.ingest.ask_for_ends()]
        for stage in self.stages:
            works += [stage.consume(), stage.store_for_ever()]
        works.append(self._commit_for_ever())
        self.tasks = [Task(work) for work in works]
        self.stage_tasks = self.tasks[INGEST_TASKS:]

    def changed(self, assigned: frozenset[Place], generation: int) -> None:
        """The group has given partitions (or, empty, taken all)."""
        self.member.changed(assigned, generation)
        self.ingest.changed()
        for stage in self.stages:
            stage.changed()

    def states(self) -> list[Place]:
        """Where the snapshots of the shards that are held here lie."""
        return [Place(stage.topic + STATE_SUFFIX, n) for stage in self.stages for n in stage.shards]

    def revoke(self) -> None:
        """The group has taken all partitions; what is acked is committed first if that still succeeds."""
        if self.member.generation != NO_GENERATION:
            self.commit()
        self.changed(frozenset(), NO_GENERATION)

    def commit(self) -> None:
        """Commit what is acked."""
        member = self.member
        if member.acked and member.broker.commit(member.generation, member.acked):
            member.acked.clear()

    def _commit_for_ever(self) -> Work:
        member = self.member
        while True:
            yield member.broker.after(member.chance.randint(0, member.scenario.commit_interval_ms))
            self.commit()
