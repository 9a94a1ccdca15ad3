"""The story of one alert: found by its id or the beginning of it, each record once and in order."""

import msgspec
import pytest

from detectors.alerts import Alert, RootCause, encode
from stream.alert_story import Story, read_story
from stream.alert_stream import Received
from stream.exits import Exit, Refused
from tests.stream.alert_examples import FIRING, RESOLVED

CHILD = msgspec.structs.replace(
    FIRING, alert_id="ab" * 16, event_id="cd" * 16, root_cause=RootCause(FIRING.alert_id, ["orders"])
)
NEAR = msgspec.structs.replace(FIRING, alert_id=FIRING.alert_id[:10] + "0" * 22, event_id="ef" * 16)


def story(wanted: str, *alerts: Alert) -> Story:
    return read_story((Received(alert, encode(alert), 0) for alert in alerts), wanted, "the.topic")


def test_the_first_digits_will_do_and_repeats_are_left_out():
    found = story(FIRING.alert_id[:8].upper(), RESOLVED, FIRING, CHILD, FIRING)
    assert found.alerts == [FIRING, RESOLVED]
    assert found.values == [encode(FIRING), encode(RESOLVED)]
    assert found.latest == RESOLVED


def test_causes_and_children_are_known_as_far_as_the_topic_holds_them():
    lead = msgspec.structs.replace(FIRING, children=[CHILD.alert_id, "0" * 32])
    assert [it.summary for it in story(lead.alert_id, lead, CHILD).children()] == [CHILD.summary]
    root = story(CHILD.alert_id, lead, CHILD).root()
    assert root is not None
    assert root.alert_id == lead.alert_id
    assert story(CHILD.alert_id, CHILD).root() is None
    assert story(lead.alert_id, lead).root() is None


@pytest.mark.parametrize("wanted", ["", "c683", "no-such-", FIRING.alert_id + "0"])
def test_what_is_no_id_is_refused(wanted: str):
    with pytest.raises(Refused, match="write its 32 hexadecimal digits, or at least the first 8") as refused:
        story(wanted, FIRING)
    assert refused.value.code == Exit.USAGE


def test_an_id_that_several_have_is_refused_with_theirs():
    with pytest.raises(Refused, match="2 alerts begin with") as refused:
        story(FIRING.alert_id[:10], FIRING, NEAR)
    assert NEAR.alert_id in str(refused.value)
    assert refused.value.code == Exit.DATA


def test_an_alert_that_is_not_there_is_refused_with_what_is():
    with pytest.raises(Refused, match=r"the topic the\.topic holds 1 records, none of it") as refused:
        story("0" * 32, FIRING)
    assert refused.value.code == Exit.DATA
    with pytest.raises(Refused, match="holds nothing"):
        story("0" * 32)
