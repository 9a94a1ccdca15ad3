"""What is open, whatever order the two topics are read in."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.alerts import Alert, State
from stream.bridges import open_alerts
from stream.bridges.open_alerts import OpenAlerts
from tests.stream.alert_examples import FIRING, RESOLVED
from tests.stream.alert_topic import episode

STORY = [State.FIRING, State.ACKNOWLEDGED, State.NO_DATA, State.FIRING, State.SUPPRESSED, State.FIRING]


def told(sequence: int, state: State) -> Alert:
    ends_at = FIRING.updated_at if state is State.RESOLVED else None
    return msgspec.structs.replace(FIRING, sequence=sequence, state=state, ends_at=ends_at)


def learnt(*alerts: Alert) -> list[State]:
    known = OpenAlerts()
    for alert in alerts:
        known.learn(alert)
    return [it.state for it in known]


def test_what_fires_is_acknowledged_or_has_no_data_is_open_and_what_has_ended_or_is_suppressed_is_not() -> (
    None
):
    assert learnt(FIRING) == [State.FIRING]
    assert learnt(FIRING, told(2, State.ACKNOWLEDGED)) == [State.ACKNOWLEDGED]
    assert learnt(FIRING, told(2, State.NO_DATA)) == [State.NO_DATA]
    assert learnt(told(1, State.NO_DATA)) == learnt(told(1, State.PENDING)) == []
    assert learnt(FIRING, told(2, State.SUPPRESSED)) == learnt(FIRING, RESOLVED) == []
    assert learnt(FIRING, RESOLVED, told(3, State.FIRING)) == [State.FIRING]


def test_an_older_record_opens_nothing_again() -> None:
    assert learnt(RESOLVED, FIRING) == []
    known = OpenAlerts()
    known.learn(told(2, State.FIRING))
    known.forget(FIRING.alert_id)
    known.learn(FIRING)
    assert len(known) == 0


def test_what_is_remembered_of_alerts_that_are_over_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_alerts, "REMEMBERED_MAX", 3)
    known = OpenAlerts()
    for number in range(10):
        known.learn(episode(number, state=State.RESOLVED, sequence=2))
    assert len(known._over) == 3


@given(st.data())
def test_both_topics_in_any_interleaving_end_where_the_story_ends(data: st.DataObject) -> None:
    states = data.draw(st.lists(st.sampled_from([*STORY, State.RESOLVED]), min_size=1, max_size=12))
    story = [told(number, state) for number, state in enumerate(states, 1)]
    log, compacted = list(story), list(story)
    known = OpenAlerts()
    while log or compacted:
        if log and (not compacted or data.draw(st.booleans())):
            known.learn(log.pop(0))
        else:
            alert = compacted.pop(0)
            if alert.state is State.RESOLVED:
                known.forget(alert.alert_id)
            else:
                known.learn(alert)
    assert [it.sequence for it in known] == [it.sequence for it in story[-1:] if open_alerts._is_open(it)]
