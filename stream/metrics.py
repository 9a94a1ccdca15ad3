"""Metrics of one program, each made in a line."""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info
from prometheus_client.process_collector import ProcessCollector


class Metrics:
    """Makes metrics in a registry of their own, in which those of the process are as well.

    Args:
        build: name of the metric that says which version runs.
        version: which does.
    """

    def __init__(self, build: str, version: str) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        Info(build, "The version that runs.", registry=self.registry).info({"version": version})

    def counter(self, name: str, what: str, *labels: str) -> Counter:
        """What only grows."""
        return Counter(name, what, labels, registry=self.registry)

    def gauge(self, name: str, what: str, *labels: str) -> Gauge:
        """What goes up and down."""
        return Gauge(name, what, labels, registry=self.registry)

    def histogram(self, name: str, what: str, *labels: str, buckets: Sequence[float]) -> Histogram:
        """Times in seconds; `buckets` are their upper ends."""
        return Histogram(name, what, labels, buckets=buckets, registry=self.registry)
