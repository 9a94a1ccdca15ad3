"""One run: workers, broker and clock take turns at random, first with faults, then without."""

import json
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from detectors.shard_verdicts import MARK_EVERY_MS
from stream.snapshots import MANIFEST, SnapshotError, SnapshotLog
from stream.sources import Place
from stream.testing.simulator.kafka import KEYED_PARTITIONS, Broker
from stream.testing.simulator.scenario import CANARY, EVENTS, START_MS, Scenario
from stream.testing.simulator.stage_shell import STATE_SUFFIX, Parts
from stream.testing.simulator.tasks import Task
from stream.testing.simulator.worker import ALERT_STATE, ALERTS, ANOMALIES, SAMPLES, Worker

TURNS_MAX: Final = 20_000
ROUNDS_MAX: Final = 5_000
CALM_STEP_MS_MAX: Final = 4_000
STOPS_MAX: Final = 5
THAWED_TURNS_MAX: Final = 40
AWAY_TURNS_MAX: Final = 300
LATER_MS: Final = 84 * 3_600_000
"""No whole number of days after the canary, so that no reminder is just due or not."""
"""How far the clock jumps at the end, past everything that could be overdue."""


class Unfinished(Exception):
    """The run did not come to its end."""


@dataclass
class Outcome:
    """What a run leaves behind: the broker, the workers at its end, which faults happened, why workers stopped."""

    scenario: Scenario
    parts: Parts
    broker: Broker
    workers: list[Worker]
    faults: Counter[str] = field(default_factory=Counter)
    stops: list[BaseException] = field(default_factory=list)
    unfinished: str = ""


def run(scenario: Scenario, parts: Parts) -> Outcome:
    """Play a scenario to its end."""
    return _Run(scenario, parts).play()


class _Run:
    def __init__(self, scenario: Scenario, parts: Parts) -> None:
        self._scenario, self._parts = scenario, parts
        self._chance = random.Random(f"{scenario.seed}/turns")
        self._broker = Broker(START_MS)
        self._workers: list[Worker] = []
        self._outcome = Outcome(scenario, parts, self._broker, self._workers)
        self._faulty = True
        self._rebalance_in: int | None = None
        self._returns_in = 0
        self._thawed: dict[int, int] = {}

    def play(self) -> Outcome:
        """Faults, then liveness, then the end of all timers."""
        for record in self._scenario.records:
            self._broker.publish(record.place, record.value, record.at_ms, record.gap)
        self._workers.append(self._new_worker())
        self._begin_rebalance()
        try:
            self._with_faults()
            self._stop_faults()
            self._drain("the backlog")
            self._publish_canary()
            self._drain("the canary")
            self._broker.now_ms += LATER_MS
            self._drain("the last marks")
            self._broker.now_ms += 2 * MARK_EVERY_MS
            self._drain("marks that tell triage of the last ones")
            self._store_all()
        except Unfinished as reason:
            self._outcome.unfinished = str(reason)
        return self._outcome

    def _with_faults(self) -> None:
        end_ms = self._scenario.records[-1].at_ms + 120_000
        for _ in range(TURNS_MAX):
            if self._broker.now_ms >= end_ms:
                return
            self._faults()
            self._turn()

    def _round(self) -> None:
        """Without faults everybody gets a turn, and then a little time passes."""
        self._move_group()
        for worker in list(self._workers):
            for task in self._chance.sample(worker.tasks, len(worker.tasks)):
                if worker in self._workers and task.ready():
                    self._go_on(worker, task)
            worker.producer.land_all()
        self._broker.now_ms += self._chance.randint(1, CALM_STEP_MS_MAX)

    def _turn(self) -> None:
        """Something happens: mostly a task of some worker goes on, or records land, or time passes."""
        chance = self._chance
        self._move_group()
        dice = chance.random()
        if dice < 0.25:
            self._land()
        elif dice < 0.27 or not sum(self._some_task() for _ in range(self._scenario.burst)):
            self._pass_time()

    def _pass_time(self) -> None:
        self._broker.now_ms += self._chance.randint(1, self._scenario.step_ms)

    def _land(self) -> None:
        busy = [worker for worker in self._workers if worker.producer.busy and not worker.frozen]
        if busy:
            self._chance.choice(busy).producer.land(self._chance)

    def _some_task(self) -> bool:
        """A task of some worker goes on; False when none can."""
        tasks = [(worker, task) for worker in self._workers if not worker.frozen for task in worker.tasks]
        start = self._chance.randrange(len(tasks)) if tasks else 0
        for worker, task in (*tasks[start:], *tasks[:start]):
            if task.ready():
                self._go_on(worker, task)
                return True
        return False

    def _go_on(self, worker: Worker, task: Task) -> None:
        try:
            task.turn()
        except Exception as error:  # noqa: BLE001  whatever it is, it ends a worker
            self._stopped(worker, error)

    def _stopped(self, worker: Worker, error: BaseException) -> None:
        """A worker that cannot go on ends itself, and is started again; a zombie may well find its log gone."""
        if id(worker) not in self._thawed:
            self._outcome.stops.append(error)
        self._gone(worker)
        if len(self._outcome.stops) > STOPS_MAX:
            raise Unfinished(f"workers stop again and again: {error!r}")

    def _gone(self, worker: Worker) -> None:
        worker.producer.abandon(self._chance)
        self._workers.remove(worker)
        self._thawed.pop(id(worker), None)
        self._returns_in = self._chance.randint(0, AWAY_TURNS_MAX) if self._faulty else 0
        self._begin_rebalance()

    # The group

    def _new_worker(self) -> Worker:
        return Worker(self._scenario, self._parts, self._broker, self._chance)

    def _begin_rebalance(self) -> None:
        if self._rebalance_in is None:
            self._rebalance_in = self._chance.randint(0, AWAY_TURNS_MAX if self._faulty else 10)

    def _move_group(self) -> None:
        if not self._workers:
            self._returns_in -= 1
            if self._returns_in <= 0:
                self._workers.append(self._new_worker())
                self._begin_rebalance()
        if self._rebalance_in is None:
            return
        self._rebalance_in -= 1
        if self._rebalance_in <= 0:
            self._rebalance_in = None
            self._rebalance()

    def _rebalance(self) -> None:
        """Take all partitions from the members that answer, and deal them out anew."""
        members = [worker for worker in self._workers if not worker.frozen and id(worker) not in self._thawed]
        if not members:
            return
        for worker in members:
            worker.revoke()
        self._broker.generation += 1
        dealt: dict[int, set[Place]] = {at: set() for at in range(len(members))}
        for place in self._all_places():
            dealt[self._chance.randrange(len(members))].add(place)
        for at, worker in enumerate(members):
            worker.changed(frozenset(dealt[at]), self._broker.generation)
        self._outcome.faults["rebalance"] += 1

    def _all_places(self) -> list[Place]:
        scenario = self._scenario
        internal = ((SAMPLES, scenario.shards), (ANOMALIES, 1))
        return [*scenario.places(), *(Place(topic, n) for topic, count in internal for n in range(count))]

    # Faults

    def _faults(self) -> None:
        faults, chance = self._scenario.faults, self._chance
        self._maybe_freeze_or_thaw()
        if self._workers and chance.random() < faults.crash:
            self._crash()
        if chance.random() < faults.rebalance:
            self._begin_rebalance()
            if len(self._workers) < faults.workers_max:
                self._workers.append(self._new_worker())
        if chance.random() < faults.compact:
            self._broker.compact(self._some_state(), chance)
        if chance.random() < faults.trim:
            self._trim()
        if chance.random() < faults.away:
            self._take_away()
        if self._broker.away and chance.random() < faults.back:
            self._broker.away.clear()

    def _crash(self) -> None:
        worker = self._chance.choice(self._workers)
        self._outcome.faults["crash"] += 1
        busy = worker.producer.busy
        if busy:
            self._outcome.faults["crash with records under way"] += 1
        held = [] if self._is_zombie(worker) else worker.states()
        self._gone(worker)
        tombstones_come = busy or any(it.frozen for it in self._workers)
        if self._chance.random() < self._scenario.faults.damage and not tombstones_come:
            for place in held:
                self._damage(place)

    def _is_zombie(self, worker: Worker) -> bool:
        return worker.frozen or id(worker) in self._thawed

    def _maybe_freeze_or_thaw(self) -> None:
        chance = self._chance
        for worker in list(self._workers):
            left = self._thawed.get(id(worker))
            if left is not None:
                self._thawed[id(worker)] = left - 1
                if not left:
                    self._gone(worker)
            elif worker.frozen and chance.random() < 0.01:
                self._thaw(worker)
            elif not worker.frozen and chance.random() < self._scenario.faults.freeze:
                worker.frozen = True
                self._begin_rebalance()
                if sum(not each.frozen for each in self._workers) == 0:
                    self._workers.append(self._new_worker())

    def _thaw(self, worker: Worker) -> None:
        """A zombie wakes: for some turns it does not know that the group has gone on, then its guard ends it."""
        worker.frozen = False
        self._thawed[id(worker)] = self._chance.randint(0, THAWED_TURNS_MAX)
        self._outcome.faults["zombie"] += worker.member.generation < self._broker.generation

    def _some_state(self) -> Place:
        place = self._chance.choice([it for it in self._all_places() if it.topic in {SAMPLES, ANOMALIES}])
        return Place(place.topic + STATE_SUFFIX, place.partition)

    def _damage(self, place: Place) -> None:
        """Spoil the newest snapshot, if the one before it has not been tombstoned yet; nobody will now."""
        log = SnapshotLog()
        for entry in self._broker.states[place]:
            log.add(*entry)
        covered = _covered(log)
        for key in [key for key in log.entries if key.endswith(MANIFEST)]:
            without = SnapshotLog({name: value for name, value in log.entries.items() if name != key})
            if -1 < _covered(without) < covered:
                self._flip(place, key)
                return

    def _flip(self, place: Place, key: str) -> None:
        entries = self._broker.states[place]
        for at, entry in enumerate(entries):
            if entry.key == key and entry.value is not None:
                entries[at] = entry._replace(value=b"\xc1" + entry.value[1:])
        self._outcome.faults["damaged snapshot"] += 1

    def _take_away(self) -> None:
        """One of the topics that stages write to takes no records for a while."""
        topics = ((ANOMALIES, 1), (SAMPLES, self._scenario.shards))
        keyed = ((ALERTS, KEYED_PARTITIONS), (ALERT_STATE, KEYED_PARTITIONS))
        topic, count = self._chance.choice([*topics, *keyed])
        self._broker.away.add(Place(topic, self._chance.randrange(count)))
        self._outcome.faults["partition away"] += 1

    def _trim(self) -> None:
        """Retention removes records of the internal topics that are committed."""
        for place in self._all_places():
            if place.topic in {SAMPLES, ANOMALIES}:
                self._broker.begins[place] = self._broker.committed.get(place, 0)
        self._outcome.faults["trimmed"] += 1

    # Liveness

    def _stop_faults(self) -> None:
        self._faulty = False
        self._broker.now_ms = max(self._broker.now_ms, self._scenario.records[-1].at_ms)
        self._broker.away.clear()
        for worker in [each for each in self._workers if each.frozen or id(each) in self._thawed]:
            worker.producer.land_all()
            self._gone(worker)
        self._begin_rebalance()

    def _publish_canary(self) -> None:
        """An incident that no fault disturbs: a run that takes twenty times as long as usual."""
        at_ms = self._broker.now_ms + 1_000
        body = {"pipeline": CANARY, "run_id": "incident", "state": "succeeded", "time": at_ms}
        value = json.dumps({**body, "duration_ms": 100_000}).encode()
        for n in range(self._scenario.partitions[EVENTS]):
            self._broker.publish(Place(EVENTS, n), value if not n else None, at_ms)
        self._broker.now_ms = at_ms

    def _drain(self, what: str) -> None:
        """Go on until every source record is handled and every source partition is known to be idle, and finish that."""
        since_ms = self._broker.now_ms
        for _ in range(ROUNDS_MAX):
            if self._rebalance_in is None and self._read_to_the_end(since_ms):
                self._settle(what)
                return
            self._round()
        raise Unfinished(f"lag did not go to 0: {what}; {self._lag()}")

    def _read_to_the_end(self, since_ms: int) -> bool:
        told = {place for worker in self._workers for place in worker.ingest.idle_since(since_ms)}
        places = self._scenario.places()
        return len(told) == len(places) and not self._lag().keys() & set(places)

    def _settle(self, what: str) -> None:
        """Nothing new comes, until the stages have finished what there is."""
        for _ in range(ROUNDS_MAX):
            if self._quiet():
                return
            for worker in list(self._workers):
                worker.producer.land_all()
                for task in worker.stage_tasks:
                    if task.ready() and worker in self._workers:
                        self._go_on(worker, task)
        raise Unfinished(f"lag did not go to 0: {what}; {self._lag()}")

    def _lag(self) -> dict[Place, int]:
        positions: dict[Place, int] = {}
        for worker in self._workers:
            positions |= {place: feed.handled for place, feed in worker.ingest.feeds.items()}
            for stage in worker.stages:
                for partition in stage.owned:
                    positions[Place(stage.topic, partition)] = stage.position(partition) or 0
        lag = {place: self._broker.end(place) - positions.get(place, 0) for place in self._all_places()}
        return {place: left for place, left in lag.items() if left > 0}

    def _quiet(self) -> bool:
        stages = [stage for worker in self._workers for stage in worker.stages]
        under_way = any(worker.producer.busy for worker in self._workers)
        return not under_way and all(stage.idle() for stage in stages) and not self._lag()

    def _store_all(self) -> None:
        """A last snapshot and commit."""
        for worker in self._workers:
            for stage in worker.stages:
                for condition in stage.store():
                    if condition is not None and not condition():
                        worker.producer.land_all()
            worker.commit()


def _covered(log: SnapshotLog) -> int:
    """The offset that the best snapshot covers; -1 without any."""
    try:
        best, _ = log.best()
    except SnapshotError:
        return -1
    return best.covered_offset if best else -1
