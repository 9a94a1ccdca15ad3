"""Dead letters: why a record cannot be read, and the record that says so on the dead-letter topic."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

import msgspec

from detectors.outputs import Destination, Output

_AT = re.compile(r" - at `(\$[^`]*)`$")
_MISSING = re.compile(r"missing required field `(\w+)`")
_FIELD = re.compile(r"\$\.(\w+)")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class DeadReason(StrEnum):
    """Why a record was dead-lettered: one vocabulary for headers, metrics, logs and docs."""

    OVERSIZE = "oversize"
    TOO_DEEP = "too_deep"
    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    NOT_FRAMED = "not_framed"
    NO_SCHEMA = "no_schema"
    NOT_AVRO = "not_avro"
    NOT_PROTOBUF = "not_protobuf"
    WRONG_TYPE = "wrong_type"
    NO_NAME = "no_name"
    NO_TIME = "no_time"
    BAD_TIME = "bad_time"
    FUTURE_TIME = "future_time"
    REFUSED = "refused"
    UNAVAILABLE = "unavailable"


class UnreadableError(Exception):
    """A record cannot be used. `detail` says where in the value and what was expected; it holds no payload."""

    def __init__(self, reason: DeadReason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class Position(NamedTuple):
    """Where a source record lies, and its Kafka timestamp (0 or less when it has none)."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int


def explain(error: Exception, expected: Mapping[str, str], root: str = "$") -> UnreadableError:
    """What a decoder's error means.

    `expected` says for each field of the value what may stand there; `root` is the path of what was decoded.
    """
    if isinstance(error, RecursionError):
        return UnreadableError(DeadReason.TOO_DEEP, "nested deeper than the parser goes")
    if isinstance(error, UnicodeDecodeError):
        return UnreadableError(DeadReason.NOT_UTF8, "in a string")
    if not isinstance(error, msgspec.ValidationError):
        return UnreadableError(DeadReason.NOT_JSON, str(error))
    at, missing = _AT.search(str(error)), _MISSING.search(str(error))
    path = root + at[1][1:] if at else root
    if missing:
        path = f"{path}.{missing[1]}"
    field = _FIELD.match(path)
    wanted = expected.get(field[1], "another value") if field else "a JSON object"
    return UnreadableError(
        DeadReason.WRONG_TYPE, f"{path}: {'is missing; ' if missing else ''}expected {wanted}"
    )


def dead_letter(position: Position, value: bytes, why: UnreadableError, bytes_max: int) -> Output:
    """The record for the dead-letter topic: the value, cut at `bytes_max`, and headers that say why and from where."""
    headers = {
        "reason": why.reason,
        "detail": _printable(why.detail),
        "topic": position.topic,
        "partition": str(position.partition),
        "offset": str(position.offset),
        "size_bytes": str(len(value)),
    }
    if position.timestamp_ms > 0:
        headers["time"] = _rfc3339(position.timestamp_ms)
    if len(value) > bytes_max:
        headers["truncated"] = str(bytes_max)
    return Output(
        Destination.DEAD_LETTERS,
        key=f"{position.topic}/{position.partition}/{position.offset}".encode(),
        value=value[:bytes_max],
        headers=tuple((name, text.encode()) for name, text in headers.items()),
    )


def _printable(text: str) -> str:
    return text if text.isascii() and text.isprintable() else text.encode("unicode_escape").decode()


def _rfc3339(time_ms: int) -> str:
    try:
        moment = _EPOCH + timedelta(milliseconds=time_ms)
    except OverflowError:
        return str(time_ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
