"""Ingest, detect and triage back to back, for tests that say exactly what is read when; `restart` loses all but the dumps."""

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from detectors.alerts import Alert, Mode
from detectors.detect import Detect
from detectors.outputs import Destination, Output
from detectors.settings import Settings
from detectors.stage import Count
from detectors.triage import Triage
from stream.formats import Reading
from stream.formats.limits import Limits
from stream.formats.pace import NOTHING, Past, after
from stream.ingest import Ingest
from stream.sources import Place


class InOneProcess:
    """A worker without Kafka. Alerts are kept by `event_id`, without their processing times; `differing` repeats too."""

    def __init__(
        self,
        formats: Mapping[str, Reading],
        partitions: Mapping[str, int],
        settings: Settings,
        shards: int = 1,
        keep_payloads: bool = False,
    ) -> None:
        self._settings = msgspec.structs.replace(settings, shards=shards)
        self._sources = (formats, shards, partitions, Limits(), settings.allowed_skew_ms)
        self._pasts: dict[tuple[str, int], Past] = {}
        self._ingest = Ingest(*self._sources, past_of=self._past_of)
        self._detects = [self._new_detect(shard) for shard in range(shards)]
        self._triage = self._new_triage()
        self._ends: dict[tuple[str, int], int] = {}
        self._fetched: dict[Place, int] = {}
        self.alerts: dict[str, Alert] = {}
        self.differing: list[Alert] = []
        self.dead_letters: dict[bytes | None, Output] = {}
        self._keep_payloads = keep_payloads
        self.payloads: dict[str, list[bytes]] = {"samples": [], "anomalies": []}
        self._counts: Counter[Count] = Counter()

    def _new_detect(self, shard: int) -> Detect:
        return Detect(self._settings, shard)

    def _new_triage(self) -> Triage:
        return Triage(self._settings, Mode.LIVE)

    def read(
        self,
        place: Place,
        offsets: Sequence[int],
        values: Sequence[bytes | None],
        timestamps_ms: Sequence[int],
        wall_ms: int,
    ) -> None:
        """Read a batch that follows on what was read of its partition."""
        previous = self._fetched.get(place, -1)
        self._fetched[place] = offsets[-1]
        self._fold(
            self._ingest.batch(*place, offsets, values, timestamps_ms, previous, wall_ms, caught_up=False)
        )
        past = self._pasts.get(place, NOTHING)
        self._pasts[place] = after(past, np.asarray(offsets, np.int64), np.asarray(timestamps_ms, np.int64))

    def _past_of(self, topic: str, partition: int, _offset: int) -> Past:
        return self._pasts.get((topic, partition), NOTHING)

    def mark(self, place: Place, wall_ms: int, *, idle: bool = True) -> None:
        """Say where a partition stands: read to its end, and idle."""
        position = self._fetched.get(place, -1) + 1
        self._fold(self._ingest.mark(*place, position, wall_ms, caught_up=idle, idle=idle))

    def seek(self, place: Place, next_offset: int) -> None:
        """Read a partition again from an earlier offset."""
        self._fetched[place] = next_offset - 1

    def restart(self) -> None:
        """Go on from what the stages dump, with an ingest that remembers nothing."""
        self._ingest = Ingest(*self._sources, past_of=self._past_of)
        for shard, old in enumerate(self._detects):
            self._detects[shard] = self._new_detect(shard)
            self._detects[shard].load(old.dump())
        before, self._triage = self._triage, self._new_triage()
        self._triage.load(before.dump())

    def followed(self) -> list[str]:
        """What is known of every series, in an order that does not depend on anything."""
        return sorted(str(series) for detect in self._detects for series in detect.followed())

    def counts(self) -> Counter[Count]:
        """What detect has counted so far."""
        for detect in self._detects:
            self._counts += detect.take_counts()
        return self._counts

    def seen(self, name: str) -> int:
        """How many samples are known of the series with this label value that has most."""
        known = [series for detect in self._detects for series in detect.followed()]
        return max((series.n for series in known if name in dict(series.labels).values()), default=0)

    def _fold(self, outputs: Sequence[Output]) -> None:
        for output in outputs:
            if output.destination is Destination.DEAD_LETTERS:
                self.dead_letters[output.key] = output
                continue
            if output.destination is Destination.ANOMALIES:
                self._triage_step(output)
                continue
            shard = output.partition or 0
            self._remember("samples", output)
            for anomaly in self._detects[shard].step(self._offset("samples", shard), output.value or b""):
                self._triage_step(anomaly)

    def _triage_step(self, anomaly: Output) -> None:
        self._remember("anomalies", anomaly)
        for alert in self._triage.step(self._offset("anomalies", 0), anomaly.value or b""):
            timeless = {"detected_at": "", "detection_delay_ms": 0, "config_hash": ""}
            self._keep(msgspec.structs.replace(alert, **timeless))

    def _keep(self, alert: Alert) -> None:
        if self.alerts.setdefault(alert.event_id, alert) != alert:
            self.differing.append(alert)

    def _remember(self, topic: str, output: Output) -> None:
        if self._keep_payloads and output.value is not None:
            self.payloads[topic].append(output.value)

    def _offset(self, topic: str, partition: int) -> int:
        at = self._ends.get((topic, partition), -1) + 1
        self._ends[topic, partition] = at
        return at
