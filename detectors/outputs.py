"""Outputs: the records a stage asks its shell to deliver, named by what they are and not by topic."""

from enum import StrEnum
from typing import NamedTuple


class Destination(StrEnum):
    """Where an output goes; the shell maps it to the configured topic."""

    SAMPLES = "samples"
    ANOMALIES = "anomalies"
    ALERTS = "alerts"
    ALERT_STATE = "alert_state"
    SHADOW_ALERTS = "shadow_alerts"
    DEAD_LETTERS = "dead_letters"
    AUDIT = "audit"


class Output(NamedTuple):
    """One record to deliver. `value` None is a tombstone; `partition` None lets Kafka's hash of `key` decide."""

    destination: Destination
    key: bytes | None
    value: bytes | None
    partition: int | None = None
    headers: tuple[tuple[str, bytes], ...] = ()
