"""Alerts as a run tells them, made by hand."""

from typing import Any

import msgspec

from detectors.alerts import Alert, AlertSeries, Kind, State
from detectors.wording import time_text
from tests.stream.alert_examples import FIRING

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
START_MS = 1_760_000_000_000


def told(alert_id: str, from_h: float, to_h: float | None, **labels: Any) -> list[Alert]:
    """An alert that opens, and ends unless `to_h` is None; hours since `START_MS`. `kind` and `state` are not labels."""
    kind = Kind(labels.pop("kind", "volume"))
    state = State(labels.pop("state", "firing"))
    starts_at = _time(from_h)
    first = msgspec.structs.replace(
        FIRING,
        alert_id=alert_id,
        event_id=alert_id,
        state=state,
        kind=kind,
        series=AlertSeries(kind, labels or {"pipeline": "orders"}, "rows"),
        starts_at=starts_at,
        updated_at=starts_at,
        ends_at=None,
        sequence=1,
        notify=state is State.FIRING,
    )
    if to_h is None:
        return [first]
    over = msgspec.structs.replace(
        first,
        state=State.RESOLVED,
        sequence=2,
        updated_at=_time(to_h),
        ends_at=_time(to_h),
    )
    return [first, over]


def _time(hours: float) -> str:
    return time_text(START_MS + int(hours * HOUR_MS))
