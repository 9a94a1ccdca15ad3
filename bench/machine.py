"""The machine that results were measured on, and the versions of what ran."""

import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Final

from stream.testing.apache_kafka_jars import KAFKA_VERSION

ROOT: Final = Path(__file__).parents[1]
PYTHON: Final = Path(sys.executable)
PEERS_PYTHON: Final = ROOT / ".venv-bench" / "bin" / "python"
OWN: Final = ("aiokafka", "confluent-kafka", "faust-streaming", "msgspec", "numba", "numpy", "river")
PEERS: Final = ("bytewax", "confluent-kafka", "genson", "pathway", "quixstreams", "river")
POM: Final = ROOT / "bench" / "kafka-streams" / "pom.xml"


def machine() -> dict[str, str]:
    """Processor, cores, memory and system."""
    return {
        "processor": _first(Path("/proc/cpuinfo"), r"model name\s*: (.*)") or platform.machine(),
        "cores": str(os.cpu_count()),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
    }


def versions() -> dict[str, str]:
    """What runs, by name; that of the peers' own environment where it is another."""
    said = {"Streamgauge": version("streamgauge"), "Python": platform.python_version()}
    said |= {"Apache Kafka": KAFKA_VERSION, "Java": _java()}
    said |= {name: version(name) for name in OWN}
    said |= {f"{name} (peers)" if name in OWN else name: number for name, number in _peers().items()}
    for artifact in ("kafka-streams", "randomcutforest-parkservices"):
        said[artifact] = _first(POM, rf"<artifactId>{artifact}</artifactId>\s*<version>(.*?)</version>")
    return said


def _peers() -> dict[str, str]:
    if not PEERS_PYTHON.exists():
        return {}
    asked = f"from importlib.metadata import version\nfor name in {PEERS!r}: print(name, version(name))"
    return dict(line.split() for line in _output([str(PEERS_PYTHON), "-c", asked]).splitlines())


def _java() -> str:
    return next(iter(re.findall(r'version "(.*?)"', _output(["java", "-version"]))), "none")


def _output(command: Iterable[str]) -> str:
    try:
        done = subprocess.run(list(command), capture_output=True, text=True, check=False, timeout=60)
    except OSError:
        return ""
    return done.stdout + done.stderr


def _first(path: Path, pattern: str) -> str:
    found = re.search(pattern, path.read_text()) if path.exists() else None
    return found.group(1).strip() if found else ""
