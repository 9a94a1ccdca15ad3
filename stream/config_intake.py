"""Configurations come in: each valid one is told to every shard of detect and to triage, and for any other the answer, which triage gives in its turn.

One worker reads the topic, so all shards are told the same in the same order, each at one place in its own log.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from detectors.commands import Answer, Configure, Outcome, read_configure
from detectors.notes import VERSION, RefusalNote, SwitchNote, encode
from detectors.orders import Origin, Switch
from detectors.orders import encode as encode_order
from detectors.outputs import Destination, Output
from detectors.settings import Settings
from detectors.wording import time_text
from stream.answers import encode as encode_answer
from stream.config import Config, ConfigError
from stream.config.tunable import retuned
from stream.topology import Ints

REASON_LENGTH_MAX: Final = 2_000


class ConfigIntake:
    """Reads the topic of configurations.

    Args:
        config: of this worker: what may not change while workers run is taken from it.
    """

    def __init__(self, config: Config) -> None:
        self._config, self.topic = config, config.configs.topic
        self._shards = config.topics.samples_partitions

    def batch(
        self, partition: int, offsets: Sequence[int] | Ints, values: Sequence[bytes | None], wall_ms: int
    ) -> list[Output]:
        """The outputs of one fetched batch; a tombstone is nothing."""
        pairs = zip(offsets, values, strict=True)
        return [
            output
            for offset, value in pairs
            if value is not None
            for output in self._outputs(Origin(self.topic, partition, int(offset)), value, wall_ms)
        ]

    def _outputs(self, origin: Origin, value: bytes, wall_ms: int) -> Iterator[Output]:
        command: Configure | None = None
        try:
            command = read_configure(value)
            settings = retuned(self._config, command.config, command.origin).settings()
        except (ValueError, RecursionError) as error:
            yield _refusal(origin, command, str(error), wall_ms)
            return
        except ConfigError as error:
            yield _refusal(origin, command, "; ".join(error.lines), wall_ms)
            return
        yield from self._switches(origin, settings)
        note = SwitchNote(VERSION, origin.topic, origin.partition, origin.offset, wall_ms, command, settings)
        yield Output(Destination.ANOMALIES, key=None, value=encode(note), partition=0)

    def _switches(self, origin: Origin, settings: Settings) -> Iterator[Output]:
        order = encode_order(Switch(origin=origin, settings=settings))
        for shard in range(self._shards):
            yield Output(Destination.SAMPLES, key=None, value=order, partition=shard)


def _refusal(origin: Origin, command: Configure | None, reason: str, wall_ms: int) -> Output:
    place = f"{origin.topic}/{origin.partition}/{origin.offset}"
    answer = Answer(
        command_id=command.command_id if command else place,
        author=command.author if command else "",
        time=command.time.isoformat() if command else "",
        answered_at=time_text(wall_ms),
        outcome=Outcome.REFUSED,
        reason=f"{place}: {reason}"[:REASON_LENGTH_MAX],
        config_hash="",
        command={"command": "configure", "origin": command.origin} if command else {},
    )
    note = RefusalNote(VERSION, origin.topic, origin.partition, origin.offset, wall_ms, encode_answer(answer))
    return Output(Destination.ANOMALIES, key=None, value=encode(note), partition=0)
