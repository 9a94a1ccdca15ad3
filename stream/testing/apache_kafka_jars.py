"""Apache Kafka's jars: fetched once by Maven into a cache folder outside any repository, and found there later."""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from stream.exits import Exit, Refused

KAFKA_VERSION: Final = "4.1.1"
JAVA_MAJOR_MIN: Final = 17
DOWNLOAD_TIMEOUT_S: Final = 600

# Kafka logs through slf4j 1.7 and configures log4j 2 itself, but ships no binding between the two.
_LOG4J_VERSION: Final = "2.24.3"
DEPENDENCY_PLUGIN: Final = "org.apache.maven.plugins:maven-dependency-plugin"
_DEPENDENCY_PLUGIN_VERSION: Final = "3.8.1"
_POM: Final = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>streamgauge</groupId>
  <artifactId>apache-kafka-for-tests</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>{kafka}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId>
      <artifactId>log4j-slf4j-impl</artifactId>
      <version>{log4j}</version>
    </dependency>
  </dependencies>
</project>
"""


def missing_for_apache_kafka(version: str = KAFKA_VERSION) -> str | None:
    """What this machine lacks to run Apache Kafka, in words for a message; None when nothing is missing."""
    java = java_major()
    if java is None:
        return f"java (version {JAVA_MAJOR_MIN} or newer) is not on the PATH"
    if java < JAVA_MAJOR_MIN:
        return f"java is version {java}, and Apache Kafka {version} needs {JAVA_MAJOR_MIN} or newer"
    if not _libs_path(version).is_dir() and shutil.which("mvn") is None:
        return "mvn, which fetches Apache Kafka's jars, is not on the PATH"
    return None


def java_major() -> int | None:
    """The major version of the `java` on the PATH, or None without one that works."""
    if shutil.which("java") is None:
        return None
    answer = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False, timeout=60)
    found = re.search(r'version "(\d+)', answer.stderr)
    return int(found.group(1)) if found else None


def apache_kafka_jars(version: str = KAFKA_VERSION) -> Path:
    """The folder with the jars of Apache Kafka `version`, fetched from Maven Central the first time.

    Safe when several processes call it at once: each fetches into a folder of its own, and the first to finish
    renames it into place.

    Raises:
        Refused: the jars are not there and Maven is missing or failed.
    """
    libs = _libs_path(version)
    if libs.is_dir():
        return libs
    if missing := missing_for_apache_kafka(version):
        raise Refused(f"Apache Kafka {version} cannot be fetched: {missing}", Exit.USAGE)
    libs.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fetching-", dir=libs.parent) as scratch:
        _fetch(version, Path(scratch))
        publish(Path(scratch) / "libs", libs)
    return libs


def _libs_path(version: str) -> Path:
    digest = hashlib.sha256(_pom(version).encode()).hexdigest()[:8]
    return cache_folder() / f"kafka-{version}-{digest}"


def cache_folder() -> Path:
    """Where what was fetched stays, outside any repository."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "streamgauge"


def _pom(version: str) -> str:
    return _POM.format(kafka=version, log4j=_LOG4J_VERSION)


def _fetch(version: str, scratch: Path) -> None:
    (scratch / "pom.xml").write_text(_pom(version))
    goal = f"{DEPENDENCY_PLUGIN}:{_DEPENDENCY_PLUGIN_VERSION}:copy-dependencies"
    options = ["-DincludeScope=runtime", f"-DoutputDirectory={scratch / 'libs'}"]
    run_maven(f"Apache Kafka {version}", [goal, *options], scratch)


def run_maven(wanted: str, arguments: list[str], scratch: Path) -> None:
    """Have Maven fetch something.

    Raises:
        Refused: it could not.
    """
    command = ["mvn", "--quiet", "--batch-mode", "--strict-checksums", *arguments]
    try:
        done = subprocess.run(
            command, cwd=scratch, capture_output=True, text=True, check=False, timeout=DOWNLOAD_TIMEOUT_S
        )
    except subprocess.TimeoutExpired as error:
        message = f"Maven did not fetch {wanted} within {DOWNLOAD_TIMEOUT_S} s"
        raise Refused(message, Exit.FAILURE) from error
    if done.returncode != 0:
        raise Refused(
            f"Maven could not fetch {wanted}:\n{(done.stdout + done.stderr).strip()}",
            Exit.FAILURE,
        )


def publish(fetched: Path, libs: Path) -> None:
    """Put what was fetched in its place, unless another process was sooner."""
    try:
        fetched.rename(libs)
    except OSError:
        if not libs.is_dir():
            raise
