"""A Streamgauge worker as its users see it: a configuration, a command, topics and metrics."""

import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Self

import yaml
from prometheus_client.parser import text_string_to_metric_families

from bench.course import Bed, Unable
from bench.machine import PYTHON, ROOT
from bench.seats import Seat
from stream.local_broker import free_ports

STOP_S_MAX: Final = 60.0
READY_S_MAX: Final = 180.0
CREATE_S_MAX: Final = 60.0
POLL_S: Final = 0.1
LOG_LINES_SHOWN: Final = 15
MARKS_WAITING_MAX: Final = 20

Settings = Mapping[str, Any]


class Deployment:
    """A configuration with a name of its own, and its topics. Workers of one deployment are one consumer group."""

    def __init__(self, bed: Bed, source: str, folder: Path, settings: Settings) -> None:
        self.name = f"gauge-{os.getpid()}-{time.monotonic_ns()}"
        self.alerts = f"{self.name}.alerts"
        self.folder, self.servers = folder, bed.servers
        self.config = folder / f"{self.name}.yaml"
        document = {
            "name": self.name,
            "kafka": {"bootstrap.servers": bed.servers},
            "sources": [{"topic": source, "format": "events"}],
            "alerts": {"topic": self.alerts},
            **settings,
        }
        self.config.write_text(yaml.safe_dump(document, sort_keys=False))
        command = [str(PYTHON), "-m", "stream", "topics", "create", "--config", str(self.config)]
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=CREATE_S_MAX
        )
        if done.returncode != 0:
            raise Unable(f"topics create: {done.stdout}{done.stderr}")

    @contextmanager
    def worker(self, seat: Seat = ()) -> "Iterator[Worker]":
        """A running worker, on a seat if one is given; told to stop, and waited for, in the end."""
        worker = Worker(self, seat)
        try:
            yield worker
        finally:
            worker.stop()


@contextmanager
def deployed(bed: Bed, source: str, settings: Settings) -> Iterator[Deployment]:
    """A deployment; its topics are deleted in the end."""
    with TemporaryDirectory(prefix="bench-gauge-") as folder:
        deployment = Deployment(bed, source, Path(folder), settings)
        try:
            yield deployment
        finally:
            bed.delete_like(deployment.name)


class Worker:
    """One `streamgauge run`, from the moment it is started."""

    def __init__(self, deployment: Deployment, seat: Seat) -> None:
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        self.log = deployment.folder / f"worker-{port}.log"
        command = [str(PYTHON), "-m", "stream", "run", "--config", str(deployment.config)]
        command += ["--http-port", str(port)]
        self.started_s = time.monotonic()
        with self.log.open("wb") as log:
            self._process = subprocess.Popen([*seat, *command], cwd=ROOT, stdout=log, stderr=log)

    def metrics(self) -> "Metrics":
        """What it counts now; nothing while it does not listen yet.

        Raises:
            Unable: it has ended.
        """
        if (code := self._process.poll()) is not None:
            lines = self.log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:]
            raise Unable("\n".join([f"the worker ended with exit code {code}", *lines]))
        return Metrics(self._get("/metrics") or "")

    def is_ready(self) -> bool:
        """Whether `/readyz` says so."""
        return self._get("/readyz") is not None

    def wait(self, until: "Callable[[Self], bool]", seconds_max: float = READY_S_MAX) -> float:
        """Wait until something holds; returns the monotonic time at which it was seen to."""
        deadline = time.monotonic() + seconds_max
        while time.monotonic() < deadline:
            self.metrics()
            if until(self):
                return time.monotonic()
            time.sleep(POLL_S)
        raise Unable(f"the worker did not get there within {seconds_max:.0f} s")

    def is_idle(self) -> bool:
        """Whether it is ready, and no row waits: all is folded in but for marks, which are written at every second."""
        seen = self.metrics()
        lag = seen.by_label("streamgauge_lag_records", "topic")
        waiting = seen.by_label("streamgauge_stage_size", "name").get("pending_rows", 0)
        return self.is_ready() and bool(lag) and max(lag.values()) < MARKS_WAITING_MAX and not waiting

    def stop(self) -> None:
        """SIGTERM, and SIGKILL if that does not help."""
        self._process.terminate()
        try:
            self._process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def _get(self, path: str) -> str | None:
        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=5) as answer:
                return str(answer.read().decode())
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return None


class Metrics:
    """One reading of `/metrics`."""

    def __init__(self, text: str) -> None:
        self._families = list(text_string_to_metric_families(text)) if text else []

    def total(self, name: str) -> float:
        """A metric, summed over its labels; 0 when it is not there."""
        return sum(
            sample.value for family in self._families for sample in family.samples if sample.name == name
        )

    def by_label(self, name: str, label: str) -> dict[str, float]:
        """A metric, summed by one of its labels."""
        totals: defaultdict[str, float] = defaultdict(float)
        for family in self._families:
            for sample in family.samples:
                if sample.name == name:
                    totals[sample.labels[label]] += sample.value
        return dict(totals)
