"""Alerts as Kafka records: one for the log of transitions, one for the compacted topic of open alerts.

Records are CloudEvents in Kafka's binary mode: the value is the alert, the headers are the event's attributes. Their
bytes are a function of the alert.
"""

from datetime import datetime
from typing import Any, Final

from cloudevents.core.bindings.kafka import to_binary
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from detectors.alerts import Alert, encode
from detectors.outputs import Destination, Output
from detectors.series import canonical_labels, series_text

SOURCE: Final = "/streamgauge"
TYPE_PREFIX: Final = "io.streamgauge.alert"
CONTENT_TYPE: Final = "application/json"
_FORMAT: Final = JSONFormat()


def alert_outputs(alert: Alert) -> list[Output]:
    """The two records of an alert, both keyed by its `alert_id`.

    The alert topic gets every transition. The state topic gets the latest one while the episode is open, and a
    tombstone when it has ended, so that compaction leaves the open alerts alone.
    """
    key, value, headers = alert.alert_id.encode(), encode(alert), cloudevents_headers(alert)
    entry = Output(Destination.ALERTS, key, value, headers=headers)
    if has_ended(alert):
        return [entry, Output(Destination.ALERT_STATE, key, None)]
    return [entry, Output(Destination.ALERT_STATE, key, value, headers=headers)]


def shadow_output(alert: Alert) -> Output:
    """The record of an alert on a series in the shadow: it goes to the shadow topic alone."""
    return Output(
        Destination.SHADOW_ALERTS, alert.alert_id.encode(), encode(alert), headers=cloudevents_headers(alert)
    )


def has_ended(alert: Alert) -> bool:
    """Whether its episode is over."""
    return alert.state.is_final or alert.ends_at is not None


def cloudevents_headers(alert: Alert) -> tuple[tuple[str, bytes], ...]:
    """`ce_*` and `content-type`, the attributes in Kafka's binary mode."""
    return tuple(to_binary(CloudEvent(cloudevent_attributes(alert)), _FORMAT).headers.items())


def cloudevent_attributes(alert: Alert) -> dict[str, Any]:
    """An alert as a CloudEvent; its `type` is `io.streamgauge.alert.<state>.v<major version>`."""
    major = alert.schema_version.partition(".")[0]
    return {
        "specversion": "1.0",
        "id": alert.event_id,
        "source": SOURCE,
        "type": f"{TYPE_PREFIX}.{alert.state}.v{major}",
        "time": datetime.fromisoformat(alert.updated_at),
        "subject": series_text(alert.series.signal, canonical_labels(alert.series.labels)),
        "datacontenttype": CONTENT_TYPE,
    }
