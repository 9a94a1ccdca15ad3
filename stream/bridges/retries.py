"""Retries: how long to wait after a failure, and when to give up. No clock and no dice: both are given."""

from typing import Final, NamedTuple

from stream.bridges.target import NotDelivered, Rejected, Unavailable

FIRST_S: Final = 0.5
LONGEST_S: Final = 60.0
ASKED_S_MAX: Final = 600.0
"""A target that asks to be left alone for longer is tried all the same."""


class Retries(NamedTuple):
    """After how many refusals, and after how long without an answer, an alert is given up."""

    refusals_max: int
    retry_for_s: float


class Attempts:
    """The attempts to deliver one alert, the first at `began_s` on a monotonic clock."""

    def __init__(self, retries: Retries, began_s: float) -> None:
        self._retries, self._began_s = retries, began_s
        self.failures = self._refusals = 0

    def wait_s(self, why: NotDelivered, now_s: float, chance: float) -> float | None:
        """How long to wait after a failure, `chance` in [0, 1) of the jitter; None when the alert is to be given up.

        The wait doubles from half a second to a minute, and half of it is left to chance, so that many who wait for one target do not
        come at once. What a target asks for (`Retry-After`) is the least.

        >>> attempts = Attempts(Retries(3, 3600), 0)
        >>> [attempts.wait_s(Unavailable("away"), 0, 0.5) for _ in range(4)]
        [0.375, 0.75, 1.5, 3.0]
        """
        if isinstance(why, Rejected):
            self._refusals += 1
        wait_s = min(LONGEST_S, FIRST_S * 2**self.failures) * (1 + chance) / 2
        self.failures = min(self.failures + 1, 30)
        if isinstance(why, Unavailable):
            wait_s = max(wait_s, min(why.retry_after_s, ASKED_S_MAX))
        is_over = now_s + wait_s - self._began_s > self._retries.retry_for_s
        return None if is_over or self._refusals >= self._retries.refusals_max else wait_s
