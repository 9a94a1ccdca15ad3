import math
import statistics

import numpy as np
import pytest
from river import anomaly

from bench.quality.peers import (
    PEERS,
    Peer,
    Recent,
    ewma_z,
    gaussian_scorer,
    holt_winters,
    in_baseline_z,
    season_length,
    seasonal_mad,
)

DAY_MS = 86_400_000
RANDOM = np.random.default_rng(5)
HOURLY = np.arange(24 * 40, dtype=np.int64) * 3_600_000
VALUES = 50 + 10 * np.sin(2 * np.pi * np.arange(24 * 40) / 24) + RANDOM.standard_normal(24 * 40)


@pytest.mark.parametrize("peer", PEERS, ids=lambda it: it.name)
def test_peers_do_not_look_ahead_and_pass_over_what_is_missing(peer: Peer):
    values = VALUES[:400].copy()
    values[[7, 200]] = math.nan
    whole = peer.scores(HOURLY[:400], values)
    cut = peer.scores(HOURLY[:300], values[:300])
    assert whole[:300] == pytest.approx(cut)
    assert whole[[7, 200]].tolist() == [0, 0]
    assert np.isfinite(whole).all()


@pytest.mark.parametrize("peer", [it for it in PEERS if it.name != "in-baseline z"], ids=lambda it: it.name)
def test_peers_judge_before_they_learn_and_see_a_spike(peer: Peer):
    spiked = VALUES.copy()
    spiked[700] = 500
    scores = peer.scores(HOURLY, spiked)
    assert scores[:700] == pytest.approx(peer.scores(HOURLY, VALUES)[:700])
    assert scores[700] >= np.sort(scores)[-len(scores) // 20]


def test_ewma_is_the_running_mean_and_deviation_until_its_rate_takes_over():
    values = VALUES[:150]
    scores = ewma_z(HOURLY[:150], values)
    for at in (30, 80, 149):
        past = values[:at].tolist()
        assert scores[at] == pytest.approx(abs(values[at] - statistics.mean(past)) / statistics.pstdev(past))


def test_recent_values_have_the_median_of_the_last_so_many():
    recent = Recent(7)
    for at, x in enumerate(VALUES[:60].tolist()):
        recent.add(x)
        assert recent.median == statistics.median(VALUES[max(0, at - 6) : at + 1].tolist())


def test_seasonal_mad_takes_the_hour_of_the_week_once_it_is_known():
    times = np.arange(7 * 24 * 6 * 4, dtype=np.int64) * 600_000
    values = 50 + RANDOM.standard_normal(len(times))
    at = len(times) - 5
    scores = seasonal_mad(times, values)
    medians = []
    for row in range(at + 1):
        same = [
            x
            for x, t in zip(values[max(0, row - 3100) : row], times[max(0, row - 3100) : row], strict=True)
            if t // 3_600_000 % 168 == times[row] // 3_600_000 % 168
        ]
        basis = same if len(same) >= 8 else values[max(0, row - 300) : row].tolist()
        medians.append(statistics.median(basis) if len(basis) else math.nan)
    off = np.abs(values[: at + 1] - np.array(medians))
    deviation = statistics.median(off[1:at][-2000:].tolist())
    # The usual size is some 50, so the floor of a tenth of it is 5 and holds here.
    assert 1.4826 * deviation < 5
    assert scores[at] == pytest.approx(off[at] / 5, rel=0.01)


def test_holt_winters_follows_its_formulas():
    scores = holt_winters(HOURLY, VALUES)
    level, season = VALUES[:24].mean(), VALUES[:24] - VALUES[:24].mean()
    spread, size = math.sqrt((season**2).mean()), 0.0
    for at, x in enumerate(VALUES):
        if at >= 24:
            error = x - level - season[at % 24]
            if at >= 30:
                assert scores[at] == pytest.approx(abs(error) / max(spread, 0.01 * size))
            level = 0.02 * (x - season[at % 24]) + 0.98 * level
            season[at % 24] = 0.2 * (x - level) + 0.8 * season[at % 24]
            spread += max(0.002, 1 / (at + 1)) * (1.2533 * abs(error) - spread)
        size += max(0.002, 1 / (at + 1)) * (abs(x) - size)
    assert scores[:30].tolist() == [0] * 30


def test_a_season_is_a_day_or_seven_samples():
    assert season_length(HOURLY) == 24
    assert season_length(HOURLY * 24) == 7
    assert season_length(HOURLY // 12) == 288


def test_in_baseline_z_cannot_exceed_its_bound_whatever_happens():
    days = np.arange(14, dtype=np.int64) * DAY_MS
    values = np.array([100.0, 101, 99, 100, 102, 98, 100, 101, 99, 100, 100, 101, 99, 1e9])
    scores = in_baseline_z(days, values)
    assert scores[:13].tolist() == [0] * 13
    assert scores[13] == pytest.approx(13 / math.sqrt(14))


def test_in_baseline_z_is_the_z_score_of_a_window_that_holds_the_point():
    scores = in_baseline_z(HOURLY, VALUES)
    for at in (20, 400, 900):
        window = VALUES[max(0, at - 335) : at + 1].tolist()
        z = abs(VALUES[at] - statistics.mean(window)) / statistics.stdev(window)
        assert scores[at] == pytest.approx(z)


def test_rivers_scorer_is_rivers():
    scorer = anomaly.GaussianScorer(window_size=1000, grace_period=30)
    said = gaussian_scorer(HOURLY[:100], VALUES[:100])
    for at, x in enumerate(VALUES[:100].tolist()):
        assert said[at] == pytest.approx(scorer.score_one(None, x))
        scorer.learn_one(None, x)
