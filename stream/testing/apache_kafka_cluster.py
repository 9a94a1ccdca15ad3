"""A cluster of Apache Kafka for tests: three nodes on loopback, so that leaders can move and brokers can be lost."""

import time
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Final, Self

from stream.exits import Exit, Refused
from stream.local_broker import LOOPBACK, free_ports, quiet_admin
from stream.testing.apache_kafka import KafkaServer, new_cluster_id, node_settings
from stream.testing.apache_kafka_jars import KAFKA_VERSION

NODES: Final = 3
NODE_HEAP_MB: Final = 384
NODE_READY_TIMEOUT_S: Final = 120.0
_METADATA_TIMEOUT_S: Final = 10.0
_POLL_S: Final = 0.1


class ApacheKafkaCluster:
    """Three nodes, each broker and controller, with every topic on all of them and two of them needed for a write.

        with ApacheKafkaCluster() as kafka:
            kafka.leader("orders", 0).kill()

    Args:
        version: of Apache Kafka, 4.0 or newer.
        heap_mb: the Java heap of each node.

    Raises:
        Refused: something it needs is missing, or it did not start; the message says what.
    """

    def __init__(self, *, version: str = KAFKA_VERSION, heap_mb: int = NODE_HEAP_MB) -> None:
        ports = free_ports(2 * NODES)
        brokers = [f"{LOOPBACK}:{port}" for port in ports[:NODES]]
        controllers = [f"{LOOPBACK}:{port}" for port in ports[NODES:]]
        voters = ",".join(f"{node}@{address}" for node, address in enumerate(controllers, 1))
        identity = [f"--cluster-id={new_cluster_id()}"]
        self.bootstrap_servers = ",".join(brokers)
        self.nodes = {
            node: KafkaServer(
                broker,
                node_settings(node, broker, controller) | _replicated(voters),
                identity,
                version=version,
                heap_mb=heap_mb,
            )
            for node, (broker, controller) in enumerate(zip(brokers, controllers, strict=True), 1)
        }

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close(keep_logs=True)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(keep_logs=kind is not None and issubclass(kind, Exception))

    def start(self) -> None:
        """Starts every node that does not run, all at once, and returns when the cluster is whole."""
        with ThreadPoolExecutor(NODES) as starting:
            list(starting.map(lambda node: node.start(NODE_READY_TIMEOUT_S), self.nodes.values()))
        self._wait_until_whole()

    def close(self, *, keep_logs: bool = False) -> None:
        """Ends every node; they need not agree on it, so none is waited for."""
        for node in self.nodes.values():
            node.kill()
            node.close(keep_log=keep_logs)

    def leader(self, topic: str, partition: int) -> KafkaServer:
        """The node that leads a partition now."""
        return self.nodes[self._leaders(topic)[partition]]

    def coordinator(self, group: str) -> KafkaServer:
        """The node that coordinates a consumer group now."""
        admin = quiet_admin(self.bootstrap_servers)
        described = admin.describe_consumer_groups([group])[group].result()
        return self.nodes[described.coordinator.id]

    def _leaders(self, topic: str) -> dict[int, int]:
        admin = quiet_admin(self.bootstrap_servers)
        partitions = admin.list_topics(topic, timeout=_METADATA_TIMEOUT_S).topics[topic].partitions
        return {number: partition.leader for number, partition in partitions.items()}

    def _wait_until_whole(self) -> None:
        deadline = time.monotonic() + NODE_READY_TIMEOUT_S
        admin = quiet_admin(self.bootstrap_servers)
        while time.monotonic() < deadline:
            if len(admin.list_topics(timeout=_METADATA_TIMEOUT_S).brokers) == NODES:
                return
            time.sleep(_POLL_S)
        raise Refused(f"the cluster was not whole within {NODE_READY_TIMEOUT_S:.0f} s", Exit.KAFKA)


def _replicated(voters: str) -> dict[str, str]:
    return {
        "controller.quorum.voters": voters,
        "default.replication.factor": "3",
        "min.insync.replicas": "2",
        "offsets.topic.replication.factor": "3",
        "transaction.state.log.replication.factor": "3",
        "transaction.state.log.min.isr": "2",
        "share.coordinator.state.topic.replication.factor": "3",
        "share.coordinator.state.topic.min.isr": "2",
        "unclean.leader.election.enable": "false",
    }
