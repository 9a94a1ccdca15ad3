"""Reports: findings put into words and names, as verdicts for triage; and what is known of each series."""

from collections.abc import Sequence
from math import isfinite, isnan
from typing import Any, NamedTuple

from msgspec.structs import replace

from detectors import follower_layout as layout
from detectors import numeric_layout
from detectors.cadence_layout import GAPS_MAX
from detectors.followers import Followers
from detectors.freshness import GAPS, RHYTHM
from detectors.numeric import Method
from detectors.parts import series_of
from detectors.samples import FollowerKind, Key
from detectors.schedule_text import rhythm_text, rule_text
from detectors.series import Labels, Signal
from detectors.verdicts import Baseline, Change, Direction, FleetShare, Reason, SourcePosition, Verdict

CADENCE, RHYTHMIC, SCHEDULE = "cadence", "rhythm", "schedule"
RATE = "beta_binomial_rate"
TOO_LONG = "running_too_long"
CROWD = "leaky_bucket"
PEERS = "peers"
WARM_RATE, WARM_CADENCE, WARM_SCHEDULE = 100, 32, 8
_CHANGES = {
    numeric_layout.ORDINARY: (Reason.ORDINARY, Change.POINT),
    numeric_layout.POINT: (Reason.ABOVE_RANGE, Change.POINT),
    numeric_layout.SHIFT: (Reason.SHIFTED, Change.SHIFT),
    numeric_layout.DRIFT: (Reason.DRIFTED, Change.DRIFT),
    numeric_layout.PROPOSED: (Reason.BASELINE_SHIFT_PROPOSED, Change.SHIFT),
    numeric_layout.ACCEPTED: (Reason.BASELINE_SHIFT_ACCEPTED, Change.SHIFT),
    numeric_layout.STUCK: (Reason.STUCK, Change.SHIFT),
    numeric_layout.WIDER: (Reason.SPREAD_GREW, Change.SHIFT),
    numeric_layout.NEW_UNIT: (Reason.UNIT_CHANGED, Change.SHIFT),
}
_SIDELESS = (numeric_layout.ORDINARY, numeric_layout.STUCK)
_BY_MODEL = (layout.SCORED, layout.MOVED)
_RATE_REASONS = {
    layout.FAILURES: Reason.TOO_MANY_FAILURES,
    layout.DUPLICATES: Reason.TOO_MANY_DUPLICATES,
    layout.LATENESS: Reason.TOO_MANY_LATE,
}

RATES = {layout.FAILURES: "failures", layout.DUPLICATES: "duplicates", layout.LATENESS: "lateness"}
"""The fields of a follower that hold shares, by part."""
_RUNS_SILENT = Reason.RUN_OVERDUE, Reason.RUN_ARRIVED
_VALUES_SILENT = Reason.SERIES_SILENT, Reason.SERIES_BACK


class Position(NamedTuple):
    """The record that a row came from."""

    topic: str
    partition: int
    offset: int


class Followed(NamedTuple):
    """What is known of one series: samples seen, and the latest of them (None: it has no number)."""

    signal: Signal
    labels: Labels
    unit: str
    n: int
    latest: float | None


class _Said(NamedTuple):
    """What the words of a finding depend on beyond its numbers."""

    detector: str
    baseline: Baseline
    reason: Reason
    change: Change
    direction: Direction | None
    schedule: str = ""


def source_positions(*positions: Position) -> tuple[SourcePosition, ...]:
    """The positions as ranges, one for each source partition, in order."""
    ranges: dict[tuple[str, int], list[int]] = {}
    for position in positions:
        ranges.setdefault((position.topic, position.partition), []).append(position.offset)
    return tuple(
        SourcePosition(topic, partition, min(offsets), max(offsets))
        for (topic, partition), offsets in sorted(ranges.items())
    )


def verdict_of(
    finding: Any, key: Key, sources: Sequence[tuple[str, int]], error: str, model: str = ""
) -> Verdict:
    """The verdict that a FINDING record becomes; `sources` are the source partitions by number, `model` found it if any."""
    series = series_of(key, int(finding["part"]))
    of_runs = key.follower_kind == FollowerKind.RUN_EVENTS
    said = _modelled(finding, model) if finding["what"] in _BY_MODEL else _said(finding, of_runs=of_runs)
    return Verdict(
        signal=series.signal,
        labels=series.labels,
        detector=said.detector,
        time_ms=int(finding["time_ms"]),
        window_start_ms=int(finding["start_ms"]),
        window_end_ms=int(finding["time_ms"]),
        anomalous=bool(finding["anomalous"]),
        reason=said.reason,
        change=said.change,
        baseline=said.baseline,
        positions=source_positions(*_positions(finding, sources)),
        severity_score=float(finding["score"]),
        unit=series.unit,
        observed=_known(finding["observed"]),
        expected=_known(finding["expected"]),
        lower=_known(finding["lower"]),
        upper=_known(finding["upper"]),
        p_value=_known(finding["p_value"]),
        direction=said.direction,
        schedule=said.schedule,
        owner=key.owner,
        error=error,
        chance_per_day=_known(finding["chance_per_day"]),
        allowed_per_day=_finite(finding["allowed_per_day"]),
        muted=bool(finding["muted"]),
        anew=bool(finding["anew"]),
    )


def series_refused(time_ms: int, at: Position, shard: int, series_max: int) -> Verdict:
    """That the cap keeps series out of a shard, since the record at a position."""
    return Verdict(
        signal=Signal.VALUE,
        labels=(("cap", "limits.series_max"), ("shard", str(shard))),
        detector="detector_health",
        time_ms=time_ms,
        window_start_ms=time_ms,
        window_end_ms=time_ms,
        anomalous=True,
        reason=Reason.SERIES_CAP,
        change=Change.POINT,
        baseline=Baseline("cap", 0, time_ms, time_ms),
        positions=source_positions(at),
        severity_score=1.0,
        unit="series",
        observed=float(series_max + 1),
        upper=float(series_max),
    )


def _positions(finding: Any, sources: Sequence[tuple[str, int]]) -> list[Position]:
    places = zip(finding["source"].tolist(), finding["offset"].tolist(), strict=True)
    return [
        Position(sources[source][0], sources[source][1], offset) for source, offset in places if source >= 0
    ]


def _said(finding: Any, *, of_runs: bool) -> _Said:
    up = Direction.UP if finding["anomalous"] else None
    match int(finding["what"]):
        case layout.NUMERIC:
            return _numeric(finding)
        case layout.TOO_LONG:
            baseline = _baseline(finding, "upper_limit", warming=bool(finding["method"]))
            return _Said(TOO_LONG, baseline, Reason.RUNNING_TOO_LONG, Change.POINT, up)
        case layout.CROWDED:
            reason = Reason.TOO_MANY_RUNS if up else Reason.ORDINARY
            return _Said(CROWD, _baseline(finding, CROWD, warming=False), reason, Change.POINT, up)
        case layout.OUTCOME:
            baseline = _baseline(finding, RATE, warming=finding["n"] < WARM_RATE)
            reason = _RATE_REASONS[int(finding["part"])] if up else Reason.ORDINARY
            return _Said(RATE, baseline, reason, Change.POINT, up)
        case layout.UNLIKE:
            side = Direction.UP if finding["change"] > 0 else Direction.DOWN
            baseline = _baseline(finding, PEERS, warming=False)
            return _Said(PEERS, baseline, Reason.UNLIKE_PEERS, Change.SHIFT, side)
    return _silence(finding, up, of_runs=of_runs)


def _silence(finding: Any, up: Direction | None, *, of_runs: bool) -> _Said:
    silent, back = _RUNS_SILENT if of_runs else _VALUES_SILENT
    reason = silent if up else back
    method, days, n = int(finding["method"]), int(finding["days"]), int(finding["n"])
    if method == GAPS:
        detector, schedule = CADENCE, ""
    elif method == RHYTHM:
        detector, schedule = RHYTHMIC, rhythm_text(days)
    else:
        detector, schedule = SCHEDULE, rule_text(method, days)
    warm = WARM_SCHEDULE if detector == SCHEDULE else WARM_CADENCE
    return _Said(
        detector, _baseline(finding, detector, warming=n < warm), reason, Change.SILENCE, up, schedule
    )


def _numeric(finding: Any) -> _Said:
    method, code = Method(int(finding["method"])).name.lower(), int(finding["change"])
    baseline = _baseline(finding, method, warming=bool(finding["n"] < WARM_RATE))
    baseline = replace(baseline, pooled=bool(finding["pooled"]))
    direction = None if abs(code) in _SIDELESS else Direction.UP if code > 0 else Direction.DOWN
    reason, change = _CHANGES[abs(code)]
    if abs(code) == numeric_layout.POINT:
        reason = Reason.ABOVE_RANGE if code > 0 else Reason.BELOW_RANGE
    return _Said(method, baseline, reason, change, direction)


def _modelled(finding: Any, model: str) -> _Said:
    moved = finding["what"] == layout.MOVED
    change = Change.SHIFT if moved else Change.POINT
    baseline = _baseline(finding, model, warming=bool(finding["n"] < WARM_RATE))
    if not finding["anomalous"]:
        return _Said(model, baseline, Reason.ORDINARY, change, None)
    reason = Reason.LEVEL_MOVED if moved else Reason.UNUSUAL
    direction = Direction.UP if finding["observed"] > finding["expected"] else Direction.DOWN
    return _Said(model, baseline, reason, change, direction)


def _baseline(finding: Any, method: str, *, warming: bool) -> Baseline:
    since_ms, last_ms = int(finding["since_ms"]), int(finding["last_ms"])
    return Baseline(method, int(finding["n"]), since_ms, last_ms, bool(warming))


def _known(number: Any) -> float | None:
    return None if isnan(number) else float(number)


def _finite(number: Any) -> float | None:
    return float(number) if isfinite(number) else None


def fleet_share(followers: Followers) -> FleetShare:
    """What the series of a shard may alarm by chance together."""
    fleet = followers.fleet
    return FleetShare(
        int(fleet["series"]),
        float(fleet["expected_per_day"]),
        _finite(fleet["budget_per_day"]),
        _finite(fleet["allowed_per_day"]),
    )


def followed(followers: Followers, place: int) -> list[Followed]:
    """What is known of the series of one follower."""
    f, key = followers.arrays.followers[place], followers.key(place)
    known = _measures(followers, f, key)
    rates = [(part, f[name]["rate"]) for part, name in RATES.items()]
    known += [_outcomes(key, part, rate) for part, rate in rates if rate["count"]]
    if f["arrivals"]["arrivals"]:
        known.append(_arrivals(key, f["arrivals"]))
    return known


def _measures(followers: Followers, f: Any, key: Key) -> list[Followed]:
    light = followers.arrays.bank.light
    slots = [(part, light[slot - 1]) for part, slot in enumerate(f["slots"].tolist()) if slot]
    return [Followed(*series_of(key, part), int(slot["n"]), float(slot["latest"])) for part, slot in slots]


def _outcomes(key: Key, part: int, rate: Any) -> Followed:
    n = round(float(rate["yes"] + rate["no"])) + int(rate["count"])
    return Followed(*series_of(key, part), n, float(rate["recent"] & 1))


def _arrivals(key: Key, arrivals: Any) -> Followed:
    cadence = arrivals["cadence"]
    learned = int(cadence["learned"])
    gap_ms = abs(float(cadence["gaps"][(learned - 1) % GAPS_MAX])) if learned else None
    return Followed(*series_of(key, layout.FRESHNESS), int(arrivals["arrivals"]), gap_ms)


__all__ = ["Followed", "Position", "fleet_share", "followed", "source_positions", "verdict_of"]
