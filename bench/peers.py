"""The peers: which there are, how each is started and what each is. All contenders but Streamgauge itself."""

import json
import os
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.course import Course, Outcome, Unable
from bench.machine import PEERS_PYTHON, PYTHON, ROOT

DEADLINE_S: Final = 240.0
BUILD_DEADLINE_S: Final = 600.0
SAID_CHARACTERS_MAX: Final = 400
JAVA_MODULE: Final = ROOT / "bench" / "kafka-streams"
JAVA_CLASSES: Final = f"{JAVA_MODULE}/target/bench-kafka-streams-1.jar:{JAVA_MODULE}/target/libs/*"
FAUST_EVENTS_MAX: Final = 150_000
FOREST_EVENTS_MAX: Final = 120_000

Command = Callable[[Course, Path], list[str]]


@dataclass(frozen=True)
class Peer:
    """A contender in a process of its own, which is killed at the deadline.

    `keeps_state` says whether it is a framework that follows every series; `events_max` is for the slow ones.
    """

    name: str
    title: str
    command: Command
    keeps_state: bool = True
    events_max: int | None = None

    def measure(self, course: Course) -> Outcome:
        """One run over the course.

        Raises:
            Unable: it ended without a result, or not in time.
        """
        try:
            with tempfile.TemporaryDirectory(prefix="bench-peer-", ignore_cleanup_errors=True) as folder:
                return _run(self.command(course.cut(self.events_max), Path(folder)), folder)
        finally:
            course.bed.delete_like(course.topic)


def _run(command: list[str], folder: str) -> Outcome:
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, "TMPDIR": folder},
            capture_output=True,
            text=True,
            check=False,
            timeout=DEADLINE_S,
        )
    except subprocess.TimeoutExpired:
        raise Unable(f"not done within {DEADLINE_S:.0f} s") from None
    except OSError as error:
        raise Unable(f"{error.filename}: {error.strerror}") from None
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines:
        raise Unable(f"exit code {done.returncode}: {done.stderr.strip()[-SAID_CHARACTERS_MAX:]}")
    said = json.loads(lines[-1])
    return Outcome(said["events"], said["seconds"], said["did"])


def _arguments(course: Course) -> list[str]:
    return [course.bed.servers, course.topic, str(course.events), str(course.warm_up)]


def _python(module: str, interpreter: Path = PYTHON) -> Command:
    return lambda course, _: [
        str(interpreter),
        "-m",
        f"bench.contenders.{module}",
        *_arguments(course),
    ]


def _java(work: str, guarantee: str, threads: int) -> Command:
    def command(course: Course, folder: Path) -> list[str]:
        _build()
        repartitioned = course.bed.topics(4, stem=f"repartitioned-{course.topic}")
        java = ["java", "-Xms2g", "-Xmx2g", "-XX:+UseParallelGC", f"-Djava.io.tmpdir={folder}"]
        java += [
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
            "-cp",
            JAVA_CLASSES,
            "streamgauge.bench.Main",
        ]
        return [*java, *_arguments(course), work, repartitioned, guarantee, str(threads)]

    return command


def _build() -> None:
    """Compile the Kafka Streams module; Maven does nothing when it is up to date."""
    try:
        done = subprocess.run(
            ["mvn", "--quiet", "--batch-mode", "package"],
            cwd=JAVA_MODULE,
            capture_output=True,
            text=True,
            check=False,
            timeout=BUILD_DEADLINE_S,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unable(f"Maven: {error}") from None
    if done.returncode != 0:
        raise Unable(f"Maven: {done.stdout.strip()[-SAID_CHARACTERS_MAX:]}")


PEERS: Final = (
    Peer("kafka-streams-1", "Kafka Streams, 1 thread", _java("moments", "at_least_once", 1)),
    Peer("kafka-streams-2", "Kafka Streams, 2 threads", _java("moments", "at_least_once", 2)),
    Peer(
        "kafka-streams-1-eos", "Kafka Streams, exactly once, 1 thread", _java("moments", "exactly_once_v2", 1)
    ),
    Peer(
        "kafka-streams-2-eos",
        "Kafka Streams, exactly once, 2 threads",
        _java("moments", "exactly_once_v2", 2),
    ),
    Peer(
        "kafka-streams-rcf",
        "Kafka Streams, Random Cut Forest, 1 thread",
        _java("forest", "at_least_once", 1),
        events_max=FOREST_EVENTS_MAX,
    ),
    Peer("river-loop", "hand-written loop with River", _python("river_loop"), keeps_state=False),
    Peer("pathway", "Pathway, a mean", _python("pathway_mean", PEERS_PYTHON)),
    Peer("bytewax", "Bytewax, a mean", _python("bytewax_mean", PEERS_PYTHON)),
    Peer("quix", "Quix Streams with River", _python("quix_memory", PEERS_PYTHON)),
    Peer(
        "quix-state",
        "Quix Streams, stored state",
        _python("quix_state", PEERS_PYTHON),
        events_max=1_000_000,
    ),
    Peer("faust", "stock Faust with River", _python("faust_stock"), events_max=FAUST_EVENTS_MAX),
    Peer("aiokafka", "aiokafka, fetch only", _python("aiokafka_fetch"), keeps_state=False),
    Peer("confluent", "confluent-kafka, fetch only", _python("confluent_fetch"), keeps_state=False),
    Peer(
        "confluent-msgspec",
        "confluent-kafka, fetch and decode",
        _python("confluent_decode"),
        keeps_state=False,
    ),
)
