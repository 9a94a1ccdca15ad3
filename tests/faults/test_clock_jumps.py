"""The wall clock of a worker jumps: while there is something to read, no alert and no state depends on it."""

import os
import time
from itertools import pairwise
from pathlib import Path

import pytest

from detectors.samples import SampleBatch
from tests.faults.court import Court
from tests.faults.topic_log import read_log

LIBRARIES = (
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
)

JUMP_MS = 3_000_000


def libfaketime() -> str:
    """Debian's libfaketime; with CI=true it must be there."""
    found = next((it for it in LIBRARIES if Path(it).exists()), None)
    if found is None and os.environ.get("CI", "").lower() in {"true", "1"}:
        pytest.fail("libfaketime is missing: apt-get install libfaketime")
    if found is None:
        pytest.skip("needs libfaketime: apt-get install libfaketime")
    return found


def test_a_clock_that_jumps_an_hour_forwards_and_backwards_changes_nothing(court: Court, tmp_path: Path):
    clock = tmp_path / "clock"
    clock.write_text("+0")
    env = {
        "LD_PRELOAD": libfaketime(),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    court.judge.publish(court.story.chapter(0))
    workers = court.supervise(env=env)
    worker = workers.workers[0]
    worker.wait_for("worker.ready")
    for number, jump in enumerate(("+3600", "-3600", "+0"), 1):
        with court.judge.publishing(court.story.chapter(number), over_s=4.0):
            time.sleep(1.0)
            clock.write_text(jump)
        time.sleep(1.5)
    court.conclude(workers)
    jumps_ms = [after - before for before, after in pairwise(wall_clock_ms(court))]
    assert max(jumps_ms) > JUMP_MS, "the clock did not jump forwards"
    assert min(jumps_ms) < -JUMP_MS, "the clock did not jump backwards"


def wall_clock_ms(court: Court) -> list[int]:
    """The worker's wall clock, as it wrote it into one partition of the samples topic."""
    log = read_log(court.deployment.bootstrap_servers, court.deployment.config.samples_topic)
    return [SampleBatch.from_bytes(it.value or b"").mark.wall_ms for it in log if it.partition == 0]
