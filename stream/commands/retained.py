"""What `explain` and `replay` share: finding an alert's story, and reading what is retained under a progress bar."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import typer
from rich.console import Console
from rich.progress import Progress, TaskID

from stream.alert_story import Story, read_story
from stream.alert_stream import assign, follow, open_consumer
from stream.config import Config, librdkafka_properties
from stream.retained import Kept, Retained

_TOLD_EVERY: Final = 500


def find_story(config: Config, alert_id: str) -> Story:
    """The story of the alert whose id begins so, from the alert topic.

    Raises:
        Refused: there is not exactly one, or Kafka does not answer.
    """
    topic = config.alerts.topic
    consumer = open_consumer(librdkafka_properties(config, "consumer"))
    try:
        partitions = assign(consumer, topic, 0)
        received = follow(consumer, partitions, stop_at_end=True, complain=_complain)
        return read_story(received, alert_id, topic)
    finally:
        consumer.close()


@contextmanager
def reading(what: str, parts: Sequence[Retained]) -> Iterator[list[Iterator[Kept]]]:
    """The records of some partitions, with a progress bar on standard error where that is a terminal."""
    console = Console(stderr=True)
    try:
        with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
            task = progress.add_task(what, total=sum(map(len, parts)))
            yield [_counted(part, progress, task) for part in parts]
    finally:
        for part in parts:
            part.close()


def _counted(part: Retained, progress: Progress, task: TaskID) -> Iterator[Kept]:
    for number, kept in enumerate(part.read(), 1):
        if number % _TOLD_EVERY == 0:
            progress.advance(task, _TOLD_EVERY)
        yield kept


def _complain(what: str) -> None:
    typer.echo(what, err=True)
