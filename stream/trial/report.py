"""The report of a trial: plain values, as JSON has them and every other form shows them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from detectors.wording import time_text
from stream.trial.accuracy import WEEK_MS, Accuracy, judge
from stream.trial.episodes import Episode, Matched, episodes, match
from stream.trial.labels import Incident, Labels
from stream.trial.running import Run, Trial


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """An alert: what it said first, from when to when it was open (`to` None: still), and the incident it belongs to."""

    alert_id: str
    series: str
    kind: str
    severity: str
    told_at: str
    starts_at: str
    ends_at: str | None
    summary: str
    incident: str | None = None


class Configuration(msgspec.Struct, frozen=True):
    """A configuration, and how it did. Without labels nothing is known of what is false, recall and delay."""

    file: str
    config_hash: str
    series: int
    alerts: int
    alerts_a_week: float
    false_alarms_a_week: float | None
    recall: float | None
    delay_ms: float | None
    dead_letters: int


class Happened(msgspec.Struct, frozen=True):
    """An incident, and how long after its start each configuration told it (None: not at all)."""

    name: str
    match: Mapping[str, str]
    kinds: list[str]
    starts_at: str
    ends_at: str
    expected: bool
    delay_ms: int | None
    delay_ms_before: int | None


class Report(msgspec.Struct, frozen=True):
    """What a trial gave. Without a configuration to compare with, `against` is None and all alerts are `new`."""

    records: int
    starts_at: str
    ends_at: str
    weeks: float
    config: Configuration
    against: Configuration | None
    kept: list[Told]
    new: list[Told]
    gone: list[Told]
    incidents: list[Happened]


class Judged(NamedTuple):
    """A report, and the alerts and labels behind it."""

    report: Report
    matched: Matched
    labels: Labels | None


def report(trial: Trial, files: Sequence[str], labels: Labels | None) -> Judged:
    """What a trial of one configuration gave, or of one and of what it is compared with."""
    span_ms = trial.to_ms - trial.from_ms
    told = [episodes(run.alerts, trial.to_ms) for run in trial.runs]
    judged = [judge(it, labels, span_ms) for it in told]
    weeks = span_ms / WEEK_MS
    known = labels is not None
    configs = [_configuration(*it, weeks, known=known) for it in zip(trial.runs, files, judged, strict=True)]
    matched = match(told[0], told[1] if len(told) > 1 else [])
    ours, theirs = judged[0].owners, judged[-1].owners
    return Judged(
        Report(
            records=trial.records,
            starts_at=time_text(trial.from_ms),
            ends_at=time_text(trial.to_ms),
            weeks=round(weeks, 3),
            config=configs[0],
            against=configs[1] if len(configs) > 1 else None,
            kept=[told_of(it, ours) for it, _ in matched.kept],
            new=[told_of(it, ours) for it in matched.new],
            gone=[told_of(it, theirs) for it in matched.gone],
            incidents=_incidents(labels, judged),
        ),
        matched,
        labels,
    )


def _configuration(run: Run, file: str, accuracy: Accuracy, weeks: float, *, known: bool) -> Configuration:
    return Configuration(
        file=file,
        config_hash=run.config.settings().config_hash,
        series=len(run.followed),
        alerts=accuracy.alerts,
        alerts_a_week=round(accuracy.alerts / weeks, 3) if weeks else 0.0,
        false_alarms_a_week=round(accuracy.a_week, 3) if known else None,
        recall=accuracy.recall,
        delay_ms=accuracy.delay_ms,
        dead_letters=sum(count for (name, *_), count in run.counts.items() if name == "dead_letters"),
    )


def _incidents(labels: Labels | None, judged: Sequence[Accuracy]) -> list[Happened]:
    if labels is None:
        return []
    delays = [[None if it is None else it.delay_ms for it in accuracy.found] for accuracy in judged]
    before = delays[1] if len(delays) > 1 else [None] * len(delays[0])
    return [_happened(*each) for each in zip(labels.incidents, delays[0], before, strict=True)]


def _happened(it: Incident, delay_ms: int | None, before_ms: int | None) -> Happened:
    starts_at, ends_at = time_text(it.from_ms), time_text(it.to_ms)
    return Happened(it.name, it.match, sorted(it.kinds), starts_at, ends_at, it.expected, delay_ms, before_ms)


def told_of(it: Episode, owners: Mapping[str, Incident] = {}) -> Told:
    """An episode as reports have it; `owners` are the incidents that alerts belong to, by `alert_id`."""
    first = it.first
    owner = owners.get(first.alert_id)
    return Told(
        first.alert_id,
        it.series,
        first.kind,
        first.severity,
        time_text(it.told_ms),
        time_text(it.from_ms),
        time_text(it.to_ms) if it.ended else None,
        first.summary,
        owner and owner.name,
    )
