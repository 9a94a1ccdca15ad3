"""Pipeline faults: what Streamgauge and its peers find on simulated platforms, whose faults are known."""

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import yaml

from bench.figures import percentile
from bench.quality.attribution import (
    NOBODY,
    Alerts,
    Found,
    Incident,
    Samples,
    false_each,
    found,
    gathered,
    owners,
)
from bench.quality.drawing import Drawn, drawing
from bench.quality.evidence import Absent
from bench.quality.own import judge
from bench.quality.peers import PEERS, Peer
from bench.quality.per_run import PerRun, Series
from bench.quality.plan import Plan
from bench.quality.report import Picture, Section
from bench.quality.staged import alerts_of, formats
from bench.quality.stationary import DAY_MS
from detectors.alerts import FIRST_SEQUENCE, Alert, State
from stream.backtest import Recorded, read_lines
from stream.commands.score import ScoredSignal
from stream.formats.times import read_time
from stream.simulate.recording import Request, record, rfc3339, span

NAME: Final = "faults"
TITLE: Final = "Pipeline faults"
ABOUT: Final = """\
Platforms of pipelines (streaming, every few minutes, hourly, daily, working days, month-end, sparse; with trends, seasons, holidays, daylight saving and
heavy tails) made by `streamgauge simulate`, with labelled faults, read by the worker's stages with default settings as `streamgauge backtest` reads them.
**To be reached on held-out seeds (1000 and above): 95 % of incidents found, each kind at least 85 %, at no more than 0.25 false alerts a series and week,
and 1.2 alerts per incident.** Seeds below 1000 may be used in development.

An alert is an episode that opens and fires (`alert_id`); what joins an open alert of its pipeline (`suppressed`) is none, but may find. It belongs to an incident when its series has the incident's labels and it comes between the incident's
start and its end plus a grace (one usual interval of the pipeline's runs and an hour); else it is false. An incident is found by an alert of its own that has one of the
signals in which it may show. See `bench/quality/attribution.py`."""
PEERS_ABOUT: Final = """\
Peers watch every number that a run or a metric carries: durations, rows, bytes, the time since the run before, and metrics (not outcomes:
of a series of zeros with a few ones they make an alarm of each one); one threshold for all series, the one that finds most incidents with no more false alerts than Streamgauge. They have no clock, so a missing run shows when the next one comes,
and no notion of schemas or of duplicates: "that they can see" leaves `schema_change` and `duplicate_load` out."""
BY_SIGNAL: Final = """\
An incident is found by each signal and reason that tells of it. Alerts and incidents of the whole time, false alerts from the third week on."""
WARM_DAYS: Final = 14
CEILING_A_WEEK: Final = 0.25
WEEK_MS: Final = 7 * DAY_MS
HELD_OUT_FROM: Final = 1000
END_MS: Final = 1_762_732_800_000
"""2025-11-10T00:00Z: the span has an end of daylight saving in Europe and in America."""
UNSEEN_BY_PEERS: Final = frozenset({"schema_change", "duplicate_load"})
LEFT_OUT_FOR_PEERS: Final = frozenset({"failures"})
"""Of an outcome that is nearly always 0 a z-score makes an alarm of each failure: peers are better off without."""
SLOW: Final = "River HalfSpaceTrees"
CANDIDATES: Final = 300


class Size(NamedTuple):
    """How large a platform is, for how long."""

    pipelines: int
    days: int
    per_week: float


FULL, QUICK = Size(100, 60, 0.25), Size(16, 42, 0.4)
SEEDS: Final = (1, 1000, 1001)


class Course(NamedTuple):
    """A recording to run: a seed, or the directory that holds it; and whether the slowest peer runs, too."""

    seed: int
    directory: Path | None
    size: Size
    slow_too: bool


class Run(NamedTuple):
    """What came of one recording."""

    seed: int
    incidents: list[Incident]
    signals: list[str]
    """Of each of Streamgauge's series."""
    alerts: Alerts
    reasons: list[str]
    """Of each alert: signal and why it opened."""
    notifications: int
    young_false: int
    weeks: float
    young_weeks: float
    warm_from_ms: int
    samples: Samples
    scores: dict[str, np.ndarray]
    drawn: list[Drawn]


def measure(plan: Plan) -> Section:
    """Every recording, or those in the directories given."""
    size = QUICK if plan.quick else FULL
    seeds = [plan.seed] if plan.quick else list(dict.fromkeys([plan.seed, *SEEDS[1:]]))
    courses = [Course(seed, None, size, not number and not plan.quick) for number, seed in enumerate(seeds)]
    if plan.recordings:
        courses = [Course(0, path, size, False) for path in plan.recordings]
    runs = plan.spread(run, courses)
    section = Section(NAME, TITLE, ABOUT)
    for held_out in (True, False):
        part = [it for it in runs if (it.seed >= HELD_OUT_FROM) is held_out]
        if part:
            _own(section, part, "held-out seeds" if held_out else "development seeds")
    part = [it for it in runs if it.seed >= HELD_OUT_FROM] or runs
    _compare(section, part)
    _draw(section, plan, part)
    section.conditions = _conditions(runs, size, given=bool(plan.recordings))
    return section


def run(course: Course) -> Run:
    """Make the recording unless it is there, run the stages on it, and the peers on its series."""
    if course.directory is not None:
        return _run(course, course.directory)
    with tempfile.TemporaryDirectory() as folder:
        _simulate(course, Path(folder))
        return _run(course, Path(folder))


def _simulate(course: Course, folder: Path) -> None:
    from_ms, to_ms = span(END_MS, course.size.days)
    request = Request(course.seed, course.size.pipelines, from_ms, to_ms, per_week=course.size.per_week)
    recording = record(request)
    with (folder / "events.ndjson").open("wb") as file:
        for day in recording.days():
            file.writelines(sent.line() for sent in day)
    (folder / "incidents.yaml").write_text(yaml.safe_dump(recording.incidents()), "utf-8")


def _run(course: Course, folder: Path) -> Run:
    document = _incidents_document(folder)
    runs, told = PerRun(), list[Alert]()
    told.extend(alerts_of(_records(folder), _noted(_records(folder), runs)))
    incidents = incidents_of(document, runs.intervals_ms())
    from_ms, to_ms = _ms(document["from"]), _ms(document["to"])
    warm_ms = from_ms + WARM_DAYS * DAY_MS
    opened = [it for it in told if it.sequence == FIRST_SEQUENCE]
    numbers = {key: number for number, key in enumerate(dict.fromkeys(_key(it) for it in told))}
    alerts = _own_alerts(opened, numbers, incidents)
    young = int(np.sum(alerts.own & (alerts.belongs == NOBODY) & (alerts.times_ms < warm_ms)))
    count = len(runs.series()) if not numbers else max(len(numbers), _watched(runs))
    series = [it for it in runs.series() if it.signal not in LEFT_OUT_FOR_PEERS]
    samples = _samples(series, incidents)
    peers = [it for it in PEERS if course.slow_too or it.name != SLOW]
    return Run(
        seed=int(document.get("seed", course.seed)),
        incidents=incidents,
        signals=[key[0] for key in numbers] + ["quiet"] * (count - len(numbers)),
        alerts=alerts,
        reasons=[f"{it.series.signal}: {it.transition_reason.rpartition(': ')[2]}" for it in opened],
        notifications=sum(it.state is State.FIRING for it in told),
        young_false=young,
        weeks=count * (to_ms - warm_ms) / WEEK_MS,
        young_weeks=count * (warm_ms - from_ms) / WEEK_MS,
        warm_from_ms=warm_ms,
        samples=samples,
        scores={it.name: _scores(it, series) for it in peers},
        drawn=list(_drawn(incidents, series, opened)),
    )


def _incidents_document(folder: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load((folder / "incidents.yaml").read_text("utf-8"))
    except OSError as error:
        raise Absent(f"{folder}: no recording of `streamgauge simulate`: {error.strerror}") from None
    return dict(document)


def _records(folder: Path) -> Iterator[Recorded]:
    with (folder / "events.ndjson").open("rb") as lines:
        yield from read_lines(lines, formats())


def _noted(records: Iterable[Recorded], runs: PerRun) -> Iterator[Recorded]:
    for it in records:
        runs.add(it)
        yield it


def incidents_of(document: dict[str, Any], intervals_ms: dict[str, int]) -> list[Incident]:
    """The labels as `streamgauge simulate` writes them, in the order of their start."""
    described = [
        Incident(
            it["id"],
            it["kind"],
            it["match"],
            frozenset(it["signals"]),
            _ms(it["starts_at"]),
            _ms(it["ends_at"]),
            intervals_ms.get(it["match"].get("pipeline", ""), 0),
            bool(it.get("for_good", False)),
            str(it.get("detail", "")),
        )
        for it in document["incidents"]
    ]
    return sorted(described, key=lambda it: it.starts_ms)


def _ms(time: str | datetime) -> int:
    text = time if isinstance(time, str) else time.isoformat()
    return read_time(text, "time")


def _key(alert: Alert) -> tuple[str, tuple[tuple[str, str], ...]]:
    return alert.series.signal, tuple(sorted(alert.series.labels.items()))


def _watched(runs: PerRun) -> int:
    """Series that Streamgauge has something to say about: those with numbers, and each pipeline's freshness and duplicates."""
    pipelines = {tuple(it.labels.items()) for it in runs.series() if it.signal == "failures"}
    return len(runs.series()) + len(pipelines)


def _own_alerts(
    opened: Sequence[Alert],
    numbers: dict[tuple[str, tuple[tuple[str, str], ...]], int],
    incidents: list[Incident],
) -> Alerts:
    times = np.array([_ms(it.detected_at) for it in opened], np.int64)
    whose = [
        owners(incidents, it.series.signal, it.series.labels, times[at : at + 1])
        for at, it in enumerate(opened)
    ]
    return Alerts(
        times,
        np.array([numbers[_key(it)] for it in opened], int),
        np.concatenate([np.zeros(0, int), *(it.belongs for it in whose)]),
        np.concatenate([np.zeros(0, int), *(it.finds for it in whose)]),
        np.array([it.state is State.FIRING for it in opened], bool),
    )


def _samples(series: Sequence[Series], incidents: list[Incident]) -> Samples:
    parts = []
    for number, it in enumerate(series):
        whose = owners(incidents, it.signal, it.labels, it.times_ms)
        parts.append(Samples(np.full(len(it.times_ms), number), it.times_ms, whose.belongs, whose.finds))
    return gathered(parts)


def _scores(peer: Peer, series: Sequence[Series]) -> np.ndarray:
    return np.concatenate([peer.scores(it.times_ms, it.values) for it in series])


class Account(NamedTuple):
    """What a detector's alerts on some recordings were worth."""

    found: list[tuple[Incident, Found]]
    false_alerts: int
    weeks: float
    each_a_week: list[float]

    @property
    def recall(self) -> float:
        return sum(it.delay_ms is not None for _, it in self.found) / max(1, len(self.found))

    @property
    def false_a_week(self) -> float:
        return self.false_alerts / self.weeks if self.weeks else 0.0

    def only(self, kinds: Iterable[str]) -> list[tuple[Incident, Found]]:
        """The incidents of some kinds."""
        wanted = set(kinds)
        return [it for it in self.found if it[0].kind in wanted]


def _account(runs: Sequence[Run], alerts: Sequence[Alerts], series: Sequence[int]) -> Account:
    pairs, each, total = [], [], 0
    for it, mine, count in zip(runs, alerts, series, strict=True):
        pairs += list(zip(it.incidents, found(it.incidents, mine), strict=True))
        false = false_each(mine, count, it.warm_from_ms)
        total += int(false.sum())
        each += (false / (it.weeks / len(it.signals))).tolist()
    return Account(pairs, total, sum(it.weeks for it in runs), each)


def _own_account(runs: Sequence[Run]) -> Account:
    return _account(runs, [it.alerts for it in runs], [len(it.signals) for it in runs])


def _own(section: Section, runs: Sequence[Run], which: str) -> None:
    account = _own_account(runs)
    told = sum(it.notifications for it in runs)
    opened = sum(int(it.alerts.own.sum()) for it in runs)
    young = sum(it.young_false for it in runs) / sum(it.young_weeks for it in runs)
    lines = [_kind_line(kind, account.only([kind])) for kind in sorted({it.kind for it, _ in account.found})]
    lines.append(_kind_line("**all**", account.found))
    heads = ["kind", "found", "share", "delay p50", "delay p90", "alerts per incident found"]
    p50, p90 = percentile(account.each_a_week, 0.5), percentile(account.each_a_week, 0.9)
    about = (
        f"Seeds {', '.join(str(it.seed) for it in runs)}. False alerts a series and week from the third week on: **{account.false_a_week:.3f}** "
        f"(p50 {p50:.2f}, p90 {p90:.2f}, worst series {max(account.each_a_week):.2f}); in the first two weeks {young:.3f}. "
        f"{account.false_alerts:,} false alerts in {account.weeks:,.0f} series-weeks. Notifications per alert, with those that tell of worse: "
        f"{told / max(1, opened):.2f}."
    )
    section.add(f"Streamgauge by kind of fault, {which}", heads, lines, about)
    heads = ["signal: reason", "alerts", "incidents found", "false alerts", "share of all false"]
    section.add(f"Streamgauge by signal, {which}", heads, _sources(runs), BY_SIGNAL)
    section.add(f"What was missed, {which}", ["seed", "incident", "what was done"], _missed(runs))
    section.numbers |= {
        f"{which}/recall": account.recall,
        f"{which}/false a series and week": account.false_a_week,
        f"{which}/alerts per incident": _alerts_each(account.found),
        f"{which}/false in the first two weeks": young,
    }


def _kind_line(kind: str, pairs: Sequence[tuple[Incident, Found]]) -> list[str]:
    delays = [it.delay_ms / 60_000 for _, it in pairs if it.delay_ms is not None]
    return [
        kind,
        f"{len(delays)}/{len(pairs)}",
        f"{len(delays) / len(pairs):.0%}",
        _time(percentile(delays, 0.5)) if delays else "–",
        _time(percentile(delays, 0.9)) if delays else "–",
        f"{_alerts_each(pairs):.2f}" if delays else "–",
    ]


def _time(minutes: float) -> str:
    if minutes < 120:
        return f"{minutes:.0f} min"
    return f"{minutes / 60:.1f} h" if minutes < 48 * 60 else f"{minutes / 1440:.1f} d"


def _alerts_each(pairs: Sequence[tuple[Incident, Found]]) -> float:
    counts = [it.alerts for _, it in pairs if it.delay_ms is not None]
    return sum(counts) / len(counts) if counts else 0.0


def _sources(runs: Sequence[Run]) -> list[list[str]]:
    alerts, false = Counter[str](), Counter[str]()
    finds: set[tuple[int, str, int]] = set()
    for it in runs:
        columns = zip(*(column.tolist() for column in it.alerts), strict=True)
        for reason, (time_ms, _, owner, finding, own) in zip(it.reasons, columns, strict=True):
            alerts[reason] += own
            false[reason] += own and owner == NOBODY and time_ms >= it.warm_from_ms
            if finding != NOBODY:
                finds.add((it.seed, reason, finding))
    total, by_reason = max(1, false.total()), Counter(reason for _, reason, _ in finds)
    return [
        [reason, str(count), str(by_reason[reason]), str(false[reason]), f"{false[reason] / total:.0%}"]
        for reason, count in sorted(alerts.items(), key=lambda one: (-false[one[0]], one[0]))
    ]


def _missed(runs: Sequence[Run]) -> list[list[str]]:
    return [
        [str(it.seed), one.id, one.detail]
        for it in runs
        for one, what in zip(it.incidents, found(it.incidents, it.alerts), strict=True)
        if what.delay_ms is None
    ]


def _compare(section: Section, runs: Sequence[Run]) -> None:
    own = _own_account(runs)
    lines = [_compared("**Streamgauge**", "defaults", own, None)]
    for peer in PEERS:
        mine = [it for it in runs if peer.name in it.scores]
        if not mine:
            continue
        tried = _tried(mine, peer.name)
        threshold, account = _best(tried, _own_account(mine).false_a_week)
        _, more = _best(tried, CEILING_A_WEEK)
        lines.append(_compared(peer.name, f"{threshold:.5g}", account, more))
        section.numbers[f"{peer.name}/recall"] = account.recall
    heads = [
        "detector",
        "threshold",
        "found",
        "found, of what peers can see",
        "false alerts a series and week",
        "delay p50",
        "delay p90",
        "alerts per incident found",
        f"found at {CEILING_A_WEEK} false alerts a series and week",
    ]
    section.add("Beside its peers, at equal false alerts", heads, lines, PEERS_ABOUT)


def _compared(name: str, threshold: str, it: Account, at_ceiling: Account | None) -> list[str]:
    seen = it.only({one.kind for one, _ in it.found} - UNSEEN_BY_PEERS)
    _, count, share, p50, p90, each = _kind_line(name, it.found)
    return [
        name,
        threshold,
        f"{count} = {share}",
        _kind_line(name, seen)[2],
        f"{it.false_a_week:.3f}",
        p50,
        p90,
        each,
        f"{at_ceiling.recall:.0%}" if at_ceiling else "–",
    ]


def _tried(runs: Sequence[Run], name: str) -> list[tuple[float, Account]]:
    """Thresholds from the highest down, until far more false alerts come than anybody would bear."""
    ranked = np.sort(np.concatenate([it.scores[name] for it in runs]))[::-1]
    places = np.unique(np.geomspace(1, max(2, len(ranked) // 20), CANDIDATES).astype(int)) - 1
    tried = [(float("inf"), _peer_account(runs, name, float("inf")))]
    for threshold in sorted({float(ranked[place]) for place in places if ranked[place] > 0}, reverse=True):
        tried.append((threshold, _peer_account(runs, name, threshold)))
        if tried[-1][1].false_a_week > 3 * CEILING_A_WEEK:
            break
    return tried


def _best(tried: Sequence[tuple[float, Account]], false_a_week: float) -> tuple[float, Account]:
    """What finds most with no more false alerts, of equals the highest threshold."""
    allowed = [it for it in tried if it[1].false_a_week <= false_a_week]
    return max(allowed, key=lambda it: (it[1].recall, it[0]))


def _peer_account(runs: Sequence[Run], name: str, threshold: float) -> Account:
    alerts = [it.samples.alerts(it.scores[name] >= threshold) for it in runs]
    return _account(runs, alerts, [int(it.samples.series[-1]) + 1 for it in runs])


def _drawn(
    incidents: Sequence[Incident], series: Sequence[Series], opened: Sequence[Alert]
) -> Iterator[Drawn]:
    """For each kind an incident that a series of numbers shows, one that was found there if there is one."""
    shown: dict[str, tuple[bool, Incident, Series]] = {}
    for it in incidents:
        for one in series:
            if _shows(it, one):
                alarming = any(_tells(alert, it, one) for alert in opened)
                if it.kind not in shown or alarming > shown[it.kind][0]:
                    shown[it.kind] = alarming, it, one
    for _, it, one in shown.values():
        yield _panel(it, one, opened)


def _tells(alert: Alert, it: Incident, series: Series) -> bool:
    same = alert.series.labels == series.labels
    return same and it.starts_ms <= _ms(alert.detected_at) <= it.grace_until_ms


def _shows(it: Incident, series: Series) -> bool:
    if series.signal not in it.signals & {"latency", "volume", "nulls", "value"} or len(series.values) < 30:
        return False
    inside = (series.times_ms >= it.starts_ms) & (series.times_ms <= it.ends_ms)
    return bool(inside.any()) and all(series.labels.get(name) == value for name, value in it.match.items())


def _panel(it: Incident, series: Series, opened: Sequence[Alert]) -> Drawn:
    signal = {"latency": ScoredSignal.LATENCY, "volume": ScoredSignal.VOLUME}.get(
        series.signal, ScoredSignal.VALUE
    )
    said = judge(series.times_ms, series.values, signal)
    margin = max(4 * (it.ends_ms - it.starts_ms), 40 * max(it.interval_ms, 300_000))
    first, last = np.searchsorted(series.times_ms, [it.starts_ms - margin, it.ends_ms + margin // 2])
    part = slice(int(first), int(last))
    times = series.times_ms[part]
    mine = [
        _ms(alert.detected_at)
        for alert in opened
        if alert.series.labels.get("pipeline") == series.labels.get("pipeline")
    ]
    title = f"{it.kind}: {series.signal} of {', '.join(series.labels.values())}"
    return Drawn(
        title,
        times,
        series.values[part],
        said.expected[part],
        said.lower[part],
        said.upper[part],
        [(it.starts_ms, it.ends_ms)],
        [time for time in mine if times[0] <= time <= times[-1]],
    )


def _draw(section: Section, plan: Plan, runs: Sequence[Run]) -> None:
    panels = {it.title.partition(":")[0]: it for one in runs for it in one.drawn}
    folder = plan.folder / "quality-plots"
    folder.mkdir(exist_ok=True)
    (folder / "faults.svg").write_text(drawing([panels[kind] for kind in sorted(panels)]))
    what = (
        "An incident of each kind that numbers show: the series with the band expected of it (green), the incident (red), and all alerts of its pipeline: "
        "red triangles within the incident, grey ones outside."
    )
    section.pictures.append(Picture("What it looks like", "quality-plots/faults.svg", what))


def _conditions(runs: Sequence[Run], size: Size, *, given: bool) -> str:
    incidents = sum(len(it.incidents) for it in runs)
    samples = sum(len(it.samples.times_ms) for it in runs)
    series = sum(int(it.samples.series[-1]) + 1 for it in runs)
    platforms = (
        "Recordings that were given"
        if given
        else f"Platforms of {size.pipelines} pipelines over {size.days} days to {rfc3339(END_MS)}, {size.per_week} faults a pipeline and week"
    )
    return f"{platforms}; {incidents:,} incidents, {samples:,} numbers in {series:,} series."
