"""From where history is read, as people write it."""

import pytest

from stream.exits import Exit, Refused
from stream.trial.history import Since, parse_since

NOW_MS = 1_790_812_800_000
DAY_MS = 86_400_000


@pytest.mark.parametrize(
    ("text", "since_ms"),
    [
        ("a.b", 0),
        ("a.b@-30d", NOW_MS - 30 * DAY_MS),
        ("a.b@-15m", NOW_MS - 900_000),
        ("a.b@2026-09-30T00:00Z", NOW_MS - DAY_MS),
        ("a.b@2026-09-30T02:00+02:00", NOW_MS - DAY_MS),
        ("a.b@2026-09-30", NOW_MS - DAY_MS),
    ],
)
def test_a_topic_and_a_time(text: str, since_ms: int):
    assert parse_since(text, NOW_MS) == Since("a.b", since_ms)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "'' is no name of a topic"),
        ("a b", "'a b' is no name of a topic"),
        ("a@", "'' is no time"),
        ("a@30d", "'30d' is no time"),
        ("a@-30", "'30' is not a duration"),
        ("a@-0d", "must be longer than 0s"),
        ("a@2026-10-02T00:00Z", "lies 1d ahead"),
    ],
)
def test_anything_else_is_refused_with_the_form(text: str, said: str):
    with pytest.raises(Refused) as refused:
        parse_since(text, NOW_MS)
    assert said in str(refused.value)
    assert "TOPIC@-30d" in str(refused.value)
    assert refused.value.code == Exit.USAGE
