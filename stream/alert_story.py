"""The story of one alert: its records on the alert topic, and what else the topic knows of those that they name."""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from detectors.alerts import Alert, State
from detectors.series import canonical_labels, series_text
from stream.alert_stream import Received
from stream.exits import Exit, Refused
from stream.open_alerts import digits_of

_NAMED_MAX: Final = 5


class Head(NamedTuple):
    """An alert in short, as it was last told."""

    alert_id: str
    state: State
    series: str
    summary: str


class Story(NamedTuple):
    """The records of one alert in their order, each once; `values` are their bytes, `heads` the other alerts by id."""

    alerts: list[Alert]
    values: list[bytes]
    heads: dict[str, Head]

    @property
    def latest(self) -> Alert:
        """The last record."""
        return self.alerts[-1]

    def children(self) -> Iterator[Head]:
        """The alerts that this one explains, as far as the topic holds them."""
        return (self.heads[alert_id] for alert_id in self.latest.children if alert_id in self.heads)

    def root(self) -> Head | None:
        """The alert that explains this one, if the topic holds it."""
        cause = self.latest.root_cause
        return self.heads.get(cause.alert_id) if cause else None


def read_story(received: Iterable[Received], wanted: str, topic: str) -> Story:
    """The story of the alert whose id begins with `wanted`.

    Raises:
        Refused: that is no id or too short, no alert has it, or several have.
    """
    prefix = digits_of(wanted)
    heads: dict[str, Head] = {}
    found: dict[str, dict[str, Received]] = {}
    count = 0
    for count, one in enumerate(received, 1):  # noqa: B007  how many there were is told
        alert = one.alert
        heads[alert.alert_id] = _head(alert)
        if alert.alert_id.startswith(prefix):
            found.setdefault(alert.alert_id, {}).setdefault(alert.event_id, one)
    if len(found) != 1:
        raise Refused(_not_one(prefix, topic, count, [heads[alert_id] for alert_id in found]), Exit.DATA)
    (records,) = found.values()
    ordered = sorted(records.values(), key=lambda it: it.alert.sequence)
    return Story([it.alert for it in ordered], [it.value for it in ordered], heads)


def _head(alert: Alert) -> Head:
    series = series_text(alert.series.signal, canonical_labels(alert.series.labels))
    return Head(alert.alert_id, alert.state, series, alert.summary)


def _not_one(prefix: str, topic: str, count: int, found: list[Head]) -> str:
    if found:
        named = "; ".join(f"{it.alert_id} {it.series}" for it in found[:_NAMED_MAX])
        return f"{len(found)} alerts begin with {prefix}, give more digits: {named}"
    held = f"holds {count:,} records, none of it" if count else "holds nothing"
    return (
        f"no alert {prefix}: the topic {topic} {held}. It may be older than what is retained; "
        "streamgauge alerts --no-follow lists what is there"
    )
