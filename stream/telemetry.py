"""Telemetry: every metric of the worker, by name, in one registry. docs/reference/metrics.md says what each means.

Labels take their values from bounded sets only: configured topics, and the enums of `detectors`.
"""

from collections import Counter as Tally
from collections.abc import Mapping
from typing import Final

from prometheus_client import Counter, Gauge

from detectors.stage import Count
from stream.metrics import Metrics

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
        make = Metrics("streamgauge_build", version)
        self.registry = make.registry
        self.records = make.counter(
            "streamgauge_records",
            "Source records whose rows are in detector state, or dead-lettered.",
            "topic",
        )
        self.ingested_records = make.counter(
            "streamgauge_ingested_records",
            "Source records that ingest has read and sent on, of which some may be sent again by another worker.",
            "topic",
        )
        self.folded_records = make.counter(
            "streamgauge_folded_records",
            "Source records folded into state, of which some may not be stored yet, or be folded again by another worker.",
            "topic",
        )
        self.dead_letters = make.counter(
            "streamgauge_dead_letters", "Source records that could not be read.", "reason"
        )
        self.late_records = make.counter(
            "streamgauge_late_records", "Source records behind the allowed lateness.", "topic"
        )
        self.muted_verdicts = make.counter(
            "streamgauge_muted_verdicts",
            "Verdicts that the fleet's ceiling on false alarms kept from opening an alert.",
            "kind",
        )
        self._budget = {name: make.gauge(f"streamgauge_{name}", what) for name, what in BUDGET_GAUGES.items()}
        self.config_good = make.gauge(
            "streamgauge_config_last_reload_successful",
            "Whether the configuration file was good when it was last read.",
        )
        self.config_good.set(1)
        self.alerts = make.counter("streamgauge_alerts", "Alert events written.", "kind", "state")
        self.fenced_rows = make.counter(
            "streamgauge_fenced_rows", "Records read again after a restart, and left out.", "topic"
        )
        self.limited = make.counter("streamgauge_limited", "Times that a cap on a record bit.", "limit")
        self.stage_events = make.counter(
            "streamgauge_stage_events", "Other things that the stages counted.", "event"
        )
        self.stage_size = make.gauge(
            "streamgauge_stage_size", "Sizes in a stage's state, summed over its shards.", "stage", "name"
        )
        self.series = make.gauge("streamgauge_series", "Series followed by this worker.")
        self.lag_records = make.gauge(
            "streamgauge_lag_records", "Records of owned partitions that are not handled.", "topic"
        )
        self.seen_seconds = make.histogram(
            "streamgauge_seen_seconds",
            "From the broker's timestamp of the first record of a fetched batch to when ingest takes it in, at the end of a partition.",
            "topic",
            buckets=SEEN_BUCKETS_S,
        )
        self.event_to_alert_seconds = make.histogram(
            "streamgauge_event_to_alert_seconds",
            "From the event time of an alert's transition to its delivery.",
            buckets=EVENT_TO_ALERT_BUCKETS_S,
        )
        self.step_seconds = make.histogram(
            "streamgauge_step_seconds", "Time to fold in one record.", "stage", buckets=STEP_BUCKETS_S
        )
        self.snapshots = make.counter("streamgauge_snapshots", "Snapshots stored.", "stage")
        self.snapshot_bytes = make.gauge(
            "streamgauge_snapshot_bytes", "Size of the latest snapshots, summed over shards.", "stage"
        )
        self.snapshot_seconds = make.histogram(
            "streamgauge_snapshot_seconds",
            "Time to dump and store a snapshot.",
            "stage",
            buckets=SNAPSHOT_BUCKETS_S,
        )
        self.assigned_partitions = make.gauge(
            "streamgauge_assigned_partitions", "Partitions owned, by topic.", "topic"
        )
        self.held_partitions = make.gauge(
            "streamgauge_held_partitions",
            "Source partitions that wait for a schema registry that does not answer, by topic.",
            "topic",
        )
        self.rebalances = make.counter("streamgauge_rebalances", "Assignments received.")
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
