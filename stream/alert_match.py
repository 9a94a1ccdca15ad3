"""Which alerts somebody wants: by state, by kind, and by globs over their labels, severity and owner."""

from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Final

from detectors.alerts import Alert, Kind, State

Globs = Mapping[str, str | Sequence[str]]
"""A glob (`*`, `?`, `[abc]`), or several of which one has to match, by label name or by `signal`, `severity` or `owner`."""

FIELDS: Final = ("signal", "severity", "owner")
"""What `Globs` may name beside labels; the kind is a label of every alert."""


class AlertMatch:
    """Choice of alerts; what is left empty chooses all.

    >>> from detectors.alerts import State
    >>> AlertMatch(states=["firing"]).states == {State.FIRING}
    True

    Raises:
        ValueError: there is no such state or kind.
    """

    def __init__(
        self, states: Collection[str] = (), kinds: Collection[str] = (), globs: Globs | None = None
    ) -> None:
        self.states = frozenset(State(state) for state in states)
        self.kinds = frozenset(Kind(kind) for kind in kinds)
        self._globs = {
            name: (glob,) if isinstance(glob, str) else tuple(glob) for name, glob in (globs or {}).items()
        }

    def wants(self, alert: Alert) -> bool:
        """Whether state and kind are among those chosen and each name's value matches, case-sensitively; what is missing matches nothing."""
        return (
            (not self.states or alert.state in self.states)
            and (not self.kinds or alert.kind in self.kinds)
            and all(_matches(_value(alert, name), globs) for name, globs in self._globs.items())
        )


def _value(alert: Alert, name: str) -> str | None:
    if name == "signal":
        return alert.series.signal
    value: str | None = getattr(alert, name) if name in FIELDS else alert.labels.get(name)
    return value


def _matches(value: str | None, globs: Sequence[str]) -> bool:
    return value is not None and any(fnmatchcase(value, glob) for glob in globs)
