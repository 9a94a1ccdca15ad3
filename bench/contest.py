"""The contest: every contender reads the same topic, round after round, so that all meet the same moods of the machine."""

from collections.abc import Iterator, Sequence
from typing import Final, Protocol

from confluent_kafka import KafkaException

from bench.course import Bed, Course, Outcome, Unable, console
from bench.folded import Gauge
from bench.peers import PEERS
from bench.results import Section
from bench.run_events import Shape

NAME: Final = "contenders"
TITLE: Final = "Side by side"
UNIT: Final = "events/s"
ABOUT: Final = """\
Every contender reads the same topic in a process of its own, one after the other, round after round. The clock runs from the end of
the first fifth of the records, which warms up, to the last. Memory, threads and cores are as each finds them: the machine has
nothing else to do but to run the broker. The Streamgauge worker is timed to the last record folded into its state, with snapshots
stored as it goes."""
WILD_EVERY: Final = 50_000


class Contender(Protocol):
    """Something that reads a course."""

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def keeps_state(self) -> bool: ...

    def measure(self, course: Course) -> Outcome: ...


CONTENDERS: Final[Sequence[Contender]] = (
    Gauge(),
    Gauge("streamgauge-2", "Streamgauge, 2 workers", 2),
    *PEERS,
)


def measure(
    bed: Bed, chosen: Sequence[Contender], events: int, rounds: int, section: Section
) -> Iterator[None]:
    """Let the chosen contenders race, and write into the section what they did; yields after every round."""
    with bed.recorded(Shape(events, wild_every=WILD_EVERY)) as course:
        for number in range(rounds):
            for contender in chosen:
                _one(contender, course, section, f"round {number + 1}")
            yield


def _one(contender: Contender, course: Course, section: Section, when: str) -> None:
    try:
        outcome = contender.measure(course)
    except (Unable, KafkaException) as reason:
        section.figure(contender.name, contender.title, UNIT).error = str(reason)
        console.print(f"{when}: {contender.title}: {reason}", style="red")
        return
    section.add(
        contender.name, contender.title, UNIT, outcome.rate, f"{outcome.did}; {outcome.events:,} events"
    )
    console.print(f"{when}: {contender.title}: {outcome.rate:,.0f} events/s ({outcome.events:,} events)")
