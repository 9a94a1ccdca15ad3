"""Sentences, durations and amounts."""

import pytest

from detectors.wording import amount_text, duration_text, subject, time_text


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0 ms"),
        (5.25, "5.25 ms"),
        (5312, "5.31 s"),
        (744_000, "12.4 min"),
        (5_400_000, "1.5 h"),
        (3e8, "3.47 d"),
    ],
)
def test_durations_read_in_the_unit_that_suits_them(ms: float, text: str) -> None:
    assert duration_text(ms) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (120345, "rows", "120,345 rows"),
        (12.5, "rows", "12.5 rows"),
        (99_120_000, "bytes", "99.1 MB"),
        (12, "bytes", "12 bytes"),
        (0.5, "share", "50%"),
        (0.0012, "share", "0.0012"),
        (90_000, "ms", "1.5 min"),
        (3, "", "3"),
    ],
)
def test_amounts_read_with_their_unit(value: float, unit: str, text: str) -> None:
    assert amount_text(value, unit) == text


def test_a_series_is_named_by_its_best_known_labels() -> None:
    labels = (("measure", "rows"), ("pipeline", "orders"), ("region", "eu"), ("task", "load"))
    assert subject(labels) == "orders/load (region=eu)"


def test_times_are_rfc_3339_in_utc() -> None:
    assert time_text(1_780_000_000_123) == "2026-05-28T20:26:40.123Z"
