import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.alerts import Kind, State
from stream.alert_match import AlertMatch, Globs
from tests.stream.alert_examples import FIRING, RESOLVED


@pytest.mark.parametrize(
    ("match", "wanted"),
    [
        (AlertMatch(), True),
        (AlertMatch(states=["firing"]), True),
        (AlertMatch(states=["resolved", "expired"]), False),
        (AlertMatch(kinds=[Kind.LATENCY]), True),
        (AlertMatch(kinds=[Kind.VOLUME]), False),
        (AlertMatch(states=[State.FIRING], kinds=["volume"]), False),
    ],
)
def test_states_and_kinds_both_have_to_be_among_those_chosen(match: AlertMatch, wanted: bool) -> None:
    assert match.wants(FIRING) is wanted


@pytest.mark.parametrize(
    ("globs", "wanted"),
    [
        ({"pipeline": "ord*"}, True),
        ({"pipeline": "Ord*"}, False),
        ({"pipeline": "ord*", "task": "extract"}, False),
        ({"pipeline": ["billing", "orders"]}, True),
        ({"pipeline": []}, False),
        ({"region": "*"}, False),
        ({"kind": "lat*", "severity": ["critical", "warning"], "owner": "data-*", "signal": "latency"}, True),
        ({"severity": "critical"}, False),
    ],
)
def test_each_name_has_to_match_one_of_its_globs(globs: Globs, wanted: bool) -> None:
    assert AlertMatch(globs=globs).wants(FIRING) is wanted


def test_an_alert_without_owner_matches_no_owner() -> None:
    nobodys = msgspec.structs.replace(FIRING, owner=None)
    assert not AlertMatch(globs={"owner": "*"}).wants(nobodys)


def test_a_state_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="on fire"):
        AlertMatch(states=["on fire"])


@given(st.lists(st.sampled_from(["*", "ord*", "x", "?rders"]), max_size=3))
def test_a_glob_more_in_a_list_only_adds_alerts(globs: list[str]) -> None:
    for alert in (FIRING, RESOLVED):
        before = AlertMatch(globs={"pipeline": globs}).wants(alert)
        assert AlertMatch(globs={"pipeline": [*globs, "z"]}).wants(alert) >= before
