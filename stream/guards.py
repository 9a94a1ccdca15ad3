"""Guards: what ends a worker that can no longer keep its promises.

A worker that goes on after a failed write, a freeze past its session or a silent stall would lose or delay records
unseen. It ends at once instead, without acking anything more, and whoever takes over does its unfinished work again.
"""

import asyncio
import logging
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NoReturn

import structlog

from stream.exits import Exit, Refused
from stream.sources import Place

TICK_S: Final = 0.1
FREEZE_SHARE: Final = 0.7
SET_BACK_S_MAX: Final = 5.0

log = structlog.get_logger(__name__)


class StallError(Exception):
    """Records wait, the group is stable, and nothing is being handled."""


class FreezeError(Exception):
    """The process stood still for so long that the group may have given its partitions away."""


class ClockError(Exception):
    """The wall clock was set back, and threads of librdkafka wait for a time of day that has become further away."""


class Stopper:
    """Ends the process: the reason is the last line of its log, and nothing runs after it."""

    def stop(self, reason: BaseException) -> NoReturn:
        """End the process with the exit code of `reason` (`Exit.FAIL_STOP` unless it carries its own)."""
        code = reason.code if isinstance(reason, Refused) else Exit.FAIL_STOP
        if isinstance(reason, Refused):
            log.critical("worker.stopped", reason=str(reason))
        else:
            log.critical("worker.stopped", reason=f"{type(reason).__name__}: {reason}", exc_info=reason)
        logging.shutdown()
        sys.stderr.flush()
        os._exit(code)


async def watch_for_freezes(stopper: Stopper, session_s: float) -> None:
    """Stop the process when its loop stood still for most of a session: a newer owner may be at work already."""
    limit_s = FREEZE_SHARE * session_s
    before = time.monotonic()
    while True:
        await asyncio.sleep(TICK_S)
        now = time.monotonic()
        if now - before > limit_s:
            stopper.stop(
                FreezeError(f"the process stood still for {now - before:.1f} s of a {session_s:g} s session")
            )
        before = now


async def watch_for_a_clock_set_back(stopper: Stopper) -> None:
    """Stop the process when its wall clock is set back.

    librdkafka's threads wait until a time of day, so each that waits at that moment sleeps for as much longer, unless
    something wakes it. Fetching can stand still then, and so can writing to a topic that the process has not
    written to before, for as long as the clock was set back by. New clients begin with the new time.
    """
    before_s = _wall_clock_ahead_s()
    while True:
        await asyncio.sleep(TICK_S)
        ahead_s = _wall_clock_ahead_s()
        if before_s - ahead_s > SET_BACK_S_MAX:
            stopper.stop(ClockError(f"the wall clock was set back by {before_s - ahead_s:.0f} s"))
        before_s = ahead_s


def _wall_clock_ahead_s() -> float:
    return time.time() - time.monotonic()


@dataclass(slots=True)
class ProgressWatch:
    """Tells a stall from idleness: records wait, and no position moves.

    `stalled_s` is for how long; 0 while anything moves, nothing waits, or (`settled` False) the group rebalances.
    """

    stalled_s: float = 0.0
    _positions: dict[Place, int] = field(default_factory=dict)
    _moved_s: float | None = None

    def observe(
        self, positions: Mapping[Place, int], ends: Mapping[Place, int], now_s: float, *, settled: bool
    ) -> None:
        """Take in the handled positions and the ends of the owned partitions, at `now_s` on a monotonic clock."""
        waiting = any(ends.get(place, 0) > position for place, position in positions.items())
        if self._moved_s is None or not settled or not waiting or dict(positions) != self._positions:
            self._moved_s = now_s
        self._positions = dict(positions)
        self.stalled_s = now_s - self._moved_s
