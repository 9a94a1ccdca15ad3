"""Publications: what pipeline code says about a run or a metric, turned into records that ingest can read.

Code that reports on itself makes mistakes: a row count of -1, a label that is a number. A field that cannot stand is
left out and named, so that the run's end is still known; only what lacks a name, a state or a value is refused whole.
"""

import math
import operator
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any, Final, NamedTuple
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

AMOUNT_MAX: Final = 1e18
ERROR_CHARS_MAX: Final = 2_000
SCHEMA_NESTING_MAX: Final = 16
RECORD_BYTES_MAX: Final = 1_000_000
"""A little less than brokers and ingest accept."""

STATES: Final = ("started", "succeeded", "failed", "skipped")
_TIME_MS_MAX: Final = 253_402_300_799_999
_BULKY: Final = ("schema", "labels", "inputs", "outputs", "after", "error")


class Publication(NamedTuple):
    """One record's key and value, and what was left out of it, each as `field: what is wrong`."""

    key: bytes
    value: bytes
    left_out: list[str]


class SchemaField(Struct, omit_defaults=True):
    """One field of the schema that a run declares; `fields` are those inside it."""

    name: Annotated[str, Meta(min_length=1)]
    type: str | None = None
    nullable: bool | None = None
    fields: list["SchemaField"] | None = None


def run_event(pipeline: str, state: str, fields: Mapping[str, Any]) -> Publication:
    """The record of a run event; `fields` are the optional ones, `time` is now unless given. None is the same as absent.

    Raises:
        ValueError: the pipeline or the state is not usable, or the event stays too large.
    """
    event: dict[str, Any] = {
        "pipeline": _name("pipeline", pipeline),
        "state": state,
        "time": _moment(fields.get("time")),
    }
    if state not in STATES:
        raise ValueError(f"state: {state!r} is none of {', '.join(STATES)}")
    left_out = _add(event, {name: value for name, value in fields.items() if name != "time"}, _RUN_FIELDS)
    return _fitted(event["pipeline"].encode(), event, left_out)


def metric(
    name: str,
    value: float,
    labels: Mapping[str, str] | None = None,
    time: datetime | float | str | None = None,
) -> Publication:
    """The record of one sample of a numeric series; `time` is now unless given.

    Raises:
        ValueError: the name or the value is not usable.
    """
    number = _number(value)
    sample: dict[str, Any] = {"name": _name("name", name), "value": number, "time": _moment(time)}
    left_out = _add(sample, {"labels": labels}, {"labels": _RUN_FIELDS["labels"]})
    return _fitted(sample["name"].encode(), sample, left_out)


def _add(record: dict[str, Any], fields: Mapping[str, Any], checks: Mapping[str, "_Check"]) -> list[str]:
    """Adds the fields that can stand; what is wrong with the others is the answer."""
    left_out: list[str] = []
    for name, value in fields.items():
        if value is None:
            continue
        check = checks.get(name)
        if check is None:
            left_out.append(f"{name}: there is no such field")
            continue
        try:
            record[name] = check(value, left_out)
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            left_out.append(f"{name}: {error}")
    return left_out


def _fitted(key: bytes, record: dict[str, Any], left_out: list[str]) -> Publication:
    value = msgspec.json.encode(record)
    for name in _BULKY:
        if len(value) > RECORD_BYTES_MAX and record.pop(name, None) is not None:
            left_out.append(
                f"{name}: the record would be {len(value)} bytes; at most {RECORD_BYTES_MAX} are sent"
            )
            value = msgspec.json.encode(record)
    if len(value) > RECORD_BYTES_MAX:
        raise ValueError(f"the record is {len(value)} bytes; at most {RECORD_BYTES_MAX} are sent")
    return Publication(key, value, left_out)


def _name(field: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{field}: {value!r} is no name; give text that is not empty")
    return _unicode(value)


def _text(value: Any, _left_out: list[str]) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return _unicode(value)


def _texts(value: Any, left_out: list[str]) -> list[str]:
    if isinstance(value, str | bytes | Mapping):
        raise TypeError(f"{value!r} is no list of names")
    return [_text(name, left_out) for name in value]


def _error(value: Any, left_out: list[str]) -> str:
    return _text(value, left_out)[:ERROR_CHARS_MAX]


def _run_id(value: Any, left_out: list[str]) -> str:
    return str(value) if isinstance(value, UUID | int) else _text(value, left_out)


def _amount(value: Any, _left_out: list[str]) -> int | float:
    number = _number(value)
    if not 0 <= number <= AMOUNT_MAX:
        raise ValueError(f"{value!r} is not from 0 to {AMOUNT_MAX:.0e}")
    return number


def _number(value: Any) -> int | float:
    if isinstance(value, str | bytes | bool):
        raise ValueError(f"{value!r} is no number")  # noqa: TRY004  callers are promised ValueError
    with suppress(TypeError):
        return operator.index(value)
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value!r} is no finite number")
    return number


def _moment(value: Any, _left_out: object = None) -> str:
    """RFC 3339 in UTC of a datetime (UTC when it names no timezone), epoch milliseconds, ISO 8601 text, or of now."""
    if value is None:
        value = time.time() * 1000
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        time_ms = _number(value)
        if not 0 <= time_ms <= _TIME_MS_MAX:
            raise ValueError(f"{value!r} is no time: epoch milliseconds lie between 1970 and 9999")
        value = datetime.fromtimestamp(time_ms / 1000, UTC)
    moment = value if value.tzinfo else value.replace(tzinfo=UTC)
    return str(moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"))


def _labels(value: Any, left_out: list[str]) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise TypeError(f"{value!r} is no mapping from names to text")
    labels: dict[str, str] = {}
    for name, text in value.items():
        if not isinstance(name, str) or not name:
            left_out.append(f"labels: {name!r} is no name")
        elif isinstance(text, str):
            labels[_unicode(name)] = _unicode(text)
        else:
            left_out.append(f"labels.{name}: {text!r} is no text")
    return labels


def _schema(value: Any, _left_out: list[str]) -> list[SchemaField]:
    fields = msgspec.convert(value, list[SchemaField])
    if _nesting(fields) > SCHEMA_NESTING_MAX:
        raise ValueError(f"fields are nested deeper than {SCHEMA_NESTING_MAX}")
    return fields


def _nesting(fields: list[SchemaField]) -> int:
    return 1 + max((_nesting(field.fields) for field in fields if field.fields), default=0)


def _unicode(text: str) -> str:
    """The text with half characters, such as undecodable file names have, replaced."""
    return text.encode("utf-8", "replace").decode()


_Check = Callable[[Any, list[str]], Any]
_RUN_FIELDS: Final[Mapping[str, _Check]] = {
    "task": _text,
    "run_id": _run_id,
    "duration_ms": _amount,
    "rows": _amount,
    "bytes": _amount,
    "dataset": _text,
    "inputs": _texts,
    "outputs": _texts,
    "after": _texts,
    "scheduled_at": _moment,
    "error": _error,
    "schema": _schema,
    "labels": _labels,
    "owner": _text,
}
