"""Alerts as tests of the alert topic need them."""

import msgspec

from detectors.alerts import (
    SCHEMA_VERSION,
    Alert,
    AlertBaseline,
    AlertSeries,
    Effect,
    Kind,
    Mode,
    State,
    Window,
)
from detectors.series import content_id
from detectors.verdicts import Change, Direction, SourcePosition

FIRING = Alert(
    schema_version=SCHEMA_VERSION,
    event_id=content_id("event", 1),
    alert_id=content_id("episode"),
    fingerprint=content_id("series"),
    sequence=1,
    state=State.FIRING,
    transition_reason="opened: above_range",
    starts_at="2026-03-01T09:58:00.000Z",
    updated_at="2026-03-01T10:00:00.123Z",
    ends_at=None,
    detected_at="2026-03-01T10:00:01.000Z",
    detection_delay_ms=877,
    kind=Kind.LATENCY,
    severity="warning",
    summary="orders/load took 31.2 s at 2026-03-01 10:00:00 UTC; expected about 5.3 s, at most 7.1 s (118 samples)",
    labels={"pipeline": "orders", "task": "load", "kind": "latency"},
    annotations={},
    owner="data-platform",
    runbook_url="https://runbooks.example/orders",
    series=AlertSeries("latency", {"task": "load", "pipeline": "orders"}, "ms"),
    window=Window("2026-03-01T09:59:28.923Z", "2026-03-01T10:00:00.123Z"),
    observed=31_200.0,
    expected=5_300.0,
    lower=None,
    upper=7_100.0,
    p_value=1e-9,
    effect=Effect(25_900.0, 4.886),
    direction=Direction.UP,
    change=Change.POINT,
    baseline=AlertBaseline(
        "routine", 118, "2026-02-24T10:00:00.000Z", "2026-03-01T09:00:00.000Z", False, False
    ),
    source_positions=[SourcePosition("pipeline.events", 2, 17, 17)],
    schema_change=None,
    root_cause=None,
    children=[],
    config_hash=content_id("config"),
    mode=Mode.LIVE,
    notify=True,
)

RESOLVED = msgspec.structs.replace(
    FIRING,
    event_id=content_id("event", 2),
    sequence=2,
    state=State.RESOLVED,
    transition_reason="resolved: ordinary",
    updated_at="2026-03-01T10:30:00.000Z",
    ends_at="2026-03-01T10:30:00.000Z",
    summary="orders/load is back in its usual range after 32 min: 5.2 s",
    observed=5_200.0,
)
