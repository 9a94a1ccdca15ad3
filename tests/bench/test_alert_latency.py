from bench.alert_log import Alert
from bench.scenarios.alert_latency import waits


def alert(pipeline: str, updated_ms: int, arrived_ms: float, kind: str = "latency") -> Alert:
    return Alert("id", kind, pipeline, updated_ms, arrived_ms)


def test_the_first_alert_after_a_wild_run_counts():
    arrived = [
        alert("a", 900, 950.0),
        alert("a", 1000, 1400.0),
        alert("a", 1200, 1900.0),
        alert("b", 2000, 2100.0, kind="volume"),
        alert("c", 3000, 3100.0),
    ]
    assert list(waits({"a": 1000, "b": 2000}, arrived)) == [400.0]
