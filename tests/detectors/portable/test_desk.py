"""Triage's state goes on with shards of another number: what waited is judged once, what people asked for holds, old logs mean nothing."""

from datetime import UTC, datetime, timedelta

import pytest

from detectors.alerts import Alert, Mode, State
from detectors.commands import Acknowledge, Silence
from detectors.notes import VERSION, CommandNote, encode
from detectors.portable.desk import check_format, heard, moved_desk, open_alerts, quiets
from detectors.portable.moving import Destination
from detectors.settings import Settings
from detectors.triage import Triage
from detectors.verdicts import VERSION as BATCH_VERSION
from detectors.verdicts import AnomalyBatch, Verdict
from tests.detectors.triage_log import START_MS, verdict

COMMANDS = "here.commands"
NOW = datetime.fromtimestamp(START_MS / 1000, UTC)


def batch(shard: int, offset: int, now_ms: int, *verdicts: Verdict) -> bytes:
    orders_ms = tuple(it.time_ms for it in verdicts)
    return AnomalyBatch(BATCH_VERSION, shard, offset, now_ms, now_ms, orders_ms, verdicts).to_bytes()


def command(offset: int, said: Acknowledge | Silence) -> bytes:
    return encode(CommandNote(VERSION, COMMANDS, 0, offset, START_MS, said))


def moved(triage: Triage, shards: int, topics: tuple[str, ...] = (COMMANDS,)) -> Triage:
    settings = Settings(shards=shards)
    to = Destination(settings, False, [99] * shards, topics, {})
    new = Triage(settings, Mode.LIVE)
    new.load(moved_desk(triage.dump(), 6, to))
    return new


def learned() -> tuple[Triage, list[Alert]]:
    """Triage of three shards that told of one incident, which was acknowledged, and of which a later one waits for a shard."""
    triage = Triage(Settings(shards=3), Mode.LIVE)
    alerts = []
    for offset, payload in enumerate((
        batch(0, 10, START_MS + 2000, verdict(START_MS, "orders")),
        batch(1, 4, START_MS + 2000),
        batch(2, 7, START_MS + 1000),
        batch(0, 11, START_MS + 9000, verdict(START_MS + 5000, "users"), verdict(START_MS + 6000, "payments")),
    )):  # fmt: skip
        alerts += triage.step(offset, payload)
    acknowledge = Acknowledge(command_id="a", author="eva", time=NOW, alert_id=alerts[0].alert_id)
    until = NOW + timedelta(hours=4)
    silence = Silence(command_id="s", author="eva", time=NOW, match={"pipeline": "users"}, until=until)
    alerts += triage.step(4, command(0, acknowledge))
    alerts += triage.step(5, command(1, silence))
    return triage, alerts


def test_what_waited_is_judged_once_the_new_shards_are_past_it():
    triage, _ = learned()
    new = moved(triage, 2)
    assert new.covered_offset == 6
    assert heard(new.dump()) == {0: 99, 1: 99}
    assert new.gauges()["verdicts_waiting"] == 2
    assert new.step(7, batch(0, 100, START_MS + 20_000)) == []
    alerts = new.step(8, batch(1, 100, START_MS + 20_000, verdict(START_MS + 5000, "late")))
    assert [it.labels["pipeline"] for it in alerts] == ["users", "late", "payments"]
    assert alerts[0].state is State.SUPPRESSED


def test_a_batch_that_counts_as_folded_is_a_repeat():
    new = moved(learned()[0], 2)
    assert new.step(7, batch(0, 99, START_MS + 50_000, verdict(START_MS + 40_000, "more"))) == []
    assert new.take_counts()["fenced", "anomalies"] == 1


def test_what_people_asked_for_holds():
    triage, alerts = learned()
    chunks = moved(triage, 5).dump()
    (alert,) = open_alerts(chunks)
    assert (alert.alert_id, alert.acknowledged_by) == (alerts[0].alert_id, "eva")
    assert list(quiets(chunks)) == ["s"]


@pytest.mark.parametrize(("topics", "answers"), [((COMMANDS,), 0), ((), 1)])
def test_commands_of_the_same_topic_are_repeats_and_of_another_one_new(topics: tuple[str, ...], answers: int):
    new = moved(learned()[0], 2, topics)
    new.step(
        7, command(1, Silence(command_id="n", author="bo", time=NOW, match={"pipeline": "x"}, until=NOW))
    )
    assert len(new.take_answers()) == answers


def test_state_of_another_format_is_refused():
    chunks = learned()[0].dump()
    with pytest.raises(ValueError, match="triage state of format 1; this release reads"):
        check_format({**chunks, "head": b"\x91\x01"})
