"""Records that detect has not folded in vanish from the samples topic: a hole, at which every worker stops."""

import pytest

from stream.exits import Exit
from tests.faults.administration import delete_records
from tests.faults.court import Court, killed, wait_until
from tests.faults.topic_log import read_log
from tests.integrations.deployment import PATIENCE_S

pytestmark = [pytest.mark.needs_apache, pytest.mark.all_faults]


def test_samples_that_retention_removed_before_they_were_folded_in_stop_the_worker(court: Court):
    servers, samples = court.deployment.bootstrap_servers, court.deployment.config.samples_topic
    worker = court.worked()
    before = len(read_log(servers, samples))
    court.judge.publish(court.story.chapter(1))
    wait_until(lambda: len(read_log(servers, samples)) > before + 4, "ingest has written more")
    killed(worker)
    ends = {it.partition: it.offset + 1 for it in read_log(servers, samples)}
    assert any(ends[shard] > stored for shard, stored in court.stored().items()), "all was folded in"
    delete_records(servers, samples)
    court.judge.publish(court.story.chapter(2))
    for _ in range(2):
        worker = court.deployment.start()
        assert worker.process.wait(PATIENCE_S) == Exit.FAIL_STOP
        assert "is due, but the log begins at" in worker.stop_reason
