"""A whole worker on a real Kafka: how it starts, works, shares, drains and refuses."""

import contextlib
import signal
import time
import urllib.error
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from stream.exits import Exit
from stream.shard_store import ShardStore
from stream.snapshots import MANIFEST, SnapshotWriter
from tests.faults.counting import SHARDS, expected_alerts, shard_of
from tests.faults.scenario import PATIENCE_S, Scenario, Worker, new_scenario


@pytest.fixture
def scenario(kafka: str, tmp_path: Path) -> Iterator[Scenario]:
    with new_scenario(kafka, tmp_path) as scenario:
        yield scenario


KEYS = [f"key-{n}" for n in range(40)]


def keys(records: int) -> list[str]:
    return [KEYS[n * 7 % len(KEYS)] for n in range(records)]


def finish(scenario: Scenario, worker: Worker, published: list[str]) -> None:
    """Drain the last worker and compare everything with what was published."""
    assert worker.end(signal.SIGTERM) == 0, worker.log.read_text()
    assert scenario.counts() == Counter(published)
    assert set(scenario.alerts()) == expected_alerts(published)
    assert scenario.lag() == 0


def test_told_to_stop_a_worker_drains_and_leaves_no_lag(scenario: Scenario):
    published = keys(20_000)
    scenario.publish(published)
    worker = scenario.start(snapshot_interval_s=3600)
    worker.wait_for("shard.loaded", SHARDS)
    wait_until_folded(worker, scenario)
    assert scenario.counts().total() == 0, "a snapshot before the drain would prove nothing"
    finish(scenario, worker, published)
    assert len(scenario.alerts()) == len(expected_alerts(published))


def wait_until_folded(worker: Worker, scenario: Scenario) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        lags = [
            worker.metric(f'streamgauge_lag_records{{topic="{topic}"}}') for topic in scenario.read_topics
        ]
        handled = worker.metric('streamgauge_step_seconds_count{stage="triage"}') > 0
        if handled and not any(lags):
            return
        time.sleep(0.1)
    raise AssertionError(worker.get("/metrics"))


def wait_until_ready(worker: Worker) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        with contextlib.suppress(urllib.error.HTTPError):
            worker.get("/readyz")
            return
        time.sleep(0.1)
    raise AssertionError(worker.log.read_text())


def test_a_worker_stopped_in_the_middle_of_a_backlog_loses_and_repeats_nothing(scenario: Scenario):
    published = keys(300_000)
    scenario.publish(published)
    worker = scenario.start(pause_us=30)
    worker.wait_to_work()
    assert worker.end(signal.SIGTERM) == 0
    assert 0 < scenario.counts().total() < len(published), "it was not stopped in the middle"
    last = scenario.start()
    last.wait_for("worker.ready")
    scenario.wait_for_counts(Counter(published))
    finish(scenario, last, published)
    assert len(set(scenario.alerts())) == len(scenario.alerts())


def test_workers_that_join_and_leave_share_the_work_and_count_everything_once(scenario: Scenario):
    published = keys(150_000)
    scenario.publish(published)
    first = scenario.start(pause_us=10)
    first.wait_for("shard.loaded", SHARDS)
    second = scenario.start(pause_us=10)
    second.wait_for("shard.loaded")
    assert len(first.wait_for("partitions.assigned", 2)) >= 2, "the second one took nothing over"
    assert first.end(signal.SIGTERM) == 0
    second.wait_for("partitions.assigned", 2)
    wait_until_ready(second)
    scenario.wait_for_counts(Counter(published))
    finish(scenario, second, published)


def test_metrics_count_what_was_published_and_health_is_told(scenario: Scenario):
    published = keys(5_000)
    scenario.publish(published)
    worker = scenario.start()
    scenario.wait_for_counts(Counter(published))
    topic = scenario.setup.source
    deadline = time.monotonic() + PATIENCE_S
    while (
        worker.metric('streamgauge_alerts_total{kind="value",state="firing"}') < 40
        and time.monotonic() < deadline
    ):
        time.sleep(0.1)
    assert worker.metric(f'streamgauge_records_total{{topic="{topic}"}}') == len(published)
    assert worker.metric('streamgauge_alerts_total{kind="value",state="firing"}') == len(
        expected_alerts(published)
    )
    assert worker.metric("streamgauge_event_to_alert_seconds_count") == len(expected_alerts(published))
    assert worker.metric("streamgauge_series") == len(KEYS)
    assert worker.metric(f'streamgauge_assigned_partitions{{topic="{topic}"}}') == 4
    assert '"ok"' in worker.get("/healthz")
    wait_until_ready(worker)


def test_a_worker_without_an_assignment_is_not_ready_and_says_so(scenario: Scenario):
    worker = scenario.start()
    with pytest.raises(urllib.error.HTTPError) as refused:
        worker.get("/readyz")
    assert refused.value.code == 503
    assert b"no assignment" in refused.value.read()


@pytest.mark.needs_apache
def test_aborted_records_are_not_read_and_transaction_markers_leave_no_lag(scenario: Scenario):
    producer = Producer({"bootstrap.servers": scenario.bootstrap_servers, "transactional.id": scenario.name})
    producer.init_transactions(30)
    committed: list[str] = []
    for n in range(20):
        producer.begin_transaction()
        batch = keys(100)
        for key in batch:
            producer.produce(scenario.setup.source, key.encode(), partition=shard_of(key, 4))
        if n % 2:
            producer.commit_transaction(30)
            committed += batch
        else:
            producer.flush(30)
            producer.abort_transaction(30)
    worker = scenario.start()
    scenario.wait_for_counts(Counter(committed))
    deadline = time.monotonic() + PATIENCE_S
    lag = f'streamgauge_lag_records{{topic="{scenario.setup.source}"}}'
    while worker.metric(lag) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert worker.metric(lag) == 0
    assert worker.end(signal.SIGTERM) == 0
    assert scenario.counts() == Counter(committed)


def test_a_state_that_is_gone_stops_the_worker_with_the_reason(scenario: Scenario):
    scenario.publish(keys(1_000))
    worker = scenario.start()
    scenario.wait_for_counts(Counter(keys(1_000)))
    assert worker.end(signal.SIGTERM) == 0
    recreate(scenario, f"{scenario.name}.detect-state", SHARDS, "compact")
    worker = scenario.start()
    assert worker.process.wait(PATIENCE_S) == Exit.DATA
    reason = worker.logged("worker.stopped")[-1]["reason"]
    assert "holds no snapshot" in str(reason)


@pytest.mark.needs_apache
def test_a_log_that_was_made_anew_under_its_state_stops_the_worker_with_the_reason(scenario: Scenario):
    """The state covers more records of the old log than marks make of the new one while the worker starts."""
    published = keys(1_000)
    worker = scenario.start()
    worker.wait_for("worker.ready")
    for first in range(0, len(published), 10):
        scenario.publish(published[first : first + 10])
        time.sleep(0.05)
    scenario.wait_for_counts(Counter(published))
    assert worker.end(signal.SIGTERM) == 0
    recreate(scenario, f"{scenario.name}.samples", SHARDS, "delete")
    worker = scenario.start()
    assert worker.process.wait(PATIENCE_S) == Exit.DATA
    assert "made anew" in str(worker.logged("worker.stopped")[-1]["reason"])


def test_a_damaged_newest_snapshot_is_passed_over_and_the_log_read_again(scenario: Scenario):
    published = keys(2_000)
    scenario.publish(published)
    worker = scenario.start()
    scenario.wait_for_counts(Counter(published))
    assert worker.end(signal.SIGKILL) == -signal.SIGKILL
    forge_a_newer_snapshot(scenario)
    published += keys(1_000)
    scenario.publish(keys(1_000))
    worker = scenario.start()
    scenario.wait_for_counts(Counter(published))
    finish(scenario, worker, published)
    assert worker.logged("snapshot.passed_over")


def test_a_second_signal_ends_a_worker_at_once(scenario: Scenario):
    scenario.publish(keys(50_000))
    worker = scenario.start(pause_us=100)
    worker.wait_to_work()
    worker.process.send_signal(signal.SIGTERM)
    worker.wait_for("worker.draining")
    assert worker.end(signal.SIGINT) == Exit.INTERRUPTED


def test_records_that_retention_removed_before_they_were_read_stop_the_worker(scenario: Scenario):
    scenario.publish(keys(1_000))
    worker = scenario.start()
    scenario.wait_for_counts(Counter(keys(1_000)))
    assert worker.end(signal.SIGTERM) == 0
    scenario.publish(keys(1_000))
    scenario.delete_records(scenario.setup.source)
    worker = scenario.start()
    assert worker.process.wait(PATIENCE_S) == Exit.FAIL_STOP
    assert "its retention removed them" in str(worker.logged("worker.stopped")[-1]["reason"])


def recreate(scenario: Scenario, topic: str, partitions: int, policy: str) -> None:
    """Delete a topic and make it anew, empty."""
    admin = AdminClient({"bootstrap.servers": scenario.bootstrap_servers})
    admin.delete_topics([topic])[topic].result()
    deadline = time.monotonic() + PATIENCE_S
    while topic in admin.list_topics(timeout=10).topics and time.monotonic() < deadline:
        time.sleep(0.1)
    admin.create_topics([NewTopic(topic, partitions, 1, config={"cleanup.policy": policy})])[topic].result()


def forge_a_newer_snapshot(scenario: Scenario) -> None:
    """To every shard, a manifest that covers all and names a chunk whose bytes are not what it says."""
    store = ShardStore({"bootstrap.servers": scenario.bootstrap_servers, "group.id": scenario.name})
    producer = Producer({"bootstrap.servers": scenario.bootstrap_servers})
    topic = f"{scenario.name}.detect-state"
    for shard in range(SHARDS):
        best = store.load(topic, f"{scenario.name}.samples", shard).snapshot
        assert best is not None
        plan = SnapshotWriter(shard, 99).plan(best.chunks, best.covered_offset + 1_000_000)
        for key, _ in plan.parts:
            producer.produce(topic, b"damaged", key.encode(), partition=shard)
        assert plan.manifest.key.endswith(MANIFEST)
        producer.produce(topic, plan.manifest.value, plan.manifest.key.encode(), partition=shard)
    assert producer.flush(30) == 0
