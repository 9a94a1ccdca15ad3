"""Run events as bytes, made in bulk: evenly spaced in event time, many series or one, and if wished one hot series."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numba import njit

HOT_SERIES: Final = 0
HOT_SHARE: Final = 0.5
WILD_FACTOR: Final = 40
BLOCK_EVENTS: Final = 100_000
SEED: Final = 1
_PRIME: Final = 1_299_709

_TEMPLATE: Final = (
    b'{"pipeline":"warehouse.pipeline-#######","task":"load","state":"succeeded","time":#############,'
    b'"run_id":"scheduled__2025-06-01T00:00:00+00:00__############","duration_ms":#######,"rows":#######}'
)
"""Each run of # is a number of as many digits; the last two are filled up with blanks, the others with zeros."""
_PADDED: Final = 3


class Shape(NamedTuple):
    """What one topic of run events looks like.

    The series of an event is drawn at random, or, when `turns` is set, every series has its turn before any has another.
    Half of the events belong to one series when it is `hot`. Every `wild_every`-th run takes far too long.
    """

    events: int
    series: int = 1000
    turns: bool = False
    hot: bool = False
    wild_every: int = 0
    spacing_ms: int = 10


def pipeline(series: int) -> str:
    """The name of a pipeline."""
    return f"warehouse.pipeline-{series:07}"


def blocks(shape: Shape, end_ms: int) -> Iterator[list[bytes]]:
    """All events of a topic in blocks, the last with event time `end_ms`; the same arguments give the same bytes.

    Durations are lognormal around 4.9 s and rows around 99,000, both with a spread of 10 %.
    """
    start_ms = end_ms - (shape.events - 1) * shape.spacing_ms
    for first in range(0, shape.events, BLOCK_EVENTS):
        numbers = np.arange(first, min(first + BLOCK_EVENTS, shape.events))
        yield block(shape, numbers, start_ms + numbers * shape.spacing_ms)


def block(shape: Shape, numbers: np.ndarray, times_ms: np.ndarray) -> list[bytes]:
    """The events with these numbers at these times."""
    return events(*columns(shape, numbers, times_ms))


def columns(shape: Shape, numbers: np.ndarray, times_ms: np.ndarray) -> tuple[np.ndarray, ...]:
    """The same as columns."""
    rng = np.random.default_rng([SEED, int(numbers[0])])
    count = len(numbers)
    series = _turns(numbers, shape.series) if shape.turns else rng.integers(0, shape.series, count)
    if shape.hot:
        series[rng.random(count) < HOT_SHARE] = HOT_SERIES
    durations_ms = rng.lognormal(8.5, 0.1, count).astype(np.int64)
    if shape.wild_every:
        durations_ms[numbers % shape.wild_every == shape.wild_every - 1] *= WILD_FACTOR
    rows = rng.lognormal(11.5, 0.1, count).astype(np.int64)
    return series, times_ms, numbers, durations_ms, rows


def events(*by_field: np.ndarray) -> list[bytes]:
    """Events by their columns: series, time, number, duration and rows; all of one length."""
    found = texts(*by_field)
    listed: list[bytes] = found.view(f"S{found.shape[1]}")[:, 0].tolist()
    return listed


def texts(*by_field: np.ndarray) -> np.ndarray:
    """The same as an array of bytes with a row for each event."""
    found = np.tile(np.frombuffer(_TEMPLATE, np.uint8), (len(by_field[0]), 1))
    for place, (field, column) in enumerate(zip(re.finditer(rb"#+", _TEMPLATE), by_field, strict=True)):
        start, end = field.span()
        _write_digits(found[:, start:end], column, ord("0" if place < _PADDED else " "))
    return found


@njit(cache=True)
def _write_digits(fields: np.ndarray, numbers: np.ndarray, filler: int) -> None:
    for text, number in zip(fields, numbers):  # noqa: B905  numba knows no strict
        left = number
        for place in range(len(text) - 1, -1, -1):
            text[place] = filler if left == 0 and place < len(text) - 1 else ord("0") + left % 10
            left //= 10


def _turns(numbers: np.ndarray, series: int) -> np.ndarray:
    """Every series once, in an order that looks random, and again from another one on."""
    shifted: np.ndarray = (numbers + numbers // series) * _PRIME
    return shifted % series
