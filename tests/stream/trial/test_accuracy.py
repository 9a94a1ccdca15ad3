"""Which alerts are false, which incidents are found and how soon."""

from detectors.alerts import Alert
from stream.trial.accuracy import Accuracy, judge
from stream.trial.episodes import episodes
from stream.trial.labels import Incident, Labels
from tests.stream.trial.told import DAY_MS, HOUR_MS, START_MS, told


def incident(from_h: float, to_h: float, *, expected: bool = False, kinds: tuple[str, ...] = ()) -> Incident:
    return Incident(
        f"at {from_h}",
        {"pipeline": "ord*"},
        frozenset(kinds),
        START_MS + int(from_h * HOUR_MS),
        START_MS + int(to_h * HOUR_MS),
        expected,
    )


def judged(labels: list[Incident] | None, *parts: list[Alert]) -> Accuracy:
    found = episodes([alert for part in parts for alert in part], START_MS + 14 * DAY_MS)
    return judge(found, None if labels is None else Labels(labels, HOUR_MS), 14 * DAY_MS)


def test_without_labels_only_the_number_of_alerts_is_known():
    found = judged(None, told("a", 1, 2), told("b", 1, 2, state="suppressed"), told("c", 30, 31))
    assert (found.alerts, found.a_week, found.recall, found.delay_ms) == (2, 1.0, None, None)


def test_an_alert_within_an_incident_and_its_grace_is_not_false_and_finds_it_by_its_first():
    labels = [incident(10, 12)]
    found = judged(
        labels, told("a", 11, 13), told("b", 12.5, 13), told("c", 14, 15), told("d", 11, 12, pipeline="x")
    )
    assert [it.first.alert_id for it in found.false] == ["d", "c"]
    assert (found.recall, found.delay_ms, found.a_week) == (1.0, HOUR_MS, 1.0)
    assert set(found.owners) == {"a", "b"}


def test_an_incident_is_found_only_by_alerts_of_its_kinds_but_owns_all_of_its_series():
    found = judged([incident(10, 12, kinds=("latency",))], told("a", 11, 13))
    assert (found.recall, found.false, found.delay_ms) == (0.0, [], None)


def test_what_joined_another_alert_finds_and_is_never_false():
    found = judged(
        [incident(10, 12)], told("a", 10.5, 13, state="suppressed"), told("b", 50, 51, state="suppressed")
    )
    assert (found.recall, found.false, found.alerts) == (1.0, [], 0)


def test_an_alert_that_was_open_already_finds_at_once():
    assert judged([incident(10, 12)], told("a", 8, 13)).delay_ms == 0


def test_an_expected_change_is_neither_missed_nor_a_cause_of_false_alarms():
    found = judged([incident(10, 12, expected=True)], told("a", 11, 13))
    assert (found.to_be_found, found.recall, found.false) == (0, None, [])
