"""What triage is not shown would have changed nothing."""

from typing import NamedTuple

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.core.layout import Record
from detectors.episodes import QUIET_MS, Episode, Transition
from detectors.interest import INTEREST, begins_or_worsens, ends

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


def is_shown(s: Record, it: Found) -> bool:
    return (
        begins_or_worsens(s, it.time_ms, it.severity, True) if it.anomalous else ends(s, it.time_ms, it.conclusive)
    )


def transition(episode: Episode, it: Found) -> Transition | None:
    return episode.advance(it.time_ms, it.anomalous, it.severity, conclusive=it.conclusive)


@settings(deadline=None)  # the first example compiles
@given(found, st.booleans())
def test_an_episode_that_sees_what_is_shown_takes_the_course_of_one_that_sees_all(
    findings: list[Found], in_order: bool
):
    s, all_seeing, shown_to = record(), Episode(), Episode()
    for it in sorted(findings) if in_order else findings:
        expected = transition(all_seeing, it)
        assert (transition(shown_to, it) if is_shown(s, it) else None) == expected


@settings(deadline=None)  # the first example compiles
@given(found)
def test_nothing_is_shown_without_a_cause(findings: list[Found]):
    s, episode = record(), Episode()
    for it in findings:
        assert not is_shown(s, it) or transition(episode, it) is not None


def test_an_outage_that_goes_on_is_shown_once():
    s = record()
    shown = [begins_or_worsens(s, second * 1000, 5.0, True) for second in range(1, 10_000)]
    assert shown.count(True) == 1
    assert not ends(s, 9_999_000 + QUIET_MS - 1, False)
    assert ends(s, 9_999_000 + QUIET_MS, False)
