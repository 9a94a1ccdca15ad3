"""The loop that all bridges share."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.alerts import Mode, State
from stream.alert_group import Delivery, Unreadable
from stream.bridges.retries import Retries
from stream.bridges.target import STALE_MS, NotDelivered, Rejected, Unavailable, is_notification
from stream.formats.dead import Position
from tests.stream.alert_examples import FIRING, RESOLVED
from tests.stream.bridges.scripted import Script, delivery

AWAY, REFUSED = Unavailable("away"), Rejected("no")


def played(script: Script) -> Script:
    script.bridge.run()
    return script


@pytest.mark.parametrize("state", State)
def test_targets_are_told_of_what_people_are_to_be_told_of_and_of_what_is_acknowledged(state: State) -> None:
    alert = msgspec.structs.replace(FIRING, state=state)
    assert is_notification(alert) is (state not in {State.PENDING, State.SUPPRESSED})
    untold = msgspec.structs.replace(alert, notify=False)
    assert is_notification(untold) is (state is State.ACKNOWLEDGED)


@pytest.mark.parametrize("mode", [Mode.SHADOW, Mode.BACKTEST])
def test_people_are_told_nothing_of_shadows(mode: Mode) -> None:
    assert not is_notification(msgspec.structs.replace(FIRING, mode=mode))


def test_what_was_found_days_after_it_happened_is_history() -> None:
    assert is_notification(msgspec.structs.replace(FIRING, detection_delay_ms=STALE_MS))
    assert not is_notification(msgspec.structs.replace(FIRING, detection_delay_ms=STALE_MS + 1))


def test_what_is_delivered_is_done_and_what_is_none_or_not_wanted_is_passed_over() -> None:
    records: list[Delivery | Unreadable] = [
        delivery(FIRING, 0),
        delivery(msgspec.structs.replace(FIRING, state=State.SUPPRESSED), 1),
        delivery(msgspec.structs.replace(FIRING, severity="info"), 2),
        Unreadable(b"x", Position("alerts", 0, 3, 0), "no JSON"),
        delivery(RESOLVED, 4),
    ]
    script = played(Script(records))
    assert [it.alert for it in script.delivered] == [FIRING, RESOLVED]
    assert script.done_offsets == [0, 1, 2, 3, 4]
    assert script.count("passed_over") == 2
    assert script.count("unreadable") == 1
    assert script.count("delivered", "firing") == script.count("delivered", "resolved") == 1
    assert script.closed == 2
    assert script.kept_up >= len(records)


def test_a_target_that_is_away_is_waited_for_in_order() -> None:
    script = played(Script([delivery(FIRING, 0), delivery(RESOLVED, 1)], [AWAY] * 5))
    assert [it.place.offset for it in script.delivered] == script.done_offsets == [0, 1]
    assert len(script.waits) == 5
    assert script.count("failures", "unavailable") == 5
    assert not script.buried


def test_what_is_refused_is_dead_lettered_with_its_reason_and_the_next_goes_on() -> None:
    script = played(Script([delivery(FIRING, 0), delivery(RESOLVED, 1)], [REFUSED, AWAY, REFUSED, REFUSED]))
    assert [(it.alert, reason, bridge) for it, reason, bridge in script.buried] == [
        (FIRING, "refused", "webhook/test")
    ]
    assert [it.alert for it in script.delivered] == [RESOLVED]
    assert script.done_offsets == [0, 1]
    assert script.count("dead_letters", "refused") == 1


def test_a_dead_letter_that_kafka_does_not_take_is_tried_until_it_does() -> None:
    script = played(Script([delivery(FIRING)], [AWAY] * 2, [AWAY] * 20, Retries(3, 0)))
    assert [reason for _, reason, _ in script.buried] == ["unavailable"]
    assert len(script.waits) == 20
    assert script.done_offsets == [0]


def test_what_was_taken_away_while_it_was_retried_is_left_to_its_new_owner() -> None:
    script = played(Script([delivery(FIRING, 0), delivery(RESOLVED, 1)], [AWAY], keeps=lambda: False))
    assert script.done_offsets == [1]
    assert [it.alert for it in script.delivered] == [RESOLVED]


def test_what_is_under_way_when_told_to_stop_is_not_done() -> None:
    def told_to_stop() -> bool:
        script.stop.set()
        return True

    script = Script([delivery(FIRING)], [AWAY] * 1000, keeps=told_to_stop)
    played(script)
    assert script.done_offsets == []
    assert not script.buried


failures = st.lists(st.sampled_from([None, AWAY, REFUSED]), max_size=30)


@given(st.integers(1, 8), failures, st.lists(st.sampled_from([None, AWAY]), max_size=10))
def test_every_alert_is_delivered_or_dead_lettered_before_it_is_done(
    count: int, outcomes: list[NotDelivered | None], letters: list[Unavailable | None]
) -> None:
    script = played(Script([delivery(FIRING, offset) for offset in range(count)], outcomes, letters))
    settled = [it.place.offset for it in script.delivered] + [it.place.offset for it, _, _ in script.buried]
    assert sorted(settled) == script.done_offsets == list(range(count))


def test_a_bridge_that_stands_still_or_has_not_joined_is_told() -> None:
    script = Script([])
    assert script.bridge.unhealthy() is None
    script.bridge._alive_s -= 1000
    assert "webhook/test has stood still for 1000 s" in (script.bridge.unhealthy() or "")
    assert script.bridge.unready() is None
    script.joined = False
    assert script.bridge.unready() == "webhook/test has not joined its group yet"
