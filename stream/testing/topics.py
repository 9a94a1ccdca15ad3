"""Topics for tests: made with a name of their own, and usable when the call returns."""

import time
import uuid
from collections.abc import Iterable, Mapping
from typing import Final

from confluent_kafka.admin import NewTopic

from stream.exits import Exit, Refused
from stream.local_broker import quiet_admin

REQUEST_TIMEOUT_S: Final = 30.0
_POLL_S: Final = 0.02


class TopicMaker:
    """Makes topics on one broker, each under a fresh name, and remembers them."""

    def __init__(self, bootstrap_servers: str) -> None:
        self._admin = quiet_admin(bootstrap_servers)
        self.names: list[str] = []

    def __call__(
        self, partitions: int = 1, config: Mapping[str, str] | None = None, *, stem: str = "test"
    ) -> str:
        """Makes a topic and waits until every partition has a leader.

        Args:
            partitions: how many.
            config: topic properties, such as `{"cleanup.policy": "compact"}`.
            stem: what the name begins with.

        Returns:
            The topic's name.

        Raises:
            KafkaException: the broker refused.
            Refused: its partitions had no leader in time.
        """
        name = f"{stem}-{uuid.uuid4().hex[:10]}"
        topic = NewTopic(name, num_partitions=partitions, replication_factor=1, config=dict(config or {}))
        self._admin.create_topics([topic], request_timeout=REQUEST_TIMEOUT_S)[name].result()
        self.names.append(name)
        self._wait_until_led(name, partitions)
        return name

    def delete(self, names: Iterable[str]) -> None:
        """Deletes topics, waiting until the broker has agreed and no longer lists them."""
        if wanted := list(names):
            for deleted in self._admin.delete_topics(wanted, request_timeout=REQUEST_TIMEOUT_S).values():
                deleted.result()
            self._wait_until_gone(wanted)

    def _wait_until_gone(self, names: list[str]) -> None:
        deadline = time.monotonic() + REQUEST_TIMEOUT_S
        while time.monotonic() < deadline:
            left = self._admin.list_topics(timeout=REQUEST_TIMEOUT_S).topics.keys() & set(names)
            if not left:
                return
            time.sleep(_POLL_S)
        raise Refused(f"{', '.join(left)} still listed after {REQUEST_TIMEOUT_S:.0f} s", Exit.KAFKA)

    def _wait_until_led(self, name: str, partitions: int) -> None:
        deadline = time.monotonic() + REQUEST_TIMEOUT_S
        while time.monotonic() < deadline:
            seen = self._admin.list_topics(name, timeout=REQUEST_TIMEOUT_S).topics[name].partitions.values()
            if sum(partition.leader >= 0 for partition in seen) == partitions:
                return
            time.sleep(_POLL_S)
        raise Refused(f"topic {name} had no leaders within {REQUEST_TIMEOUT_S:.0f} s", Exit.KAFKA)
