"""What `explain` and `replay` share: finding an alert's story, and reading what is retained under a progress bar."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Final

import typer

from stream.alert_story import Story, read_story
from stream.alert_stream import follow
from stream.commands.consoles import progress
from stream.commands.following import complain, following
from stream.config import Config
from stream.retained import Kept, Retained

AlertArgument = Annotated[
    str, typer.Argument(metavar="ALERT_ID", help="Its id, or at least the first 8 digits of it.")
]
_TOLD_EVERY: Final = 500


def find_story(config: Config, alert_id: str) -> Story:
    """The story of the alert whose id begins so, from the alert topic.

    Raises:
        Refused: there is not exactly one, or Kafka does not answer.
    """
    topic = config.alerts.topic
    with following(config, topic, 0) as (consumer, partitions):
        return read_story(follow(consumer, partitions, stop_at_end=True, complain=complain), alert_id, topic)


@contextmanager
def reading(what: str, parts: Sequence[Retained]) -> Iterator[list[Iterator[Kept]]]:
    """The records of some partitions, with a progress bar on standard error where that is a terminal."""
    try:
        with progress(what, sum(map(len, parts))) as seen:
            yield [_counted(part, seen) for part in parts]
    finally:
        for part in parts:
            part.close()


def _counted(part: Retained, seen: Callable[[int], None]) -> Iterator[Kept]:
    for number, kept in enumerate(part.read(), 1):
        if number % _TOLD_EVERY == 0:
            seen(_TOLD_EVERY)
        yield kept
