"""Recordings: what a trial reads, a file of records or what Kafka retains, and what each configuration makes of it."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Protocol

from stream.backtest import Reading, Stretch, read_lines, stretches, survey
from stream.config import Config, librdkafka_properties
from stream.exits import Exit, Refused
from stream.formats import Reading as Format
from stream.formats import beside
from stream.ingest import Ingest
from stream.registry import waiting
from stream.trial.history import History, Since
from stream.wiring import schemas_of

GATHERED: Final = 5_000
"""Records of a file that are sorted by partition at once: only detection times depend on it."""


class Recording(Protocol):
    """Records that can be read again and again."""

    @property
    def partitions(self) -> dict[str, int]:
        """The number of partitions of each topic."""

    @property
    def records(self) -> int:
        """How many records there are, or a few less."""

    def formats(self, config: Config) -> dict[str, Format]:
        """How a configuration reads the topics that it knows."""

    def stretches(self) -> Iterator[Stretch]:
        """All of them."""


class FileRecording:
    """A file with a record a line, as `streamgauge simulate` writes it. It is looked through once to begin with.

    Raises:
        Refused: it cannot be read.
    """

    def __init__(self, path: Path, configs: Sequence[Config]) -> None:
        self._path = path
        self._formats = {
            source.topic: source.format for config in reversed(configs) for source in config.sources
        }
        self._contents = survey(read_lines(self._lines(), self._formats), self._formats)

    @property
    def partitions(self) -> dict[str, int]:
        """Those that have records."""
        return dict(Counter(place.topic for place in self._contents.places))

    @property
    def records(self) -> int:
        """Every line that is not blank."""
        return self._contents.places.total()

    def formats(self, config: Config) -> dict[str, Format]:
        """The sources'; a topic that is none is read as it looks."""
        return self._contents.formats | {source.topic: source.reading for source in config.sources}

    def stretches(self) -> Iterator[Stretch]:
        """All records of the file."""
        return stretches(read_lines(self._lines(), self._formats), self._contents.places, GATHERED)

    def _lines(self) -> Iterator[bytes]:
        try:
            with self._path.open("rb") as file:
                yield from file
        except OSError as error:
            raise Refused(
                f"{self._path}: {error.strerror or os.strerror(error.errno or 0)}", Exit.DATA
            ) from None


class KafkaRecording(History):
    """What Kafka retains of sources of the configurations.

    Raises:
        Refused: a topic is no source, or as `History`.
    """

    def __init__(self, configs: Sequence[Config], wanted: Sequence[Since]) -> None:
        sources = {source.topic: source for config in reversed(configs) for source in config.sources}
        for since in wanted:
            if since.topic not in sources:
                raise Refused(
                    f"--from: {since.topic} is no source of the configuration; sources are {', '.join(sources)}",
                    Exit.USAGE,
                )
        readings = [source.reading for source in sources.values()]
        besides = {topic: beside(it) for topic, it in zip(sources, readings, strict=True)}
        super().__init__(librdkafka_properties(configs[0], "consumer"), wanted, besides)

    def formats(self, config: Config) -> dict[str, Format]:
        """The sources'."""
        return {source.topic: source.reading for source in config.sources}


def reading_of(config: Config, recording: Recording, now_ms: int) -> Reading:
    """What ingests a recording as a configuration says; topics that it does not know are left out."""
    settings, formats = config.settings(), recording.formats(config)
    ingest = Ingest(
        formats,
        settings.shards,
        {topic: count for topic, count in recording.partitions.items() if topic in formats},
        config.limits_for_ingest(),
        settings.allowed_skew_ms,
        waiting(schemas_of(config)),
        settings.allowed_lateness_ms,
    )
    return Reading(ingest, settings.allowed_lateness_ms, now_ms)


def ingest_alike(one: Config, other: Config) -> bool:
    """Whether two configurations make the same samples of the same records."""
    return _of_ingest(one) == _of_ingest(other)


def _of_ingest(config: Config) -> tuple[object, ...]:
    return (
        tuple(sorted(config.sources, key=lambda source: source.topic)),
        config.schema_registry,
        config.limits_for_ingest(),
        config.topics.samples_partitions,
        config.time.allowed_skew_ms,
        config.time.allowed_lateness_ms,
    )
