"""Alerts of two runs are matched by series, kind and time, whatever their ids."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from detectors.alerts import Alert
from stream.trial.episodes import Episode, episodes, match
from tests.stream.trial.told import HOUR_MS, START_MS, told

END_MS = START_MS + 1000 * HOUR_MS


def run(*parts: list[Alert]) -> list[Episode]:
    return episodes([alert for part in parts for alert in part], END_MS)


def ids(found: list[Episode]) -> list[str]:
    return [it.first.alert_id for it in found]


def test_an_alert_is_one_episode_from_its_start_to_its_end_or_to_that_of_the_reading():
    over, still = run(told("a", 1, 3), told("b", 2, None))
    assert (over.from_ms, over.to_ms, over.ended) == (START_MS + HOUR_MS, START_MS + 3 * HOUR_MS, True)
    assert (still.to_ms, still.ended) == (END_MS, False)
    assert over.series == 'volume{pipeline="orders"}'


def test_what_was_kept_back_is_told_when_people_are() -> None:
    (opened,), (released,) = told("a", 1, None, state="pending"), told("a", 3, None)
    (it,) = run([opened, msgspec.structs.replace(released, starts_at=opened.starts_at)])
    assert (it.from_ms, it.told_ms, it.alone) == (START_MS + HOUR_MS, START_MS + 3 * HOUR_MS, True)
    (it,) = run([opened])
    assert (it.told_ms, it.alone) == (START_MS + HOUR_MS, False)


def test_what_overlaps_in_the_same_series_is_kept_and_everything_else_is_new_or_gone():
    new = run(told("1", 1, 3), told("2", 10, 11), told("3", 20, 22, pipeline="b"))
    old = run(
        told("x", 2, 4), told("y", 12, 13), told("z", 20, 22, pipeline="c"), told("v", 1, 3, kind="value")
    )
    found = match(new, old)
    assert [(a.first.alert_id, b.first.alert_id) for a, b in found.kept] == [("1", "x")]
    assert ids(found.new) == ["2", "3"]
    assert ids(found.gone) == ["v", "y", "z"]


def test_one_long_alert_is_not_many_short_ones():
    found = match(run(told("1", 1, 2), told("2", 3, 4), told("3", 5, 6)), run(told("x", 0, 10)))
    assert (len(found.kept), len(found.new), len(found.gone)) == (1, 2, 0)


def test_what_only_joined_another_alert_is_neither_new_nor_gone_but_keeps_one_that_was_alone():
    joined = told("1", 1, 3, state="suppressed")
    assert match(run(joined), []).new == []
    found = match(run(joined), run(told("x", 1, 3)))
    assert (len(found.kept), found.gone) == (1, [])
    assert match(run(joined), run(told("x", 1, 3, state="suppressed"))).kept == []


spans = st.tuples(st.integers(0, 30), st.integers(0, 6), st.sampled_from("ab"))
runs = st.lists(spans, max_size=12).map(
    lambda them: run(*(told(str(n), a, a + length, pipeline=p) for n, (a, length, p) in enumerate(them)))
)


@given(runs, runs)
def test_every_alert_is_counted_once_and_pairs_are_alike(new: list[Episode], old: list[Episode]):
    found = match(new, old)
    assert sorted(ids([a for a, _ in found.kept] + found.new)) == sorted(ids(new))
    assert sorted(ids([b for _, b in found.kept] + found.gone)) == sorted(ids(old))
    assert all(a.series == b.series and a.from_ms <= b.to_ms and b.from_ms <= a.to_ms for a, b in found.kept)
    for one in found.new:
        assert not any(
            other.series == one.series and one.from_ms <= other.to_ms and other.from_ms <= one.to_ms
            for other in found.gone
        )


@given(runs)
def test_a_run_against_itself_is_kept_whole(told_before: list[Episode]):
    found = match(told_before, told_before)
    assert (len(found.kept), found.new, found.gone) == (len(told_before), [], [])
