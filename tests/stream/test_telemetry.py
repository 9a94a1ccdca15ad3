import re
from collections import Counter
from pathlib import Path

from prometheus_client import generate_latest
from prometheus_client.metrics import MetricWrapperBase

from detectors.stage import Count
from stream.bridges.telemetry import BridgeTelemetry
from stream.telemetry import Telemetry

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "metrics.md"


def exposed() -> set[str]:
    """The names under which the metrics of a worker and of bridges appear."""
    names = set()
    registries = (Telemetry("test").registry, BridgeTelemetry("test").registry)
    for family in (family for registry in registries for family in registry.collect()):
        if family.name.startswith("streamgauge_"):
            suffix = {"counter": "_total", "info": "_info"}.get(family.type, "")
            names.add(family.name + suffix)
    return names


def test_the_page_of_metrics_lists_every_metric_and_no_other():
    headings = set(re.findall(r"^### `(\w+)", PAGE.read_text(), re.MULTILINE))
    assert headings == exposed()


def test_the_page_names_every_label():
    page = PAGE.read_text()
    for metric in [*vars(Telemetry("test")).values(), *vars(BridgeTelemetry("test")).values()]:
        if isinstance(metric, MetricWrapperBase) and metric._labelnames:
            assert re.search(
                rf"^### `{metric._name}\w*{{{', '.join(metric._labelnames)}}}`", page, re.MULTILINE
            )


def test_counts_of_the_stages_appear_under_their_metric():
    telemetry = Telemetry("1.2.3")
    counts: Counter[Count] = Counter(
        {
            ("records", "orders"): 5,
            ("dead_letters", "not_json"): 2,
            ("late", "orders"): 1,
            ("fenced", "orders"): 7,
            ("alerts", "latency", "firing"): 1,
            ("limited", "labels_max"): 4,
            ("muted", "volume"): 6,
            ("open_runs_forgotten",): 3,
        }
    )
    telemetry.add(counts)
    telemetry.add(counts)
    page = generate_latest(telemetry.registry).decode()
    assert 'streamgauge_records_total{topic="orders"} 10.0' in page
    assert 'streamgauge_dead_letters_total{reason="not_json"} 4.0' in page
    assert 'streamgauge_late_records_total{topic="orders"} 2.0' in page
    assert 'streamgauge_fenced_rows_total{topic="orders"} 14.0' in page
    assert 'streamgauge_alerts_total{kind="latency",state="firing"} 2.0' in page
    assert 'streamgauge_limited_total{limit="labels_max"} 8.0' in page
    assert 'streamgauge_muted_verdicts_total{kind="volume"} 12.0' in page
    assert 'streamgauge_stage_events_total{event="open_runs_forgotten"} 6.0' in page
    assert 'streamgauge_build_info{version="1.2.3"} 1.0' in page


def test_a_topic_that_is_no_longer_owned_disappears():
    telemetry = Telemetry("test")
    telemetry.show_per_topic(telemetry.lag_records, {"a": 1, "b": 2})
    telemetry.show_per_topic(telemetry.lag_records, {"b": 3})
    page = generate_latest(telemetry.registry).decode()
    assert 'streamgauge_lag_records{topic="b"} 3.0' in page
    assert 'streamgauge_lag_records{topic="a"}' not in page


def test_the_budgets_are_metrics_of_their_own_and_other_sizes_are_not():
    telemetry = Telemetry("1.2.3")
    telemetry.show_sizes("detect", {"budget_allowed": 5.0, "budget_expected": 1.5, "open_runs": 2})
    telemetry.show_sizes("triage", {"budget_spent": 3, "budget_muted": 4})
    page = generate_latest(telemetry.registry).decode()
    assert "streamgauge_budget_allowed 5.0" in page
    assert "streamgauge_budget_expected 1.5" in page
    assert "streamgauge_budget_spent 3.0" in page
    assert "streamgauge_budget_muted 4.0" in page
    assert 'streamgauge_stage_size{name="open_runs",stage="detect"} 2.0' in page
    assert 'name="budget' not in page


def test_how_long_a_record_waited_is_shown_if_its_timestamp_is_known():
    telemetry = Telemetry("test")
    telemetry.seen("orders", 1_000, 1_400)
    telemetry.seen("orders", 1_500, 1_400)
    telemetry.seen("orders", 0, 1_400)
    page = generate_latest(telemetry.registry).decode()
    assert 'streamgauge_seen_seconds_count{topic="orders"} 2.0' in page
    assert 'streamgauge_seen_seconds_sum{topic="orders"} 0.4' in page
