"""Commands: what people ask for is done once, answered, and holds over restarts."""

from typing import Any

import msgspec
import pytest

from detectors.alerts import State
from detectors.commands import (
    AcceptBaseline,
    Acknowledge,
    Cancel,
    ExpectChange,
    Feedback,
    Maintenance,
    Opinion,
    Outcome,
    Recurring,
    Silence,
    Snooze,
    Unacknowledge,
)
from detectors.expected_changes import ExpectedChange
from detectors.orders import AcceptLevel, Expect, Relearn
from detectors.paging import Paging
from detectors.series import Signal
from detectors.settings import Rule, Settings, Tuning
from detectors.verdicts import SchemaChange, SourcePosition
from tests.detectors.triage_log import (
    HOUR_MS,
    MINUTE_MS,
    START_MS,
    Log,
    course,
    given,
    moment,
    verdict,
)

DAY_MS = 24 * HOUR_MS


@pytest.fixture
def log() -> Log:
    log = Log()
    log.say(verdict(START_MS))
    return log


def alert_id(log: Log) -> str:
    return log.alerts[0].alert_id


def test_who_acknowledges_is_on_the_alert_and_it_is_not_told_again_unless_it_ends(log: Log):
    answer = log.order(given(Acknowledge, alert_id=alert_id(log)))
    assert (answer.outcome, answer.alerts) == (Outcome.DONE, (alert_id(log),))
    assert log.alerts[-1].state is State.ACKNOWLEDGED
    assert log.alerts[-1].annotations["acknowledged_by"] == "ann"
    log.restart()
    log.pass_time(START_MS + 5 * DAY_MS)
    log.say(verdict(START_MS + 6 * DAY_MS, anomalous=False))
    assert course(log.notices()) == ["firing orders opened", "resolved orders resolved"]


def test_an_alert_nobody_acknowledges_is_told_again_every_day(log: Log):
    log.pass_time(START_MS + 2 * DAY_MS)
    assert course(log.pages()) == ["firing orders opened", *["firing orders reminded"] * 2]


def test_reminding_can_be_switched_off():
    log = Log(Settings(paging=Paging(remind_ms=None)))
    log.say(verdict(START_MS))
    assert log.pass_time(START_MS + 9 * DAY_MS) == []


def test_what_has_not_come_for_a_month_expires_and_nothing_is_more_of_it():
    log = Log()
    log.say(verdict(START_MS, signal=Signal.FRESHNESS))
    log.pass_time(START_MS + 31 * DAY_MS)
    assert course(log.alerts)[-1] == "expired orders expired"
    assert log.alerts[-1].ends_at is not None
    (again,) = log.say(verdict(START_MS + 31 * DAY_MS + 1, signal=Signal.FRESHNESS))
    assert again.alert_id != alert_id(log)


def test_what_still_comes_does_not_expire_however_long_it_is_wrong(log: Log):
    log.pass_time(START_MS + 100 * DAY_MS)
    assert State.EXPIRED not in {it.state for it in log.alerts}


def test_an_acknowledgement_can_be_taken_back(log: Log):
    log.order(given(Acknowledge, alert_id=alert_id(log)))
    log.order(given(Unacknowledge, alert_id=alert_id(log)))
    assert log.alerts[-1].state is State.FIRING
    assert "acknowledged_by" not in log.alerts[-1].annotations


def test_what_is_snoozed_is_told_again_when_the_time_has_come(log: Log):
    log.order(given(Snooze, alert_id=alert_id(log), until=moment(START_MS + HOUR_MS)))
    assert log.alerts[-1].state is State.SUPPRESSED
    log.restart()
    assert log.pass_time(START_MS + HOUR_MS - 1) == []
    assert course(log.pass_time(START_MS + HOUR_MS)) == ["firing orders released"]


def test_what_ended_while_it_was_snoozed_is_not_told_again(log: Log):
    log.order(given(Snooze, alert_id=alert_id(log), until=moment(START_MS + 5 * HOUR_MS)))
    log.say(verdict(START_MS + 2 * HOUR_MS, anomalous=False))
    assert log.pass_time(START_MS + 6 * HOUR_MS) == []


def test_a_silence_covers_what_is_open_and_what_opens(log: Log):
    answer = log.order(given(Silence, match={"pipeline": "ord*"}, until=moment(START_MS + HOUR_MS)))
    assert answer.alerts == (alert_id(log),)
    log.restart()
    log.say(verdict(START_MS + 1, "orders2"), verdict(START_MS + 2, "stock"))
    assert course(log.alerts)[1:] == [
        "suppressed orders silenced",
        "suppressed orders2 opened",
        "firing stock opened",
    ]
    assert log.alerts[-2].annotations["silenced_by"] == answer.command_id
    told = log.pass_time(START_MS + HOUR_MS)
    assert course(told) == ["firing orders released", "firing orders2 released"]


@pytest.mark.parametrize(
    "match",
    [{"signal": "latency"}, {"kind": "lat*"}, {"severity": "warning"}, {"owner": "data"}, {"channel": "#o*"}],
)
def test_a_silence_matches_all_that_stands_about_an_alert(match: dict[str, str]):
    log = Log(Settings(rules=(Rule({"pipeline": "*"}, Tuning(labels=(("channel", "#orders"),))),)))
    log.order(given(Silence, match=match, until=moment(START_MS + HOUR_MS)))
    (told,) = log.say(verdict(START_MS, owner="data"))
    assert told.state is State.SUPPRESSED


def test_a_silence_can_be_cancelled(log: Log):
    silence = given(Silence, match={"pipeline": "*"}, until=moment(START_MS + HOUR_MS))
    log.order(silence)
    assert log.order(given(Cancel, cancels=silence.command_id)).alerts == (alert_id(log),)
    assert course(log.alerts)[-1] == "firing orders released"
    assert log.order(given(Cancel, START_MS + 1, cancels="x")).reason.endswith("x is in force")


def test_a_maintenance_window_comes_again_on_the_clock_of_its_zone():
    """2026-05-28 22:00 in Berlin is 20:00 UTC, START_MS lies before it."""
    log = Log()
    evening_ms = 1_779_998_400_000
    window = Recurring(at="22:00", minutes=60, time_zone="Europe/Berlin", days=("thu",))
    log.order(given(Maintenance, evening_ms - DAY_MS, match={"pipeline": "*"}, recurring=window))
    states = {}
    for label, at_ms in {
        "before": evening_ms - 1,
        "begin": evening_ms,
        "end": evening_ms + HOUR_MS,
        "week after": evening_ms + 7 * DAY_MS,
    }.items():
        log.pass_time(at_ms)
        told, *_ = (it for it in log.say(verdict(at_ms, label)) if it.labels["pipeline"] == label)
        states[label] = told.state
    assert states == {
        "before": State.FIRING,
        "begin": State.SUPPRESSED,
        "end": State.FIRING,
        "week after": State.SUPPRESSED,
    }


def test_what_somebody_expected_ends_and_is_not_told_again_until_it_was_over(log: Log):
    log.say(
        verdict(
            START_MS + 1,
            labels=(("pipeline", "orders"), ("task", "load")),
        )
    )
    opinion = given(Feedback, opinion=Opinion.EXPECTED, alert_id=alert_id(log))
    assert len(log.order(opinion).alerts) == 2
    assert course(log.alerts)[-1] == "resolved orders dismissed"
    assert log.say(verdict(START_MS + 2 * HOUR_MS), verdict(START_MS + 5 * HOUR_MS, anomalous=False)) == []
    (again,) = log.say(verdict(START_MS + 3 * DAY_MS))
    assert (again.state, again.alert_id != alert_id(log)) == (State.FIRING, True)


def test_what_is_missed_is_noted(log: Log):
    answer = log.order(given(Feedback, opinion=Opinion.MISSED, series="volume{pipeline=orders}"))
    assert answer.outcome is Outcome.DONE
    assert answer.command["series"] == "volume{pipeline=orders}"


def test_an_alert_that_is_not_open_is_refused_by_name(log: Log):
    answer = log.order(given(Acknowledge, alert_id="0" * 32))
    assert (answer.outcome, answer.reason) == (Outcome.REFUSED, f"no alert {'0' * 32} is open")


def test_what_is_over_already_is_refused(log: Log):
    log.pass_time(START_MS + HOUR_MS)
    over = moment(START_MS + MINUTE_MS)
    assert log.order(given(Snooze, alert_id=alert_id(log), until=over)).outcome is Outcome.REFUSED
    assert log.order(given(Silence, match={"a": "b"}, until=over)).outcome is Outcome.REFUSED


def test_a_command_is_done_once_whatever_record_it_comes_in(log: Log):
    command = given(Acknowledge, alert_id=alert_id(log))
    log.order(command)
    told = len(log.alerts)
    assert log.order(command).outcome is Outcome.REFUSED
    assert len(log.alerts) == told


def test_an_alert_that_joined_stands_for_its_incident(log: Log):
    log.say(verdict(START_MS + 1, labels=(("pipeline", "orders"), ("task", "load"))))
    assert log.order(given(Acknowledge, alert_id=log.alerts[-1].alert_id)).alerts == (alert_id(log),)


def test_an_answer_says_who_asked_for_what_and_under_which_configuration(log: Log):
    answer = log.order(given(Acknowledge, alert_id=alert_id(log), comment="on it"), wall_ms=START_MS + 5)
    assert answer.author == "ann"
    assert answer.config_hash == Settings().config_hash
    assert answer.command["comment"] == "on it"
    assert answer.answered_at.endswith(".005Z")


@pytest.mark.parametrize(
    ("command", "order"),
    [
        (given(AcceptBaseline, alert_id="0" * 32), AcceptLevel),
        (given(Feedback, opinion=Opinion.RESET, alert_id="0" * 32), Relearn),
    ],
)
def test_what_detect_has_to_do_is_ordered_and_the_alert_is_over_for_good(
    log: Log, command: Any, order: type[Any]
):
    answer = log.order(msgspec.structs.replace(command, alert_id=alert_id(log)))
    assert (answer.outcome, answer.alerts) == (Outcome.DONE, (alert_id(log),))
    (ordered,) = log.triage.take_orders()
    assert isinstance(ordered, order)
    assert (ordered.signal, ordered.labels) == ("latency", (("pipeline", "orders"),))
    (again,) = log.say(verdict(START_MS + MINUTE_MS))
    assert (again.state, again.alert_id != alert_id(log)) == (State.FIRING, True)


def test_a_change_of_records_that_is_meant_is_ordered_to_all_shards():
    log = Log()
    place = SourcePosition("orders", 0, 7, 7)
    changed = SchemaChange("field_added", "a.b", None, "string", 1.0, 1.0, place, place)
    said = msgspec.structs.replace(
        verdict(START_MS, labels=(("topic", "orders"),)), signal=Signal.SCHEMA, schema_change=changed
    )
    (alert,) = log.say(said)
    log.order(given(ExpectChange, alert_id=alert.alert_id))
    (ordered,) = log.triage.take_orders()
    assert isinstance(ordered, Expect)
    assert ordered.change == ExpectedChange("orders", "a.b", "field_added")


def test_what_cannot_be_done_to_a_series_is_refused_with_what_can(log: Log):
    assert log.order(given(ExpectChange, alert_id=alert_id(log))).reason == (
        "it tells of no change of the records of a topic"
    )
    (late,) = log.say(verdict(START_MS, "late", Signal.FRESHNESS))
    answer = log.order(given(AcceptBaseline, alert_id=late.alert_id))
    assert answer.reason == "a series of freshness has none: latency, value, volume have"
    assert log.triage.take_orders() == []


def test_other_settings_hold_from_their_note_on_and_over_a_restart(log: Log):
    quiet = Settings(rules=(Rule({"pipeline": "orders*"}, Tuning(owner="data", severity="critical")),))
    switched = log.switch(quiet)
    assert switched.reason == f"{Settings().config_hash} -> {quiet.config_hash}"
    assert log.switch(quiet).reason == "it was in force"
    log.restart()
    (alert,) = log.say(verdict(START_MS + HOUR_MS, "orders2"))
    assert (alert.owner, alert.severity, alert.config_hash) == ("data", "critical", quiet.config_hash)


def test_what_is_no_command_is_answered_once_with_the_configuration_in_force():
    log = Log()
    (before,) = log.refuse(0)
    log.switch(settings := Settings(defaults=Tuning(severity="error")))
    log.restart()
    (after,) = log.refuse(7)
    assert (before.config_hash, after.config_hash) == (Settings(shards=1).config_hash, settings.config_hash)
    assert (after.outcome, after.reason) == (Outcome.REFUSED, "none")
    assert log.refuse(7) == []
