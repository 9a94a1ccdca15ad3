"""Tokens: what is kept of a value in a record, 32 bits from which nobody can read it.

The high 8 bits are a code: null, a flag, the size of a number, or the format of a text. The low 24 bits are, of a text, its length (6 bits, see `length_code`) and a part of its
hash; of a number where it lies within its size, to one per cent; else 0.
A record has a token for each path of its shape at which a plain value may stand; of an array or a map, its first value stands for all.
"""

import math
from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors.ragged import Ints
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
PARTS: Final = 64
"""Parts of a size."""
LENGTH_SHIFT: Final = 18
TEXT_HASH_MASK: Final = (1 << LENGTH_SHIFT) - 1
LENGTH_EXACT_MAX: Final = 40
LENGTH_GROWTH: Final = 1.3
_LENGTHS: Final = 63
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


def number_tokens(numbers: npt.NDArray[np.float64]) -> Tokens:
    """The tokens of numbers: their sign, their size in quarters of decades, and the part of it. What is no number is `NOTHING`.

    >>> tokens = number_tokens(np.array([0.0, 1.0, 10.0, -1.0, np.nan, 1.2]))
    >>> (tokens >> HASH_BITS).tolist(), (tokens & HASH_MASK).tolist()
    ([4, 62, 66, 176, 0, 62], [0, 0, 0, 0, 0, 20])
    """
    sizes = np.abs(numbers)
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = np.floor(np.log10(sizes) * (PER_DECADE * PARTS) + 1e-7)
    places = np.nan_to_num(np.clip(scaled - SMALLEST * PARTS, 0, SIZES * PARTS - 1)).astype(np.uint32)
    codes = SIZE_CODES + places // PARTS + np.where(numbers < 0, SIZES, 0).astype(np.uint32)
    tokens = codes << np.uint32(HASH_BITS) | places % PARTS
    tokens[sizes == 0] = ZERO << HASH_BITS
    tokens[np.isnan(numbers)] = NOTHING
    return tokens.astype(np.uint32)


def places_of_numbers(tokens: Tokens) -> Ints:
    """Whole numbers in the order of the numbers that have these tokens, zeros apart; 256 a decade.

    >>> tokens = number_tokens(np.array([-10.0, -1.0, 1.0, 10.0]))
    >>> places = places_of_numbers(tokens)
    >>> (places[1:] - places[:-1]).tolist(), [round(number_of(place), 1) for place in places.tolist()]
    ([256, 4610, 256], [-10.0, -1.0, 1.0, 10.0])
    """
    codes = (tokens >> np.uint32(HASH_BITS)).astype(np.int64) - SIZE_CODES
    places = codes % SIZES * PARTS + (tokens & np.uint32(HASH_MASK)).astype(np.int64) + 1
    return np.where(codes >= SIZES, -places, places)


def number_of(place: int) -> float:
    """About the number at a place."""
    size = 10 ** ((abs(place) - 0.5 + SMALLEST * PARTS) / (PER_DECADE * PARTS))
    return size if place > 0 else -size


def length_code(chars: int) -> int:
    """How long a text is, in 6 bits: up to 40 characters exactly, from there on in steps of 30 %.

    >>> [length_of(length_code(chars)) for chars in (0, 12, 40, 64, 10**9)]
    [0, 12, 40, 52, 16701]
    """
    if chars <= LENGTH_EXACT_MAX:
        return chars
    return min(_LENGTHS, LENGTH_EXACT_MAX + int(math.log(chars / LENGTH_EXACT_MAX) / math.log(LENGTH_GROWTH)))


def length_of(code: int) -> int:
    """About how many characters a text has."""
    if code <= LENGTH_EXACT_MAX:
        return code
    return int(LENGTH_EXACT_MAX * LENGTH_GROWTH ** (code - LENGTH_EXACT_MAX))


def size_of(code: int) -> int:
    """The size that a number's code stands for, whatever its sign.

    >>> size_of(66) - size_of(62), size_of(176) == size_of(62)
    (4, True)
    """
    return (code - SIZE_CODES) % SIZES


def format_of(code: int) -> str:
    """The name of a text's format."""
    return FORMATS[code - WORDS]
