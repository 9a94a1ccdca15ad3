"""Compatibility: whether readers of one version of a schema read what was written with another, in the words of Confluent's registry.

Of Avro it is worked out by Apache Avro's own checker. Where it cannot be, because the schema is in another language, refers to others or is none, nothing is said.
https://docs.confluent.io/platform/current/schema-registry/fundamentals/schema-evolution.html#compatibility-types
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from stream.formats.encodings.schemas import Schema

VERSIONS_MAX: Final = 20
"""Former versions that a new one is compared with, the latest of them."""

VersionsOf = Callable[[str, int], Sequence[Schema]]
"""The versions of a subject before one, the latest first and at most `VERSIONS_MAX`. Raises `SchemaAwaitedError` when they cannot be had now."""


def compatibility(new: Schema, former: Sequence[Schema]) -> str:
    """The class of a new version, beside the former ones, the latest first; empty when there are none, or it cannot be worked out.

    `BACKWARD`: it reads what the latest wrote; `FORWARD`: the latest reads what it writes; `FULL`: both; with `_TRANSITIVE` of all former ones; else `NONE`.
    """
    versions = [new, *former]
    if not former or any(it.language != "avro" or it.references for it in versions):
        return ""
    try:
        newest, *others = [_parsed(it) for it in versions]
        backward = [_reads(newest, it) for it in others]
        forward = [_reads(it, newest) for it in others]
    except Exception:  # noqa: BLE001  what checks schemas raises what it likes on those that are none
        return ""
    return _class(backward, forward)


def _parsed(schema: Schema) -> Any:
    from avro.schema import parse  # noqa: PLC0415  an optional dependency

    return parse(schema.text if isinstance(schema.text, str) else schema.text.decode())


def _reads(reader: Any, writer: Any) -> bool:
    from avro.compatibility import (  # noqa: PLC0415  an optional dependency
        ReaderWriterCompatibilityChecker,
        SchemaCompatibilityType,
    )

    found = ReaderWriterCompatibilityChecker().get_compatibility(reader, writer)
    return found.compatibility is SchemaCompatibilityType.compatible


def _class(backward: list[bool], forward: list[bool]) -> str:
    """The strongest classes that hold, of what holds beside each former version.

    >>> _class([True, True], [True, True]), _class([True, False], [False, False]), _class([True, True], [True, False])
    ('FULL_TRANSITIVE', 'BACKWARD', 'FULL and BACKWARD_TRANSITIVE')
    """
    if all(backward) and all(forward):
        return "FULL_TRANSITIVE"
    found = ["FULL"] if backward[0] and forward[0] else []
    for name, reads in (("BACKWARD", backward), ("FORWARD", forward)):
        if all(reads):
            found.append(f"{name}_TRANSITIVE")
        elif reads[0] and "FULL" not in found:
            found.append(name)
    return " and ".join(found) or "NONE"
