"""Same input, same alerts, for events, OpenLineage and metrics side by side, late ones too: from bytes to alerts.

However batches are cut, partitions interleave, records repeat, stages restart and series are spread over shards. What is
published when comes from the simulator's scenarios; here hypothesis chooses how it is read, and shrinks what fails.
"""

import random
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.settings import Settings
from stream.sources import Place
from stream.testing.simulator.scenario import LINEAGE, METRICS, Published, Scenario, make_scenario
from tests.simulator.in_one_process import InOneProcess

DAY_MS = 86_400_000
SETTINGS = Settings(allowed_lateness_ms=30_000, idle_timeout_ms=10_000, window_ms=60_000)
SEEDS = 150
Logs = dict[Place, list[tuple[int, Published]]]


@cache
def scenario(number: int) -> Scenario:
    """A scenario that has all three formats; every other one has late records."""
    found = [
        made for made in map(make_scenario, range(SEEDS)) if {METRICS, LINEAGE} <= made.partitions.keys()
    ]
    late = [any(b"late-" in (record.value or b"") for record in made.records) for made in found]
    return [made for made, has_late in zip(found, late, strict=True) if has_late == number % 2][number // 2]


def logs_of(found: Scenario) -> Logs:
    """The records of each partition with their offsets."""
    logs: Logs = {place: [] for place in found.places()}
    for record in found.records:
        log = logs[record.place]
        log.append(((log[-1][0] + 1 if log else 0) + record.gap, record))
    return logs


def worker(found: Scenario, shards: int = 1) -> InOneProcess:
    return InOneProcess(found.formats, found.partitions, SETTINGS, shards)


def read(process: InOneProcess, place: Place, records: list[tuple[int, Published]], now_ms: int) -> None:
    offsets = [offset for offset, _ in records]
    values = [record.value for _, record in records]
    process.read(place, offsets, values, [record.at_ms for _, record in records], now_ms)


def end(process: InOneProcess, found: Scenario) -> None:
    for place in found.places():
        process.mark(place, found.records[-1].at_ms + 3 * DAY_MS)


@cache
def undisturbed(number: int) -> InOneProcess:
    """Each partition read at once."""
    found = scenario(number)
    process = worker(found)
    for place, log in logs_of(found).items():
        if log:
            read(process, place, log, found.records[-1].at_ms)
    end(process, found)
    return process


def disturbed(
    found: Scenario, process: InOneProcess, seed: int, crash_share: float, again_share: float
) -> None:
    """Batches of any size from any partition, some of them again, with restarts in between."""
    chance, logs = random.Random(seed), logs_of(found)
    at = dict.fromkeys(logs, 0)
    sizes = chance.choice([(1,), (1, 5, 40), (40, 200)])
    while open_ := [place for place, log in logs.items() if at[place] < len(log)]:
        place = chance.choice(open_)
        if at[place] and chance.random() < again_share:
            at[place] = chance.randrange(at[place])
            process.seek(place, logs[place][at[place] - 1][0] + 1 if at[place] else 0)
        records = logs[place][at[place] : at[place] + chance.choice(sizes)]
        at[place] += len(records)
        read(process, place, records, found.records[-1].at_ms)
        if chance.random() < crash_share:
            process.restart()
    end(process, found)


def assert_same(process: InOneProcess, expected: InOneProcess) -> None:
    assert process.alerts == expected.alerts
    assert process.differing == []
    assert process.followed() == expected.followed()
    assert process.dead_letters.keys() == expected.dead_letters.keys()


READING = {
    "number": st.integers(0, 5),
    "seed": st.integers(0, 1 << 30),
    "again_share": st.sampled_from([0.0, 0.1]),
    "shards": st.integers(1, 4),
}


@settings(max_examples=25, deadline=None)
@given(**READING)
def test_how_records_are_read_changes_no_alert(
    number: int, seed: int, again_share: float, shards: int
) -> None:
    found, process = scenario(number), worker(scenario(number), shards)
    disturbed(found, process, seed, 0.0, again_share)
    assert_same(process, undisturbed(number))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(**READING, crash_share=st.sampled_from([0.02, 0.3]))
def test_restarts_change_no_alert(
    number: int, seed: int, again_share: float, shards: int, crash_share: float
) -> None:
    found, process = scenario(number), worker(scenario(number), shards)
    disturbed(found, process, seed, crash_share, again_share)
    assert_same(process, undisturbed(number))


def test_the_scenarios_hold_alerts_late_records_and_dead_letters() -> None:
    everything = [undisturbed(number) for number in range(6)]
    kinds = {alert.kind for process in everything for alert in process.alerts.values()}
    counts = [process.counts() for process in everything]
    assert kinds >= {"latency", "volume", "freshness", "schema"}
    assert any(count["late", "pipeline.events"] for count in counts)
    assert any(process.dead_letters for process in everything)
