"""Warming up: every kernel compiled, or loaded from numba's cache, before records wait for it."""

from typing import Final

from detectors.warm_up import compile_kernels as compile_detectors
from stream.formats.limits import Limits
from stream.ingest import Ingest
from stream.message_columns import Functions, Messages

_EVENT: Final = b'{"pipeline": "warm-up", "state": "succeeded", "time": 0}'
_TOPIC: Final = "warm-up"


def compile_kernels() -> None:
    """Use each kernel once, on state that is thrown away: a minute or so the first time, then about a second."""
    compile_detectors()
    Ingest({_TOPIC: "events"}, 1, {_TOPIC: 1}, Limits(), 0).batch(
        _TOPIC, 0, [0], [_EVENT], [0], None, wall_ms=0, caught_up=True
    )
    nothing = Messages(1)
    nothing.sort(0)
    nothing.take(Functions(0, 0))
