"""One series of yes/no outcomes of a follower: whether its runs failed, were reported twice, or its rows came late."""

from detectors.budget import chance_of_p_value, coarse_alpha, coarse_place
from detectors.compiled import inner, pasted
from detectors.core.layout import Record
from detectors.findings import new_finding, place_finding
from detectors.follower_layout import DUPLICATES, LATENESS, OUTCOME, Arrays
from detectors.interest import awaited, is_muted, wanted
from detectors.rates import (
    HARDLY_EVER,
    SELDOM,
    SOMETIMES,
    expected_share,
    judged,
    learn,
    learned,
    upper_share,
)


@inner
def prior_no_of(part: int) -> float:
    """How rare a yes is of a series that had none yet: runs fail now and then, are reported twice hardly ever."""
    return HARDLY_EVER if part == DUPLICATES else SELDOM if part == LATENESS else SOMETIMES


@pasted
def judge_outcome(  # noqa: PLR0913  a kernel takes no objects
    a: Arrays,
    follower: int,
    part: int,
    o: Record,
    row: Record,
    time_ms: int,
    outcome: bool,
    interval_ms: float,
) -> None:
    """Judge one outcome, known at `time_ms`, and learn it; `interval_ms` is how often outcomes come, for the budget."""
    if o.rate.count == 0:
        o.first_ms = time_ms
    o.seen += 1
    if outcome or o.rate.recent or awaited(o, time_ms):
        _judge(a, follower, part, o, row, time_ms, outcome, interval_ms)
    else:
        learn(o.rate, False, False, prior_no_of(part))
    o.last_ms = time_ms


@inner
def _judge(  # noqa: PLR0913  a kernel takes no objects
    a: Arrays,
    follower: int,
    part: int,
    o: Record,
    row: Record,
    time_ms: int,
    outcome: bool,
    interval_ms: float,
) -> None:
    tuned = a.tuned[a.followers[follower].tuned[part]]
    alpha = coarse_alpha(coarse_place(tuned.false_alarms_per_day, interval_ms))
    unlikely, p_value, span, count = judged(o.rate, outcome, alpha, prior_no_of(part))
    anomalous = unlikely and o.seen >= tuned.min_volume
    if anomalous or awaited(o, time_ms):
        chance = chance_of_p_value(p_value, interval_ms / 1000.0) if interval_ms > 0 else 0.0
        upper = upper_share(o.rate, span, alpha, prior_no_of(part))
        _report(
            a, follower, part, o, row, time_ms, count / span, upper, p_value, anomalous, chance, interval_ms
        )
    learn(o.rate, outcome, unlikely, prior_no_of(part))


@pasted
def _report(  # noqa: PLR0913  a kernel takes no objects
    a: Arrays,
    follower: int,
    part: int,
    o: Record,
    row: Record,
    time_ms: int,
    observed: float,
    upper: float,
    p_value: float,
    anomalous: bool,
    chance: float,
    interval_ms: float,
) -> None:
    expected = expected_share(o.rate, prior_no_of(part))
    severity = observed / max(upper, expected)
    allowed = a.fleet[0].allowed_per_day
    if wanted(o, time_ms, anomalous, severity, chance <= allowed, interval_ms):
        finding = new_finding(a, OUTCOME, part, follower, time_ms, time_ms)
        finding.observed, finding.expected, finding.lower, finding.upper = observed, expected, 0.0, upper
        finding.p_value, finding.score = p_value, severity
        finding.n, finding.since_ms, finding.last_ms = learned(o.rate), o.first_ms, o.last_ms
        finding.anomalous, finding.error = anomalous, row.error
        if anomalous:
            finding.chance_per_day, finding.allowed_per_day, finding.muted = chance, allowed, is_muted(o)
        place_finding(finding, 0, row.source, row.offset)
