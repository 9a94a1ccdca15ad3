"""The sentence that an alert says: what was observed, what was expected, and since when."""

import math
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from detectors.series import HOURLY_MEAN, MEASURE, Labels
from detectors.verdicts import Change, Direction, Reason, SchemaChange, Verdict

_FIRST = ("pipeline", "task", "dataset", "name", "topic", "subject")
_DURATIONS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s"))
_BYTES = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def summary(verdict: Verdict) -> str:
    """One sentence a person can act on."""
    if verdict.reason is Reason.STORM:
        return _storm(verdict)
    return f"{subject(verdict.labels)}{_predicate(verdict)}"


def recovery(verdict: Verdict, starts_at_ms: int) -> str:
    """One sentence on how it ended."""
    lasted = duration_text(max(0, verdict.time_ms - starts_at_ms))
    if verdict.reason is Reason.STORM:
        return f"{_storm(verdict)}; all of them have ended after {lasted}"
    if verdict.reason is Reason.BASELINE_SHIFT_ACCEPTED:
        return f"{subject(verdict.labels)} has stayed at its new level for {lasted}, which is now what is expected{_now(verdict)}"
    if verdict.reason in _ENDINGS:
        return f"{subject(verdict.labels)} {_ENDINGS[verdict.reason].format(lasted=lasted)}"
    return f"{subject(verdict.labels)} is back in its usual range after {lasted}{_now(verdict)}"


def joined(lead: Verdict, verdict: Verdict) -> str:
    """What leads an incident, and what has joined it."""
    return f"{summary(lead)}; and {summary(verdict)}"


def _storm(verdict: Verdict) -> str:
    whose = dict(verdict.labels).get("owner")
    theirs = f" of {whose}" if whose else ""
    return (
        f"{verdict.observed or 0:.0f} incidents{theirs} at once, from {_clock(verdict.window_start_ms)} "
        f"to {_clock(verdict.time_ms)}"
    )


def subject(labels: Labels) -> str:
    """What the series is about, the best known labels first: `orders/load (region=eu)`."""
    by_name = dict(labels)
    names = "/".join(by_name.pop(name) for name in _FIRST if name in by_name)
    by_name.pop(MEASURE, None)
    rest = ", ".join(f"{name}={value}" for name, value in sorted(by_name.items()))
    return " ".join(part for part in (names, rest and f"({rest})") if part)


@lru_cache(1_000)
def time_text(time_ms: int) -> str:
    """An event time as RFC 3339 in UTC, milliseconds kept."""
    return (
        datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )


def duration_text(ms: float) -> str:
    """A span of time in the unit that suits it."""
    for size, unit in _DURATIONS:
        if abs(ms) >= size:
            return f"{ms / size:.3g} {unit}"
    return f"{ms:.3g} ms"


def amount_text(value: float, unit: str) -> str:
    """A value with its unit, as people write it."""
    if unit == "ms":
        return duration_text(value)
    if unit == "share":
        return f"{value:.3g}" if value < 0.0095 else f"{value:.0%}"
    if unit == "bytes":
        for size, name in _BYTES:
            if abs(value) >= size:
                return f"{value / size:.3g} {name}"
    number = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return f"{number} {unit}".rstrip()


_SAYINGS = {
    Reason.RUN_OVERDUE: "has not run since {since}: {due}",
    Reason.SERIES_SILENT: "has not been seen since {since}: {due}",
    Reason.RUNNING_TOO_LONG: "has been running for {observed} at {when}{usual}",
    Reason.SHIFTED: "{lasting}: {observed} at {when}{usual}",
    Reason.DRIFTED: "{lasting}: {observed} at {when}{usual}",
    Reason.BASELINE_SHIFT_PROPOSED: "seems to have a new level: {observed} at {when}{usual}; it will be accepted if it stays",
    Reason.TOO_MANY_FAILURES: "failed: {observed} of its latest runs up to {when}{usual}",
    Reason.TOO_MANY_DUPLICATES: "reported runs twice: {observed} of the latest up to {when}{usual}",
    Reason.TOO_MANY_REPEATED: "has records again that came before: {observed} of the latest up to {when}{usual}",
    Reason.TOO_MANY_LATE: "comes late: {observed} of its latest records up to {when}{usual}",
    Reason.TOO_MANY_RUNS: "ran {times} times from {since} to {when}, where about {usual_times} is usual",
    Reason.VERSION_MIX: "has records of two versions at {when}: {schema}",
    Reason.DECLARED_DIFFERS: "has records at {when} that are not what is declared: {schema}",
    Reason.SUBJECT_CHANGED: "changed in the schema registry at {when}: {schema}",
    Reason.SCHEMA_CHANGED: "changed its schema at {when}: {schema}",
    Reason.STUCK: "has been at exactly {observed} again and again up to {when}, though it usually changes{usual}; is its source stuck?",
    Reason.SPREAD_GREW: "{lasting}: {observed} at {when}{usual}",
    Reason.UNIT_CHANGED: "seems to be in another unit, {factor}: {observed} at {when}{usual}",
    Reason.UNLIKE_PEERS: "is unlike its {n} siblings: about {observed} by {when}, where they suggest about {expected}{limits}",
    Reason.UNUSUAL: "was at {observed} at {when}, unusual to {detector}{usual}",
    Reason.LEVEL_MOVED: "has moved from about {expected} to {observed} by {when}",
    Reason.MODEL_CRASHED: "failed at {when}, and the built-in detectors judge where it cannot: {error}",
    Reason.MODEL_TOO_LARGE: "has outgrown what is stored at {when}, and the built-in detectors judge where it cannot: {error}",
    Reason.PATHS_CAP: "has more fields than are followed since {when}: {upper} paths; those beyond are not watched",
    Reason.SERIES_CAP: "is full since {when}: series beyond the cap are not watched; raise the cap or drop labels",
}
_ENDINGS = {
    Reason.RUN_ON_TIME: "had run in time, which was only told {lasted} after it was overdue",
    Reason.SAMPLE_ON_TIME: "had been seen in time, which was only told {lasted} after it was overdue",
    Reason.RUN_ARRIVED: "has run again, {lasted} after it was overdue",
    Reason.SERIES_BACK: "is seen again, {lasted} after it was overdue",
    Reason.NEW_VERSION_ALONE: "has records of the new version only, after {lasted} with both",
    Reason.OLD_VERSION_ALONE: "has records of the old version only again, after {lasted} with both: the new one was rolled back",
    Reason.NOTICE_GIVEN: "changed in the schema registry, which has been told, after {lasted}",
    Reason.VERSIONS_USUAL: "still has records of both versions after {lasted}, which is now what is expected",
}
_VERBS = {"latency": "took", "volume": "carried"}


def _predicate(verdict: Verdict) -> str:
    said = _SAYINGS.get(verdict.reason) or _ordinary_saying(verdict)
    words = {
        "observed": _amount(verdict.observed, verdict),
        "expected": _amount(verdict.expected, verdict),
        "when": _clock(verdict.time_ms),
        "time": _clock(verdict.time_ms).split(" ", 1)[1],
        "since": _clock(verdict.window_start_ms),
        "usual": _usual(verdict),
        "lasting": _lasting(verdict),
        "limits": _limits(verdict),
        "n": verdict.baseline.n,
        "factor": _factor(verdict) if verdict.reason is Reason.UNIT_CHANGED else "",
        "due": _due(verdict) if verdict.change is Change.SILENCE else "",
        "schema": _schema(verdict.schema_change) if verdict.schema_change else "in a way that is not known",
        "detector": verdict.detector,
        "upper": f"{verdict.upper or 0:.0f}",
        "error": verdict.error,
        "times": f"{verdict.observed or 0:.0f}",
        "usual_times": f"{verdict.expected or 0:.0f}",
    }
    return " " + said.format_map(words)


def _ordinary_saying(verdict: Verdict) -> str:
    if dict(verdict.labels).get(MEASURE) == HOURLY_MEAN:
        return "averaged {observed} from {since} to {time}{usual}"
    return _VERBS.get(verdict.signal, "was at") + " {observed} at {when}{usual}"


def _due(verdict: Verdict) -> str:
    """When the run that did not come was due."""
    by = _clock(verdict.time_ms)
    one = "a run" if verdict.reason is Reason.RUN_OVERDUE else "a sample"
    runs = "it runs" if verdict.reason is Reason.RUN_OVERDUE else "it comes"
    if not verdict.schedule or verdict.lower is None or verdict.expected is None:
        return f"{one} comes every {_amount(verdict.expected, verdict)}, the next was due by {by}"
    from_ = _clock(verdict.window_start_ms + int(verdict.lower)).removesuffix(" UTC")
    day, time = by.split(" ", 1)
    until = time if from_.startswith(day) else by
    return (
        f"{one} was due between {from_} and {until}; {runs} {verdict.schedule} ({verdict.baseline.n} samples)"
    )


def _lasting(verdict: Verdict) -> str:
    verb = {"latency": "takes", "volume": "carries"}.get(verdict.signal, "is at")
    if verdict.reason is Reason.SPREAD_GREW:
        return "varies more than it used to in run after run"
    more = "more" if verdict.direction is Direction.UP else "less"
    form = "ever " if verdict.reason is Reason.DRIFTED else ""
    return f"{verb} {form}{more} in run after run"


def _usual(verdict: Verdict) -> str:
    if verdict.expected is None:
        return ""
    about = _amount(verdict.expected, verdict)
    return f"; expected about {about}{_limits(verdict)} ({verdict.baseline.n} samples)"


def _limits(verdict: Verdict) -> str:
    low, high = verdict.lower, verdict.upper
    if low is None or low <= 0:
        return "" if high is None else f", at most {_amount(high, verdict)}"
    return f", at least {_amount(low, verdict)}" if high is None else f", {_range(low, high, verdict.unit)}"


def _factor(verdict: Verdict) -> str:
    """How many times too much or too little, as people say it."""
    ratio = (verdict.observed or 0.0) / (verdict.expected or math.nan)
    return (
        f"about {ratio:,.0f} times what it was" if ratio > 1.0 else f"about 1/{1 / ratio:,.0f} of what it was"
    )


def _range(low: float, high: float, unit: str) -> str:
    if unit in ("ms", "bytes", "share"):
        return f"{amount_text(low, unit)} to {amount_text(high, unit)}"
    return f"{amount_text(low, '')} to {amount_text(high, unit)}"


def _now(verdict: Verdict) -> str:
    return "" if verdict.observed is None else f": {_amount(verdict.observed, verdict)}"


def _amount(value: float | None, verdict: Verdict) -> str:
    return "an unknown amount" if value is None else amount_text(value, verdict.unit)


_DIFFERENCES: Final = {
    "field_added": "field {path} ({to}) was added",
    "field_removed": "field {path} ({from_}) was removed",
    "type_changed": "field {path} changed its type from {from_} to {to}",
    "renamed": "field {from_} seems to be called {to} now",
    "nesting_changed": "field {path} changed its nesting from {from_} to {to}",
    "enum_added": "field {path} has values that are new among few ({to})",
    "enum_removed": "field {path} no longer has some of its few values ({from_})",
    "format_changed": "field {path} changed its format from {from_} to {to}",
    "null_rate_changed": "field {path} went from {from_} to {to}",
    "distribution_changed": "field {path} has other numbers: half of them lie from {to}, where they lay from {from_}",
    "field_undeclared": "field {path} ({to}) is not declared",
    "field_lacking": "field {path} ({from_}) is required and absent",
    "type_undeclared": "field {path} is declared as {from_} and holds {to}",
    "null_undeclared": "field {path} is declared as {from_} and holds null",
    "version_registered": "{to} was registered",
    "version_deleted": "{to} was deleted",
    "level_changed": "its compatibility level is now {to}",
    "unit_changed": "field {path} seems to be in another unit: its numbers are {to} times what they were",
}


def _schema(change: SchemaChange) -> str:
    if change.change == "version_mix":
        sample = f", by a sample of {_percent(change.sample)}" if change.sample < 1 else ""
        return f"{_percent(change.share)} of them are of the new one ({change.to}){sample}"
    share = f", in {_percent(change.share)} of the records" if change.share < 1 else ""
    if change.sample < 1:
        share += (
            f" (of which a sample of {_percent(change.sample)} is looked at)"
            if share
            else f", in a sample of {_percent(change.sample)} of the records"
        )
    return _difference(change) + share + (f"; such as {change.example}" if change.example else "")


def _percent(share: float) -> str:
    return f"{share:.2g}" if share < 0.00095 else f"{100 * share:.3g} %"


def _difference(change: SchemaChange) -> str:
    said = _DIFFERENCES.get(change.change, "field {path} went from {from_} to {to}")
    return said.format(path=change.path, from_=change.from_, to=change.to)


def _clock(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
