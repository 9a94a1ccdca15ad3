"""From pydantic's errors to faults in our words: which key, why, and what would do instead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from stream.config.faults import Fault, FaultsError, Path, unknown_key
from stream.config.model import Config
from stream.config.units import shown

NOT_YET = frozenset({"nulls"})
"""Names that are reserved for what is being built; written today, they would do nothing."""

_REASONS: Mapping[str, str] = {
    "missing": "is required",
    "string_type": "must be text: put it in quotes",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be a map",
    "model_type": "must be a section of keys and values",
    "model_attributes_type": "must be a section of keys and values",
    "string_pattern_mismatch": "may have letters, digits, dot, dash and underscore only",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
}
_LIMITS: Mapping[str, tuple[str, str]] = {
    "greater_than_equal": ("must be at least", "ge"),
    "less_than_equal": ("must be at most", "le"),
    "string_too_long": ("must be no longer in characters than", "max_length"),
    "too_long": ("must have no more entries than", "max_length"),
}


def faults_of(error: ValidationError) -> Iterator[Fault]:
    """Every fault that `error` holds, in the order of the keys."""
    for details in error.errors(include_url=False):
        if not _is_consequence(details):
            yield from _faults(details)


def _is_consequence(details: ErrorDetails) -> bool:
    """Whether this only follows from another error: a list is short because its entries were faulty."""
    return details["type"] == "default_factory_not_called" or (
        details["type"] == "too_short" and details["input"]
    )


def _faults(details: ErrorDetails) -> Iterator[Fault]:
    path: Path = tuple(part for part in details["loc"] if part != "[key]")
    kind, context, value = details["type"], details.get("ctx", {}), details["input"]
    raised = context.get("error")
    if isinstance(raised, FaultsError):
        for fault in raised.faults:
            yield Fault((*path, *fault.path), fault.reason, fault.allowed)
    elif kind == "extra_forbidden":
        yield _unknown(path)
    elif kind == "literal_error":
        yield Fault(path, _no_choice(value), _choices(path))
    elif kind in _LIMITS:
        words, bound = _LIMITS[kind]
        yield Fault(path, f"{words} {context[bound]:.15g}, not {shown(value)}")
    elif kind in _REASONS:
        yield Fault(path, _REASONS[kind] if kind == "missing" else f"{_REASONS[kind]}, not {shown(value)}")
    else:
        yield Fault(path, str(raised or details["msg"]))


def _unknown(path: Path) -> Fault:
    if path[-1] in NOT_YET:
        return Fault(path, "not supported yet")
    return unknown_key(path, sorted(_schema_at(path[:-1]).get("properties", {})))


def _no_choice(value: Any) -> str:
    return f"{shown(value)} is not one of them"


def _choices(path: Path) -> tuple[str, ...]:
    schema = _schema_at(path)
    return tuple(schema.get("enum", [schema["const"]] if "const" in schema else ()))


@cache
def _schema() -> dict[str, Any]:
    return Config.model_json_schema()


def _schema_at(path: Path) -> dict[str, Any]:
    """The part of the schema that describes the value at `path`; empty when the path leads nowhere."""
    here = _resolved(_schema())
    for part in path:
        inner = here.get("items") if isinstance(part, int) else here.get("properties", {}).get(part)
        here = _resolved(inner or {})
    return here


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    for alternative in schema.get("anyOf", ()):
        if alternative.get("type") != "null":
            return _resolved(alternative)
    if "$ref" in schema:
        return _resolved(_schema()["$defs"][schema["$ref"].rpartition("/")[2]])
    return schema
