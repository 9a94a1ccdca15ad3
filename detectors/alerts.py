"""Alerts: the events that subscribers read, one record per state transition of one episode."""

from enum import StrEnum

import msgspec

from detectors.verdicts import Baseline, Change, Direction, SchemaChange, SourcePosition

SCHEMA_VERSION = "1.0"


class State(StrEnum):
    """Where an episode stands after the transition."""

    PENDING = "pending"
    FIRING = "firing"
    ACKNOWLEDGED = "acknowledged"
    SUPPRESSED = "suppressed"
    NO_DATA = "no_data"
    RESOLVED = "resolved"
    CORRECTED = "corrected"
    EXPIRED = "expired"

    @property
    def is_final(self) -> bool:
        """Whether the episode is over."""
        return self in (State.RESOLVED, State.CORRECTED, State.EXPIRED)


class Kind(StrEnum):
    """What an alert is about: a signal, many alerts at once, or Streamgauge itself."""

    LATENCY = "latency"
    VOLUME = "volume"
    FRESHNESS = "freshness"
    SCHEMA = "schema"
    FAILURES = "failures"
    DUPLICATES = "duplicates"
    NULLS = "nulls"
    VALUE = "value"
    LATENESS = "lateness"
    STORM = "storm"
    DETECTOR_HEALTH = "detector_health"


class Mode(StrEnum):
    """Which run of the detectors produced the alert."""

    LIVE = "live"
    SHADOW = "shadow"
    BACKTEST = "backtest"


class AlertSeries(msgspec.Struct, frozen=True):
    """The series the alert is about."""

    signal: str
    labels: dict[str, str]
    unit: str


class Window(msgspec.Struct, frozen=True):
    """The span of event time that was judged, RFC 3339."""

    start: str
    end: str


class Effect(msgspec.Struct, frozen=True):
    """How far the observation lies from what was expected, in its unit and as a share of the expected value."""

    absolute: float | None
    relative: float | None


class AlertBaseline(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """What the observation was compared with; `from` and `to` are RFC 3339."""

    method: str
    n: int
    from_: str
    to: str
    warming: bool
    pooled: bool


class RootCause(msgspec.Struct, frozen=True):
    """The alert that explains this one, and the path between them."""

    alert_id: str
    path: list[str]


FIRST_SEQUENCE = 1
"""The sequence number of an episode's first alert."""


class Alert(msgspec.Struct, frozen=True):
    """The alert contract; times are RFC 3339 in UTC with milliseconds.

    `alert_id` names the episode and `event_id` this record; both are functions of the records that led to it, so a
    repeated alert is the same record. `detected_at` and `detection_delay_ms` are the only processing times.
    """

    schema_version: str
    event_id: str
    alert_id: str
    fingerprint: str
    sequence: int
    state: State
    transition_reason: str
    starts_at: str
    updated_at: str
    ends_at: str | None
    detected_at: str
    detection_delay_ms: int
    kind: Kind
    severity: str
    summary: str
    labels: dict[str, str]
    annotations: dict[str, str]
    owner: str | None
    runbook_url: str | None
    series: AlertSeries
    window: Window
    observed: float | None
    expected: float | None
    lower: float | None
    upper: float | None
    p_value: float | None
    effect: Effect
    direction: Direction | None
    change: Change
    baseline: AlertBaseline
    source_positions: list[SourcePosition]
    schema_change: SchemaChange | None
    root_cause: RootCause | None
    children: list[str]
    config_hash: str
    mode: Mode
    notify: bool


__all__ = [
    "SCHEMA_VERSION",
    "Alert",
    "AlertBaseline",
    "AlertSeries",
    "Baseline",
    "Effect",
    "Kind",
    "Mode",
    "RootCause",
    "State",
    "Window",
]

encode = msgspec.json.Encoder().encode
"""An alert as the bytes of its record."""

decode = msgspec.json.Decoder(Alert).decode
"""The alert in a record's bytes; raises `msgspec.ValidationError` when they hold none."""
