import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.quality.detections import Watched, at, at_most, balance, opened, outcome
from bench.quality.evidence import Absent, Labelled, nab_series, reference_scorer
from bench.quality.nab_score import PROFILES, Tally, best_threshold, probation, rows_of, sigmoid, tally, total

STANDARD, LOW_FP, LOW_FN = PROFILES


def series(rows: int, *windows: tuple[int, int]) -> Labelled:
    """A row a second."""
    times = np.arange(rows, dtype=np.int64) * 1000
    return Labelled("x", times, np.zeros(rows), [(a * 1000, b * 1000) for a, b in windows])


# 2 / (1 + e^(5 y)) - 1, worked by hand: e^-5 = .0067379, e^2.5 = 12.18249, e^5 = 148.41316
@pytest.mark.parametrize(
    ("place", "worth"),
    [(-1, 0.986614), (-0.5, 0.848284), (0, 0), (0.5, -0.848284), (1, -0.986614), (3, -1), (9, -1)],
)
def test_the_sigmoid_is_nabs(place: float, worth: float):
    assert sigmoid(place) == pytest.approx(worth, abs=1e-6)


def test_probation_is_fifteen_per_cent_but_no_more_than_750_rows():
    assert [probation(rows) for rows in (1000, 5000, 20_000, 7)] == [150, 750, 750, 1]


def test_silence_scores_nothing_and_the_first_row_of_each_window_everything():
    rows = rows_of(series(1000, (300, 399), (600, 649)))
    assert tally(rows, []).score() == 0
    assert tally(rows, [300, 600]).score() == pytest.approx(100)
    assert [tally(rows, [300, 600]).score(profile) for profile in PROFILES] == pytest.approx([100] * 3)


def test_one_of_two_windows_is_half_and_missing_costs_more_with_low_fn():
    rows = rows_of(series(1000, (300, 399), (600, 649)))
    assert tally(rows, [300]).score() == pytest.approx(50)
    # 1 earned, one missed at 2: (1 - 2 + 4) / (2 + 4)
    assert tally(rows, [300]).score(LOW_FN) == pytest.approx(50)
    # at the 50th row of 100: place -(399 - 349 + 1) / 100 = -.51
    late = (2 / (1 + math.exp(-2.55)) - 1) / 0.9866142981514303
    assert tally(rows, [349]).score() == pytest.approx(100 * (late - 1 + 2) / 4)


def test_only_the_earliest_detection_of_a_window_counts():
    rows = rows_of(series(1000, (300, 399)))
    assert tally(rows, [320, 321, 350, 399]) == tally(rows, [320])


def test_a_false_detection_costs_by_its_distance_from_the_window_before():
    rows = rows_of(series(1000, (300, 399)))
    # before any window: -1; 50 rows behind a window of 100 rows (99 steps): sigmoid(50 / 99)
    assert tally(rows, [200, 300]).score() == pytest.approx(100 * (1 - 0.11 + 1) / 2)
    near = 2 / (1 + math.exp(5 * 50 / 99)) - 1
    assert tally(rows, [300, 449]).score() == pytest.approx(100 * (1 + 0.11 * near + 1) / 2)
    assert tally(rows, [300, 449]).score(LOW_FP) == pytest.approx(100 * (1 + 0.22 * near + 1) / 2)
    # 3 widths behind: 297 steps
    assert tally(rows, [300, 399 + 297]).lost == -1


def test_every_false_record_costs_but_none_of_the_probation():
    rows = rows_of(series(1000, (300, 399)))
    assert tally(rows, range(150)) == tally(rows, [])
    assert tally(rows, [150, 151, 152]).outside == 3


def test_series_are_added_up_before_they_are_normalised():
    one, none = rows_of(series(1000, (300, 399))), rows_of(series(1000))
    both = total([tally(one, [300]), tally(none, [500])])
    assert both == Tally(1.0, -1.0, 1, 1, 1)
    assert both.score() == pytest.approx(100 * (1 - 0.11 + 1) / 2)


@given(st.lists(st.floats(0, 5, width=16), min_size=400, max_size=400))
def test_the_sweep_finds_the_best_of_all_thresholds(scores: list[float]):
    rows, said = rows_of(series(400, (100, 150), (250, 260))), np.array(scores)
    tried = {value: tally(rows, np.flatnonzero(said >= value)).score() for value in set(scores) if value > 0}
    best = best_threshold([rows], [said])
    assert best.score == pytest.approx(max([0.0, *tried.values()]))
    if best.score > 0:
        assert tried[best.threshold] == pytest.approx(best.score)


MINUTE = 60_000


def test_an_alert_opens_after_an_hour_of_quiet_that_a_sample_has_seen():
    times = np.arange(300, dtype=np.int64) * MINUTE
    flags = np.zeros(300, bool)
    flags[[5, 6, 40, 102, 103, 200]] = True
    assert opened(times, flags) == [5 * MINUTE, 102 * MINUTE, 200 * MINUTE]
    days = np.arange(4, dtype=np.int64) * 1440 * MINUTE
    assert opened(days, np.array([True, True, False, True])) == [0, 3 * 1440 * MINUTE]


def watched(*windows: tuple[int, int]) -> Watched:
    """A value each ten minutes for a week and ten minutes, after a day that does not count."""
    times = np.arange(8 * 144 + 1, dtype=np.int64) * 10 * MINUTE
    return Watched(times, [(a * 10 * MINUTE, b * 10 * MINUTE) for a, b in windows], 144 * 10 * MINUTE)


def test_alerts_are_in_windows_or_false_and_probation_does_not_count():
    found = outcome(watched((200, 210), (300, 310)), [t * 10 * MINUTE for t in (10, 199, 200, 207, 311, 500)])
    assert found.false_alerts == 3
    assert (found.windows, found.alerts_each, found.delays_ms) == (2, [2], [0])
    assert found.weeks == pytest.approx(1)
    balanced = balance([found, outcome(watched(), [])])
    assert balanced.recall == 0.5
    assert [balanced.false_a_week, balanced.worst_false_a_week] == pytest.approx([1.5, 3])
    assert balanced.alerts_per_incident == 2


def test_equal_false_alerts_choose_the_threshold_that_finds_most():
    it = watched((300, 310), (600, 610))
    scores = np.zeros(len(it.times_ms))
    scores[[302, 604, 450, 800]] = 9, 5, 7, 4
    assert at_most([it], [scores], 0.5).balance.found == 1
    chosen = at_most([it], [scores], 1.0)
    assert (chosen.value, chosen.balance.found) == (5, 2)
    assert at([it], [scores], 4).false_a_week == pytest.approx(2)


def test_what_is_not_there_says_how_to_name_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("STREAMGAUGE_NAB", str(tmp_path))
    with pytest.raises(Absent, match="set STREAMGAUGE_NAB"):
        nab_series()
    monkeypatch.setenv("STREAMGAUGE_REFERENCE_CORE", str(tmp_path / "x.py"))
    with pytest.raises(Absent, match="set STREAMGAUGE_REFERENCE_CORE"):
        reference_scorer()


def test_series_are_read_with_their_windows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "g").mkdir()
    (tmp_path / "g" / "a.csv").write_text("timestamp,value\n1970-01-01 00:00:01,5\n1970-01-01 00:00:02,7.5\n")
    (tmp_path / "windows.json").write_text(
        '{"g/a.csv": [["1970-01-01 00:00:01.000000", "1970-01-01 00:00:02.000000"]]}'
    )
    monkeypatch.setenv("STREAMGAUGE_NAB", str(tmp_path))
    (one,) = nab_series()
    assert one.times_ms.tolist() == [1000, 2000]
    assert (one.values.tolist(), one.windows_ms) == ([5, 7.5], [(1000, 2000)])
