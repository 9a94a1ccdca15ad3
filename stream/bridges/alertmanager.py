"""Alertmanager: alerts by its API of version 2, sent again while they are open, as Prometheus does.

What Alertmanager is not told again it takes for resolved after a while, so an alert of a bridge that has died does not stay
open for ever. What is open is known from the compacted topic, whatever happened before the bridge started.
"""

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import structlog

from detectors.alerts import Alert, Kind, Mode
from detectors.series import canonical_labels, series_text
from stream.alert_group import Delivery
from stream.alert_match import AlertMatch
from stream.alert_records import has_ended
from stream.bridges.open_alerts import OpenAlerts
from stream.bridges.posting import Poster
from stream.bridges.target import NotDelivered, Rejected
from stream.bridges.telemetry import BridgeTelemetry
from stream.config.bridges import AlertmanagerTarget

PATH: Final = "/api/v2/alerts"
LASTS: Final = 4
"""After how many intervals without being sent again an open alert is taken for resolved; Prometheus has the same."""
BATCH: Final = 100
_UNNAMEABLE: Final = re.compile(r"[^a-zA-Z0-9_]")
_HEADERS: Final = {"Content-Type": "application/json"}

log = structlog.get_logger(__name__)


class Feed(Protocol):
    """What the bridge needs of `stream.bridges.open_alerts.StateTopic`."""

    def read(self) -> None:
        """Read what is there."""

    def close(self) -> None:
        """Read no more."""


class Alertmanager:
    """One Alertmanager.

    Args:
        config: what the configuration says of it.
        known: the open alerts, kept up to date by `feed`.
        feed: reads the compacted topic.
        telemetry: counts.
        now_s: the wall clock, Unix seconds.

    Raises:
        Refused: a secret cannot be read.
    """

    def __init__(
        self,
        config: AlertmanagerTarget,
        known: OpenAlerts,
        feed: Feed,
        telemetry: BridgeTelemetry,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._config, self._known, self._feed, self._telemetry = config, known, feed, telemetry
        self._match = AlertMatch(globs=config.match)
        self._poster = Poster(config, PATH)
        self._now_s = now_s
        self._name = f"alertmanager/{config.name}"
        self._due_s = 0.0

    def wants(self, alert: Alert) -> bool:
        """Whether it matches."""
        return self._match.wants(alert)

    def deliver(self, delivery: Delivery) -> None:
        """Post one transition."""
        self._known.learn(delivery.alert)
        try:
            self._post([delivery.alert])
        except Rejected:
            self._known.forget(delivery.alert.alert_id)
            raise

    def keep_up(self) -> None:
        """Learn what has opened and ended, and post everything that is open when that is due."""
        self._feed.read()
        if self._now_s() < self._due_s:
            return
        self._due_s = self._now_s() + self._config.resend_ms / 1000
        alerts = [it for it in self._known if it.mode is Mode.LIVE and self.wants(it)]
        self._telemetry.open_alerts.labels(self._name).set(len(alerts))
        try:
            for start in range(0, len(alerts), BATCH):
                some = alerts[start : start + BATCH]
                self._post(some)
                self._telemetry.resent.labels(self._name).inc(len(some))
        except NotDelivered as why:
            self._telemetry.failures.labels(self._name, why.reason).inc()
            log.warning("resend.failed", bridge=self._name, why=str(why))
            self._due_s = self._now_s() + self._config.resend_ms / 1000 / LASTS

    def close(self) -> None:
        """Nothing more is sent; Alertmanager takes what is open for resolved unless a bridge starts again."""
        self._feed.close()

    def _post(self, alerts: Sequence[Alert]) -> None:
        now_s, lasts_s = self._now_s(), LASTS * self._config.resend_ms / 1000
        base = self._config.generator_url
        body = [
            posted(alert, now_s, lasts_s, f"{base}{alert.alert_id}" if base else None) for alert in alerts
        ]
        self._poster.post(json.dumps(body).encode(), _HEADERS)


def posted(alert: Alert, now_s: float, lasts_s: float, generator_url: str | None = None) -> dict[str, Any]:
    """An alert as Alertmanager takes it: over since its end, or open until `lasts_s` seconds from now."""
    starts = datetime.fromisoformat(alert.starts_at)
    now = datetime.fromtimestamp(now_s, UTC)
    if has_ended(alert):
        ends = min(now, datetime.fromisoformat(alert.ends_at or alert.updated_at))
    else:
        ends = datetime.fromtimestamp(now_s + lasts_s, UTC)
    said = {
        "labels": labels(alert),
        "annotations": annotations(alert),
        "startsAt": starts.isoformat(),
        "endsAt": max(starts, ends).isoformat(),
    }
    return said | ({"generatorURL": generator_url} if generator_url else {})


def labels(alert: Alert) -> dict[str, str]:
    """Its labels, and `alertname`, `severity`, `owner` and `alert_id`.

    A label of the series with one of those names is `exported_` and the name, as Prometheus has it. Without `alert_id`, two incidents of one
    series would be one alert to Alertmanager, and the end of one that of both.
    """
    own = {
        "alertname": alert_name(alert.kind),
        "alert_id": alert.alert_id,
        "severity": alert.severity,
        "owner": alert.owner or "",
    }
    exported = {f"exported_{name}" if name in own else name: value for name, value in alert.labels.items()}
    return {name: value for name, value in {**_nameable(exported), **own}.items() if value}


def annotations(alert: Alert) -> dict[str, str]:
    """Its annotations, and what else people read: summary, series, runbook, state and reason, root cause and how many it explains."""
    own = {
        "summary": alert.summary,
        "series": series_text(alert.series.signal, canonical_labels(alert.series.labels)),
        "runbook_url": alert.runbook_url or "",
        "state": alert.state,
        "reason": alert.transition_reason,
        "root_cause": alert.root_cause.alert_id if alert.root_cause else "",
        "children": str(len(alert.children) or ""),
    }
    return {name: value for name, value in {**_nameable(alert.annotations), **own}.items() if value}


def alert_name(kind: Kind) -> str:
    """The label `alertname` of a kind.

    >>> alert_name(Kind.DETECTOR_HEALTH)
    'StreamgaugeDetectorHealth'
    """
    return "Streamgauge" + "".join(word.capitalize() for word in kind.split("_"))


def _nameable(given: Mapping[str, str]) -> dict[str, str]:
    """The same under names that Alertmanager takes: what no name may have is an underscore; of two that become one, the first stays."""
    named: dict[str, str] = {}
    for name, value in sorted(given.items()):
        safe = _UNNAMEABLE.sub("_", name)
        named.setdefault(f"_{safe}" if safe[:1].isdigit() or not safe else safe, value)
    return named
