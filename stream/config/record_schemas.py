"""Schema files of `records` sources: read and tried out when the configuration is, so that what is wrong is said there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from stream.config.faults import Fault
from stream.exits import Exit, Refused
from stream.formats.dead import UnreadableError
from stream.formats.encodings.choice import EncodingName, avro_compiler
from stream.formats.encodings.schemas import Schema

FILE_BYTES_MAX = 4 << 20
NEEDS = "needs packages that are not installed: pip install 'streamgauge[registry]'"


def schema_faults(encoding: EncodingName, file: Path | None) -> Iterator[Fault]:
    """What is wrong with the encoding of a source, and with the file of its schema."""
    if encoding != "avro":
        if file:
            yield Fault(("schema_file",), f"is for encoding avro, not {encoding}")
        return
    try:
        compiled = avro_compiler()
        if file:
            compiled(read_schema(file))
    except ImportError as error:
        yield Fault(("encoding",), f"{encoding} {NEEDS} ({error.name} is missing)")
    except Refused as error:
        yield Fault(("schema_file",), str(error))
    except UnreadableError as why:
        yield Fault(("schema_file",), f"{file}: {why.detail}")


def read_schema(file: Path) -> Schema:
    """The schema in a file. Refused when the file cannot be read."""
    try:
        with file.open("rb") as opened:
            text = opened.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise Refused(f"{file}: {error.strerror}", Exit.CONFIG) from None
    if len(text) > FILE_BYTES_MAX:
        raise Refused(f"{file}: larger than {FILE_BYTES_MAX >> 20} MiB", Exit.CONFIG)
    return Schema("avro", text)
