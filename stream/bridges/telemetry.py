"""Telemetry of bridges: what was delivered, refused, retried and given up, by target. docs/reference/metrics.md says what each means."""

from typing import Final

from stream.metrics import Metrics

DELAY_BUCKETS_S: Final = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 86400)


class BridgeTelemetry:
    """The metrics of one process of bridges, in one registry; labels are targets of the configuration and fixed words."""

    def __init__(self, version: str) -> None:
        make = Metrics("streamgauge_bridge_build", version)
        self.registry = make.registry
        self.delivered = make.counter(
            "streamgauge_bridge_delivered", "Alerts that the target took.", "target", "state"
        )
        self.passed_over = make.counter(
            "streamgauge_bridge_passed_over",
            "Alerts that are no notification, or not for this target.",
            "target",
        )
        self.failures = make.counter(
            "streamgauge_bridge_failures", "Attempts that failed.", "target", "reason"
        )
        self.dead_letters = make.counter(
            "streamgauge_bridge_dead_letters", "Alerts given up and dead-lettered.", "target", "reason"
        )
        self.unreadable = make.counter(
            "streamgauge_bridge_unreadable", "Records of the alert topic that hold no alert.", "target"
        )
        self.retrying_seconds = make.gauge(
            "streamgauge_bridge_retrying_seconds",
            "For how long the alert under way has been tried.",
            "target",
        )
        self.lag_records = make.gauge(
            "streamgauge_bridge_lag_records", "Records of the alert topic that are not handled yet.", "target"
        )
        self.delay_seconds = make.histogram(
            "streamgauge_bridge_delay_seconds",
            "From an alert's record on the topic to its delivery.",
            "target",
            buckets=DELAY_BUCKETS_S,
        )
        self.open_alerts = make.gauge(
            "streamgauge_bridge_open_alerts", "Alerts that are sent again while they are open.", "target"
        )
        self.resent = make.counter("streamgauge_bridge_resent", "Open alerts that were sent again.", "target")
