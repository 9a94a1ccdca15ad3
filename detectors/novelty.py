"""Novelty: whether something never seen before is a change, or was only rare; and whether something seen has vanished.

What it detects: an event (a field is absent, a type comes up) that did not happen in `before` chances and now happened `times` times
in `since` of them; or one that happened `times` times in `before` chances and then not in `since`.

Formula: if nothing changed, every order of the chances is as likely as any other (exchangeability), whatever the event's
unknown rate. Then all `times` events lie among the last `since` chances with a probability of at most
(since / (before + since))^times, and all lie among the first `before` with at most (before / (before + since))^times.

Range: natural logarithms of probabilities, from minus infinity to 0. Without chances before, 0: nothing is known.
State: none. Cost: one logarithm.

>>> round(log_p_of_new(1000, 20, 20))
-79
>>> log_p_of_new(0, 20, 20), round(log_p_of_gone(1000, 1000, 20), 1)
(0.0, -19.8)
"""

import math
from typing import Final

LOG_P_MAX: Final = math.log(1e-6)
"""What is less likely by chance is a change. It is asked for each path once in a block."""
TIMES_MIN: Final = 5
"""Single records prove nothing, however many came before."""
SHARE_MIN: Final = 0.002
CHANCES_MIN: Final = 30


def log_p_of_new(before: float, since: float, times: float) -> float:
    """How likely all `times` events lie in the last `since` chances."""
    return times * math.log(since / (before + since)) if before > 0 else 0.0


def log_p_of_gone(before: float, times: float, since: float) -> float:
    """How likely none of them lies in the last `since` chances."""
    return times * math.log(before / (before + since)) if before > 0 else 0.0


def is_new(before: float, since: float, times: float) -> bool:
    """Whether what happened `times` times in `since` chances, and never in those before, is a change."""
    return (
        times >= TIMES_MIN
        and before >= CHANCES_MIN
        and times >= SHARE_MIN * since
        and log_p_of_new(before, since, times) < LOG_P_MAX
    )


def is_gone(before: float, times: float, since: float) -> bool:
    """Whether what happened `times` times in the chances before has ceased."""
    return since >= CHANCES_MIN and log_p_of_gone(before, times, since) < LOG_P_MAX


def confidence(log_p: float) -> float:
    """How sure a change is, from 0 to 1: what is left of certainty, to six places."""
    return round(1.0 - math.exp(min(log_p, 0.0)), 6)
