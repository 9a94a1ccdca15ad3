"""Readings: what the internal topics show of a fault, so that a test can say that it really happened."""

from collections import Counter

from detectors.samples import SampleBatch
from tests.faults.court import Court
from tests.faults.topic_log import Entry, committed_offsets, read_log


def read_again(court: Court) -> int:
    """How many source records the samples topic holds twice or more often, by what its batches say they cover."""
    log = read_log(court.deployment.bootstrap_servers, court.deployment.config.samples_topic)
    times: Counter[tuple[int, int]] = Counter()
    for it in log:
        if it.partition == 0 and it.value is not None:
            mark = SampleBatch.from_bytes(it.value).mark
            times.update(
                (mark.partition, offset) for offset in range(mark.first_offset, mark.last_offset + 1)
            )
    return sum(n > 1 for n in times.values())


def unfinished_snapshots(court: Court) -> int:
    """Shards whose newest record is part of a snapshot that was never closed."""
    newest: dict[int, Entry] = {}
    for it in read_log(court.deployment.bootstrap_servers, court.deployment.config.detect_state_topic):
        if it.value is not None:
            newest[it.partition] = it
    return sum(not (it.key or b"").endswith(b"manifest") for it in newest.values())


def ahead_of_commits(court: Court) -> int:
    """Records of the samples topic that are in stored state, and will be read again because they are not committed."""
    topic = court.deployment.config.samples_topic
    committed = committed_offsets(court.deployment.bootstrap_servers, court.deployment.config.name, topic)
    return sum(max(0, stored - committed[shard]) for shard, stored in court.stored().items())
