"""What goes wrong anew in a series whose episode is still open is told: on the other side, or long after the samples that were told."""

import numpy as np

from detectors.core.layout import Record
from detectors.episodes import AGAIN_MS, QUIET_MS
from detectors.interest import SINGLES, begins_or_worsens, is_anew, note_single
from detectors.series import Signal
from tests.detectors.scripted_log import Event, Log, Pipeline, whole

HOUR, DAY = 3_600_000, 86_400_000
START_MS = 1_780_012_800_000
ABOVE, BELOW = 1, -1


def loads(every_ms: int, runs: int, strange: dict[int, float]) -> Log:
    """Runs whose rows have a noise of 8 %; some load that many times as many."""
    noise = np.random.default_rng(5).normal(0, 0.08, runs)
    factors = [strange.get(run, 1.0) for run in range(runs)]
    return [
        [
            Event(
                START_MS + run * every_ms,
                "orders",
                run=str(run),
                duration_ms=60_000.0,
                rows=100_000.0 * factor * float(np.exp(noise[run])),
            )
            for run, factor in enumerate(factors)
        ]
    ]


def notices(log: Log) -> list[tuple[int, str]]:
    """What people are told of rows: the last run behind it, and why."""
    return [
        (it.source_positions[-1].last_offset, it.transition_reason)
        for it in Pipeline().run(whole(log))
        if it.series.signal is Signal.VOLUME and it.notify
    ]


def test_too_few_rows_are_told_two_days_after_too_many():
    assert notices(loads(DAY, 46, {40: 4.0, 42: 0.25})) == [
        (40, "opened: above_range"),
        (42, "opened: below_range"),
        (44, "resolved: ordinary"),
        (44, "resolved: ordinary"),
    ]


def test_too_many_rows_of_a_run_are_told_while_too_few_have_become_usual():
    fewer = dict.fromkeys(range(350, 410), 0.8)
    told = notices(loads(HOUR, 410, fewer | {400: 1.7}))
    assert [reason for _, reason in told] == ["opened: shifted", "joined: above_range"]


def test_another_load_cut_short_is_told_while_a_lasting_change_keeps_the_first_one_open():
    fewer = dict.fromkeys(range(41, 52), 0.75)
    assert notices(loads(DAY, 50, fewer | {40: 0.3, 46: 0.3})) == [
        (40, "opened: below_range"),
        (46, "opened: below_range"),
    ]


def test_runs_at_the_edge_of_a_lasting_change_are_told_once():
    fewer = dict.fromkeys(range(41, 52), 0.75)
    assert notices(loads(DAY, 48, fewer | {40: 0.3})) == [(40, "opened: below_range")]


def known(side: int, time_ms: int) -> Record:
    """A series of which a single sample was told."""
    s = np.zeros(1, np.dtype(list(SINGLES))).view(np.recarray)[0]
    assert begins_or_worsens(s, time_ms, 5.0, True, 0.0)
    note_single(s, time_ms, side, 0.0)
    return s


def test_a_sample_is_anew_when_another_episode_would_begin():
    s = known(ABOVE, HOUR)
    over_ms = HOUR + QUIET_MS
    assert not is_anew(s, over_ms, BELOW, True)
    assert is_anew(s, over_ms + 1, BELOW, True)
    assert not is_anew(s, over_ms + AGAIN_MS, ABOVE, True)
    assert is_anew(s, over_ms + AGAIN_MS + 1, ABOVE, True)


def test_more_of_the_same_puts_it_off():
    s = known(BELOW, HOUR)
    note_single(s, 3 * HOUR, BELOW, 0.0)
    assert not is_anew(s, 3 * HOUR + QUIET_MS + AGAIN_MS, BELOW, True)
    note_single(s, 2 * HOUR, BELOW, 0.0)
    assert not is_anew(s, 3 * HOUR + QUIET_MS, ABOVE, True), "what comes late changes nothing"


def test_nothing_is_anew_that_the_ceiling_keeps_back_or_of_which_nothing_was_told():
    s = known(ABOVE, HOUR)
    assert not is_anew(s, 9 * HOUR, ABOVE, False)
    s.told_step = 0.0
    assert not is_anew(s, 9 * HOUR, ABOVE, True)
