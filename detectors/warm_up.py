"""Warming up: every kernel compiled, or loaded from numba's cache, before records wait for it."""

from detectors.budget import FALSE_ALARMS_PER_DAY
from detectors.numeric import Kind, NumericBank
from detectors.silence import GAPS_MIN, RESOLUTION_MS, Cadence


def compile_kernels() -> None:
    """Use each kernel once, on state that is thrown away: ten seconds or more the first time, then well under one."""
    bank = NumericBank()
    for kind in Kind:
        slot = bank.add(kind)
        bank.judge(slot, 0, 1.0)
        bank.limits(slot, 0)
        bank.judge_many([slot], [1], [1.0])
    cadence = Cadence()
    for arrival in range(GAPS_MIN + 1):
        cadence.arrive(arrival * RESOLUTION_MS, FALSE_ALARMS_PER_DAY)
