"""Tokens: what is kept of a value in a record, 32 bits from which nobody can read it.

The high 8 bits are a code: null, a flag, the size of a number, or the format of a text. The low 24 bits are of a text's hash, else 0.
A record has a token for each path of its shape at which a plain value may stand; of an array or a map, its first value stands for all.
"""

from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors.record_paths import steps
from detectors.samples import Element

NOTHING, NULL, FALSE, TRUE, ZERO, EMPTY, WORDS = range(7)
"""Codes: no value, null, the flags, the number 0, a text without characters, and one of no other format."""
FORMATS: Final = (
    "text", "integer", "number", "uuid", "hash", "date", "date.", "date/", "date-time", "local date-time", "date-time with space",
    "time", "mail date", "e-mail", "url", "ip", "json", "flag", "no value",
)  # fmt: skip
"""The formats of texts, from the code `WORDS` on."""
TEXT_CODES: Final = range(WORDS, WORDS + len(FORMATS))
SIZE_CODES: Final = TEXT_CODES.stop + 1
"""Code of the smallest positive size; those of negative numbers follow after the largest."""
PER_DECADE: Final = 4
SIZES: Final = 57 * PER_DECADE // 2
SMALLEST: Final = -9 * PER_DECADE
"""Sizes are quarters of decades, from 1e-9 to 3e19; what is beyond counts as the last."""
HASH_BITS: Final = 24
HASH_MASK: Final = (1 << HASH_BITS) - 1
VALUE_PATHS_MAX: Final = 256
"""Paths of one record whose values are looked at."""

TOKEN: Final = np.dtype("<u4")
Tokens = npt.NDArray[np.uint32]
PLAIN: Final = frozenset({"string", "integer", "number", "boolean", "null"})


def value_paths(elements: Iterable[Element]) -> tuple[str, ...]:
    """The paths of a shape whose values have tokens: of an object, its plain fields first.

    >>> value_paths([("", "object"), ("b.x", "string"), ("c", "null"), ("b", "object"), ("c", "string"), ("b.y", "null")])
    ('c', 'b.x', 'b.y')
    """
    return tuple(sorted({path for path, kind in elements if kind in PLAIN}, key=_rank)[:VALUE_PATHS_MAX])


def _rank(path: str) -> list[tuple[bool, str]]:
    *outer, last = steps(path)
    return [*((True, step) for step in outer), (False, last)]


def number_codes(numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.uint32]:
    """The codes of numbers: their sign, and their size in quarters of decades. What is no number is `NOTHING`.

    >>> number_codes(np.array([0.0, 1.0, 10.0, -1.0, np.nan])).tolist()
    [4, 62, 66, 176, 0]
    """
    sizes = np.abs(numbers)
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = np.floor(np.log10(sizes) * PER_DECADE + 1e-9)
    places = np.nan_to_num(np.clip(scaled - SMALLEST, 0, SIZES - 1)).astype(np.uint32)
    codes = SIZE_CODES + places + np.where(numbers < 0, SIZES, 0).astype(np.uint32)
    codes[sizes == 0] = ZERO
    codes[np.isnan(numbers)] = NOTHING
    return codes.astype(np.uint32)


def size_of(code: int) -> int:
    """The size that a number's code stands for, whatever its sign.

    >>> size_of(66) - size_of(62), size_of(176) == size_of(62)
    (4, True)
    """
    return (code - SIZE_CODES) % SIZES


def format_of(code: int) -> str:
    """The name of a text's format."""
    return FORMATS[code - WORDS]
