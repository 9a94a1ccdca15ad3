"""Conditions of `--fail-on`: what a trial must not show, if a change is to pass."""

import operator
import re
from collections.abc import Callable
from typing import Final, NamedTuple

from stream.exits import Exit, Refused
from stream.trial.report import Report

FORM: Final = "new, gone, recall<0.9, false-alarms>2 or alerts>2 (a week)"
_WRITTEN = re.compile(r"\s*([a-z-]+)\s*(?:([<>])\s*([0-9]+(?:\.[0-9]+)?)\s*)?")
_COMPARED: Final = {"<": operator.lt, ">": operator.gt}
_NUMBERS: Final[dict[str, Callable[[Report], float | None]]] = {
    "recall": lambda it: it.config.recall,
    "false-alarms": lambda it: it.config.false_alarms_a_week,
    "alerts": lambda it: it.config.alerts_a_week,
    "new": lambda it: len(it.new),
    "gone": lambda it: len(it.gone),
}
_NEEDS_LABELS: Final = {"recall", "false-alarms"}
_NEEDS_AGAINST: Final = {"new", "gone"}


class Condition(NamedTuple):
    """One of them: it holds when the number is on that side of the bound."""

    name: str
    side: str
    bound: float

    def holds(self, report: Report) -> bool:
        """Whether the trial shows it; of what is not known it does not."""
        number = _NUMBERS[self.name](report)
        return number is not None and bool(_COMPARED[self.side](number, self.bound))

    def sentence(self, report: Report) -> str:
        """What was found."""
        return f"--fail-on {self.name}{self.side}{self.bound:g}: it is {_NUMBERS[self.name](report):g}"


def parse_condition(text: str, *, labels: bool, against: bool) -> Condition:
    """A condition; `new` alone is `new>0`.

    Raises:
        Refused: it is none, or what it needs (`labels`, `against`) is not given.
    """
    written = _WRITTEN.fullmatch(text)
    if (
        written is None
        or written[1] not in _NUMBERS
        or (written[2] is None and written[1] not in _NEEDS_AGAINST)
    ):
        raise Refused(f"--fail-on {text}: write {FORM}", Exit.USAGE)
    if written[1] in _NEEDS_LABELS and not labels:
        raise Refused(f"--fail-on {text}: needs --labels", Exit.USAGE)
    if written[1] in _NEEDS_AGAINST and not against:
        raise Refused(f"--fail-on {text}: needs --against", Exit.USAGE)
    return Condition(written[1], written[2] or ">", float(written[3] or 0))
