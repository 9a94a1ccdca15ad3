"""Selectors: one series as people write it, `latency{pipeline=orders}`, and what is wrong with text that is none."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import NamedTuple

from detectors.series import canonical_labels, series_text
from detectors.settings import SIGNAL_DEFAULTS
from stream.config.units import shown
from stream.exits import Exit, Refused

FORM = 'SIGNAL{LABEL=VALUE,LABEL="VALUE"}, such as latency{pipeline=orders}'

_SIGNAL = re.compile(r"\s*([A-Za-z_]*)\s*")
_NAME = re.compile(r"\s*([^\s=,{}\"]+)\s*")
_VALUE = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^",{}]*?))\s*(?=[,}]|$)')
_ESCAPED = re.compile(r"\\(.)")


class Selector(NamedTuple):
    """A series: its signal, and its labels by name."""

    signal: str
    labels: dict[str, str]

    def __str__(self) -> str:
        return series_text(self.signal, canonical_labels(self.labels))


def parse_selector(text: str) -> Selector:
    """The series that `text` names; values may stand in double quotes, and there a backslash before a quote.

    Raises:
        Refused: it names none; the message points at the place, and shows the form.
    """
    found = _SIGNAL.match(text)
    signal, at = (found[1], found.end()) if found else ("", 0)
    if signal not in SIGNAL_DEFAULTS:
        raise _refused(text, found.start(1) if found else 0, _no_signal(signal))
    if at == len(text):
        return Selector(signal, {})
    if text[at] != "{":
        raise _refused(text, at, "expected { before the labels")
    labels, at = _labels(text, at + 1)
    if text[at:].strip():
        raise _refused(text, at, "nothing may follow the closing }")
    return Selector(signal, labels)


def _labels(text: str, at: int) -> tuple[dict[str, str], int]:
    """The labels from the opening brace on, and where what follows the closing one begins."""
    labels: dict[str, str] = {}
    if (end := re.compile(r"\s*}").match(text, at)) is not None:
        return labels, end.end()
    while True:
        name = _NAME.match(text, at)
        if name is None:
            raise _refused(text, at, "expected the name of a label")
        if text[name.end() : name.end() + 1] != "=":
            raise _refused(text, name.end(), f"expected = after {name[1]}")
        if name[1] in labels:
            raise _refused(text, name.start(1), f"{name[1]} is written twice")
        value = _VALUE.match(text, name.end() + 1)
        if value is None or not (value[1] or value[2]):
            raise _refused(text, name.end() + 1, f"expected the value of {name[1]}")
        labels[name[1]] = value[2] if value[1] is None else _ESCAPED.sub(r"\1", value[1])
        at = value.end() + 1
        if text[value.end() : at] == "}":
            return labels, at
        if text[value.end() : at] != ",":
            raise _refused(text, value.end(), "expected , or }")


def _no_signal(signal: str) -> str:
    near = get_close_matches(signal, SIGNAL_DEFAULTS, n=1)
    meant = f"did you mean {near[0]}?" if near else f"signals are {', '.join(SIGNAL_DEFAULTS)}"
    return f"no signal is named {shown(signal)}; {meant}" if signal else f"expected a signal: {meant}"


def _refused(text: str, at: int, reason: str) -> Refused:
    return Refused(f"the series cannot be read: {reason}\n  {text}\n  {' ' * at}^\nwrite {FORM}", Exit.USAGE)
