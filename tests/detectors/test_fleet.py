"""The fleet's ceiling: enough is muted to keep to it, and nothing that chance hardly gives."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from detectors.budget import ALPHA_MAX, chance_of_p_value, p_value_of_score, threshold_for
from detectors.core.layout import DAY_MS, Record
from detectors.fleet import allowance, capacity_per_day, count_capacity, expected_per_day
from detectors.follower_layout import FLEET
from detectors.samples import RunState
from detectors.settings import Settings
from tests.detectors.scripted_log import Event, Log, Pipeline, batch, cut, ending, whole
from tests.detectors.test_determinism import platform, told

HOUR_MS = 3_600_000
START_MS = 1_780_000_000_000 // DAY_MS * DAY_MS
ROUNDED_UP = 2**0.2501

capacities = st.lists(st.floats(1e-6, 100), min_size=1, max_size=60)
budgets = st.floats(1e-6, 1e3)


def fleet(budget_per_day: float, each: list[float]) -> Record:
    record = np.zeros(1, FLEET).view(np.recarray)[0]
    record.budget_per_day = budget_per_day
    for per_day in each:
        count_capacity(record, per_day)
    record.allowed_per_day = allowance(record)
    return record


@settings(deadline=None)  # the first example compiles
@given(capacities, budgets)
def test_all_series_together_stay_within_the_ceiling_and_use_most_of_it(each: list[float], budget: float):
    allowed = fleet(budget, each).allowed_per_day
    spent = sum(min(one, allowed) for one in each)
    assert spent <= budget * (1 + 1e-9)
    if math.isfinite(allowed):
        assert spent >= budget / ROUNDED_UP * (1 - 1e-9)
    else:
        assert spent == sum(each)


@settings(deadline=None)  # the first example compiles
@given(capacities, budgets, st.floats(1, 100))
def test_a_higher_ceiling_never_allows_less(each: list[float], budget: float, factor: float):
    assert fleet(budget, each).allowed_per_day <= fleet(budget * factor, each).allowed_per_day


@settings(deadline=None)  # the first example compiles
@given(capacities, budgets, st.randoms())
def test_the_order_of_series_changes_nothing(each: list[float], budget: float, random: object):
    shuffled = list(each)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert fleet(budget, each).tobytes() == fleet(budget, shuffled).tobytes()


@settings(deadline=None)  # the first example compiles
@given(capacities, budgets)
def test_what_chance_is_expected_to_open_is_within_the_ceiling(each: list[float], budget: float):
    record = fleet(budget, each)
    assume(math.isfinite(record.allowed_per_day))
    assert expected_per_day(record) == pytest.approx(budget)


def test_a_series_that_is_rarely_judged_leaves_its_share_to_the_others():
    weekly, busy = [ALPHA_MAX / 7] * 1000, [1 / 30] * 50
    mixed = fleet(5 / 7, weekly + busy).allowed_per_day
    assert mixed > 5 * fleet(5 / 7, [1 / 30] * 1050).allowed_per_day


def test_without_a_ceiling_everything_passes():
    assert fleet(math.inf, [1.0] * 1000).allowed_per_day == math.inf


def test_a_verdict_at_the_border_of_its_series_has_the_capacity_as_its_chance():
    budget, interval_s = 1 / 30, 3600.0
    assert chance_of_p_value(budget / 24, interval_s) == pytest.approx(capacity_per_day(budget, interval_s))
    assert capacity_per_day(budget, 86_400.0) == pytest.approx(ALPHA_MAX)
    for per_day in (1 / 365, 1 / 30, 1 / 7):
        p_value = p_value_of_score(threshold_for(per_day), 60.0)
        assert chance_of_p_value(p_value, 60.0) == pytest.approx(per_day)


FAULT_DAY, DAYS = 36, 44


def ordinary_fleet(hourly: int, daily: int, seed: int) -> Log:
    """Log-normal durations; on one day every second pipeline has one run of eight times its length."""
    rng = np.random.default_rng(seed)
    events: list[Event] = []
    for number in range(hourly + daily):
        step_ms = HOUR_MS if number < hourly else DAY_MS
        runs = DAYS * DAY_MS // step_ms
        start_ms = START_MS + int(rng.integers(HOUR_MS // 4, HOUR_MS // 2))
        times = start_ms + np.arange(runs) * step_ms + rng.normal(0, 60_000, runs).astype(int)
        durations = 600_000 * np.exp(0.15 * rng.standard_normal(runs))
        if number % 2 == 0:
            durations[FAULT_DAY * DAY_MS // step_ms] *= 8
        events += [
            Event(time_ms, f"pipeline-{number}", RunState.SUCCEEDED, duration_ms=duration_ms)
            for time_ms, duration_ms in zip(times.tolist(), durations.tolist(), strict=True)
        ]
    events.sort(key=lambda event: event.time_ms)
    return [events]


def opened(log: Log, per_week: float | None) -> tuple[set[tuple[str, str, str]], Pipeline]:
    """Signal, pipeline and time of every episode that opened."""
    per_day = None if per_week is None else per_week / 7
    pipeline = Pipeline(Settings(fleet_false_alarms_per_day=per_day))
    for first in range(0, len(log[0]), 2000):
        pipeline.feed(batch(log, 0, first, min(first + 1999, len(log[0]) - 1)))
    alerts = pipeline.run(ending(log))
    return {
        (alert.kind, alert.labels["pipeline"], alert.starts_at) for alert in alerts if alert.sequence == 1
    }, pipeline


HOURLY, DAILY = 40, 40
Outcome = dict[float | None, tuple[set[tuple[str, str, str]], Pipeline]]


@pytest.fixture(scope="module")
def simulated() -> Outcome:
    log = ordinary_fleet(HOURLY, DAILY, seed=5)
    return {per_week: opened(log, per_week) for per_week in (None, 5.0, 0.5)}


def test_false_alarms_of_an_ordinary_fleet_stay_within_the_ceiling(simulated: Outcome):
    weeks, fault_alerts = DAYS / 7, (HOURLY + DAILY) // 2
    without = len(simulated[None][0]) - fault_alerts
    assert without > 1.5 * 0.5 * weeks, "nothing to mute"
    for per_week in (5.0, 0.5):
        false_alarms = len(simulated[per_week][0]) - fault_alerts
        assert false_alarms <= per_week * weeks + 2 * math.sqrt(per_week * weeks)
        assert false_alarms < without


def test_strong_incidents_pass_however_many_come_at_once(simulated: Outcome):
    day = f"{np.datetime64(START_MS + FAULT_DAY * DAY_MS, 'ms').astype('datetime64[D]')}"
    expected = {f"pipeline-{number}" for number in range(0, HOURLY + DAILY, 2)}
    for found, _ in simulated.values():
        assert {name for _, name, time in found if time.startswith(day)} >= expected


def test_a_tighter_ceiling_never_opens_more(simulated: Outcome):
    loose, normal, tight = (simulated[per_week][0] for per_week in (None, 5.0, 0.5))
    assert len(tight) <= len(normal) <= len(loose)
    of_tight, of_normal, of_loose = ({found[:2] for found in it} for it in (tight, normal, loose))
    assert of_tight <= of_normal <= of_loose, "at most an episode opens later than it would have"


def test_what_is_muted_is_counted_and_says_what_was_needed(simulated: Outcome):
    for per_week in (5.0, 0.5):
        found, pipeline = simulated[per_week]
        muted = pipeline.triage.take_counts()["muted", "latency"]
        missing = len(simulated[None][0]) - len(found)
        assert missing <= muted <= missing + 2, "one or two would have come in an episode that is open"
        ledger = pipeline.triage.ledger
        assert ledger.latest_muted
        assert all(it.chance_per_day > it.needed_per_day > 0 for it in ledger.latest_muted)
        assert ledger.fleet().budget == pytest.approx(per_week)
        assert ledger.fleet().expected == pytest.approx(per_week)
        assert ledger.fleet().series == 2 * (HOURLY + DAILY), "durations, and when the next run is due"
    assert not simulated[None][1].triage.ledger.latest_muted
    assert simulated[None][1].triage.ledger.fleet().budget is None


TIGHT = Settings(fleet_false_alarms_per_day=1e-9)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 3), cuts=st.integers(0, 10_000), crash_every=st.sampled_from([0, 3, 17]))
def test_what_is_muted_does_not_depend_on_batches_interleaving_repeats_or_restarts(
    seed: int, cuts: int, crash_every: int
):
    log = platform(seed)
    undisturbed = Pipeline(TIGHT)
    undisturbed.run(whole(log))
    pipeline = Pipeline(TIGHT)
    for step, payload in enumerate(cut(log, cuts)):
        pipeline.feed(payload)
        if crash_every and step % crash_every == 0:
            pipeline.crash()
    assert undisturbed.triage.ledger.latest_muted, "nothing was muted"
    assert any(alert.kind == "schema" for alert in undisturbed.alerts), "what no chance gives passes"
    assert told(pipeline.alerts) == told(undisturbed.alerts)
    assert pipeline.triage.ledger == undisturbed.triage.ledger
