"""What a user may tune of the deciding stages, as plain frozen values: thresholds, times, limits, and who owns a series.

Only values and the rule that picks one series' values live here. Reading files, durations and error messages is
`stream.config`; it ends in a `Settings`. `Settings()` alone holds the defaults.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Literal, NamedTuple

import msgspec

from detectors.expected_changes import ExpectedChange
from detectors.lineage import Link
from detectors.paging import Paging
from detectors.series import Labels, canonical_labels

Direction = Literal["up", "down", "both"]
Severity = Literal["critical", "error", "warning", "info"]
Season = Literal["none", "daily", "weekly", "auto"]
SeriesMode = Literal["live", "shadow", "off"]

FALSE_ALARMS_PER_DAY = 1 / 30
MIN_EFFECT = 0.20
RUNBOOKS = "docs/runbooks"
UTC = "UTC"


class Persistence(NamedTuple):
    """How many samples must cross their limits (`needed`) of how many in a row (`among`), the last one among them."""

    needed: int
    among: int


AMONG_MAX = 16

SEASONS = ("none", "daily", "weekly", "auto")
"""Which routines of its own clock a series may have, each with those before it: of the hour, of the day of the week, and of the month."""


class Schedule(NamedTuple):
    """When something is expected to come: `cron` by the series' own clock, overdue `within_ms` later; `written` is how people wrote it.

    `NO_SCHEDULE` takes back one of a layer below.
    """

    written: str
    cron: str
    within_ms: int


NO_SCHEDULE = Schedule("learned", "", 0)


VOLUME_SIGNALS = frozenset({"volume", "failures", "duplicates", "lateness"})
"""The signals that `min_volume` counts for."""


BUILT_IN = "default"
"""The name of the heads that judge a series unless it has a model."""


class Model(msgspec.Struct, frozen=True):
    """A detector by name, and its parameters as JSON with sorted keys: plain values, so that settings can be compared."""

    name: str
    parameters: str = "{}"


class Tuning(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One layer of tuning; a key that was not written is None and leaves the layer below in force.

    `min_effect` is a share of the expected value: .2 ignores what differs from it by less than 20 %.
    `false_alarms_per_day` is the ceiling a user accepts for one series. `min_volume` is, of a volume, the amount below which it
    does not matter whether it was expected, and of a rate the outcomes that it takes to judge it. `time_zone` is an IANA name:
    whose clock its routines follow, `season` which of them it may have. `schedule` says when something is expected to come, for freshness. `mode` says whom
    alerts are for: everybody, those who watch the shadow topic, or nobody; alerts carry `labels` beside those of the series, to be routed by. `model` judges numeric series; with the name `BUILT_IN` it takes back a model of the layer
    below.
    """

    direction: Direction | None = None
    min_effect: float | None = None
    false_alarms_per_day: float | None = None
    min_volume: float | None = None
    persistence: Persistence | None = None
    severity: Severity | None = None
    time_zone: str | None = None
    season: Season | None = None
    schedule: Schedule | None = None
    mode: SeriesMode | None = None
    owner: str | None = None
    labels: Labels | None = None
    runbook_url: str | None = None
    model: Model | None = None


class SeriesSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for one series, after all layers: same keys and units as `Tuning`."""

    direction: Direction = "both"
    min_effect: float = MIN_EFFECT
    false_alarms_per_day: float = FALSE_ALARMS_PER_DAY
    min_volume: float = 0.0
    persistence: Persistence = Persistence(1, 1)
    severity: Severity = "warning"
    time_zone: str = UTC
    season: Season = "auto"
    schedule: Schedule = NO_SCHEDULE
    mode: SeriesMode = "live"
    owner: str | None = None
    labels: Labels = ()
    runbook_url: str | None = None
    model: Model = Model(BUILT_IN)

    def under(self, tuning: Tuning) -> SeriesSettings:
        """These settings with every key that `tuning` sets taken from it, of `labels` each by itself."""
        keys = written(tuning)
        if tuning.labels is not None:
            keys["labels"] = canonical_labels(dict(self.labels) | dict(tuning.labels))
        return msgspec.structs.replace(self, **keys)


class Rule(msgspec.Struct, frozen=True):
    """Tuning for the series that `match` describes: globs by label name, and by `signal` for the signal."""

    match: Mapping[str, str]
    tuning: Tuning

    def matches(self, signal: str, labels: Mapping[str, str]) -> bool:
        """Whether every glob matches, case-sensitively; a label that the series lacks never matches."""
        return all(
            _matches(glob, signal if key == "signal" else labels.get(key)) for key, glob in self.match.items()
        )


SIGNAL_DEFAULTS: Mapping[str, Tuning] = {
    "latency": Tuning(direction="up"),
    "volume": Tuning(),
    "freshness": Tuning(direction="up"),
    "failures": Tuning(direction="up"),
    "duplicates": Tuning(direction="up"),
    "lateness": Tuning(direction="up"),
    "schema": Tuning(min_effect=0.0),
    "value": Tuning(min_effect=0.0),
}
"""What differs from the general defaults by the nature of a signal: a faster run or fewer failures is no incident."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """Everything tunable that the deciding stages read. Times are milliseconds, limits are inclusive."""

    allowed_lateness_ms: int = 30_000
    allowed_skew_ms: int = 300_000
    idle_timeout_ms: int = 10_000
    window_ms: int = 300_000
    series_max: int = 100_000
    ids_max: int = 100_000
    """Ids of records that are remembered of one series."""
    shards: int = 1
    """Samples partitions, over which the series spread evenly: each gets its share of the fleet's budget."""
    fleet_false_alarms_per_day: float | None = None
    """Ceiling on the false alarms of all series together; None: there is none."""
    runbook_base_url: str = RUNBOOKS
    """Where the runbooks of the kinds lie."""
    defaults: Tuning = Tuning()
    signals: Mapping[str, Tuning] = msgspec.field(default_factory=lambda: SIGNAL_DEFAULTS)
    rules: tuple[Rule, ...] = ()
    expected_changes: tuple[ExpectedChange, ...] = ()
    """Changes of records that are not told, but become what is known."""
    paging: Paging = Paging()
    lineage: tuple[Link, ...] = ()
    """Links that hold whatever the events tell."""
    unexampled_topics: frozenset[str] = frozenset()
    """Topics of whose values alerts show not even masked examples."""

    def for_series(self, signal: str, labels: Mapping[str, str]) -> SeriesSettings:
        """Defaults, then the signal's layer, then every matching rule in order: the last one to set a key wins."""
        settings = self.for_signal(signal)
        for rule in self.rules:
            if rule.matches(signal, labels):
                settings = settings.under(rule.tuning)
        return settings

    def for_signal(self, signal: str) -> SeriesSettings:
        """The layers below the rules: defaults, then the signal's."""
        return SeriesSettings().under(self.defaults).under(self.signals.get(signal, Tuning()))

    def runbook_url(self, kind: str, settings: SeriesSettings) -> str:
        """What to read when a series alarms: its own runbook, else that of the alert's kind."""
        return settings.runbook_url or f"{self.runbook_base_url.rstrip('/')}/{kind}.md"

    def tuned_as(self, other: Settings) -> Settings:
        """These settings with what may change while a worker runs as it is in others: all but times and limits."""
        return msgspec.structs.replace(
            self,
            fleet_false_alarms_per_day=other.fleet_false_alarms_per_day,
            defaults=other.defaults,
            signals=other.signals,
            rules=other.rules,
            expected_changes=other.expected_changes,
            paging=other.paging,
            lineage=other.lineage,
            runbook_base_url=other.runbook_base_url,
        )

    @property
    def _layers(self) -> tuple[Tuning, ...]:
        return (self.defaults, *self.signals.values(), *(rule.tuning for rule in self.rules))

    @property
    def time_zones(self) -> list[str]:
        """The time zones that some series may have, by name."""
        return sorted({UTC, *(layer.time_zone for layer in self._layers if layer.time_zone is not None)})

    @property
    def has_schedules(self) -> bool:
        """Whether anything may be expected at declared times."""
        return any(layer.schedule is not None for layer in self._layers)

    @cached_property
    def config_hash(self) -> str:
        """Twelve hex digits that change when, and only when, a value here changes; the same in every process."""
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()[:12]


def written(tuning: Tuning) -> dict[str, str | float | Persistence | Schedule | Labels | Model]:
    """The keys that `tuning` sets, with their values."""
    return {key: value for key, value in msgspec.structs.asdict(tuning).items() if value is not None}


def _matches(glob: str, text: str | None) -> bool:
    return text is not None and fnmatchcase(text, glob)
