"""Evidence: the samples of an alert's series around its incident, with what was expected of them, folded anew from the samples topic.

What a sample was compared with is nowhere stored, so detect folds what the topic retains once more, and a `Watch` looks on. The detector that made
the alert may have known more: its state is older than the topic's first record. Then the band is that of a younger one, which is said.
"""

from collections.abc import Iterable
from datetime import datetime
from itertools import pairwise
from statistics import median
from typing import Final, NamedTuple

import numpy as np

from detectors.alerts import Alert, Kind
from detectors.detect import Detect
from detectors.series import Signal, canonical_labels, series_text
from detectors.settings import Settings
from detectors.stage import HoleError
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
    """What is shown of a series: the samples of a span of time, and what is to be said about them."""

    samples: list[Seen]
    from_ms: int
    to_ms: int
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


def incident_ms(alerts: list[Alert]) -> tuple[int, int]:
    """From when to when the incident lasted, as far as was told."""
    latest = alerts[-1]
    return epoch_ms(latest.starts_at), epoch_ms(latest.ends_at or latest.updated_at)


def around(alerts: list[Alert], seen: list[Seen]) -> Evidence:
    """The samples around the incident, or what there is where that is no longer retained."""
    notes: list[str] = []
    start_ms, end_ms = incident_ms(alerts)
    if not seen:
        notes.append("no sample of this series is retained any more: there is nothing to draw")
        return Evidence([], start_ms, end_ms, notes)
    interval_ms = _interval_ms(seen)
    length_ms = end_ms - start_ms
    from_ms = start_ms - int(max(_BEFORE * length_ms, _SAMPLES_BEFORE * interval_ms))
    to_ms = end_ms + int(max(_AFTER * length_ms, _SAMPLES_AFTER * interval_ms))
    first_ms, last_ms = min(it.time_ms for it in seen), max(it.time_ms for it in seen)
    if first_ms > end_ms:
        notes.append(
            f"what is retained of this series begins at {time_text(first_ms)}, after the incident: drawn is what came since"
        )
        return Evidence(sorted(seen), first_ms, last_ms, notes)
    notes += _younger(alerts[0], first_ms)
    shown = sorted(it for it in seen if from_ms <= it.time_ms <= to_ms)
    if not shown:
        notes.append(
            f"of the time of the incident no sample is retained: drawn are those up to {time_text(last_ms)}"
        )
        return Evidence(sorted(seen), first_ms, last_ms, notes)
    begin_ms = max(from_ms, min(start_ms, first_ms))
    return Evidence(shown, begin_ms, max(min(to_ms, last_ms), end_ms), notes)


def _younger(first: Alert, first_ms: int) -> list[str]:
    baseline = first.baseline
    if epoch_ms(baseline.from_) >= first_ms or not baseline.n:
        return []
    said = (
        f"the alert rests on {baseline.n} samples since {baseline.from_}, but what is retained of this series begins at "
        f"{time_text(first_ms)}: the band is that of a detector that knows no more, and may be wider"
    )
    return [said]


def _interval_ms(seen: list[Seen]) -> float:
    times = sorted({it.time_ms for it in seen})
    return median(after - before for before, after in pairwise(times)) if len(times) > 1 else 60_000.0


def drawn(alerts: list[Alert], evidence: Evidence) -> Drawn:
    """The evidence as a plot; there is at least one sample."""
    latest, samples = alerts[-1], evidence.samples
    columns = np.array(samples, np.float64)
    span_ms = evidence.from_ms, evidence.to_ms
    start_ms, end_ms = incident_ms(alerts)
    shown = start_ms <= evidence.to_ms and end_ms >= evidence.from_ms
    told = [epoch_ms(it.updated_at) for it in alerts if it.notify]
    return Drawn(
        series_text(latest.series.signal, canonical_labels(latest.series.labels)),
        columns[:, 0].astype(np.int64),
        columns[:, 1],
        columns[:, 2],
        columns[:, 3],
        columns[:, 4],
        [(start_ms, end_ms)] if shown else [],
        [time_ms for time_ms in told if span_ms[0] <= time_ms <= span_ms[1]],
        latest.series.unit,
        span_ms,
    )


def epoch_ms(moment: str) -> int:
    """Epoch milliseconds of an alert's time."""
    return round(datetime.fromisoformat(moment).timestamp() * 1000)
