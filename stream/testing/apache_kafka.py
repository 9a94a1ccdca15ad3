"""Apache Kafka for tests: the real server, one node in KRaft mode, started on loopback within seconds.

Needs Java and, the first time, Maven to fetch the jars; no Docker.
"""

import base64
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from typing import Final

from stream.exits import Exit, Refused
from stream.local_broker import LOOPBACK, READY_TIMEOUT_S, LocalBroker, free_ports, new_run_folder
from stream.testing.apache_kafka_jars import KAFKA_VERSION, apache_kafka_jars

HEAP_MB: Final = 512
TOOL_TIMEOUT_S: Final = 60

_LOG4J2: Final = """\
Configuration:
  status: warn
  Appenders:
    Console:
      name: out
      PatternLayout: {pattern: "%d{ISO8601} %-5p %c{1.} %m%n"}
  Loggers:
    Root: {level: info, AppenderRef: {ref: out}}
"""


class KafkaServer(LocalBroker):
    """One Apache Kafka server process with its storage in a temporary folder.

    Args:
        address: `host:port` of the listener that clients use.
        settings: its server properties, but for `log.dirs`.
        format_options: what `kafka-storage format` is told besides the configuration.
        version: of Apache Kafka, 4.0 or newer.
        heap_mb: the Java heap.

    Raises:
        Refused: something it needs is missing, or it did not start; the message says what.
    """

    def __init__(
        self,
        address: str,
        settings: Mapping[str, str],
        format_options: Sequence[str],
        *,
        version: str = KAFKA_VERSION,
        heap_mb: int = HEAP_MB,
    ) -> None:
        libs, folder = apache_kafka_jars(version), new_run_folder("kafka")
        self._java = [
            "java",
            f"-Xmx{heap_mb}m",
            f"-Dlog4j2.configurationFile={folder / 'log4j2.yaml'}",
            "-cp",
            f"{libs}/*",
        ]
        self._server_properties = folder / "server.properties"
        self._settings = {"log.dirs": str(folder / "data"), **settings}
        self._format_options = list(format_options)
        command = [*self._java, "kafka.Kafka", str(self._server_properties)]
        super().__init__(f"Apache Kafka {version}", address, folder, command)

    def start(self, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Starts it, formatting its storage the first time, and returns when it answers."""
        if not self._server_properties.exists():
            self._format()
        super().start(timeout_s)

    def run_tool(self, tool: str, *arguments: str) -> str:
        """What one of Kafka's own command line tools, named by its class, prints.

        Raises:
            Refused: it failed; the message holds what it said.
        """
        command = [*self._java, tool, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TOOL_TIMEOUT_S)
        if done.returncode != 0:
            raise Refused(f"{tool} of {self.name} failed:\n{done.stdout}{done.stderr}", Exit.KAFKA)
        return done.stdout

    def _format(self) -> None:
        (self.folder / "log4j2.yaml").write_text(_LOG4J2)
        self._server_properties.write_text(
            "".join(f"{key}={value}\n" for key, value in self._settings.items())
        )
        options = [*self._format_options, f"--config={self._server_properties}"]
        try:
            self.run_tool("kafka.tools.StorageTool", "format", *options)
        except Refused:
            self._server_properties.unlink()
            raise


class ApacheKafka(KafkaServer):
    """Runs one Apache Kafka node, broker and controller in one, with its data in a temporary folder.

        with ApacheKafka() as kafka:
            Producer({"bootstrap.servers": kafka.bootstrap_servers})

    `stop()` or `kill()` and then `start()` bring it back on the same port with the same data. Topics are not
    created by using them. Groups rebalance at once and may have sessions from 1 s on.

    Args:
        properties: server properties on top of, or instead of, the ones set here.
        host: address of this machine to listen on.
        version: of Apache Kafka, 4.0 or newer.
        heap_mb: the Java heap.

    Raises:
        Refused: something it needs is missing, or it did not start; the message says what.
    """

    def __init__(
        self,
        properties: Mapping[str, str] | None = None,
        *,
        host: str = LOOPBACK,
        version: str = KAFKA_VERSION,
        heap_mb: int = HEAP_MB,
    ) -> None:
        broker_port, controller_port = free_ports(2)
        address = f"{host}:{broker_port}"
        super().__init__(
            address,
            _single_node(address, f"{LOOPBACK}:{controller_port}") | dict(properties or {}),
            [f"--cluster-id={new_cluster_id()}", "--standalone"],
            version=version,
            heap_mb=heap_mb,
        )


def new_cluster_id() -> str:
    """A random cluster id, as `kafka-storage random-uuid` makes it."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def node_settings(node: int, broker: str, controller: str) -> dict[str, str]:
    """Server properties that every node here has; `broker` and `controller` are its own addresses."""
    return {
        "process.roles": "broker,controller",
        "node.id": str(node),
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://{broker},CONTROLLER://{controller}",
        "advertised.listeners": f"PLAINTEXT://{broker}",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "auto.create.topics.enable": "false",
        "offsets.topic.num.partitions": "4",
        # After a kill the node may register again only when its old session is over.
        "broker.session.timeout.ms": "2000",
        "broker.heartbeat.interval.ms": "500",
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "1000",
    }


def _single_node(broker: str, controller: str) -> dict[str, str]:
    return {
        **node_settings(1, broker, controller),
        "controller.quorum.bootstrap.servers": controller,
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
    }
