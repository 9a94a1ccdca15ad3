"""Findings: how the kernels say what triage has to know, before it has words."""

import math

from detectors.compiled import inner, pasted
from detectors.core.layout import Record
from detectors.follower_layout import FINDINGS, NOW_MS, Arrays

NOWHERE = -1


@pasted
def new_finding(a: Arrays, what: int, part: int, follower: int, time_ms: int, start_ms: int) -> Record:
    """The next finding, without numbers or positions; there is room."""
    finding = a.findings[a.counters[FINDINGS]]
    a.counters[FINDINGS] += 1
    finding.what, finding.part, finding.follower, finding.error = what, part, follower, 0
    finding.order_ms, finding.time_ms, finding.start_ms = a.counters[NOW_MS], time_ms, start_ms
    finding.observed = finding.expected = finding.lower = finding.upper = finding.p_value = math.nan
    finding.chance_per_day, finding.allowed_per_day, finding.muted = math.nan, math.nan, 0
    finding.score, finding.n, finding.since_ms, finding.last_ms = 0.0, 0, -1, -1
    finding.method, finding.days, finding.anomalous = 0, 0, 0
    finding.pooled, finding.change, finding.anew = 0, 0, 0
    finding.asked, finding.interval_s = 0, 0.0
    finding.source[0] = finding.source[1] = NOWHERE
    return finding


@inner
def place_finding(finding: Record, which: int, source: int, offset: int) -> None:
    """Say where one of its two records lies."""
    finding.source[which], finding.offset[which] = source, offset
