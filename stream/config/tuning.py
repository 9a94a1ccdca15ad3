"""The sections people tune: `defaults`, `signals` and `series`, in the order in which the later wins over the earlier."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from functools import cache
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from detectors.series import canonical_labels
from detectors.settings import (
    BUILT_IN,
    FALSE_ALARMS_PER_DAY,
    MIN_EFFECT,
    SIGNAL_DEFAULTS,
    UTC,
    Direction,
    Model,
    Persistence,
    Rule,
    Season,
    SeriesMode,
    Severity,
    Tuning,
    written,
)
from stream.config.faults import Fault, FaultsError
from stream.config.schedule_text import ScheduleText
from stream.config.units import UNITS_MS, FalseAlarmRate, PersistenceText, Rate, Share, TimeZone, shown

TEXT_LENGTH_MAX = 1_000
LABELS_MAX = 16
VOLUME_MAX = 1e15
MODELLED = ("latency", "volume", "value")
"""The signals whose series are numbers, which a model can judge."""
SCHEDULED = "freshness"
"""The signal that a schedule is for."""


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"must be a number, not {shown(value)}")  # noqa: TRY004  pydantic reports ValueError only
    return value


Text = Annotated[str, Field(min_length=1, max_length=TEXT_LENGTH_MAX)]


TAKEN = ("signal", "kind", "severity", "owner")
"""What every alert is matched by anyway, so that no label may have the name."""


def _not_taken(labels: dict[str, str]) -> dict[str, str]:
    if taken := [name for name in labels if name in TAKEN]:
        raise FaultsError([Fault((taken[0],), "says what every alert has by itself; take another name")])
    return labels


RoutingLabels = Annotated[dict[Text, Text], Field(max_length=LABELS_MAX), AfterValidator(_not_taken)]


def _off(value: Any) -> Any:
    """YAML reads a bare `off` as false."""
    return "off" if value is False else value


SeriesModeText = Annotated[SeriesMode, BeforeValidator(_off)]

Volume = Annotated[float, Field(ge=0, le=VOLUME_MAX), BeforeValidator(_number)]


class Section(BaseModel):
    """What every section shares: unknown keys are refused, and a key without a value counts as not written."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _leave_out_what_is_empty(cls, values: Any) -> Any:
        if isinstance(values, dict):
            return {key: value for key, value in values.items() if value is not None}
        return values


@cache
def _model_faults(model: Model) -> tuple[Fault, ...]:
    """What is wrong with a model; it is tried out, so once is enough."""
    from detectors.river_models import check  # noqa: PLC0415 - River is loaded by those who name a model
    from detectors.river_names import ModelError  # noqa: PLC0415 - as above

    try:
        check(model)
    except ModelError as error:
        return (Fault(error.where, error.reason, error.allowed),)
    return ()


class TuningSection(Section):
    """What an alert on a series takes, and whose it is. A key left out falls back to the layer below."""

    direction: Direction | None = None
    """Which way a series must go to matter."""
    min_effect: Share | None = None
    """Differences smaller than this share of the expected value are ignored."""
    false_alarms: FalseAlarmRate | None = None
    """Ceiling on the false alarms of one series."""
    min_volume: Volume | None = None
    """Amounts below it, where no more was expected, are ignored; of failures and duplicates, how many runs it takes to judge."""
    persistence: PersistenceText | None = None
    """Of its last samples, how many must cross their limits, such as `2 of 3`; the newest has to."""
    severity: Severity | None = None
    """Severity of its alerts, in PagerDuty's words."""
    time_zone: TimeZone | None = None
    """The zone whose clock its routines follow, by its IANA name."""
    season: Season | None = None
    """Which routines it may have: `none`, `daily` by the hour, `weekly` by the day of the week as well, or `auto`, by the month as well."""
    schedule: ScheduleText | None = None
    """When it is expected to come, such as `weekdays 02:00-02:20` or `0 2 * * 1-5 within 20m`; `learned` takes back one of a layer below."""
    mode: SeriesModeText | None = None
    """Whom its alerts are for: `live`, `shadow` for the shadow topic alone, or `off` for nobody."""
    owner: Text | None = None
    """Who is told."""
    labels: RoutingLabels | None = None
    """What its alerts carry beside the labels of the series, such as `{team: data}`, to be routed by; each is a key of its own to the layers above."""
    runbook_url: Text | None = None
    """What to read when it alarms."""
    model: Text | None = None
    """A detector of River by name, for latency, volume and value; `default` takes back one of a layer below."""
    parameters: dict[str, Any] | None = None
    """The model's parameters."""

    @model_validator(mode="after")
    def _has_a_model_that_works(self) -> Self:
        model = self.named_model()
        if model is None and self.parameters is not None:
            raise FaultsError([Fault(("parameters",), "are those of a model; write `model` beside them")])
        if model is not None and model.name == BUILT_IN and self.parameters:
            raise FaultsError([Fault(("parameters",), f"the model {BUILT_IN!r} takes none")])
        if model is not None and model.name != BUILT_IN and (faults := _model_faults(model)):
            raise FaultsError(faults)
        return self

    def named_model(self) -> Model | None:
        """The model that is written here."""
        if self.model is None:
            return None
        return Model(self.model, json.dumps(self.parameters or {}, sort_keys=True))

    def tuning(self) -> Tuning:
        """The same keys for the detectors."""
        return Tuning(
            direction=self.direction,
            min_effect=self.min_effect,
            false_alarms_per_day=None if self.false_alarms is None else self.false_alarms.per_day,
            min_volume=self.min_volume,
            persistence=self.persistence,
            severity=self.severity,
            time_zone=self.time_zone,
            season=self.season,
            schedule=self.schedule,
            mode=self.mode,
            owner=self.owner,
            labels=None if self.labels is None else canonical_labels(self.labels),
            runbook_url=self.runbook_url,
            model=self.named_model(),
        )


class Defaults(TuningSection):
    """Tuning of every series, unless its signal or an entry of `series` says otherwise."""

    direction: Direction = "both"
    """Which way a series must go to matter."""
    min_effect: Share = MIN_EFFECT
    """Differences smaller than this share of the expected value are ignored."""
    false_alarms: FalseAlarmRate = Rate(1, round(UNITS_MS["d"] / FALSE_ALARMS_PER_DAY))
    """Ceiling on the false alarms of one series."""
    min_volume: Volume = 0.0
    """Amounts below it, where no more was expected, are ignored; of failures and duplicates, how many runs it takes to judge."""
    persistence: PersistenceText = Persistence(1, 1)
    """Of its last samples, how many must cross their limits, such as `2 of 3`; the newest has to."""
    severity: Severity = "warning"
    """Severity of its alerts, in PagerDuty's words."""
    time_zone: TimeZone = UTC
    """The zone whose clock its routines follow, by its IANA name."""
    season: Season = "auto"
    """Which routines it may have: `none`, `daily` by the hour, `weekly` by the day of the week as well, or `auto`, by the month as well."""
    mode: SeriesModeText = "live"
    """Whom its alerts are for: `live`, `shadow` for the shadow topic alone, or `off` for nobody."""


def _require_signal(section: TuningSection, signal_glob: str) -> None:
    """Refuse what no series of the signals that a glob names can have."""
    if section.schedule is not None and not fnmatchcase(SCHEDULED, signal_glob):
        raise FaultsError([Fault(("schedule",), f"only {SCHEDULED} keeps to a schedule")])
    if section.model is not None and not any(fnmatchcase(signal, signal_glob) for signal in MODELLED):
        raise FaultsError([Fault(("model",), "a model can judge only latency, volume and value")])


class Signals(Section):
    """Tuning by signal. What a signal's nature decides (only a slower run is news) is set here unless written."""

    model_config = ConfigDict(validate_default=True)

    latency: TuningSection = TuningSection()
    """How long runs take."""
    volume: TuningSection = TuningSection()
    """How much they carry: rows and bytes of a run, events of a window."""
    freshness: TuningSection = TuningSection()
    """How long ago the last run was: silence."""
    failures: TuningSection = TuningSection()
    """The share of runs that fail."""
    duplicates: TuningSection = TuningSection()
    """The share of records that repeat earlier ones."""
    lateness: TuningSection = TuningSection()
    """The share of records that come late."""
    schema_: TuningSection = Field(TuningSection(), alias="schema")
    """Fields that come, go or change type."""
    value: TuningSection = TuningSection()
    """Numeric series from `metrics` sources."""

    @field_validator("*")
    @classmethod
    def _over_its_nature(cls, section: TuningSection, info: ValidationInfo) -> TuningSection:
        signal = str(info.field_name).rstrip("_")
        nature = written(SIGNAL_DEFAULTS[signal])
        _require_signal(section, signal)
        return section.model_copy(
            update={key: to for key, to in nature.items() if getattr(section, key) is None}
        )

    def tunings(self) -> dict[str, Tuning]:
        """Tuning by signal name."""
        return {
            field.alias or name: getattr(self, name).tuning()
            for name, field in type(self).model_fields.items()
        }


def _known_signal(match: dict[str, str]) -> dict[str, str]:
    glob = match.get("signal")
    if glob is not None and not any(fnmatchcase(signal, glob) for signal in SIGNAL_DEFAULTS):
        raise ValueError(f"no signal is named {glob!r}; signals are {', '.join(SIGNAL_DEFAULTS)}")
    return match


Match = Annotated[dict[Text, Text], Field(min_length=1), AfterValidator(_known_signal)]


class SeriesEntry(TuningSection):
    """Tuning of the series that `match` describes; of several entries that match, the last to set a key wins."""

    match: Match
    """Globs (`*`, `?`, `[abc]`) by label, and by `signal` for the signal; all must match."""

    @model_validator(mode="after")
    def _fits_its_signals(self) -> Self:
        _require_signal(self, self.match.get("signal", "*"))
        return self

    def rule(self) -> Rule:
        """The same entry for the detectors."""
        return Rule(match=self.match, tuning=self.tuning())
