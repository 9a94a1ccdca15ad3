"""Recordings of a simulated platform, run: Streamgauge's stages on every record, and the peers on every series of numbers."""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import yaml

from bench.quality.attribution import NOBODY, Alerts, Incident, Samples, gathered, owners
from bench.quality.evidence import Absent
from bench.quality.fault_panels import panels
from bench.quality.peers import PEERS, Peer
from bench.quality.per_run import PerRun, Series
from bench.quality.staged import alerts_of, formats
from bench.quality.stationary import DAY_MS
from detectors.alerts import FIRST_SEQUENCE, Alert, State
from stream.backtest import Recorded, read_lines
from stream.formats.times import read_time
from stream.plots.drawn import Drawn
from stream.simulate.recording import Request, record, span

WARM_DAYS: Final = 14
WEEK_MS: Final = 7 * DAY_MS
END_MS: Final = 1_762_732_800_000
"""2025-11-10T00:00Z: the span has an end of daylight saving in Europe and in America."""
LEFT_OUT_FOR_PEERS: Final = frozenset({"failures"})
"""Of an outcome that is nearly always 0 a z-score makes an alarm of each failure: peers are better off without."""
SLOW: Final = "River HalfSpaceTrees"


class Size(NamedTuple):
    """How large a platform is, for how long."""

    pipelines: int
    days: int
    per_week: float


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
    from_ms, to_ms = ms_of(document["from"]), ms_of(document["to"])
    warm_ms = from_ms + WARM_DAYS * DAY_MS
    opened = [it for it in told if it.sequence == FIRST_SEQUENCE]
    numbers = {key: number for number, key in enumerate(dict.fromkeys(_key(it) for it in told))}
    noticed = {it.alert_id for it in told if it.notify}
    alerts = _own_alerts(opened, noticed, numbers, incidents)
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
        notifications=sum(it.notify and it.state in (State.FIRING, State.NO_DATA) for it in told),
        young_false=young,
        weeks=count * (to_ms - warm_ms) / WEEK_MS,
        young_weeks=count * (warm_ms - from_ms) / WEEK_MS,
        warm_from_ms=warm_ms,
        samples=samples,
        scores={it.name: _scores(it, series) for it in peers},
        drawn=list(panels(incidents, series, opened)),
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
            ms_of(it["starts_at"]),
            ms_of(it["ends_at"]),
            intervals_ms.get(it["match"].get("pipeline", ""), 0),
            bool(it.get("for_good", False)),
            str(it.get("detail", "")),
        )
        for it in document["incidents"]
    ]
    return sorted(described, key=lambda it: it.starts_ms)


def ms_of(time: str | datetime) -> int:
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
    noticed: set[str],
    numbers: dict[tuple[str, tuple[tuple[str, str], ...]], int],
    incidents: list[Incident],
) -> Alerts:
    times = np.array([ms_of(it.detected_at) for it in opened], np.int64)
    whose = [
        owners(incidents, it.series.signal, it.series.labels, times[at : at + 1])
        for at, it in enumerate(opened)
    ]
    return Alerts(
        times,
        np.array([numbers[_key(it)] for it in opened], int),
        np.concatenate([np.zeros(0, int), *(it.belongs for it in whose)]),
        np.concatenate([np.zeros(0, int), *(it.finds for it in whose)]),
        np.array([it.alert_id in noticed for it in opened], bool),
    )


def _samples(series: Sequence[Series], incidents: list[Incident]) -> Samples:
    parts = []
    for number, it in enumerate(series):
        whose = owners(incidents, it.signal, it.labels, it.times_ms)
        parts.append(Samples(np.full(len(it.times_ms), number), it.times_ms, whose.belongs, whose.finds))
    return gathered(parts)


def _scores(peer: Peer, series: Sequence[Series]) -> np.ndarray:
    return np.concatenate([peer.scores(it.times_ms, it.values) for it in series])
