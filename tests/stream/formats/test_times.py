"""Event times: all the ways to write one, and that fast and slow reading agree."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.formats.dead import UnreadableError
from stream.formats.times import epoch_ms, epoch_ms_all, read_time
from tests.stream.formats.reading import read

MOMENTS = st.datetimes(datetime(1970, 1, 2), datetime(2027, 1, 1))  # noqa: DTZ001 - the zone is drawn apart


@pytest.mark.parametrize(
    ("text", "time_ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2020-12-28T19:51:01.641Z", 1_609_185_061_641),
        ("2020-12-28T19:51:01.641499", 1_609_185_061_641),
        ("2020-12-28T19:51:01.641499999Z", 1_609_185_061_641),
        ("2020-12-29T05:51:01.641+10:00", 1_609_185_061_641),
        ("2020-12-29T05:51:01,641+1000", 1_609_185_061_641),
        ("2020-12-28 19:51:01.641z", 1_609_185_061_641),
        ("2020-12-28T19:51Z", 1_609_185_060_000),
        ("2020-12-28T20:51+01:00[Europe/Berlin]", 1_609_185_060_000),
        ("2016-12-31T23:59:60Z", 1_483_228_800_000),
        (1_609_185_061_641, 1_609_185_061_641),
        (1_609_185_061_641.9, 1_609_185_061_641),
    ],
)
def test_a_time_means_the_same_alone_and_through_ingest(text: str | float, time_ms: int) -> None:
    assert read_time(text, "$.time") == time_ms
    event = {"pipeline": "p", "state": "failed", "time": text}
    assert read("events", event).runs[0]["time_ms"] == time_ms
    assert (
        read("openlineage", {"eventTime": text, "eventType": "FAIL", "run": {}, "job": {"name": "p"}}).runs[
            0
        ]["time_ms"]
        == time_ms
    )
    assert read("metrics", {"name": "m", "value": 1, "timestamp": text}).values[0]["time_ms"] == time_ms


@given(MOMENTS, st.integers(-14 * 60, 14 * 60), st.sampled_from(["seconds", "milliseconds", "microseconds"]))
def test_any_rfc_3339_time_is_read_exactly(naive: datetime, offset_minutes: int, precision: str) -> None:
    moment = naive.replace(tzinfo=timezone(timedelta(minutes=offset_minutes)))
    text = moment.isoformat(timespec=precision)
    expected = (datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)

    assert read_time(text, "$.time") == expected
    assert read("events", {"pipeline": "p", "state": "failed", "time": text}).runs[0]["time_ms"] == expected


@pytest.mark.parametrize(
    "text", ["", "12", "2026-13-01T00:00:00Z", "2026-11-23", "20261123T000000Z", "٢٠٢٦-11-23T00:00:00Z"]
)
def test_what_is_no_time_is_refused_with_the_place(text: str) -> None:
    with pytest.raises(UnreadableError, match=r"bad_time: \$\.time"):
        read_time(text, "$.time")


@given(
    st.lists(
        MOMENTS
        | MOMENTS.map(lambda moment: moment.replace(tzinfo=UTC))
        | st.integers(0, 2**40)
        | st.floats(0, 2**40)
    )
)
def test_times_of_all_kinds_in_one_batch_are_read_as_if_alone(times: list[datetime | int | float]) -> None:
    assert epoch_ms_all(times) == [epoch_ms(time) for time in times]
