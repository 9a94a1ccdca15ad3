"""The state topic is deleted or emptied: the worker says so and ends, and never begins again from nothing."""

import pytest

from stream.exits import Exit
from stream.local_broker import quiet_admin
from stream.topics import create, wanted
from tests.faults.administration import delete, empty, set_property
from tests.faults.court import Court, killed
from tests.faults.topic_log import read_log
from tests.integrations.deployment import PATIENCE_S

pytestmark = pytest.mark.needs_apache


def test_a_state_topic_that_was_emptied_stops_every_worker_before_it_folds_in_a_record(court: Court):
    servers, topic = court.deployment.bootstrap_servers, court.deployment.config.detect_state_topic
    killed(court.worked())
    set_property(servers, topic, "cleanup.policy", "delete")
    refused = court.deployment.start()
    assert refused.process.wait(PATIENCE_S) == Exit.KAFKA
    assert "cleanup.policy" in refused.log.read_text()
    empty(servers, topic)
    for _ in range(2):
        worker = court.deployment.start()
        assert worker.process.wait(PATIENCE_S) == Exit.DATA
        assert "its state is gone" in worker.stop_reason
    assert read_log(servers, topic) == []


@pytest.mark.all_faults
def test_a_state_topic_that_is_deleted_under_a_worker_stops_it_and_it_does_not_start_again(court: Court):
    deployment = court.deployment
    topic = deployment.config.detect_state_topic
    worker = court.worked()
    delete(deployment.bootstrap_servers, topic)
    court.judge.publish(court.story.chapter(1))
    assert worker.process.wait(PATIENCE_S) == Exit.FAIL_STOP
    assert topic in worker.stop_reason
    again = deployment.start()
    assert again.process.wait(PATIENCE_S) == Exit.KAFKA
    assert f"{topic}: missing" in again.log.read_text()
    create(quiet_admin(deployment.bootstrap_servers), wanted(deployment.config))
    anew = deployment.start()
    assert anew.process.wait(PATIENCE_S) == Exit.DATA
    assert "its state is gone" in anew.stop_reason
