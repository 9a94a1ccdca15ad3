"""What is ordinary on the simulated platform is ordinary, and what is a fault stands out from it."""

from datetime import date
from functools import cache

import numpy as np
import pytest

from stream.simulate.calendars import DAY_MS, HOUR_MS, at_local
from stream.simulate.incidents import Kind
from stream.simulate.ordinary import Floats, Run, noise, season_factors
from stream.simulate.platform import HEAVY_DEVIATION, Amounts, Pipeline, Season
from stream.simulate.recording import Recording, Request, record, span
from stream.simulate.schedules import Rhythm

FROM_MS, TO_MS = span(1_762_732_800_000, 42)


@cache
def recording(*kinds: Kind) -> Recording:
    return record(Request(4, 150, FROM_MS, TO_MS, kinds, per_week=0.6))


def running(recorded: Recording) -> list[tuple[Pipeline, list[Run]]]:
    both = zip(recorded.pipelines, recorded.histories, strict=True)
    return [(pipeline, history.runs) for pipeline, history in both if history.runs]


def robust_deviation(values: Floats) -> float:
    return float(1.4826 * np.median(np.abs(values - np.median(values))))


def test_ordinary_runs_all_take_place_on_time_and_succeed_in_the_end() -> None:
    for pipeline, runs in running(recording()):
        assert {run.state for run in runs} <= {"succeeded", "skipped"}
        assert all(run.ends and not run.clock_ms and run.duration_factor == 1 for run in runs)
        gaps = np.diff([run.start_ms for run in runs])
        if pipeline.schedule.rhythm in (Rhythm.EVERY, Rhythm.DAILY):
            local_hour = HOUR_MS if pipeline.schedule.interval_ms > HOUR_MS else 0
            allowed = pipeline.schedule.interval_ms // 8 + local_hour
            assert gaps.max() <= pipeline.schedule.interval_ms + allowed
            assert gaps.min() >= pipeline.schedule.interval_ms - allowed


def test_ordinary_amounts_have_no_outlier_that_would_be_an_incident() -> None:
    for pipeline, runs in running(recording()):
        starts = np.array([run.start_ms for run in runs])
        factors = season_factors(pipeline.season, starts, FROM_MS, pipeline.zone)
        if pipeline.amounts in (Amounts.LOGNORMAL, Amounts.HEAVY):
            rows = np.array([run.rows or 0 for run in runs]) / (factors * pipeline.rows)
            assert rows.max() < 2.5
            assert rows.min() > 1 / 2.5
        if pipeline.amounts in (Amounts.CONSTANT, Amounts.ZERO):
            assert len({run.rows for run in runs}) == 1


def test_small_counts_are_overdispersed_with_more_zeros_than_a_poisson_has() -> None:
    counted = [runs for pipeline, runs in running(recording()) if pipeline.amounts is Amounts.COUNT]
    frequent = [np.array([run.rows or 0 for run in runs]) for runs in counted if len(runs) > 500]
    assert frequent
    for rows in frequent:
        assert rows.var() > rows.mean()
        assert (rows == 0).mean() > np.exp(-rows.mean())


def test_first_attempts_fail_rarely() -> None:
    for pipeline, runs in running(recording()):
        failed = sum(run.retry is not None for run in runs)
        expected = pipeline.retry_share * len(runs)
        assert abs(failed - expected) <= 5 * np.sqrt(expected) + 1e-9


def test_heavy_tails_have_the_body_of_the_normal_and_longer_tails() -> None:
    heavy = noise(np.random.default_rng(1), 100_000, 0.1, heavy=True)
    normal = noise(np.random.default_rng(1), 100_000, 0.1, heavy=False)
    assert robust_deviation(normal) == pytest.approx(0.1, rel=0.02)
    assert robust_deviation(heavy) == pytest.approx(0.1 * HEAVY_DEVIATION, rel=0.02)
    assert (np.abs(heavy) > 0.4).mean() > 20 * (np.abs(normal) > 0.4).mean()


def test_seasons_follow_the_local_day_weekends_holidays_and_growth() -> None:
    zone = "Europe/Berlin"
    season = Season(amplitude=0.5, peak_hour=14, weekend=0.5, holiday=0.3, growth_per_month=0.1)

    def at(day: int, hour: int) -> float:
        from_ms = at_local(date(2025, 9, 1), 0, "UTC")
        time_ms = at_local(date(2025, 10, day), hour * 60, zone)
        return float(season_factors(season, np.array([time_ms]), from_ms, zone)[0])

    assert at(7, 14) / at(7, 2) == pytest.approx(np.exp(1.0), rel=0.01)
    assert at(4, 14) / at(2, 14) == pytest.approx(0.5, rel=0.02)
    assert at(3, 14) / at(2, 14) == pytest.approx(0.3, rel=0.02)
    assert at(29, 14) / at(15, 14) == pytest.approx(1.1 ** (14 / 30), rel=0.01)


def changed(kind: Kind) -> list[tuple[Pipeline, list[Run], list[tuple[Run, Run]]]]:
    """For each incident of a kind: the pipeline, its ordinary runs, and the runs concerned before and after."""
    found = []
    faulty, plain = recording(*Kind), recording()
    ordinary = {pipeline.name: runs for pipeline, runs in running(plain)}
    after = {
        pipeline.name: (pipeline, {run.number: run for run in runs}) for pipeline, runs in running(faulty)
    }
    for label in faulty.labels:
        name = label.match.get("pipeline")
        if label.kind is kind and name in after:
            pipeline, runs = after[name]
            inside = [run for run in ordinary[name] if label.starts_ms <= run.start_ms <= label.ends_ms]
            pairs = [(run, runs[run.number]) for run in inside if run.number in runs]
            found.append((pipeline, ordinary[name], [pair for pair in pairs if pair[0] != pair[1]]))
    assert found
    return found


def test_a_partial_load_stands_out_by_four_deviations() -> None:
    for pipeline, ordinary, pairs in changed(Kind.PARTIAL_LOAD):
        rows = np.array([run.rows or 1 for run in ordinary], float)
        starts = np.array([run.start_ms for run in ordinary])
        logs = np.log(rows / season_factors(pipeline.season, starts, FROM_MS, pipeline.zone))
        effects = [np.log((after.rows or 0) / (before.rows or 0)) for before, after in pairs]
        assert max(effects) < -3 * robust_deviation(logs)
        assert max(effects) <= np.log(0.81)


def test_a_slowdown_stands_out_by_four_deviations_and_does_not_run_into_the_next_run() -> None:
    for pipeline, ordinary, pairs in changed(Kind.SUDDEN_SLOWDOWN):
        logs = np.log([run.duration_ms for run in ordinary])
        starts = np.array([run.start_ms for run in ordinary])
        factors = season_factors(pipeline.season, starts, FROM_MS, pipeline.zone)
        effects = [np.log(after.duration_ms / before.duration_ms) for before, after in pairs]
        assert min(effects) > 3 * robust_deviation(logs - pipeline.duration_by_rows * np.log(factors))
        assert all(after.duration_ms < pipeline.schedule.interval_ms for _, after in pairs)


def test_a_late_run_is_later_than_runs_ever_are() -> None:
    for pipeline, ordinary, pairs in changed(Kind.LATE_RUN):
        assert len(pairs) == 1
        before, after = pairs[0]
        late_ms = after.start_ms - before.start_ms
        if pipeline.schedule.rhythm is Rhythm.EVERY and pipeline.schedule.interval_ms <= HOUR_MS:
            assert late_ms > np.diff([run.start_ms for run in ordinary]).max() - pipeline.schedule.interval_ms
        assert late_ms < pipeline.schedule.interval_ms
        assert after._replace(start_ms=before.start_ms) == before


def test_a_drift_begins_gently_and_lasts() -> None:
    for pipeline, _, pairs in changed(Kind.SLOW_DRIFT):
        first, last = pairs[0][0].start_ms, pairs[-1][0].start_ms
        assert last - first > 9 * DAY_MS, pipeline.name
        effects = [
            abs(np.log(after.duration_ms / before.duration_ms))
            + abs(np.log((after.rows or 1) / (before.rows or 1)))
            for before, after in pairs
        ]
        assert effects[0] < 0.2
        assert effects[-1] > 0.2
