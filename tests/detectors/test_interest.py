"""What triage is not shown would have changed nothing."""

from typing import NamedTuple

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.core.layout import Record
from detectors.episodes import QUIET_MS, Episode, Transition, quiet_ms_of
from detectors.interest import INTEREST, begins_or_worsens, ends, is_muted

MINUTE_MS = 60_000


class Found(NamedTuple):
    time_ms: int
    anomalous: bool
    severity: float
    conclusive: bool


found = st.lists(
    st.builds(
        Found,
        st.integers(1, 400).map(lambda minutes: minutes * MINUTE_MS),
        st.booleans(),
        st.floats(0, 20) | st.sampled_from([4.0, 5.0, 6.0, 8.0]),
        st.booleans(),
    ),
    max_size=60,
)


def record() -> Record:
    return np.zeros(1, np.dtype(list(INTEREST))).view(np.recarray)[0]


def is_shown(s: Record, it: Found, interval_ms: float = 0.0) -> bool:
    return (
        begins_or_worsens(s, it.time_ms, it.severity, True, interval_ms)
        if it.anomalous
        else ends(s, it.time_ms, it.conclusive)
    )


def transition(episode: Episode, it: Found, quiet_ms: int = QUIET_MS) -> Transition | None:
    return episode.advance(it.time_ms, it.anomalous, it.severity, conclusive=it.conclusive, quiet_ms=quiet_ms)


@settings(deadline=None)  # the first example compiles
@given(found, st.booleans(), st.sampled_from([0.0, 45.0 * MINUTE_MS, 180.0 * MINUTE_MS]))
def test_an_episode_that_sees_what_is_shown_takes_the_course_of_one_that_sees_all(
    findings: list[Found], in_order: bool, interval_ms: float
):
    s, all_seeing, shown_to = record(), Episode(), Episode()
    for it in sorted(findings) if in_order else findings:
        expected = transition(all_seeing, it, quiet_ms_of(interval_ms))
        assert (transition(shown_to, it) if is_shown(s, it, interval_ms) else None) == expected


@settings(deadline=None)  # the first example compiles
@given(found)
def test_nothing_is_shown_without_a_cause(findings: list[Found]):
    s, episode = record(), Episode()
    for it in findings:
        assert not is_shown(s, it) or transition(episode, it) is not None


def test_an_outage_that_goes_on_is_shown_once():
    s = record()
    shown = [begins_or_worsens(s, second * 1000, 5.0, True, 0.0) for second in range(1, 10_000)]
    assert shown.count(True) == 1
    assert not ends(s, 9_999_000 + QUIET_MS - 1, False)
    assert ends(s, 9_999_000 + QUIET_MS, False)


def openings(findings: list[Found], allowed: float) -> list[tuple[int, int]]:
    """Begin of each episode, muted ones too, whose finding passed, and when; a finding's chance falls with its severity."""
    s, told, began_ms = record(), list[tuple[int, int]](), 0
    for it in sorted(findings):
        before, silent = s.interest_ms > 0, s.interest_ms > 0 and is_muted(s)
        shown = (
            begins_or_worsens(s, it.time_ms, it.severity, np.exp(-it.severity) <= allowed, 0.0)
            if it.anomalous
            else ends(s, it.time_ms, it.conclusive)
        )
        if it.anomalous and not before:
            began_ms = it.time_ms
        if it.anomalous and shown and (silent or not before) and not is_muted(s):
            told.append((began_ms, it.time_ms))
    return told


@settings(deadline=None)  # the first example compiles
@given(found, st.floats(1e-9, 1), st.floats(1e-9, 1))
def test_a_tighter_ceiling_opens_fewer_of_the_same_episodes_and_none_earlier(
    findings: list[Found], one: float, other: float
):
    tight, loose = dict(openings(findings, min(one, other))), dict(openings(findings, max(one, other)))
    assert tight.keys() <= loose.keys()
    assert all(tight[began] >= loose[began] for began in tight)


@settings(deadline=None)  # the first example compiles
@given(found)
def test_a_muted_episode_is_shown_once_and_its_end_is_not(findings: list[Found]):
    s, episodes, shown, ended = record(), 0, 0, 0
    for it in sorted(findings):
        if it.anomalous:
            episodes += s.interest_ms == 0
            shown += begins_or_worsens(s, it.time_ms, it.severity, False, 0.0)
        else:
            ended += ends(s, it.time_ms, it.conclusive)
    assert (shown, ended) == (episodes, 0)


def test_a_muted_episode_opens_with_the_very_finding_that_passes():
    s = record()
    assert begins_or_worsens(s, MINUTE_MS, 5.0, False, 0.0)
    assert not begins_or_worsens(s, 2 * MINUTE_MS, 6.0, False, 0.0)
    assert is_muted(s)
    assert begins_or_worsens(s, 3 * MINUTE_MS, 6.1, True, 0.0)
    assert not is_muted(s)
    assert not begins_or_worsens(s, 4 * MINUTE_MS, 6.2, False, 0.0)
    assert begins_or_worsens(s, 60 * MINUTE_MS, 9.0, False, 0.0), "an episode that was told is told on"
    assert ends(s, 60 * MINUTE_MS + QUIET_MS, False)
