"""Channels: people, reached by whatever Apprise knows: Slack, Teams, PagerDuty, e-mail and a hundred others."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from apprise import Apprise, AppriseAsset, AppriseResult, NotifyFormat, NotifyType

from detectors.alerts import Alert, State
from stream.alert_group import Delivery
from stream.alert_match import AlertMatch
from stream.alert_records import has_ended
from stream.bridges.message import message
from stream.bridges.posting import failure
from stream.bridges.target import NotDelivered, Unavailable
from stream.config.bridges import AppriseTarget
from stream.exits import Exit, Refused

ANNOUNCED_MAX: Final = 100_000
"""Alerts that are remembered to have been announced."""
_STATUS: Final = re.compile(r"\berror=(\d{3})\b")
_TYPES: Final[Mapping[str, NotifyType]] = {
    "critical": NotifyType.FAILURE,
    "error": NotifyType.FAILURE,
    "warning": NotifyType.WARNING,
}
_ASSET: Final = AppriseAsset(app_id="Streamgauge", app_desc="Streamgauge alerts", async_mode=False)


class Channel:
    """One channel.

    Raises:
        Refused: the URL's secret cannot be read, or Apprise does not know such URLs.
    """

    def __init__(self, config: AppriseTarget) -> None:
        self._match = AlertMatch(globs=config.match)
        self._timeout_s = config.timeout_ms / 1000
        self._url = config.url.reveal()
        self._announced: dict[str, None] = {}
        if not Apprise(asset=_ASSET).add(self._url):
            raise Refused(f"Apprise does not understand the URL of the target {config.name}", Exit.CONFIG)

    def wants(self, alert: Alert) -> bool:
        """Whether it matches and is news to people: no acknowledgement, and no end of what was only ever explained by another alert."""
        was_told = alert.root_cause is None or alert.alert_id in self._announced
        return (
            alert.state is not State.ACKNOWLEDGED
            and (was_told or not has_ended(alert))
            and self._match.wants(alert)
        )

    def deliver(self, delivery: Delivery) -> None:
        """Send it as a message."""
        alert = delivery.alert
        said = message(alert)
        channel = Apprise(asset=_ASSET)
        channel.add(url_for(self._url, alert))
        kind = NotifyType.SUCCESS if has_ended(alert) else _TYPES.get(alert.severity, NotifyType.INFO)
        result = channel.notify(
            said.body, said.title, kind, body_format=NotifyFormat.TEXT, timeout=self._timeout_s
        )
        if not result:
            raise _failure(result)
        self._remember(alert)

    def keep_up(self) -> None:
        """Nothing is due."""

    def close(self) -> None:
        """Nothing is held."""

    def _remember(self, alert: Alert) -> None:
        self._announced.pop(alert.alert_id, None)
        if not has_ended(alert):
            self._announced[alert.alert_id] = None
        if len(self._announced) > ANNOUNCED_MAX:
            del self._announced[next(iter(self._announced))]


def url_for(url: str, alert: Alert) -> str:
    """The channel's URL for one alert: PagerDuty is told which incident it is and how grave, and to resolve it when it ends."""
    split = urlsplit(url)
    if split.scheme != "pagerduty":
        return url
    given = dict(parse_qsl(split.query, keep_blank_values=True))
    of_alert = {"action": "map", "dedup": alert.alert_id, "severity": alert.severity}
    return split._replace(query=urlencode(of_alert | given)).geturl()


def _failure(result: AppriseResult) -> NotDelivered:
    """What Apprise says of a failure; it leaves secrets out."""
    said = [entry.message for entry in result.logs() if entry.level in {"WARNING", "ERROR"}]
    why = " ".join(said)[:200] or f"Apprise says {result.status.name}"
    found = _STATUS.search(why)
    return failure(int(found[1]), why) if found else Unavailable(why)
