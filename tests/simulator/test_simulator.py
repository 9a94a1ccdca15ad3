"""Thousands of seeds: whatever fails when, the alerts and the state are those of an undisturbed run.

`STREAMGAUGE_SEEDS` is the number of seeds; `python -m stream.testing.simulator --seed N` runs one of them again.
"""

import os
from collections import Counter
from dataclasses import replace

import pytest

from stream.testing.simulator import Parts, Scenario, check, judge, make_scenario, run
from stream.testing.simulator.scenario import Faults
from tests.simulator.broken_parts import BROKEN, no_fence_in_detect

SEEDS = int(os.environ.get("STREAMGAUGE_SEEDS", "2000"))
AT_ONCE = 500
FAULTS = {
    "crash",
    "crash with records under way",
    "damaged snapshot",
    "partition away",
    "rebalance",
    "repeats",
    "trimmed",
    "zombie",
}
HARSH = Faults(crash=0.01, rebalance=0.01, freeze=0.01, trim=0.05, away=0.02, back=0.005, workers_max=2)
MUTANT_SEEDS = range(60)


@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
def test_whatever_fails_when_alerts_and_state_are_those_of_an_undisturbed_run(first: int) -> None:
    found: dict[int, tuple[str, ...]] = {}
    happened: Counter[str] = Counter()
    seeds = range(first, min(first + AT_ONCE, SEEDS))
    for verdict in map(check, seeds):
        happened += verdict.faults + Counter(repeats=verdict.repeats)
        if verdict.complaints:
            found[verdict.seed] = verdict.complaints
    told = "\n".join(
        f"python -m stream.testing.simulator --seed {seed}: {why[0]}" for seed, why in found.items()
    )
    assert not found, f"{len(found)} of {len(seeds)} seeds failed\n{told}"
    assert happened.keys() >= FAULTS or len(seeds) < 500, "a fault that never happens is not tested"


def test_a_run_is_a_function_of_its_seed() -> None:
    logs = [run(make_scenario(5), Parts()).broker.logs for _ in range(2)]
    assert logs[0] == logs[1]


def harsh(seed: int) -> Scenario:
    """A scenario with many faults of the kinds that a broken worker would fall over."""
    return replace(make_scenario(seed), faults=HARSH, snapshot_interval_ms=4_000, burst=2, step_ms=4_000)


def seed_that_tells(parts: Parts) -> int | None:
    """The first seed whose run is faultless as it is, and not with these parts."""
    return next(
        (seed for seed in MUTANT_SEEDS if complaints(seed, parts) and not complaints(seed, Parts())), None
    )


def complaints(seed: int, parts: Parts) -> tuple[str, ...]:
    return judge(run(harsh(seed), parts)).complaints


@pytest.mark.parametrize("name", BROKEN)
def test_the_judge_notices_a_worker_that_breaks_a_rule(name: str) -> None:
    assert seed_that_tells(BROKEN[name]) is not None


def test_the_judge_notices_that_detect_has_no_fence() -> None:
    for seed in MUTANT_SEEDS:
        with no_fence_in_detect():
            broken = complaints(seed, Parts())
        if broken and not complaints(seed, Parts()):
            return
    pytest.fail("it did not")
