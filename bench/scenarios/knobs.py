"""How large the scenarios are."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Knobs:
    """How many events and rounds, the most series, and what rate is full load (None: measure it first)."""

    events: int
    rounds: int
    series_max: int
    full_rate: float | None = None
    live_s: float = 60.0
