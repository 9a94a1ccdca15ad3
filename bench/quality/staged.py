"""Records through the worker's three stages in this process, with the settings of an empty configuration.

Only how people are told differs: storms and reminders are off, so that what is counted is what was detected.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache

import msgspec

from detectors.alerts import Alert
from detectors.paging import Paging
from stream.backtest import Backtest, Place, Reading, Recorded, stretches, survey
from stream.config import Config
from stream.ingest import Ingest

PAGING = Paging(storm_pages=1 << 30, remind_ms=None)
RUNS: Place = Place("pipeline.events", 0)


@cache
def config() -> Config:
    """Without a file: the defaults."""
    return Config()


def formats() -> dict[str, str]:
    """Of the default sources, by topic."""
    return {source.topic: source.format for source in config().sources}


def run_event(pipeline: str, time_ms: int, run: int, **more: object) -> Recorded:
    """A run that succeeded."""
    event = {
        "pipeline": pipeline,
        "state": "succeeded",
        "run_id": f"{pipeline}-{run}",
        "time": time_ms,
        **more,
    }
    return Recorded(RUNS, msgspec.json.encode(event), time_ms, -1)


def alerts(records: Sequence[Recorded]) -> list[Alert]:
    """Every alert of a short recording."""
    return list(alerts_of(records, records))


def alerts_of(first_pass: Iterable[Recorded], records: Iterable[Recorded]) -> Iterator[Alert]:
    """The alerts of a recording, which is looked through once before."""
    contents = survey(first_pass, formats())
    partitions = Counter(place.topic for place in contents.places)
    settings = msgspec.structs.replace(config().settings(), paging=PAGING)
    ingest = Ingest(
        contents.formats, settings.shards, partitions, config().limits_for_ingest(), settings.allowed_skew_ms
    )
    last_ms = 2**53
    reading = Reading(ingest, settings.allowed_lateness_ms, last_ms)
    yield from Backtest(settings).run(reading.outputs(stretches(records, contents.places)))
