"""Room: what one row or one timer can need at most of each array. A kernel cannot make room; it stops and is called again."""

from detectors.compiled import pasted
from detectors.follower_layout import ENDED_TOP, FINDINGS, RUNS_TOP, TIMERS, Arrays
from detectors.numeric_layout import DEEP_TOP, LIGHT_TOP, MODEL_TOP, YOUNG_TOP

FINDINGS_EACH = 8
SLOTS_EACH = 4
"""Also of the scorer's records and of the first values: a series takes one of each at most."""
RUNS_EACH = 2
ENDED_EACH = 1
TIMERS_EACH = 3


@pasted
def has_room(a: Arrays) -> bool:
    """Whether one more row can be applied, or one more timer run."""
    return (
        a.counters[FINDINGS] + FINDINGS_EACH <= len(a.findings)
        and a.bank.counters[LIGHT_TOP] + SLOTS_EACH <= len(a.bank.light)
        and a.bank.counters[DEEP_TOP] + SLOTS_EACH <= len(a.bank.deep)
        and a.bank.counters[MODEL_TOP] + SLOTS_EACH <= len(a.bank.models)
        and a.bank.counters[YOUNG_TOP] + SLOTS_EACH <= len(a.bank.young)
        and a.counters[RUNS_TOP] + RUNS_EACH <= len(a.runs)
        and a.counters[ENDED_TOP] + ENDED_EACH <= len(a.ended)
        and a.counters[TIMERS] + TIMERS_EACH <= len(a.timers)
    )
