"""Intake: everything that a worker reads from outside. Sources go to ingest, commands to `CommandIntake`, configurations to `ConfigIntake`."""

from collections import Counter as Tally
from collections.abc import Sequence

from detectors.outputs import Output
from detectors.stage import Count
from stream.command_intake import CommandIntake
from stream.config_intake import ConfigIntake
from stream.topology import Ingesting, Ints


class Intake:
    """Ingest with the topics of commands and configurations beside the sources.

    They take no part in time: no mark of theirs goes to the samples topic, so they never hold back a watermark.
    """

    def __init__(self, ingest: Ingesting, commands: CommandIntake, configs: ConfigIntake) -> None:
        self._ingest, self._commands, self._configs = ingest, commands, configs

    def batch(  # noqa: PLR0913  the columns of a fetched batch and where it comes from
        self,
        topic: str,
        partition: int,
        offsets: Sequence[int] | Ints,
        values: Sequence[bytes | None],
        timestamps_ms: Sequence[int] | Ints,
        previous_offset: int,
        wall_ms: int,
        caught_up: bool,
    ) -> list[Output]:
        """The outputs of one batch."""
        if topic == self._commands.topic:
            return self._commands.batch(partition, offsets, values, wall_ms)
        if topic == self._configs.topic:
            return self._configs.batch(partition, offsets, values, wall_ms)
        return self._ingest.batch(
            topic, partition, offsets, values, timestamps_ms, previous_offset, wall_ms, caught_up
        )

    def mark(
        self, topic: str, partition: int, next_offset: int, wall_ms: int, caught_up: bool, idle: bool
    ) -> list[Output]:
        """The outputs that say where a source partition stands."""
        if topic in (self._commands.topic, self._configs.topic):
            return []
        return self._ingest.mark(topic, partition, next_offset, wall_ms, caught_up, idle)

    def take_counts(self) -> Tally[Count]:
        """What was counted since the last call."""
        return self._ingest.take_counts() + self._commands.take_counts()
