"""How people write amounts in the configuration: durations `30s`, rates `1 per 30d`, shares `20%`, samples `5000/s`, zones `Europe/Berlin`, persistence `2 of 3`."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal, NamedTuple, TypeAlias

from pydantic import BeforeValidator, PlainSerializer, PlainValidator, WithJsonSchema

from detectors.settings import AMONG_MAX, Persistence
from detectors.zones import nearest_names, zone_names

UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
PERIODS_MS = {"hour": UNITS_MS["h"], "day": UNITS_MS["d"], "week": 7 * UNITS_MS["d"]}
NO_CEILING: Final = "none"
DURATION_MS_MAX = 3_650 * UNITS_MS["d"]

_DURATION = re.compile(r"([0-9]{1,12})\s*([smhd])")
_RATE = re.compile(r"([0-9]{1,9})\s+per\s+(.+)")
_PERSISTENCE = re.compile(r"([0-9]{1,2})\s+of\s+([0-9]{1,2})")
_SHARE = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)\s*%")


_PER_SECOND = re.compile(r"([1-9][0-9]{0,8})\s*/\s*s")


class PerSecond(NamedTuple):
    """At most so many in a second."""

    times: int


class Rate(NamedTuple):
    """`times` occurrences in `period_ms` milliseconds."""

    times: int
    period_ms: int

    @property
    def per_day(self) -> float:
        """Occurrences in 24 hours."""
        return self.times * UNITS_MS["d"] / self.period_ms


Ceiling: TypeAlias = Rate | Literal["none"]


def parse_duration_ms(written: Any) -> int:
    """Milliseconds of a duration such as `15m`; ValueError says how one is written."""
    match = _DURATION.fullmatch(written.strip()) if isinstance(written, str) else None
    if match is None:
        raise ValueError(
            f"{shown(written)} is not a duration: write a whole number and s, m, h or d, like 30s or 15m"
        )
    duration_ms = int(match[1]) * UNITS_MS[match[2]]
    if duration_ms > DURATION_MS_MAX:
        raise ValueError(f"{shown(written)} is longer than {format_duration(DURATION_MS_MAX)}")
    return duration_ms


def parse_positive_duration_ms(written: Any) -> int:
    """As `parse_duration_ms`, and zero is refused."""
    duration_ms = parse_duration_ms(written)
    if duration_ms == 0:
        raise ValueError("must be longer than 0s")
    return duration_ms


def format_duration(duration_ms: int) -> str:
    """The shortest way to write whole seconds of `duration_ms`: 90000 is `90s`, 120000 is `2m`."""
    for unit, unit_ms in reversed(UNITS_MS.items()):
        if duration_ms >= unit_ms and duration_ms % unit_ms == 0:
            return f"{duration_ms // unit_ms}{unit}"
    return f"{duration_ms // UNITS_MS['s']}s"


def parse_optional_duration_ms(written: Any) -> int | None:
    """As `parse_positive_duration_ms`; `none` is no duration."""
    return None if written == NO_CEILING else parse_positive_duration_ms(written)


def format_optional_duration(duration_ms: int | None) -> str:
    """`1d`, or `none`."""
    return NO_CEILING if duration_ms is None else format_duration(duration_ms)


def parse_rate(written: Any, example: str = "1 per 30d") -> Rate:
    """A rate such as `1 per 30d` or `5 per week`; ValueError says how one is written."""
    match = _RATE.fullmatch(written.strip()) if isinstance(written, str) else None
    if match is None:
        raise ValueError(f"{shown(written)} is not a rate: write N per DURATION, like {example}")
    return Rate(int(match[1]), PERIODS_MS.get(match[2]) or parse_positive_duration_ms(match[2]))


def parse_storm(written: Any) -> Rate:
    """How many alerts in which time are no storm yet, such as `4 per 1m`; ValueError says how that is written."""
    rate = parse_rate(written, "4 per 1m")
    if rate.times == 0:
        raise ValueError("at least 1 alert must be told before the others are a storm, like 4 per 1m")
    return rate


def parse_false_alarms(written: Any) -> Rate:
    """A ceiling such as `1 per 30d`; ValueError says how one is written."""
    rate = parse_rate(written)
    if rate.times == 0:
        raise ValueError(
            "no detector can promise 0 false alarms: write a long period instead, like 1 per 365d"
        )
    return rate


def format_rate(rate: Rate) -> str:
    """`1 per 30d`."""
    return f"{rate.times} per {format_duration(rate.period_ms)}"


def parse_ceiling(written: Any) -> Ceiling:
    """As `parse_rate`; `none` says that there is no ceiling."""
    if written == NO_CEILING:
        return NO_CEILING
    try:
        return parse_false_alarms(written)
    except ValueError as error:
        raise ValueError(f"{error}, or {NO_CEILING}") from None


def format_ceiling(ceiling: Ceiling) -> str:
    """`5 per 7d`, or `none`."""
    return format_rate(ceiling) if isinstance(ceiling, Rate) else ceiling


def parse_share(written: Any) -> float:
    """A share such as `20%` as .2; ValueError says how one is written."""
    match = _SHARE.fullmatch(written.strip()) if isinstance(written, str) else None
    if match is None:
        raise ValueError(f"{shown(written)} is not a share: write a number and %, like 20%")
    return float(match[1]) / 100


def format_share(share: float) -> str:
    """`20%` for .2."""
    return f"{share * 100:.10g}%"


def parse_sample(written: Any) -> float | PerSecond:
    """A sample such as `10%` as .1, or `5000/s`; ValueError says how one is written."""
    text = written.strip() if isinstance(written, str) else ""
    if match := _PER_SECOND.fullmatch(text):
        return PerSecond(int(match[1]))
    share = parse_share(written) if _SHARE.fullmatch(text) else 0.0
    if not 0 < share <= 1:
        raise ValueError(
            f"{shown(written)} is no sample: write a share of the records above 0% like 10%, at most 100%, "
            "or how many of them in a second, like 5000/s"
        )
    return share


def format_sample(sample: float | PerSecond) -> str:
    """`10%` for .1, or `5000/s`."""
    return f"{sample.times}/s" if isinstance(sample, PerSecond) else format_share(sample)


def parse_persistence(written: Any) -> Persistence:
    """A persistence such as `2 of 3`; ValueError says how one is written."""
    match = _PERSISTENCE.fullmatch(written.strip()) if isinstance(written, str) else None
    if match is None:
        raise ValueError(f"{shown(written)} is no persistence: write M of N, like 2 of 3")
    persistence = Persistence(int(match[1]), int(match[2]))
    if not 1 <= persistence.needed <= persistence.among <= AMONG_MAX:
        raise ValueError(f"{shown(written)} cannot be: of M of N, M is 1 to N and N at most {AMONG_MAX}")
    return persistence


def format_persistence(persistence: Persistence) -> str:
    """`2 of 3`."""
    return f"{persistence.needed} of {persistence.among}"


def parse_time_zone(written: Any) -> str:
    """An IANA name such as `Europe/Berlin`; ValueError names the nearest ones."""
    if isinstance(written, str) and written in zone_names():
        return written
    near = nearest_names(written) if isinstance(written, str) else []
    meant = f"did you mean {' or '.join(near)}?" if near else "write one like Europe/Berlin or UTC"
    raise ValueError(f"{shown(written)} is no time zone of the IANA database: {meant}")


def shown(written: Any) -> str:
    """`written` as an error message quotes it: short, on one line, and readable as what was typed."""
    text = repr(written)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _written_as(pattern: re.Pattern[str], example: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern.pattern}$", "examples": [example]})


_duration_text = PlainSerializer(format_duration, return_type=str)

DurationMs = Annotated[int, BeforeValidator(parse_duration_ms), _duration_text, _written_as(_DURATION, "30s")]
PositiveDurationMs = Annotated[
    int, BeforeValidator(parse_positive_duration_ms), _duration_text, _written_as(_DURATION, "30s")
]
OptionalDurationMs = Annotated[
    int | None,
    PlainValidator(parse_optional_duration_ms),
    PlainSerializer(format_optional_duration, return_type=str),
    WithJsonSchema(
        {"type": "string", "pattern": f"^({_DURATION.pattern}|{NO_CEILING})$", "examples": ["1d", NO_CEILING]}
    ),
]
StormRate = Annotated[
    Rate,
    BeforeValidator(parse_storm),
    PlainSerializer(format_rate, return_type=str),
    _written_as(_RATE, "4 per 1m"),
]
FalseAlarmRate = Annotated[
    Rate,
    BeforeValidator(parse_false_alarms),
    PlainSerializer(format_rate, return_type=str),
    _written_as(_RATE, "1 per 30d"),
]
FalseAlarmCeiling = Annotated[
    Ceiling,
    PlainValidator(parse_ceiling),
    PlainSerializer(format_ceiling, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": f"^({_RATE.pattern}|{NO_CEILING})$",
            "examples": ["5 per week", NO_CEILING],
        }
    ),
]
Share = Annotated[
    float,
    BeforeValidator(parse_share),
    PlainSerializer(format_share, return_type=str),
    _written_as(_SHARE, "20%"),
]
Sample = Annotated[
    float | PerSecond,
    PlainValidator(parse_sample),
    PlainSerializer(format_sample, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": f"^({_SHARE.pattern}|{_PER_SECOND.pattern})$",
            "examples": ["10%", "5000/s"],
        }
    ),
]
PersistenceText = Annotated[
    Persistence,
    BeforeValidator(parse_persistence),
    PlainSerializer(format_persistence, return_type=str),
    _written_as(_PERSISTENCE, "2 of 3"),
]
TimeZone = Annotated[
    str,
    BeforeValidator(parse_time_zone),
    WithJsonSchema({"type": "string", "examples": ["Europe/Berlin", "America/New_York", "UTC"]}),
]
