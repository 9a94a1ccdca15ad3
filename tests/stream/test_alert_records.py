from datetime import datetime

import msgspec
import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event
from hypothesis import given
from hypothesis import strategies as st

from detectors import alerts
from detectors.alerts import Alert, State
from detectors.outputs import Destination, Output
from stream.alert_records import alert_outputs
from tests.stream.alert_examples import FIRING, RESOLVED

ENDED = {it for it in State if it.is_final}


def entry(alert: Alert) -> Output:
    return next(output for output in alert_outputs(alert) if output.destination is Destination.ALERTS)


def state_entry(alert: Alert) -> Output:
    return next(output for output in alert_outputs(alert) if output.destination is Destination.ALERT_STATE)


def test_a_cloudevents_reader_finds_the_alert_and_what_it_is():
    output = entry(FIRING)
    event = from_binary_event(KafkaMessage(dict(output.headers), None, output.value or b""))
    assert event.get_type() == "io.streamgauge.alert.firing.v1"
    assert event.get_source() == "/streamgauge"
    assert event.get_id() == FIRING.event_id
    assert event.get_subject() == 'latency{pipeline="orders",task="load"}'
    assert event.get_time() == datetime.fromisoformat(FIRING.updated_at)
    assert event.get_datacontenttype() == "application/json"
    assert event.get_data() == msgspec.to_builtins(FIRING)


def test_the_bytes_of_a_record_are_these():
    assert entry(FIRING).headers == (
        ("ce_specversion", b"1.0"),
        ("ce_id", FIRING.event_id.encode()),
        ("ce_source", b"/streamgauge"),
        ("ce_type", b"io.streamgauge.alert.firing.v1"),
        ("ce_time", b"2026-03-01T10:00:00.123000Z"),
        ("ce_subject", b'latency{pipeline="orders",task="load"}'),
        ("content-type", b"application/json"),
    )
    assert entry(FIRING).value == alerts.encode(FIRING)
    assert entry(FIRING).key == FIRING.alert_id.encode()


@given(st.sampled_from(State), st.dictionaries(st.text(min_size=1), st.text()))
def test_an_alert_written_twice_gives_the_same_bytes(state: State, labels: dict[str, str]):
    series = msgspec.structs.replace(FIRING.series, labels=labels)
    backwards = msgspec.structs.replace(FIRING.series, labels=dict(reversed(labels.items())))
    first = msgspec.structs.replace(FIRING, state=state, series=series)
    assert alert_outputs(first) == alert_outputs(alerts.decode(alerts.encode(first)))
    assert entry(first).headers == entry(msgspec.structs.replace(first, series=backwards)).headers


@pytest.mark.parametrize("state", list(State))
def test_the_state_topic_holds_an_alert_while_its_episode_is_open(state: State):
    alert = msgspec.structs.replace(
        FIRING, state=state, ends_at=FIRING.updated_at if state in ENDED else None
    )
    kept = state_entry(alert)
    assert kept.key == entry(alert).key
    if state in ENDED:
        assert (kept.value, kept.headers) == (None, ())
    else:
        assert (kept.value, kept.headers) == (entry(alert).value, entry(alert).headers)


def test_a_correction_of_an_ended_episode_does_not_open_it_again():
    corrected = msgspec.structs.replace(RESOLVED, state=State.CORRECTED)
    assert state_entry(corrected).value is None
    assert entry(corrected).value is not None


def test_kafka_places_both_records_by_their_key():
    assert {output.partition for output in alert_outputs(FIRING)} == {None}
