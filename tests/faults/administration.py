"""Administration: what somebody with an administrator's rights may do to the topics under a running product."""

from typing import Final

from confluent_kafka import OFFSET_END, TopicPartition
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourcePatternType,
    ResourceType,
)

from stream.local_broker import quiet_admin
from stream.testing.apache_kafka import KafkaServer

AUTHORIZER: Final = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "true",
    "super.users": "User:nobody",
}
"""Server properties of a broker that checks ACLs, of which there are none at first."""


def deny_writing(servers: str, topic: str) -> None:
    """Let everybody do everything with a topic but write to it."""
    rules = ((AclOperation.WRITE, AclPermissionType.DENY), (AclOperation.ALL, AclPermissionType.ALLOW))
    acls = [
        AclBinding(ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, "User:ANONYMOUS", "*", *rule)
        for rule in rules
    ]
    admin = quiet_admin(servers)
    for made in admin.create_acls(acls).values():
        made.result()


def deny_nothing(servers: str, topic: str) -> None:
    """Remove every ACL of a topic."""
    rules = AclBindingFilter(
        ResourceType.TOPIC,
        topic,
        ResourcePatternType.LITERAL,
        "User:ANONYMOUS",
        "*",
        AclOperation.ANY,
        AclPermissionType.ANY,
    )
    admin = quiet_admin(servers)
    for removed in admin.delete_acls([rules]).values():
        removed.result()


def set_property(servers: str, topic: str, name: str, value: str) -> None:
    """Set one property of a topic."""
    entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    admin = quiet_admin(servers)
    for altered in admin.incremental_alter_configs([resource]).values():
        altered.result()


def delete(servers: str, topic: str) -> None:
    """Delete a topic."""
    admin = quiet_admin(servers)
    admin.delete_topics([topic])[topic].result()


def delete_records(servers: str, topic: str) -> None:
    """Delete every record of a topic, as its retention would."""
    admin = quiet_admin(servers)
    partitions = admin.list_topics(topic, timeout=10).topics[topic].partitions
    places = [TopicPartition(topic, it, OFFSET_END) for it in partitions]
    for deleted in admin.delete_records(places).values():
        deleted.result()


def empty(servers: str, topic: str) -> None:
    """Delete every record of a compacted topic, for which it must for a moment not be compacted."""
    set_property(servers, topic, "cleanup.policy", "delete")
    delete_records(servers, topic)
    set_property(servers, topic, "cleanup.policy", "compact")


def slow_down_writing(kafka: KafkaServer, client_id: str, bytes_per_s: int) -> None:
    """Have the broker hold this client back so that it writes no more than so much."""
    _alter_client(kafka, client_id, "--add-config", f"producer_byte_rate={bytes_per_s}")


def slow_down_nothing(kafka: KafkaServer, client_id: str) -> None:
    """Let this client write as fast as it can."""
    _alter_client(kafka, client_id, "--delete-config", "producer_byte_rate")


def _alter_client(kafka: KafkaServer, client_id: str, *change: str) -> None:
    broker = ("--bootstrap-server", kafka.bootstrap_servers)
    client = ("--entity-type", "clients", "--entity-name", client_id)
    kafka.run_tool("kafka.admin.ConfigCommand", *broker, "--alter", *client, *change)
