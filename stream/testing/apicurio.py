"""Apicurio Registry for tests: a real schema registry with Confluent's API, in memory, started on loopback within seconds.

Needs Java and, the first time, Maven to fetch it; no Docker.
"""

import shutil
import tarfile
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import Final

from stream.exits import Exit, Refused
from stream.local_broker import LOOPBACK, LocalBroker, free_ports, new_run_folder
from stream.testing.apache_kafka_jars import (
    DEPENDENCY_PLUGIN,
    JAVA_MAJOR_MIN,
    cache_folder,
    java_major,
    publish,
    run_maven,
)

APICURIO_VERSION: Final = "3.0.9"
HEAP_MB: Final = 384
ANSWER_TIMEOUT_S: Final = 2.0
# Newer ones want the parent of what they fetch, which was never published.
_PLUGIN_VERSION: Final = "2.8"


class Apicurio(LocalBroker):
    """Runs one Apicurio Registry; a restart begins with no schemas.

        with Apicurio() as registry:
            SchemaRegistryClient({"url": registry.url})

    Raises:
        Refused: something it needs is missing, or it did not start; the message says what.
    """

    def __init__(self) -> None:
        (port,) = free_ports(1)
        program = apicurio_folder()
        self.url = f"http://{LOOPBACK}:{port}/apis/ccompat/v7"
        command = [
            "java",
            f"-Xmx{HEAP_MB}m",
            f"-Dquarkus.http.host={LOOPBACK}",
            f"-Dquarkus.http.port={port}",
            "-jar",
            str(program / f"apicurio-registry-app-{APICURIO_VERSION}-runner.jar"),
        ]
        name = f"Apicurio Registry {APICURIO_VERSION}"
        super().__init__(name, f"{LOOPBACK}:{port}", new_run_folder("apicurio"), command)

    def answers(self) -> bool:
        """Whether it lists its subjects."""
        try:
            with urllib.request.urlopen(f"{self.url}/subjects", timeout=ANSWER_TIMEOUT_S) as answer:  # noqa: S310  http, and our own
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


def apicurio_folder() -> Path:
    """The folder with the program, fetched from Maven Central the first time.

    Raises:
        Refused: it is not there, and Java or Maven is missing or failed.
    """
    folder = cache_folder() / f"apicurio-{APICURIO_VERSION}"
    java = java_major()
    if java is None or java < JAVA_MAJOR_MIN:
        raise Refused(f"Apicurio Registry needs java {JAVA_MAJOR_MIN} or newer on the PATH", Exit.USAGE)
    if folder.is_dir():
        return folder
    if shutil.which("mvn") is None:
        raise Refused("mvn, which fetches Apicurio Registry, is not on the PATH", Exit.USAGE)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fetching-", dir=folder.parent) as scratch:
        _fetch(Path(scratch))
        publish(Path(scratch) / "program", folder)
    return folder


def _fetch(scratch: Path) -> None:
    archive = scratch / "apicurio.tar.gz"
    artifact = f"io.apicurio:apicurio-registry-app:{APICURIO_VERSION}:tar.gz:all"
    options = [f"-Dartifact={artifact}", "-Dtransitive=false", f"-Ddest={archive}"]
    run_maven("Apicurio Registry", [f"{DEPENDENCY_PLUGIN}:{_PLUGIN_VERSION}:get", *options], scratch)
    with tarfile.open(archive) as opened:
        opened.extractall(scratch / "program", filter="data")
