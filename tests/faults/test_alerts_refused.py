"""The alert topic refuses, or is deleted: the worker stops with the reason, and no alert is lost."""

import pytest

from stream.exits import Exit
from stream.topics import Broker, create, wanted
from tests.faults.administration import delete, deny_nothing, deny_writing
from tests.faults.court import Court, wait_until
from tests.integrations.deployment import PATIENCE_S

pytestmark = pytest.mark.needs_apache


def test_a_worker_that_may_not_write_alerts_stops_with_the_reason_and_loses_none(guarded: Court):
    servers, topic = guarded.deployment.bootstrap_servers, guarded.deployment.config.alerts.topic
    guarded.judge.publish(guarded.story.chapter(0))
    workers = guarded.supervise()
    workers.workers[0].wait_for("worker.ready")
    deny_writing(servers, topic)
    guarded.judge.publish(guarded.story.chapter(1))
    workers.keep_on(lambda: len(workers.exits) >= 2, PATIENCE_S, "workers end themselves")
    assert all(topic in reason and "could not be written" in reason for reason in workers.exits)
    deny_nothing(servers, topic)
    guarded.conclude(workers)


@pytest.mark.all_faults
def test_a_worker_whose_alert_topic_is_deleted_stops_and_the_alerts_come_when_it_is_back(guarded: Court):
    deployment = guarded.deployment
    topic, broker = deployment.config.alerts.topic, Broker(deployment.config)
    warm_up = guarded.story.chapter(0)
    guarded.judge.publish(warm_up[:1000])
    workers = guarded.supervise()
    first = workers.workers[0]
    first.wait_for("worker.ready")
    wait_until(lambda: guarded.lag() == 0, "it is read")
    assert guarded.alerts() == 0, "alerts would go with the topic"
    delete(deployment.bootstrap_servers, topic)
    guarded.judge.publish(warm_up[1000:] + guarded.story.chapter(1))
    assert first.process.wait(PATIENCE_S) == Exit.FAIL_STOP
    assert topic in first.stop_reason
    workers.look()
    again = workers.workers[0]
    assert again.process.wait(PATIENCE_S) == Exit.KAFKA
    assert f"{topic}: missing" in again.log.read_text()
    create(broker.admin, wanted(deployment.config))
    guarded.conclude(workers)
