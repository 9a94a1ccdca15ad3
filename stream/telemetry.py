"""Telemetry: every metric of the worker, by name, in one registry. docs/reference/metrics.md says what each means.

Labels take their values from bounded sets only: configured topics, and the enums of `detectors`.
"""

from collections import Counter as Tally
from collections.abc import Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info
from prometheus_client.process_collector import ProcessCollector

from detectors.stage import Count

EVENT_TO_ALERT_BUCKETS_S: Final = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 86400)
SEEN_BUCKETS_S: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
STEP_BUCKETS_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)
BUDGET_GAUGES: Final = {
    "budget_allowed": "False alarms that the fleet's ceiling allows in seven days.",
    "budget_expected": "Alerts in seven days that chance alone opens at most, by the detectors' own models.",
    "budget_spent": "Alerts that opened in the last seven days of event time.",
    "budget_muted": "Verdicts muted by the fleet's ceiling in the last seven days of event time.",
}
"""Sizes that a stage gives under these names are metrics of their own."""
SNAPSHOT_BUCKETS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Telemetry:
    """The metrics of one worker.

    Counts of the detectors' work are added when the state that contains it is stored, so that work which a
    rebalance makes the same process do twice is counted once.
    """

    def __init__(self, version: str) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.records = Counter(
            "streamgauge_records",
            "Source records whose rows are in detector state, or dead-lettered.",
            ["topic"],
            registry=registry,
        )
        self.ingested_records = Counter(
            "streamgauge_ingested_records",
            "Source records that ingest has read and sent on, of which some may be sent again by another worker.",
            ["topic"],
            registry=registry,
        )
        self.folded_records = Counter(
            "streamgauge_folded_records",
            "Source records folded into state, of which some may not be stored yet, or be folded again by another worker.",
            ["topic"],
            registry=registry,
        )
        self.dead_letters = Counter(
            "streamgauge_dead_letters",
            "Source records that could not be read.",
            ["reason"],
            registry=registry,
        )
        self.late_records = Counter(
            "streamgauge_late_records",
            "Source records behind the allowed lateness.",
            ["topic"],
            registry=registry,
        )
        self.muted_verdicts = Counter(
            "streamgauge_muted_verdicts",
            "Verdicts that the fleet's ceiling on false alarms kept from opening an alert.",
            ["kind"],
            registry=registry,
        )
        self._budget = {
            name: Gauge(f"streamgauge_{name}", what, registry=registry)
            for name, what in BUDGET_GAUGES.items()
        }
        self.config_good = Gauge(
            "streamgauge_config_last_reload_successful",
            "Whether the configuration file was good when it was last read.",
            registry=registry,
        )
        self.config_good.set(1)
        self.alerts = Counter(
            "streamgauge_alerts", "Alert events written.", ["kind", "state"], registry=registry
        )
        self.fenced_rows = Counter(
            "streamgauge_fenced_rows",
            "Records read again after a restart, and left out.",
            ["topic"],
            registry=registry,
        )
        self.limited = Counter(
            "streamgauge_limited", "Times that a cap on a record bit.", ["limit"], registry=registry
        )
        self.stage_events = Counter(
            "streamgauge_stage_events", "Other things that the stages counted.", ["event"], registry=registry
        )
        self.stage_size = Gauge(
            "streamgauge_stage_size",
            "Sizes in a stage's state, summed over its shards.",
            ["stage", "name"],
            registry=registry,
        )
        self.series = Gauge("streamgauge_series", "Series followed by this worker.", registry=registry)
        self.lag_records = Gauge(
            "streamgauge_lag_records",
            "Records of owned partitions that are not handled.",
            ["topic"],
            registry=registry,
        )
        self.seen_seconds = Histogram(
            "streamgauge_seen_seconds",
            "From the broker's timestamp of the first record of a fetched batch to when ingest takes it in, at the end of a partition.",
            ["topic"],
            buckets=SEEN_BUCKETS_S,
            registry=registry,
        )
        self.event_to_alert_seconds = Histogram(
            "streamgauge_event_to_alert_seconds",
            "From the event time of an alert's transition to its delivery.",
            buckets=EVENT_TO_ALERT_BUCKETS_S,
            registry=registry,
        )
        self.step_seconds = Histogram(
            "streamgauge_step_seconds",
            "Time to fold in one record.",
            ["stage"],
            buckets=STEP_BUCKETS_S,
            registry=registry,
        )
        self.snapshots = Counter("streamgauge_snapshots", "Snapshots stored.", ["stage"], registry=registry)
        self.snapshot_bytes = Gauge(
            "streamgauge_snapshot_bytes",
            "Size of the latest snapshots, summed over shards.",
            ["stage"],
            registry=registry,
        )
        self.snapshot_seconds = Histogram(
            "streamgauge_snapshot_seconds",
            "Time to dump and store a snapshot.",
            ["stage"],
            buckets=SNAPSHOT_BUCKETS_S,
            registry=registry,
        )
        self.assigned_partitions = Gauge(
            "streamgauge_assigned_partitions", "Partitions owned, by topic.", ["topic"], registry=registry
        )
        self.held_partitions = Gauge(
            "streamgauge_held_partitions",
            "Source partitions that wait for a schema registry that does not answer, by topic.",
            ["topic"],
            registry=registry,
        )
        self.rebalances = Counter("streamgauge_rebalances", "Assignments received.", registry=registry)
        Info("streamgauge_build", "The version that runs.", registry=registry).info({"version": version})
        self._named: Mapping[str, Counter] = {
            "records": self.records,
            "dead_letters": self.dead_letters,
            "late": self.late_records,
            "alerts": self.alerts,
            "fenced": self.fenced_rows,
            "limited": self.limited,
            "muted": self.muted_verdicts,
        }

    def add(self, counts: Tally[Count]) -> None:
        """Add what a stage counted; counts without a metric of their own appear under their name."""
        for (name, *labels), n in counts.items():
            if counter := self._named.get(name):
                counter.labels(*labels).inc(n)
            elif n:
                self.stage_events.labels(name).inc(n)

    def folded(self, counts: Tally[Count]) -> None:
        """Show at once how many source records a step has folded in."""
        for (name, *labels), n in counts.items():
            if name == "records":
                self.folded_records.labels(*labels).inc(n)

    def seen(self, topic: str, first_ms: int, wall_ms: int) -> None:
        """Show how long the first record of a batch that reaches the end of its partition has waited; nothing if its timestamp is unknown."""
        if first_ms > 0:
            self.seen_seconds.labels(topic).observe(max(0, wall_ms - first_ms) / 1000)

    def show_sizes(self, stage: str, gauges: Mapping[str, float]) -> None:
        """Show the sizes of a stage's shards, summed."""
        for name, value in gauges.items():
            gauge = self._budget.get(name) or self.stage_size.labels(stage, name)
            gauge.set(value)
        if "series" in gauges:
            self.series.set(gauges["series"])

    def show_per_topic(self, gauge: Gauge, values: Mapping[str, int]) -> None:
        """Show one value per topic, and nothing for topics that are no longer owned."""
        gauge.clear()
        for topic, value in values.items():
            gauge.labels(topic).set(value)
