"""Running: one reading of a recording through the detectors of one configuration or of several, side by side."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple

from detectors.alerts import Alert
from detectors.outputs import Output
from detectors.reports import Followed
from detectors.stage import Count
from stream.backtest import Backtest, Reading, Stretch
from stream.config import Config
from stream.trial.ahead import ahead
from stream.trial.recordings import Recording, ingest_alike, reading_of

AHEAD_MAX: Final = 4
"""Stretches that ingest may be ahead of detect."""


class Run(NamedTuple):
    """What the detectors of one configuration said of a recording."""

    config: Config
    alerts: list[Alert]
    followed: list[Followed]
    counts: Counter[Count]
    gauges: dict[str, float]


class Trial(NamedTuple):
    """What was read, from when to when in event time, and what each configuration said of it."""

    records: int
    from_ms: int
    to_ms: int
    runs: list[Run]


def try_out(
    configs: Sequence[Config],
    recording: Recording,
    seen: Callable[[int], None] = lambda _: None,
    dead_letter: Callable[[dict[str, str]], None] = lambda _: None,
    watch: Callable[[list[Output]], None] = lambda _: None,
) -> Trial:
    """Run a recording through configurations.

    `seen` is told how many records more were read, `dead_letter` what the first configuration says of one that cannot be read, and `watch`
    gets what ingest made for it.

    Records are decoded once for all configurations whose sources and limits are the same.
    """
    wall_ms = int(time.time() * 1000)
    readings = [reading_of(config, recording, wall_ms) for config in configs]
    first = [next(n for n, it in enumerate(configs) if ingest_alike(it, config)) for config in configs]
    tests = [Backtest(config.settings()) for config in configs]
    alerts: list[list[Alert]] = [[] for _ in configs]

    def fold(number: int, outputs: list[Output]) -> None:
        alerts[number] += tests[number].fold(outputs)
        if number == 0:
            watch(outputs)
            for letter in tests[number].dead_letters:
                dead_letter({name: value.decode() for name, value in letter.headers})
        tests[number].dead_letters.clear()

    ingesting = _ingested(configs, readings, sorted(set(first)), recording, seen)
    with ThreadPoolExecutor(len(configs)) as pool:
        for outputs in ahead(ingesting, AHEAD_MAX):
            list(pool.map(fold, range(len(configs)), [outputs[number] for number in first]))
    for said, test in zip(alerts, tests, strict=True):
        said.extend(test.finish())
    runs = [
        Run(config, said, test.followed(), test.counts, test.gauges())
        for config, said, test in zip(configs, alerts, tests, strict=True)
    ]
    spans = [reading for number, reading in enumerate(readings) if number in first]
    from_ms = min((it.first_ms for it in spans if it.first_ms is not None), default=0)
    return Trial(max(it.records for it in spans), from_ms, max(from_ms, *(it.last_ms for it in spans)), runs)


def _ingested(
    configs: Sequence[Config],
    readings: Sequence[Reading],
    used: Sequence[int],
    recording: Recording,
    seen: Callable[[int], None],
) -> Iterator[dict[int, list[Output]]]:
    """What the readings in use make of each stretch, by their number."""
    topics = {number: recording.formats(configs[number]).keys() for number in used}
    for stretch in recording.stretches():
        ingested = {
            number: readings[number].take(stretch) if stretch.place.topic in topics[number] else []
            for number in used
        }
        seen(_records(stretch))
        yield ingested
    yield {number: readings[number].end() for number in used}


def _records(stretch: Stretch) -> int:
    return 0 if stretch.columns is None else len(stretch.columns.offsets)
