"""One incident is one episode."""

from itertools import pairwise

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from detectors.episodes import QUIET_MS, QUIET_MS_MAX, WORSENED_GAP_MS, Episode, Transition, quiet_ms_of

MINUTE_MS = 60_000
HOUR_MS = 3_600_000

Sample = tuple[int, bool, float]

samples_in_order = st.lists(
    st.tuples(st.integers(0, 2 * HOUR_MS), st.booleans(), st.floats(0, 50)), max_size=200
).map(
    lambda steps: [
        (sum(step[0] for step in steps[: i + 1]), step[1], step[2]) for i, step in enumerate(steps)
    ]
)


def play(samples: list[Sample], episode: Episode | None = None) -> list[tuple[int, Transition]]:
    episode = episode or Episode()
    said = [
        (time_ms, episode.advance(time_ms, anomalous, severity)) for time_ms, anomalous, severity in samples
    ]
    return [(time_ms, transition) for time_ms, transition in said if transition is not None]


def test_an_incident_that_flickers_is_told_once() -> None:
    samples = [(minute * MINUTE_MS, minute % 3 == 0, 5.0) for minute in range(180)]
    assert play(samples) == [(0, Transition.OPENED)]


def test_it_resolves_with_the_first_ordinary_sample_after_the_quiet_time() -> None:
    samples = [(0, True, 5.0), (QUIET_MS - 1, False, 0.0), (QUIET_MS, False, 0.0), (QUIET_MS + 1, False, 0.0)]
    assert play(samples) == [(0, Transition.OPENED), (QUIET_MS, Transition.RESOLVED)]


def test_a_daily_series_resolves_with_the_next_ordinary_run() -> None:
    day = 24 * HOUR_MS
    samples = [(0, True, 5.0), (day, True, 5.0), (2 * day, False, 0.0)]
    assert play(samples) == [(0, Transition.OPENED), (2 * day, Transition.RESOLVED)]


def test_the_quiet_time_outlasts_the_next_run_of_what_comes_seldom() -> None:
    day = 24 * HOUR_MS
    assert quiet_ms_of(0.0) == quiet_ms_of(5.0 * MINUTE_MS) == quiet_ms_of(float("nan")) == QUIET_MS
    assert day < quiet_ms_of(day) < 2 * day
    assert quiet_ms_of(30 * day) == QUIET_MS_MAX


def test_a_second_incident_two_hours_later_alerts_anew() -> None:
    samples = [(minute * MINUTE_MS, minute < 5 or 125 <= minute < 130, 5.0) for minute in range(240)]
    opened = [time_ms for time_ms, transition in play(samples) if transition is Transition.OPENED]
    assert opened == [0, 125 * MINUTE_MS]


def test_missing_data_does_not_resolve() -> None:
    assert play([(0, True, 5.0), (100 * HOUR_MS, True, 5.0)]) == [(0, Transition.OPENED)]


def test_a_sample_that_settles_the_matter_resolves_at_once() -> None:
    episode = Episode()
    episode.advance(0, True, 5.0)
    assert episode.advance(1, False, 0.0, conclusive=True) is Transition.RESOLVED


def test_an_incident_that_grows_is_told_again_but_not_at_once() -> None:
    grown = [(0, True, 5.0), (MINUTE_MS, True, 9.0), (WORSENED_GAP_MS, True, 6.0)]
    assert play(grown) == [(0, Transition.OPENED), (WORSENED_GAP_MS, Transition.WORSENED)]
    assert play([(0, True, 5.0), (WORSENED_GAP_MS, True, 5.9)]) == [(0, Transition.OPENED)]


def test_an_incident_that_grows_for_ever_is_told_ever_less_often() -> None:
    samples = [(hour * HOUR_MS // 2, True, 5.0 + hour) for hour in range(200)]
    assert len(play(samples)) <= 9


def test_an_ordinary_series_has_no_transitions() -> None:
    assert play([(hour * HOUR_MS, False, 3.0) for hour in range(50)]) == []


@given(samples=samples_in_order)
def test_transitions_alternate_and_only_an_open_episode_worsens(samples: list[Sample]) -> None:
    said = [transition for _, transition in play(samples)]
    assert said[:1] in ([], [Transition.OPENED])
    for before, after in pairwise(said):
        assert (before is Transition.RESOLVED) == (after is Transition.OPENED)


@given(samples=samples_in_order)
def test_it_is_firing_from_opened_until_resolved(samples: list[Sample]) -> None:
    episode = Episode()
    firing = False
    for time_ms, anomalous, severity in samples:
        transition = episode.advance(time_ms, anomalous, severity)
        firing = (
            {Transition.OPENED: True, Transition.RESOLVED: False}.get(transition, firing)
            if transition
            else firing
        )
        assert episode.firing is firing
        assert firing or not anomalous


@given(samples=samples_in_order, cut=st.integers(0, 200))
def test_storing_it_in_between_changes_nothing(samples: list[Sample], cut: int) -> None:
    episode = Episode()
    first = play(samples[:cut], episode)
    stored = msgspec.msgpack.decode(msgspec.msgpack.encode(episode), type=Episode)
    assert first + play(samples[cut:], stored) == play(samples)
