"""What the contenders that decode with msgspec read of a run event."""

import msgspec


class RunEvent(msgspec.Struct):
    """A run event; what is not named here is skipped."""

    pipeline: str
    task: str
    state: str
    time: int
    duration_ms: float
    rows: int
