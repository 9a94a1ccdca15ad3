"""Telemetry of bridges: what was delivered, refused, retried and given up, by target. docs/reference/metrics.md says what each means."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info
from prometheus_client.process_collector import ProcessCollector

DELAY_BUCKETS_S: Final = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 86400)


class BridgeTelemetry:
    """The metrics of one process of bridges, in one registry; labels are targets of the configuration and fixed words."""

    def __init__(self, version: str) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.delivered = Counter(
            "streamgauge_bridge_delivered",
            "Alerts that the target took.",
            ["target", "state"],
            registry=registry,
        )
        self.passed_over = Counter(
            "streamgauge_bridge_passed_over",
            "Alerts that are no notification, or not for this target.",
            ["target"],
            registry=registry,
        )
        self.failures = Counter(
            "streamgauge_bridge_failures",
            "Attempts that failed.",
            ["target", "reason"],
            registry=registry,
        )
        self.dead_letters = Counter(
            "streamgauge_bridge_dead_letters",
            "Alerts given up and dead-lettered.",
            ["target", "reason"],
            registry=registry,
        )
        self.unreadable = Counter(
            "streamgauge_bridge_unreadable",
            "Records of the alert topic that hold no alert.",
            ["target"],
            registry=registry,
        )
        self.retrying_seconds = Gauge(
            "streamgauge_bridge_retrying_seconds",
            "For how long the alert under way has been tried.",
            ["target"],
            registry=registry,
        )
        self.lag_records = Gauge(
            "streamgauge_bridge_lag_records",
            "Records of the alert topic that are not handled yet.",
            ["target"],
            registry=registry,
        )
        self.delay_seconds = Histogram(
            "streamgauge_bridge_delay_seconds",
            "From an alert's record on the topic to its delivery.",
            ["target"],
            buckets=DELAY_BUCKETS_S,
            registry=registry,
        )
        self.open_alerts = Gauge(
            "streamgauge_bridge_open_alerts",
            "Alerts that are sent again while they are open.",
            ["target"],
            registry=registry,
        )
        self.resent = Counter(
            "streamgauge_bridge_resent", "Open alerts that were sent again.", ["target"], registry=registry
        )
        Info("streamgauge_bridge_build", "The version that runs.", registry=registry).info(
            {"version": version}
        )
