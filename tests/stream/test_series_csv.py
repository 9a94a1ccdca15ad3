"""One series from CSV: what is read, and how plainly what cannot be read is said."""

import io
import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.exits import Exit, Refused
from stream.series_csv import Row, SeriesCsv

NOON_MS = 1_714_564_800_000


def rows(text: str, time: str = "timestamp", value: str = "value") -> list[Row]:
    return list(SeriesCsv(io.StringIO(text, newline=""), "s.csv", time, value))


@pytest.mark.parametrize(
    "written",
    [
        "2024-05-01T12:00:00Z",
        "2024-05-01T12:00:00",
        "2024-05-01 12:00:00",
        "2024-05-01 12:00:00.000000",
        "2024-05-01T14:00:00+02:00",
        "20240501T120000Z",
        " 2024-05-01 12:00 ",
        "1714564800",
        "1714564800.0004",
        "1714564800000",
        "1.7145648e9",
    ],
)
def test_a_time_is_read_in_each_of_these_forms_and_kept_as_written(written: str) -> None:
    assert rows(f"timestamp,value\n{written},1\n") == [Row(written, NOON_MS, "1", 1.0)]


@given(st.integers(-62_135_596_800_000, 253_402_300_799_999))
def test_a_time_with_a_year_of_four_digits_is_read_to_the_millisecond(time_ms: int) -> None:
    text = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time_ms)).isoformat()
    assert rows(f"timestamp,value\n{text},1\n")[0].time_ms == time_ms


@pytest.mark.parametrize("missing", ["", "  ", "NaN", "nan", "null", "None", "NA", "n/a", "inf", "-Infinity"])
def test_a_missing_value_is_no_number(missing: str) -> None:
    assert math.isnan(rows(f"timestamp,value\n1,{missing}\n")[0].value)


def test_a_row_that_ends_before_the_value_has_none() -> None:
    assert math.isnan(rows("timestamp,other,value\n1,2\n")[0].value)


def test_columns_are_found_by_name_among_others() -> None:
    read = rows('id;x,"the, value",when\n7,2.5,10\n8,3.5,20\n', time="when", value="the, value")
    assert [(row.time_ms, row.value) for row in read] == [(10_000, 2.5), (20_000, 3.5)]


def test_quotes_carriage_returns_and_blank_lines_are_no_trouble() -> None:
    read = rows('"timestamp","value"\r\n"1","2"\r\n\r\n"3","4"\r\n')
    assert [(row.time_ms, row.value) for row in read] == [(1000, 2.0), (3000, 4.0)]


def refusal(text: str, **columns: str) -> str:
    with pytest.raises(Refused) as caught:
        rows(text, **columns)
    assert caught.value.code is Exit.DATA
    return str(caught.value)


@pytest.mark.parametrize(
    "bad", ["yesterday", "", "2024-13-01", "12:00", "1_000", "1e99", "nan", "99999999999999999"]
)
def test_a_bad_time_is_refused_with_line_column_and_what_was_expected(bad: str) -> None:
    message = refusal(f"timestamp,value\n1,1\n{bad},2\n")
    assert message.startswith(f"s.csv:3: column 'timestamp' is {bad!r}; expected a time such as")


@pytest.mark.parametrize("bad", ["x", "1,5", "1_000", "0x10", "12 ms"])
def test_a_bad_value_is_refused_with_line_column_and_what_was_expected(bad: str) -> None:
    message = refusal(f'timestamp,value\n1,1\n\n2,"{bad}"\n')
    assert message == f"s.csv:4: column 'value' is {bad!r}; expected a number, or nothing"


def test_a_row_without_a_time_is_refused() -> None:
    assert refusal("value,timestamp\n1\n").startswith("s.csv:2: column 'timestamp' is missing")


@pytest.mark.parametrize(("option", "column"), [("time", "when"), ("value", "size")])
def test_a_column_that_is_not_there_is_refused_with_those_that_are(option: str, column: str) -> None:
    message = refusal("timestamp,value,host\n", **{option: column})
    assert f"no column '{column}'" in message
    assert f"--{option}" in message
    assert "'timestamp', 'value', 'host'" in message


@pytest.mark.parametrize("empty", ["", "\n\n"])
def test_an_empty_file_is_refused(empty: str) -> None:
    assert "empty" in refusal(empty)


def test_a_header_alone_is_a_series_without_rows() -> None:
    assert rows("timestamp,value\n") == []


def test_text_that_is_no_csv_is_refused_with_its_line() -> None:
    assert refusal('timestamp,value\n1,"2"3\n').startswith("s.csv:2: not readable as CSV")


def test_a_long_cell_is_cut_in_the_message() -> None:
    assert len(refusal(f"timestamp,value\n1,{'x' * 10_000}\n")) < 200
