"""Examples: what a value looks like without telling it: letters as `a`, digits as `9`, and how long it is.

They are made from a value's token alone, so no more can get out than is in there: a format and a length, or the size of a number.

>>> from detectors.record_tokens import FORMATS, HASH_BITS, LENGTH_SHIFT, WORDS, number_tokens
>>> def text(name, chars):
...     return masked((WORDS + FORMATS.index(name)) << HASH_BITS | chars << LENGTH_SHIFT | 4711)
>>> text("text", 12), text("date", 10)
('"a…" (text, 12 characters)', '"9999-99-99" (date, 10 characters)')
>>> [masked(int(token)) for token in number_tokens(np.array([0.0, 1234.0, -12.5, 0.07, 3e18]))]
['0', '9999', '-99', '0.09', '9e18']
"""

import math
from typing import Final

import numpy as np

from detectors.record_tokens import (
    EMPTY,
    FALSE,
    HASH_BITS,
    HASH_MASK,
    LENGTH_EXACT_MAX,
    LENGTH_SHIFT,
    NOTHING,
    NULL,
    SIZE_CODES,
    TEXT_CODES,
    TRUE,
    ZERO,
    format_of,
    length_of,
    number_of,
    places_of_numbers,
)

DIGITS_MAX: Final = 15
_PLAIN: Final = {
    NULL: "null",
    FALSE: "true or false",
    TRUE: "true or false",
    ZERO: "0",
    EMPTY: '"" (text without characters)',
}
_FORMS: Final = {
    "integer": "9…",
    "number": "9.9…",
    "uuid": "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa",
    "hash": "a9…",
    "date": "9999-99-99",
    "date.": "99.99.9999",
    "date/": "99/99/9999",
    "date-time": "9999-99-99T99:99:99Z",
    "local date-time": "9999-99-99T99:99:99",
    "date-time with space": "9999-99-99 99:99:99",
    "time": "99:99",
    "mail date": "Aaa, 99 Aaa 9999 …",
    "e-mail": "a…@a….a…",
    "url": "a…://a…",
    "ip": "9.9.9.9",
    "json": "{…}",
}
"""How a format looks; others are a text."""


def masked(token: int) -> str | None:
    """What a value with this token looks like; None when there is none."""
    code = token >> HASH_BITS
    if code == NOTHING:
        return None
    if code in TEXT_CODES:
        name, length = format_of(code), (token & HASH_MASK) >> LENGTH_SHIFT
        about = "" if length <= LENGTH_EXACT_MAX else "about "
        return f'"{_FORMS.get(name, "a…")}" ({name}, {about}{length_of(length)} characters)'
    if code < SIZE_CODES:
        return _PLAIN.get(code)
    (place,) = places_of_numbers(np.array([token], np.uint32)).tolist()
    return _number(number_of(place))


def _number(number: float) -> str:
    sign, decade = "-" if number < 0 else "", math.floor(math.log10(abs(number)))
    if abs(decade) >= DIGITS_MAX:
        return f"{sign}9e{decade}"
    if decade < 0:
        return f"{sign}0.{'0' * (-decade - 1)}9"
    return sign + "9" * (decade + 1)
