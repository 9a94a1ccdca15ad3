"""The sections people tune: `defaults`, `signals` and `series`, in the order in which the later wins over the earlier."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from detectors.settings import (
    FALSE_ALARMS_PER_DAY,
    MIN_EFFECT,
    SIGNAL_DEFAULTS,
    Direction,
    Rule,
    Severity,
    Tuning,
    written,
)
from stream.config.units import UNITS_MS, FalseAlarmRate, Rate, Share

TEXT_LENGTH_MAX = 1_000

Text = Annotated[str, Field(min_length=1, max_length=TEXT_LENGTH_MAX)]


class Section(BaseModel):
    """What every section shares: unknown keys are refused, and a key without a value counts as not written."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _leave_out_what_is_empty(cls, values: Any) -> Any:
        if isinstance(values, dict):
            return {key: value for key, value in values.items() if value is not None}
        return values


class TuningSection(Section):
    """What an alert on a series takes, and whose it is. A key left out falls back to the layer below."""

    direction: Direction | None = None
    """Which way a series must go to matter."""
    min_effect: Share | None = None
    """Differences smaller than this share of the expected value are ignored."""
    false_alarms: FalseAlarmRate | None = None
    """Ceiling on the false alarms of one series."""
    severity: Severity | None = None
    """Severity of its alerts, in PagerDuty's words."""
    owner: Text | None = None
    """Who is told."""
    runbook_url: Text | None = None
    """What to read when it alarms."""

    def tuning(self) -> Tuning:
        """The same keys for the detectors."""
        return Tuning(
            direction=self.direction,
            min_effect=self.min_effect,
            false_alarms_per_day=None if self.false_alarms is None else self.false_alarms.per_day,
            severity=self.severity,
            owner=self.owner,
            runbook_url=self.runbook_url,
        )


class Defaults(TuningSection):
    """Tuning of every series, unless its signal or an entry of `series` says otherwise."""

    direction: Direction = "both"
    """Which way a series must go to matter."""
    min_effect: Share = MIN_EFFECT
    """Differences smaller than this share of the expected value are ignored."""
    false_alarms: FalseAlarmRate = Rate(1, round(UNITS_MS["d"] / FALSE_ALARMS_PER_DAY))
    """Ceiling on the false alarms of one series."""
    severity: Severity = "warning"
    """Severity of its alerts, in PagerDuty's words."""
    season: Literal["auto"] = "auto"
    """How routines are found: `auto` learns those of the hour and of the week from each series."""


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
        nature = written(SIGNAL_DEFAULTS[str(info.field_name).rstrip("_")])
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

    def rule(self) -> Rule:
        """The same entry for the detectors."""
        return Rule(match=self.match, tuning=self.tuning())
