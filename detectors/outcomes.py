"""One series of yes/no outcomes of a follower: whether its runs failed, or were reported twice."""

from detectors.budget import coarse_alpha, coarse_place
from detectors.compiled import pasted
from detectors.core.layout import Record
from detectors.findings import new_finding, place_finding
from detectors.follower_layout import OUTCOME, Arrays
from detectors.interest import awaited, wanted
from detectors.rates import expected_share, judged, learn, learned, upper_share


@pasted
def judge_outcome(
    a: Arrays, follower: int, part: int, o: Record, row: Record, outcome: bool, interval_ms: float
) -> None:
    """Judge one outcome and learn it; `interval_ms` is how often outcomes come, for the budget."""
    if o.rate.count == 0:
        o.first_ms = row.time_ms
    o.seen += 1
    if outcome or o.rate.recent or awaited(o, row.time_ms):
        _judge(a, follower, part, o, row, outcome, interval_ms)
    else:
        learn(o.rate, False, False)
    o.last_ms = row.time_ms


@pasted
def _judge(
    a: Arrays, follower: int, part: int, o: Record, row: Record, outcome: bool, interval_ms: float
) -> None:
    tuned = a.tuned[a.followers[follower].tuned[part]]
    alpha = coarse_alpha(coarse_place(tuned.false_alarms_per_day, interval_ms))
    unlikely, p_value, span, count = judged(o.rate, outcome, alpha)
    anomalous = unlikely and o.seen >= tuned.min_volume
    if anomalous or awaited(o, row.time_ms):
        _report(a, follower, part, o, row, count / span, upper_share(o.rate, span, alpha), p_value, anomalous)
    learn(o.rate, outcome, unlikely)


@pasted
def _report(  # noqa: PLR0913  a kernel takes no objects
    a: Arrays,
    follower: int,
    part: int,
    o: Record,
    row: Record,
    observed: float,
    upper: float,
    p_value: float,
    anomalous: bool,
) -> None:
    expected = expected_share(o.rate)
    severity = observed / max(upper, expected)
    if wanted(o, row.time_ms, anomalous, severity):
        finding = new_finding(a, OUTCOME, part, follower, row.time_ms, row.time_ms)
        finding.observed, finding.expected, finding.lower, finding.upper = observed, expected, 0.0, upper
        finding.p_value, finding.score = p_value, severity
        finding.n, finding.since_ms, finding.last_ms = learned(o.rate), o.first_ms, o.last_ms
        finding.anomalous, finding.error = anomalous, row.error
        place_finding(finding, 0, row.source, row.offset)
