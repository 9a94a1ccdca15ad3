"""A court: a deployment, its supervised workers and the judge over them, in the order in which a fault test goes."""

import contextlib
import random
import signal
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from stream.config import librdkafka_properties
from stream.exits import Refused
from stream.shard_store import ShardStore
from tests.faults.judge import SOURCE, Judge, Verdict
from tests.faults.story import Story
from tests.faults.supervisor import Supervisor
from tests.faults.topic_log import committed_offsets, ends, read_log, uncommitted
from tests.integrations.deployment import PARTITIONS, Deployment, Worker

READ_S: Final = 180.0
UNHURRIED: Final[dict[str, Any]] = {"time": {"allowed_lateness": "1s", "idle_timeout": "10m"}}
"""No partition becomes idle while a test runs, so time is that of the records and the judge's reference is exact."""


class Court:
    """Fault tests ask for one by the fixture `court`; `chance` is seeded, and everything random is drawn from it."""

    def __init__(self, deployment: Deployment, story: Story) -> None:
        self.deployment, self.story = deployment, story
        self.judge = Judge(deployment, story)
        self.chance = random.Random(f"{story.seed}/faults")

    def supervise(self, workers: int = 1, **how: Any) -> Supervisor:
        """Start workers that are started again when they end themselves."""
        return Supervisor(self.deployment, workers, **how)

    def lag(self) -> int:
        """Source records above the group's committed offsets."""
        return uncommitted(
            self.deployment.bootstrap_servers, self.deployment.config.name, [self.deployment.topic(SOURCE)]
        )

    def alerts(self) -> int:
        """Records on the alert topic."""
        return len(read_log(self.deployment.bootstrap_servers, self.deployment.config.alerts.topic))

    def stored(self) -> dict[int, int]:
        """The next offset that each stored shard of detect is to fold in; nothing for shards that have no state."""
        config = self.deployment.config
        store = ShardStore(librdkafka_properties(config, "consumer"))
        found: dict[int, int] = {}
        for shard in range(config.topics.samples_partitions):
            with contextlib.suppress(Refused):
                loaded = store.load(config.detect_state_topic, config.samples_topic, shard).snapshot
                found |= {} if loaded is None else {shard: loaded.covered_offset + 1}
        return found

    def samples_published(self) -> int:
        """Records that the samples topic has ever been given."""
        return ends(self.deployment.bootstrap_servers, self.deployment.config.samples_topic)

    def committed_samples(self) -> int:
        """Records of the samples topic that are folded in, stored and committed."""
        config = self.deployment.config
        return sum(
            committed_offsets(self.deployment.bootstrap_servers, config.name, config.samples_topic).values()
        )

    def worked(self) -> Worker:
        """A worker that has folded in the warm-up, stored state and committed offsets."""
        told = self.story.chapter(0)
        self.judge.publish(told)
        worker = self.deployment.start()
        wait_until(
            lambda: bool(self.stored()) and self.lag() == 0, "state is stored and offsets are committed"
        )
        worker.wait_for("worker.ready")
        wait_until(lambda: worker.metric("streamgauge_records_total") >= len(told), "all is stored")
        wait_until(lambda: self.committed_samples() > 0, "folded samples are committed")
        return worker

    def conclude(self, *crews: Supervisor) -> Verdict:
        """After the faults: the canary is found, everything is read, the workers drain, and the judge speaks."""

        def look() -> None:
            for crew in crews:
                crew.look()

        def all_read() -> bool:
            look()
            return self.lag() == 0

        def all_at_work() -> bool:
            """A worker that is just being started does not know yet how to drain; one that is yet to rejoin has no say."""
            look()
            staff = [worker for crew in crews for worker in crew.workers]
            return all(worker.logged("worker.ready") for worker in staff) and self._share_everything(staff)

        self.judge.send_canary(meanwhile=look)
        wait_until(all_at_work, f"seed {self.story.seed}: every worker is at work")
        wait_until(all_read, f"seed {self.story.seed}: everything is read")
        reference = self.judge.reference()
        self.judge.await_open_alerts(reference, meanwhile=look)
        staying = [worker for crew in crews for worker in crew.workers]
        while staying:
            wait_until(
                partial(self._share_everything, staying),
                f"seed {self.story.seed}: {len(staying)} workers share all",
            )
            worker = staying.pop(0)
            assert worker.end(signal.SIGTERM) == 0, worker.log.read_text()[-4000:]
        return self.judge.judge(reference)

    def _share_everything(self, workers: list[Worker]) -> bool:
        """Whether these workers hold every partition by one assignment, and no member that is gone or away holds any.

        A worker that drains while others hold partitions leaves those to them; the last one must have all.
        """
        topics = self.deployment.config.topics
        everything = PARTITIONS + topics.samples_partitions + 1 + 1 + 1  # anomalies, commands, configurations
        last = [said[-1] for worker in workers if (said := worker.logged("partitions.assigned"))]
        return (
            len(last) == len(workers)
            and len({it["generation"] for it in last}) == 1
            and sum(it["partitions"] for it in last) == everything
        )


def wait_until(holds: Callable[[], bool], what: str, within_s: float = READ_S) -> None:
    """Wait for something that must come to hold."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if holds():
            return
        time.sleep(0.05)
    raise AssertionError(f"not within {within_s:g} s: {what}")


def killed(worker: Worker) -> None:
    """Kill a worker as the kernel's out-of-memory killer would."""
    assert worker.end(signal.SIGKILL) == -signal.SIGKILL, worker.log.read_text()[-4000:]
