"""Intake: everything that a worker reads from outside. Sources go to ingest, the command topic to `CommandIntake`."""

from collections import Counter as Tally
from collections.abc import Sequence

from detectors.outputs import Output
from detectors.stage import Count
from stream.command_intake import CommandIntake
from stream.topology import Ingesting, Ints


class Intake:
    """Ingest with the command topic beside the sources.

    Commands take no part in time: nothing of them, and no mark, goes to the samples topic, so they never hold back a watermark.
    """

    def __init__(self, ingest: Ingesting, commands: CommandIntake) -> None:
        self._ingest, self._commands = ingest, commands

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
        return self._ingest.batch(
            topic, partition, offsets, values, timestamps_ms, previous_offset, wall_ms, caught_up
        )

    def mark(
        self, topic: str, partition: int, next_offset: int, wall_ms: int, caught_up: bool, idle: bool
    ) -> list[Output]:
        """The outputs that say where a source partition stands."""
        if topic == self._commands.topic:
            return []
        return self._ingest.mark(topic, partition, next_offset, wall_ms, caught_up, idle)

    def take_counts(self) -> Tally[Count]:
        """What was counted since the last call."""
        return self._ingest.take_counts() + self._commands.take_counts()
