"""Mode: whom the alerts on a series are for."""

from typing import Any

import msgspec

from detectors.alerts import Mode, State
from detectors.lineage import Relation
from detectors.outputs import Destination
from detectors.series import Signal
from detectors.settings import Rule, SeriesMode, Settings, Tuning
from detectors.triage import Triage
from detectors.verdicts import AnomalyBatch, Reason
from stream.stages import TriageStage
from tests.detectors.triage_log import HOUR_MS, START_MS, Log, course, verdict


def tuned(mode: SeriesMode, **match: str) -> Settings:
    return Settings(rules=(Rule(match or {"pipeline": "orders"}, Tuning(mode=mode)),))


def outputs(mode: Mode, settings: Settings) -> list[Any]:
    said = (verdict(START_MS), verdict(START_MS, "refunds"))
    batch = AnomalyBatch(1, 0, 0, START_MS + 1, START_MS, (START_MS, START_MS), said)
    stage = TriageStage(Triage(settings, mode), 1, mode)
    return [it for it in stage.step(0, batch.to_bytes()) if it.value is not None]


def test_what_is_off_is_not_told():
    log = Log(tuned("off"))
    log.say(verdict(START_MS), verdict(START_MS, "refunds"))
    assert course(log.alerts) == ["firing refunds opened"]
    assert log.triage.take_counts()["switched_off",] == 1


def test_what_is_in_the_shadow_goes_to_the_shadow_topic_alone():
    told = {it.destination: it for it in outputs(Mode.LIVE, tuned("shadow"))}
    assert set(told) == {Destination.ALERTS, Destination.ALERT_STATE, Destination.SHADOW_ALERTS}
    assert b'"mode":"shadow"' in told[Destination.SHADOW_ALERTS].value
    assert b'"pipeline":"orders"' in told[Destination.SHADOW_ALERTS].value
    assert b'"pipeline":"refunds"' in told[Destination.ALERTS].value


def test_in_a_shadow_everything_is_in_the_shadow_and_has_its_own_topics():
    told = outputs(Mode.SHADOW, tuned("shadow"))
    assert [it.destination for it in told] == [Destination.ALERTS, Destination.ALERT_STATE] * 2


def test_what_is_in_the_shadow_is_no_part_of_what_people_are_told():
    log = Log(tuned("shadow", signal="volume"))
    log.say(verdict(START_MS, signal=Signal.VOLUME))
    log.say(verdict(START_MS + 1, signal=Signal.LATENCY))
    assert [(it.mode, it.state, it.kind) for it in log.alerts] == [
        (Mode.SHADOW, State.FIRING, "volume"),
        (Mode.LIVE, State.FIRING, "latency"),
    ]
    assert log.alerts[1].children == []
    assert log.triage.ledger.fleet().spent == 1


def test_what_is_wrong_in_the_shadow_explains_nothing_that_is_live():
    log = Log(tuned("shadow"))
    log.learn(("report", Relation.AFTER, "orders"))
    log.say(verdict(START_MS))
    log.say(verdict(START_MS + 1, "report"))
    log.pass_time(START_MS + HOUR_MS)
    assert log.latest("report").state is State.FIRING
    assert log.latest("report").root_cause is None


def test_an_open_alert_expires_when_its_series_is_switched_off_and_stays_away():
    log = Log()
    log.say(verdict(START_MS))
    log.switch(tuned("off"))
    log.restart()
    log.say(verdict(START_MS + HOUR_MS))
    assert course(log.alerts) == ["firing orders opened", "expired orders switched_off"]
    assert log.alerts[1].notify


def test_an_alert_moves_into_the_shadow_and_out_of_it_with_its_series():
    log = Log()
    log.say(verdict(START_MS))
    log.switch(tuned("shadow"))
    log.say(verdict(START_MS + HOUR_MS))
    log.switch(tuned("live"))
    assert [(it.mode, it.state) for it in log.alerts] == [
        (Mode.LIVE, State.FIRING),
        (Mode.LIVE, State.EXPIRED),
        (Mode.SHADOW, State.FIRING),
        (Mode.SHADOW, State.EXPIRED),
    ]


def test_what_has_joined_expires_alone_and_the_incident_can_end():
    log = Log()
    log.say(verdict(START_MS), verdict(START_MS + 1, signal=Signal.VOLUME))
    log.switch(tuned("off", signal="volume"))
    log.say(verdict(START_MS + 2 * HOUR_MS, anomalous=False))
    assert course(log.alerts)[-2:] == ["expired orders switched_off", "resolved orders resolved"]
    assert log.triage.gauges()["incidents"] == 0


def test_what_is_about_streamgauge_itself_is_always_told():
    health = Settings(defaults=Tuning(mode="off"))
    log = Log(health)
    log.say(msgspec.structs.replace(verdict(START_MS, signal=Signal.LATENCY), reason=Reason.SERIES_CAP))
    assert [it.kind for it in log.alerts] == ["detector_health"]
