"""One root, one page, on a real Kafka: two platforms of 40 jobs in 5 levels go wrong while one worker joins and another is killed."""

import json
import random
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from detectors.alerts import Alert, State
from tests.detectors.test_upstream import platform
from tests.integrations.deployment import PARTITIONS, PATIENCE_S, Deployment, Worker

Deploy = Callable[..., Deployment]
SECOND_MS: Final = 1000
MINUTE_MS: Final = 60 * SECOND_MS
HOUR_MS: Final = 60 * MINUTE_MS
BEGIN_MS: Final = 1_780_000_000_000
LEARNED_RUNS: Final = 60
WRONG_MS: Final = BEGIN_MS + LEARNED_RUNS * HOUR_MS
"""When everything goes wrong."""
OUT_OF_ORDER_MS: Final = 60 * SECOND_MS
HELD_MS: Final = WRONG_MS + 4 * MINUTE_MS
"""All that went wrong is known, and the hold is not over."""
CLOSED_MS: Final = WRONG_MS + 20 * MINUTE_MS
"""The hold of five minutes is over for all, and no run of the next hour is due."""
SEEN, UNSEEN = "seen", "unseen"
"""The platform whose root fails, and the one whose root is well although all that comes after it is not."""

MORE_S: Final = 2.0

Event = dict[str, Any]


def run(of: str, job: str, parent: str | None, time_ms: int, **more: Any) -> Event:
    """One run of a job, which says what it comes after, with an ordinary duration unless told otherwise."""
    after = {} if parent is None else {"after": [f"{of}-{parent}"]}
    usual = {"state": "succeeded", "duration_ms": 60_000 + time_ms // 7 % 3000}
    return {"pipeline": f"{of}-{job}", "time": time_ms, **usual, **after, **more}


def jobs() -> dict[str, str | None]:
    """Every job with the one that it comes after."""
    return {"job-0": None, **platform()}


def learned() -> Iterator[Event]:
    """Hourly runs of both platforms, each job at its own minute."""
    for of in (SEEN, UNSEEN):
        for number, (job, parent) in enumerate(jobs().items()):
            for hour in range(LEARNED_RUNS):
                yield run(of, job, parent, BEGIN_MS + hour * HOUR_MS + number * SECOND_MS)


def wrong(chance: random.Random) -> Iterator[Event]:
    """Within a minute: one root fails three times, and every job after a root takes far too long, in both platforms."""
    for of in (SEEN, UNSEEN):
        for job, parent in platform().items():
            yield run(of, job, parent, WRONG_MS + chance.randrange(MINUTE_MS), duration_ms=40 * 60_000)
    for attempt in range(3):
        yield run(SEEN, "job-0", None, WRONG_MS + 20 * attempt * SECOND_MS, state="failed")
    yield run(UNSEEN, "job-0", None, WRONG_MS)


def dealt(
    events: Iterator[Event], chance: random.Random, out_of_order_ms: int = 0
) -> list[tuple[int, bytes]]:
    """Events in any partition, in an order that is out of that of event time by no more than so much."""
    found = sorted(events, key=lambda it: (it["time"] + chance.randint(0, out_of_order_ms), it["pipeline"]))
    return [(chance.randrange(PARTITIONS), json.dumps(event).encode()) for event in found]


def until(time_ms: int) -> list[tuple[int, bytes]]:
    """Time goes on in every partition."""
    last = {"pipeline": "closer", "state": "succeeded", "time": time_ms}
    return [(partition, json.dumps(last).encode()) for partition in range(PARTITIONS)]


def does_triage(workers: list[Worker]) -> Worker:
    """Which of some workers does triage: the last that has loaded its state."""
    loaded = [
        (it["timestamp"], worker)
        for worker in workers
        for it in worker.logged("shard.loaded")
        if it["stage"] == "triage"
    ]
    return max(loaded, key=lambda it: it[0])[1]


def pages(alerts: list[Alert]) -> list[str]:
    """Of which pipelines people were told, each as often as they were."""
    return sorted(it.labels.get("pipeline", it.kind) for it in alerts if it.notify)


def newest(alerts: list[Alert], pipeline: str) -> Alert:
    """The newest alert of a pipeline that names others or is named."""
    of_it = [it for it in alerts if it.labels.get("pipeline") == pipeline and it.kind != "freshness"]
    return max(of_it, key=lambda it: (it.updated_at, it.sequence))


def different(alerts: list[Alert]) -> list[Alert]:
    """Every alert once: a worker that takes over tells again what the one before may not have told."""
    once = {it.event_id: it for it in alerts}
    assert len({(it.alert_id, it.sequence) for it in once.values()}) == len(once)
    return list(once.values())


def wait_for_pages(deployment: Deployment, count: int) -> list[Alert]:
    """Wait until people were told so often, and for a moment longer of what should not be told."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if len(pages(different(deployment.alerts()))) >= count:
            break
        time.sleep(0.3)
    time.sleep(MORE_S)
    return different(deployment.alerts())


def test_one_page_at_the_root_or_at_the_highest_seen_over_a_rebalance_and_a_kill(deploy: Deploy) -> None:
    chance = random.Random(1)
    deployment = deploy({"events": "events"}, {"time": {"allowed_lateness": "60s", "idle_timeout": "10m"}})
    deployment.publish("events", dealt(learned(), chance))
    first = deployment.start()
    gone_wrong = dealt(wrong(chance), chance, OUT_OF_ORDER_MS)
    half = len(gone_wrong) // 2
    first.wait_for("worker.ready")
    deployment.publish("events", gone_wrong[:half])
    second = deployment.start()
    second.wait_for("partitions.assigned")
    deployment.publish("events", [*gone_wrong[half:], *until(HELD_MS)])
    deployment.wait_for_alerts(len(jobs()))
    killed = does_triage([first, second])
    assert killed.end(signal.SIGKILL) == -signal.SIGKILL
    assert pages(different(deployment.alerts())) == [f"{SEEN}-job-0"]
    deployment.publish("events", until(CLOSED_MS))

    below_unseen_root = sorted(f"{UNSEEN}-{job}" for job, parent in platform().items() if parent == "job-0")
    alerts = wait_for_pages(deployment, 1 + len(below_unseen_root))
    assert pages(alerts) == [f"{SEEN}-job-0", *below_unseen_root]
    root = newest(alerts, f"{SEEN}-job-0")
    of_seen = [newest(alerts, f"{SEEN}-{job}") for job in platform()]
    assert set(root.children) == {it.alert_id for it in of_seen}
    assert {it.root_cause.alert_id for it in of_seen if it.root_cause} == {root.alert_id}
    assert {it.state for it in of_seen} == {State.SUPPRESSED}
    told = [it for it in alerts if it.notify and it.labels["pipeline"] in below_unseen_root]
    assert {it.transition_reason.partition(":")[0] for it in told} == {"released"}
