"""The broker's disk is full: the broker ends, the worker waits or ends, and nothing that was acknowledged is lost."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stream.testing.apache_kafka import ApacheKafka
from tests.faults.conftest import Convene
from tests.faults.court import wait_until

pytestmark = [pytest.mark.needs_apache, pytest.mark.all_faults]
DISK_MB = 256
LEFT_BYTES = 1 << 20
AWAY_S = 5.0


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of its own, in memory. Without root the test is skipped, and with CI=true it fails."""
    if os.geteuid() != 0:
        if os.environ.get("CI", "").lower() in {"true", "1"}:
            pytest.fail("a disk to fill needs root")
        pytest.skip("needs root")
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(folder)]
    subprocess.run(["mount", *options], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """Leave only so much room that the next records do not fit."""
    filler = disk / "filler"
    with filler.open("wb") as file:
        while os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize > LEFT_BYTES:
            file.write(bytes(LEFT_BYTES // 4))
            file.flush()
    return filler


def test_a_broker_whose_disk_is_full_loses_and_doubles_nothing(convene: Convene, tmp_path: Path):
    with small_disk(tmp_path / "disk") as disk, ApacheKafka({"log.dirs": str(disk / "data")}) as kafka:
        court = convene(kafka.bootstrap_servers, chapter_runs=120)
        court.judge.publish(court.story.chapter(0))
        workers = court.supervise()
        workers.workers[0].wait_for("worker.ready")
        filler = fill(disk)
        with court.judge.publishing(court.story.chapter(1), over_s=4.0):
            wait_until(lambda: kafka.pid is None, "the broker ends")
            gone_s = time.monotonic()
            while time.monotonic() - gone_s < AWAY_S:
                workers.look()
                time.sleep(0.3)
            filler.unlink()
            kafka.start()
        court.conclude(workers)
        court.deployment.close()
