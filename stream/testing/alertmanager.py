"""Alertmanager for tests: the program of Debian's package prometheus-alertmanager, or another, on loopback within a second."""

import shutil
import urllib.error
import urllib.request
from typing import Final

from stream.exits import Exit, Refused
from stream.local_broker import LOOPBACK, LocalBroker, free_ports, new_run_folder

PACKAGE: Final = "prometheus-alertmanager"
INSTALL: Final = f"apt-get update && apt-get install {PACKAGE}"
ANSWER_TIMEOUT_S: Final = 2.0


class Alertmanager(LocalBroker):
    """Runs one Alertmanager with a configuration; a restart on the same folder knows what it knew.

        with Alertmanager(config) as alertmanager:
            urlopen(alertmanager.url + "/api/v2/alerts")

    Raises:
        Refused: the program is not there, or it did not start; the message says what to do.
    """

    def __init__(self, config: str) -> None:
        (port,) = free_ports(1)
        folder = new_run_folder("alertmanager")
        (folder / "alertmanager.yml").write_text(config)
        self.url = f"http://{LOOPBACK}:{port}"
        command = [
            alertmanager_program(),
            f"--config.file={folder / 'alertmanager.yml'}",
            f"--storage.path={folder / 'data'}",
            f"--web.listen-address={LOOPBACK}:{port}",
            "--cluster.listen-address=",
        ]
        super().__init__("Alertmanager", f"{LOOPBACK}:{port}", folder, command)

    def answers(self) -> bool:
        """Whether it says that it is ready."""
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=ANSWER_TIMEOUT_S) as answer:  # noqa: S310  http, and our own
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


def alertmanager_program() -> str:
    """Where the program is.

    Raises:
        Refused: it is not on the PATH.
    """
    program = shutil.which(PACKAGE) or shutil.which("alertmanager")
    if program is None:
        raise Refused(f"{PACKAGE} is not on the PATH; run: {INSTALL}", Exit.USAGE)
    return program
