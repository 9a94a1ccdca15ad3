import msgspec
import pytest

from detectors.alerts import RootCause, State
from stream.bridges.message import message
from tests.stream.alert_examples import FIRING, RESOLVED


def test_a_message_says_what_it_is_about_whose_it_is_and_what_to_read() -> None:
    said = message(FIRING)
    assert said.title == 'Firing · warning · latency{pipeline="orders",task="load"}'
    assert said.body.splitlines() == [
        FIRING.summary,
        "Since: 2026-03-01 09:58:00.000 UTC",
        "Owner: data-platform",
        "Runbook: https://runbooks.example/orders",
        f"Alert: {FIRING.alert_id}",
    ]


def test_it_names_the_root_cause_what_it_explains_and_the_error() -> None:
    alert = msgspec.structs.replace(
        FIRING, root_cause=RootCause("f" * 32, ["a", "b"]), children=["1" * 32] * 3, annotations={"error": "out\nof\x1b[2J memory"}
    )  # fmt: skip
    lines = message(alert).body.splitlines()
    assert f"Root cause: {'f' * 32} (a → b)" in lines
    assert "Explains: 3 other alerts" in lines
    assert any(line.startswith("Error: out") and "\x1b" not in line for line in lines)


@pytest.mark.parametrize(
    ("state", "reason", "word"),
    [
        (State.FIRING, "opened: shifted", "Firing"),
        (State.FIRING, "reopened: shifted", "Firing again"),
        (State.FIRING, "worsened: above_range", "Worse"),
        (State.FIRING, "joined: run_overdue", "Spread"),
        (State.FIRING, "continued: x", "Update"),
        (State.FIRING, "added later", "Update"),
        (State.RESOLVED, "resolved: ordinary", "Resolved"),
        (State.EXPIRED, "expired: x", "Expired"),
    ],
)
def test_its_first_word_says_what_has_changed(state: State, reason: str, word: str) -> None:
    alert = msgspec.structs.replace(FIRING, state=state, transition_reason=reason)
    assert message(alert).title.partition(" · ")[0] == word


def test_an_end_says_how_long_it_lasted() -> None:
    assert "Lasted: 2026-03-01 09:58:00.000 UTC to 2026-03-01 10:30:00.000 UTC" in message(RESOLVED).body
