"""One stream of the schema corpus through ingest and detect, and what was said of it."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from bench.quality.schema_scenario import CHANGED, KNOWN, Expected, Scenario
from detectors.detect import Detect
from detectors.outputs import Destination
from detectors.record_versions import CHANGE as VERSION_MIX
from detectors.settings import Settings
from detectors.verdicts import AnomalyBatch, SchemaChange
from stream.formats.limits import Limits
from stream.ingest import Ingest

TOPIC: Final = "records"
START_MS: Final = 1_780_000_000_000
SPACING_MS: Final = 50
BATCH: Final = 1_000
DAY_MS: Final = 86_400_000


class Told(NamedTuple):
    """A change that was told: when, in records since the first of all, and what."""

    at: int
    change: SchemaChange


class Outcome(NamedTuple):
    """What came of a scenario: whether the change was found with its kind and path, after how many records, and what else was told."""

    scenario: str
    share: float
    expected: Expected | None
    found_after: int | None
    first_error: int | None
    others: list[str]


def told(records: Iterable[dict[str, Any]]) -> Iterator[Told]:
    """Every change that is told of a stream, as its records come."""
    ingest = Ingest({TOPIC: "records"}, 1, {TOPIC: 1}, Limits(), Settings().allowed_skew_ms)
    return told_of([json.dumps(record).encode() for record in records], ingest)


def told_of(values: list[bytes], ingest: Ingest) -> Iterator[Told]:
    """Every change that is told of values that ingest can read."""
    detect = Detect(Settings(), 0)
    payloads = []
    for first in range(0, len(values), BATCH):
        part = values[first : first + BATCH]
        times = [START_MS + SPACING_MS * (first + place) for place in range(len(part))]
        offsets = range(first, first + len(part))
        previous = first - 1 if first else None
        payloads += ingest.batch(TOPIC, 0, offsets, part, times, previous, times[-1], caught_up=False)
    payloads += ingest.mark(TOPIC, 0, len(values), START_MS + DAY_MS, caught_up=True, idle=True)
    for step, output in enumerate(it for it in payloads if it.destination is Destination.SAMPLES):
        for said in detect.step(step, output.value or b""):
            for verdict in AnomalyBatch.from_bytes(said.value or b"").verdicts:
                if verdict.schema_change is not None:
                    yield Told((verdict.time_ms - START_MS) // SPACING_MS + 1, verdict.schema_change)


def judge(scenario: Scenario, known: int = KNOWN, changed: int = CHANGED, seed: int = 1) -> Outcome:
    """What came of a scenario."""
    return judged(scenario, told(scenario.records(known, changed, seed)), known)


def judged(scenario: Scenario, said: Iterable[Told], known: int) -> Outcome:
    """What came of a scenario of which this was told; that of a mix of versions is told again with its progress."""
    found, first_error, others = None, None, []
    for at, change in said:
        if found is None and scenario.expected == (change.change, change.path):
            found = at - known
            first_error = change.first.first_offset - known
        elif scenario.expected != (change.change, change.path) or change.change != VERSION_MIX:
            others.append(f"{change.change} {change.path} ({change.share:.2%}) at {at - known}")
    return Outcome(scenario.name, scenario.share, scenario.expected, found, first_error, others)
