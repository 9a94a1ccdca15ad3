from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from detectors.commands import Answer, Outcome
from stream.audit_log import in_force

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def answer(command_id: str, outcome: Outcome = Outcome.DONE, **said: Any) -> Answer:
    command = {
        "command_id": command_id,
        "author": "eva",
        "time": (NOW - timedelta(days=2)).isoformat(),
        **said,
    }
    return Answer(
        command_id=command_id,
        author="eva",
        time=command["time"],
        answered_at="",
        outcome=outcome,
        reason="",
        config_hash="",
        command=command,
    )


def silence(command_id: str, hours: float, **more: Any) -> Answer:
    until = (NOW + timedelta(hours=hours)).isoformat()
    return answer(command_id, **{"command": "silence", "match": {"pipeline": "*"}, "until": until, **more})


def cancel(command_id: str, cancels: str, outcome: Outcome = Outcome.DONE) -> Answer:
    return answer(command_id, outcome, command="cancel", cancels=cancels)


def ids(*log: Answer) -> list[str]:
    return [quiet.command_id for quiet in in_force(log, NOW)]


def test_what_is_over_is_not_in_force_and_what_is_to_begin_is() -> None:
    later = (NOW + timedelta(hours=1)).isoformat()
    assert ids(silence("a", 1), silence("b", 0), silence("c", -1), silence("d", 2, starts_at=later)) == [
        "a",
        "d",
    ]


def test_what_was_cancelled_is_not_in_force_but_a_cancel_that_was_refused_ends_nothing() -> None:
    assert ids(silence("a", 1), silence("b", 1), cancel("x", "a"), cancel("y", "b", Outcome.REFUSED)) == ["b"]


def test_what_was_refused_or_is_of_a_later_version_is_passed_over() -> None:
    refused = answer("a", Outcome.REFUSED, command="silence", match={"a": "b"}, until=NOW.isoformat())
    assert ids(refused, answer("b", command="hush"), silence("c", 1, tone="low"), silence("d", 1)) == ["d"]


def test_a_recurring_window_without_an_end_stays_in_force() -> None:
    window = answer("a", command="maintenance", match={"a": "b"}, recurring={"at": "02:00", "minutes": 60})
    assert ids(window) == ["a"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=12))
def test_repeated_answers_change_nothing(said: list[tuple[str, bool]]) -> None:
    log = [
        silence(f"{name}{at}", 1) if sets else cancel(f"x{at}", f"{name}{at - 1}")
        for at, (name, sets) in enumerate(said)
    ]
    doubled = [it for one in log for it in (one, one)]
    assert ids(*log) == ids(*doubled)
