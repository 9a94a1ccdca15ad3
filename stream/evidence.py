"""Evidence: the samples of an alert's series around its incident, with what was expected of them, folded anew from the samples topic.

What a sample was compared with is nowhere stored, so detect folds what the topic retains once more, and a `Watch` looks on. The detector that made
the alert may have known more: its state is older than the topic's first record. Then the band is that of a younger one, which is said.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise
from math import nan
from statistics import median
from typing import Final, NamedTuple

import numpy as np

from detectors.alerts import Alert, Kind
from detectors.detect import Detect
from detectors.series import Signal, canonical_labels, series_text
from detectors.settings import Settings
from detectors.stage import HoleError
from detectors.verdicts import Change
from detectors.watching import Seen, Watch
from detectors.wording import time_text
from stream.exits import Exit, Refused
from stream.plots.drawn import Drawn
from stream.retained import Kept

_BEFORE, _AFTER = 3.0, 1.0
"""How much is shown before and after an incident, in its own length, at least so many samples."""
_SAMPLES_BEFORE, _SAMPLES_AFTER = 60, 20
_WITHOUT_SAMPLES: Final = (Kind.SCHEMA, Kind.STORM, Kind.DETECTOR_HEALTH)


class Evidence(NamedTuple):
    """What is shown of a series: the samples of a span of time, when the incident was, and what is to be said about them."""

    samples: list[Seen]
    from_ms: int
    to_ms: int
    incident_ms: tuple[int, int]
    notes: list[str]


def has_samples(alert: Alert) -> bool:
    """Whether the alert's series consists of samples that can be drawn."""
    return alert.kind not in _WITHOUT_SAMPLES


def watch_of(alert: Alert) -> Watch:
    """A watch of the alert's series."""
    return Watch(Signal(alert.series.signal), canonical_labels(alert.series.labels))


def fold(settings: Settings, shard: int, watch: Watch, records: Iterable[Kept]) -> None:
    """Fold what is retained of a shard's samples, watched.

    Raises:
        Refused: the records are none of this version, or some are missing.
    """
    detect = Detect(settings, shard, watch)
    for it in records:
        try:
            detect.step(it.offset, it.value)
        except (ValueError, HoleError) as error:
            raise Refused(f"the samples topic at {shard}@{it.offset}: {error}", Exit.DATA) from None
        detect.take_counts()


def nothing(alerts: Sequence[Alert], note: str) -> Evidence:
    """No samples, and why."""
    incident_ms = _incident_ms(alerts, 0)
    return Evidence([], *incident_ms, incident_ms, [note])


def around(alerts: Sequence[Alert], seen: Sequence[Seen]) -> Evidence:
    """The samples around the incident, or what there is where that is no longer retained."""
    if not seen:
        return nothing(alerts, "no sample of this series is retained any more: there is nothing to draw")
    first_ms, last_ms = min(it.time_ms for it in seen), max(it.time_ms for it in seen)
    incident_ms = start_ms, end_ms = _incident_ms(alerts, last_ms)
    if first_ms > end_ms:
        since = f"what is retained of this series begins at {time_text(first_ms)}, after the incident: drawn is what came since"
        return Evidence(sorted(seen), first_ms, last_ms, incident_ms, [since])
    interval_ms, length_ms = _interval_ms(seen), end_ms - start_ms
    from_ms = start_ms - int(max(_BEFORE * length_ms, _SAMPLES_BEFORE * interval_ms))
    to_ms = end_ms + int(max(_AFTER * length_ms, _SAMPLES_AFTER * interval_ms))
    shown = sorted(it for it in seen if from_ms <= it.time_ms <= to_ms)
    if not shown:
        until = (
            f"of the time of the incident no sample is retained: drawn are those up to {time_text(last_ms)}"
        )
        return Evidence(sorted(seen), first_ms, last_ms, incident_ms, [until])
    begin_ms = max(from_ms, min(start_ms, first_ms))
    reached_ms = max(min(to_ms, last_ms), end_ms)
    return Evidence(
        sorted([*shown, *_silences(alerts)]), begin_ms, reached_ms, incident_ms, _younger(alerts[0], first_ms)
    )


def _incident_ms(alerts: Sequence[Alert], last_ms: int) -> tuple[int, int]:
    """From when to when the incident lasted; one that is open, to the last that is known of the series."""
    latest = alerts[-1]
    end_ms = epoch_ms(latest.ends_at) if latest.ends_at else max(epoch_ms(latest.updated_at), last_ms)
    return epoch_ms(latest.starts_at), end_ms


def _silences(alerts: Sequence[Alert]) -> list[Seen]:
    """How long a silence had lasted when it was told, though nothing came then."""
    told = [it for it in alerts if it.change is Change.SILENCE and it.ends_at is None]
    return [_told(it) for it in told if it.updated_at == it.window.end]


def _told(alert: Alert) -> Seen:
    numbers = (alert.observed, alert.expected, alert.lower, alert.upper)
    return Seen(epoch_ms(alert.updated_at), *(nan if it is None else it for it in numbers))


def _younger(first: Alert, first_ms: int) -> list[str]:
    baseline = first.baseline
    if epoch_ms(baseline.from_) >= first_ms or not baseline.n:
        return []
    said = (
        f"the alert rests on {baseline.n} samples since {baseline.from_}, but what is retained of this series begins at "
        f"{time_text(first_ms)}: the band is that of a detector that knows no more, and may be wider"
    )
    return [said]


def _interval_ms(seen: Sequence[Seen]) -> float:
    times = sorted({it.time_ms for it in seen})
    return median(after - before for before, after in pairwise(times)) if len(times) > 1 else 60_000.0


def drawn(alerts: Sequence[Alert], evidence: Evidence) -> Drawn:
    """The evidence as a plot; there is at least one sample."""
    latest, columns = alerts[-1], np.array(evidence.samples, np.float64)
    from_ms, to_ms = evidence.from_ms, evidence.to_ms
    start_ms, end_ms = evidence.incident_ms
    told = [epoch_ms(it.updated_at) for it in alerts if it.notify]
    return Drawn(
        series_text(latest.series.signal, canonical_labels(latest.series.labels)),
        columns[:, 0].astype(np.int64),
        columns[:, 1],
        columns[:, 2],
        columns[:, 3],
        columns[:, 4],
        [(start_ms, end_ms)] if start_ms <= to_ms and end_ms >= from_ms else [],
        [time_ms for time_ms in told if from_ms <= time_ms <= to_ms],
        latest.series.unit,
        (from_ms, to_ms),
    )


def epoch_ms(moment: str) -> int:
    """Epoch milliseconds of an alert's time."""
    return round(datetime.fromisoformat(moment).timestamp() * 1000)
