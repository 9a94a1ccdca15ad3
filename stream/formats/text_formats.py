"""Formats of texts: which of a small set of forms a text has, as dates, UUIDs and addresses are written."""

import re
from typing import Final

from detectors.record_tokens import EMPTY, FORMATS, WORDS

CHARS_MAX: Final = 256
"""A longer text is no date and no address, and is looked into no further."""

_PATTERNS: Final = {
    "integer": r"[+-]?\d+",
    "number": r"[+-]?(?:\d+\.\d*|\.\d+|\d+(?=[eE]))(?:[eE][+-]?\d+)?",
    "uuid": r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}",
    "date": r"\d{4}-\d\d-\d\d",
    "date-time": r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?(?:\d\d)?)",
    "local date-time": r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?",
    "date-time with space": r"\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?: ?(?:Z|UTC|[+-]\d\d:?(?:\d\d)?))?",
    "date.": r"\d{1,2}\.\d{1,2}\.\d{4}(?:[ ,].*)?",
    "date/": r"(?:\d{1,2}/\d{1,2}/\d{4}|\d{4}/\d{1,2}/\d{1,2})(?:[ ,T].*)?",
    "time": r"\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)?",
    "ip": r"\d{1,3}(?:\.\d{1,3}){3}|(?=[^:]*:[^:]*:)[0-9a-fA-F:]+(?:%\w+)?",
    "hash": r"[0-9a-fA-F]{32,128}",
    "mail date": r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{1,2} [A-Z][a-z]{2} \d{4} .*",
    "flag": r"[tT]rue|[fF]alse|TRUE|FALSE",
    "no value": r"[nN]ull|NULL|None|N/A|n/a|[nN]a[nN]|undefined|nil",
    "url": r"[a-z][a-z0-9+.-]{1,20}://\S+",
    "e-mail": r"[^\s@]+@[^\s@.]+(?:\.[^\s@.]+)+",
    "json": r"\{.*\}|\[.*\]",
}
_FORM: Final = re.compile("|".join(f"({_PATTERNS[name]})" for name in _PATTERNS), re.ASCII | re.DOTALL)
_CODES: Final = [0, *(WORDS + FORMATS.index(name) for name in _PATTERNS)]


def format_code(text: str) -> int:
    """The code of a text's format.

    >>> [FORMATS[format_code(it) - WORDS] for it in ("12", "2026-03-01T10:00:00Z", "a@b.org", "new")]
    ['integer', 'date-time', 'e-mail', 'text']
    """
    if not text:
        return EMPTY
    if len(text) > CHARS_MAX:
        return WORDS
    found = _FORM.fullmatch(text)
    return WORDS if found is None else _CODES[found.lastindex or 0]
