from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.config.units import (
    DURATION_MS_MAX,
    Rate,
    format_duration,
    format_optional_duration,
    format_rate,
    format_share,
    parse_duration_ms,
    parse_false_alarms,
    parse_optional_duration_ms,
    parse_rate,
    parse_share,
    parse_storm,
)


@pytest.mark.parametrize(
    ("written", "duration_ms"),
    [
        ("30s", 30_000),
        ("15m", 900_000),
        ("6h", 21_600_000),
        ("30d", 2_592_000_000),
        ("0s", 0),
        (" 5 m ", 300_000),
    ],
)
def test_a_duration_reads_number_and_unit(written: str, duration_ms: int):
    assert parse_duration_ms(written) == duration_ms


@pytest.mark.parametrize(
    "written", [30, 30.0, "30", "30x", "-5s", "1.5h", "", None, True, "5 s s", "٣s", "9999999d", []]
)
def test_anything_else_is_no_duration(written: Any):
    with pytest.raises(ValueError, match=r"duration|longer"):
        parse_duration_ms(written)


@given(st.integers(0, DURATION_MS_MAX // 1000))
def test_a_duration_survives_being_written_and_read(seconds: int):
    assert parse_duration_ms(format_duration(seconds * 1000)) == seconds * 1000


def test_a_rate_reads_count_per_duration_or_named_period():
    assert parse_rate("1 per 30d").per_day == pytest.approx(1 / 30)
    assert parse_rate("5 per week").per_day == pytest.approx(5 / 7)
    assert parse_rate("2 per 1h").per_day == 48
    assert format_rate(Rate(3, 86_400_000)) == "3 per 1d"


@pytest.mark.parametrize(
    "written", ["1/30d", "one per day", "1 per 0s", "0 per 1d", "1 per fortnight", 1, None, "1 per"]
)
def test_anything_else_is_no_rate(written: Any):
    with pytest.raises(ValueError, match=r"rate|duration|longer|0 false alarms"):
        parse_false_alarms(written)


def test_a_storm_needs_an_alert_that_is_told():
    assert parse_storm("4 per 1m") == Rate(4, 60_000)
    with pytest.raises(ValueError, match="at least 1 alert"):
        parse_storm("0 per 1m")


def test_a_duration_may_be_none_where_that_means_something():
    assert parse_optional_duration_ms("none") is None
    assert parse_optional_duration_ms("1d") == 86_400_000
    assert [format_optional_duration(ms) for ms in (None, 60_000)] == ["none", "1m"]


def test_a_share_reads_percent():
    assert parse_share("20%") == 0.2
    assert parse_share("2.5 %") == 0.025
    assert format_share(0.025) == "2.5%"


@pytest.mark.parametrize("written", [0.2, "0.2", "20", "-5%", "x%", None, "nan%"])
def test_anything_else_is_no_share(written: Any):
    with pytest.raises(ValueError, match="share"):
        parse_share(written)


@given(st.integers(0, 1_000_000))
def test_a_share_survives_being_written_and_read(basis_points: int):
    share = basis_points / 10_000
    assert parse_share(format_share(share)) == pytest.approx(share)
