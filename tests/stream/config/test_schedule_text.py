"""How people write when something is expected."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from detectors.due_times import check_cron
from detectors.settings import NO_SCHEDULE
from stream.config.schedule_text import ScheduleText, parse_schedule

MINUTE_MS = 60_000


@pytest.mark.parametrize(
    ("written", "cron", "minutes"),
    [
        ("weekdays 02:00-02:20", "0 2 * * mon-fri", 20),
        ("06:30", "30 6 * * *", 15),
        ("daily 6:30 - 7:00", "30 6 * * *", 30),
        ("Mon,Thu 23:50-00:10", "50 23 * * mon,thu", 20),
        ("0 2 * * 1-5", "0 2 * * 1-5", 15),
        ("*/10  * * * *  within 4m", "*/10 * * * *", 4),
        ("0 0 l * * within 2h", "0 0 l * *", 120),
    ],
)
def test_a_schedule_is_days_and_a_window_or_an_expression_of_cron(written: str, cron: str, minutes: int):
    schedule = parse_schedule(written)
    assert (schedule.cron, schedule.within_ms) == (cron, minutes * MINUTE_MS)
    assert TypeAdapter(ScheduleText).dump_python(schedule, mode="json") == " ".join(written.split())
    assert parse_schedule(schedule.written) == schedule


def test_a_schedule_of_a_layer_below_can_be_taken_back():
    assert parse_schedule("learned") == NO_SCHEDULE


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("someday 02:00", "'someday' is none of mon, tue"),
        ("mon-fri 02:00-02:00", "ends when it begins"),
        ("25:00", "days, and a time or two"),
        ("0 2 * *", "five fields"),
        ("0 0 2 * * *", "five fields"),
        ("0 0 31 2 *", "no time is meant by it"),
        ("61 * * * *", "no time is meant by it"),
        ("r * * * *", "'r' is no month"),
        ("0 2 * * * within 8d", "longer than 7d"),
        ("0 2 * * * within soon", "not a duration"),
        ("0 2 * * * within 0s", "longer than 0s"),
        ("@daily", "five fields"),
        ("", "five fields"),
        (7, "write it like weekdays"),
    ],
)
def test_what_is_no_schedule_is_refused_with_the_reason(written: Any, reason: str):
    with pytest.raises(ValueError, match="is no schedule") as refused:
        parse_schedule(written)
    assert reason in str(refused.value)


@given(st.text("0123456789*/,-# lLrRhHmonfri", max_size=20))
def test_no_text_breaks_the_reading_of_cron(text: str):
    try:
        check_cron(text)
    except ValueError as error:
        assert str(error)  # noqa: PT017  either is right
