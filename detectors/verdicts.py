"""Verdicts: what detectors say of samples, and the batches in which detect hands them to triage."""

from enum import StrEnum

import msgspec

from detectors.series import Labels, Signal

VERSION = 1


class Direction(StrEnum):
    """The side on which an observation left its range."""

    UP = "up"
    DOWN = "down"


class Change(StrEnum):
    """The form of what happened."""

    POINT = "point"
    SHIFT = "shift"
    DRIFT = "drift"
    SILENCE = "silence"
    SCHEMA = "schema"


class Reason(StrEnum):
    """Why a verdict came out as it did: one vocabulary for logs, metrics, alerts and tests."""

    ORDINARY = "ordinary"
    WARMING = "warming"
    ABOVE_RANGE = "above_range"
    BELOW_RANGE = "below_range"
    SHIFTED = "shifted"
    DRIFTED = "drifted"
    BASELINE_SHIFT_PROPOSED = "baseline_shift_proposed"
    BASELINE_SHIFT_ACCEPTED = "baseline_shift_accepted"
    RUNNING_TOO_LONG = "running_too_long"
    RUN_OVERDUE = "run_overdue"
    RUN_ARRIVED = "run_arrived"
    RUN_ON_TIME = "run_on_time"
    SERIES_SILENT = "series_silent"
    SERIES_BACK = "series_back"
    SAMPLE_ON_TIME = "sample_on_time"
    TOO_MANY_FAILURES = "too_many_failures"
    TOO_MANY_DUPLICATES = "too_many_duplicates"
    TOO_MANY_LATE = "too_many_late"
    TOO_MANY_REPEATED = "too_many_repeated"
    TOO_MANY_RUNS = "too_many_runs"
    SCHEMA_CHANGED = "schema_changed"
    DECLARED_DIFFERS = "declared_differs"
    SUBJECT_CHANGED = "subject_changed"
    NOTICE_GIVEN = "notice_given"
    VERSION_MIX = "version_mix"
    NEW_VERSION_ALONE = "new_version_alone"
    OLD_VERSION_ALONE = "old_version_alone"
    VERSIONS_USUAL = "versions_usual"
    STUCK = "stuck"
    SPREAD_GREW = "spread_grew"
    UNIT_CHANGED = "unit_changed"
    UNLIKE_PEERS = "unlike_peers"
    UNUSUAL = "unusual"
    LEVEL_MOVED = "level_moved"
    SERIES_CAP = "series_cap"
    PATHS_CAP = "paths_cap"
    MODEL_CRASHED = "model_crashed"
    MODEL_TOO_LARGE = "model_too_large"
    STORM = "storm"

    @property
    def conclusive(self) -> bool:
        """Whether one such ordinary verdict ends an episode without a quiet time."""
        return self in _CONCLUSIVE

    @property
    def corrects(self) -> bool:
        """Whether it shows that there was no anomaly: what was missing had come in time, and was only told late."""
        return self in _CORRECTING

    @property
    def of_health(self) -> bool:
        """Whether it is about Streamgauge itself."""
        return self in (Reason.SERIES_CAP, Reason.PATHS_CAP, Reason.MODEL_CRASHED, Reason.MODEL_TOO_LARGE)


_CORRECTING = (Reason.RUN_ON_TIME, Reason.SAMPLE_ON_TIME)
_CONCLUSIVE = (
    *_CORRECTING,
    Reason.RUN_ARRIVED,
    Reason.SERIES_BACK,
    Reason.BASELINE_SHIFT_ACCEPTED,
    Reason.NEW_VERSION_ALONE,
    Reason.OLD_VERSION_ALONE,
    Reason.VERSIONS_USUAL,
    Reason.NOTICE_GIVEN,
)


class Baseline(msgspec.Struct, frozen=True, omit_defaults=True, rename={"from_ms": "from", "to_ms": "to"}):
    """What an observation was compared with: the method, and the samples it rests on."""

    method: str
    n: int
    from_ms: int
    to_ms: int
    warming: bool = False
    pooled: bool = False


class SourcePosition(msgspec.Struct, frozen=True, order=True):
    """Where the records behind a verdict lie."""

    topic: str
    partition: int
    first_offset: int
    last_offset: int


class SchemaChange(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """One difference between a schema and the one before it, declared or learned from the records."""

    change: str
    path: str
    from_: str | None
    to: str | None
    share: float
    confidence: float
    first: SourcePosition
    last: SourcePosition
    example: str | None = None
    """What a value that stands there now looks like, masked."""
    sample: float = 1.0
    """The share of all records that are looked at; below 1 `share` is an estimate."""


class Verdict(msgspec.Struct, frozen=True, omit_defaults=True):
    """A detector's judgement of one sample, window, silence or schema.

    Times are event times in ms. `severity_score` grows with how far the observation lies outside its range (about
    1 at the border); `unit` names the unit of observed, expected, lower and upper.
    """

    signal: Signal
    labels: Labels
    detector: str
    time_ms: int
    window_start_ms: int
    window_end_ms: int
    anomalous: bool
    reason: Reason
    change: Change
    baseline: Baseline
    positions: tuple[SourcePosition, ...]
    severity_score: float = 0.0
    unit: str = ""
    observed: float | None = None
    expected: float | None = None
    lower: float | None = None
    upper: float | None = None
    p_value: float | None = None
    direction: Direction | None = None
    schema_change: SchemaChange | None = None
    owner: str = ""
    error: str = ""
    chance_per_day: float | None = None
    """How often per day a series like this gives something at least as surprising by chance."""
    allowed_per_day: float | None = None
    """The chance per day up to which the fleet's ceiling let verdicts pass."""
    muted: bool = False
    """The fleet's ceiling kept it from opening an episode."""
    anew: bool = False
    """It is a single sample outside its range, which is news although an episode of its series is open."""
    schedule: str = ""
    """When a series runs, in words, for what was judged by a schedule."""


class FleetShare(msgspec.Struct, array_like=True, frozen=True):
    """One shard's part in the fleet's budget: series that can alarm, and alarms by chance per day.

    `budget_per_day` is its share of the ceiling, `expected_per_day` what its series give if all are ordinary, and `allowed_per_day` the
    chance per day up to which a verdict passes. None: no ceiling.
    """

    series: int
    expected_per_day: float
    budget_per_day: float | None
    allowed_per_day: float | None


class AnomalyBatch(msgspec.Struct, array_like=True, frozen=True, tag="anomalies"):
    """One record of the anomalies topic: what one step of one detect shard has to say to one triage partition.

    `shard` and `offset` are the samples partition and offset of the step: the fence against repeats. `now_ms` is the
    shard's merged event time, before which it has said everything, and `wall_ms` the wall clock that its marks carried. `orders_ms` are the
    times at which the verdicts were given, as detect judges in order.
    """

    version: int
    shard: int
    offset: int
    now_ms: int
    wall_ms: int
    orders_ms: tuple[int, ...]
    verdicts: tuple[Verdict, ...]
    fleet: FleetShare | None = None

    @staticmethod
    def from_bytes(payload: bytes) -> "AnomalyBatch":
        """Decode one record.

        Raises:
            ValueError: the payload is no anomaly batch, or one of another version.
        """
        batch = _decoder.decode(payload)
        if batch.version != VERSION:
            raise ValueError(f"anomaly batch of version {batch.version}; this worker reads version {VERSION}")
        return batch

    def to_bytes(self) -> bytes:
        """Encode for the topic."""
        return _encoder.encode(self)


_decoder = msgspec.msgpack.Decoder(AnomalyBatch)
_encoder = msgspec.msgpack.Encoder()
