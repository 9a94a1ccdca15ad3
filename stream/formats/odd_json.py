r"""Odd JSON: what the grammar of RFC 8259 allows and strict parsers refuse, read all the same.

Half a surrogate pair (`"\ud83d"`, what JavaScript leaves of a text cut in the midst of an emoji) is read as U+FFFD, a number
beyond all floats as an infinite one, a whole number of more than 4,300 digits by its first 4,300; a byte order mark is passed over. What
is no JSON (`NaN`, `Infinity`) stays unread.
"""

import codecs
import json
import re
from typing import Any, Final, NoReturn

import msgspec

from stream.formats.dead import DeadReason, UnreadableError, explain

DIGITS_MAX: Final = 4_300
"""Digits of a whole number that Python reads."""
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u([dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
_REPLACEMENT: Final = rb"\ufffd"


def read_odd(value: bytes, error: Exception) -> dict[str, Any]:
    """The object in a value that a strict parser refused with this error.

    Raises:
        UnreadableError: it is no JSON, or no object.
    """
    try:
        text = _ESCAPE.sub(_mended, value.removeprefix(codecs.BOM_UTF8)).decode()
        record = json.loads(text, parse_constant=_refuse, parse_int=_whole)
    except (ValueError, RecursionError):
        raise explain(error, {}) from None
    if not isinstance(record, dict):
        raise explain(msgspec.ValidationError("Expected `object`"), {})
    return record


def _mended(escape: re.Match[bytes]) -> bytes:
    return _REPLACEMENT if escape[1] else escape[0]


def _refuse(constant: str) -> NoReturn:
    raise UnreadableError(DeadReason.NOT_JSON, f"{constant} is no JSON; null says that there is no number")


def _whole(text: str) -> int:
    return int(text[:DIGITS_MAX])
