"""Schema files of `records` sources: read and tried out when the configuration is, so that what is wrong is said there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from stream.config.faults import Fault
from stream.config.tuning import Section, Text
from stream.exits import Exit, Refused
from stream.formats.dead import UnreadableError
from stream.formats.declarations.choice import LANGUAGES, declared_by
from stream.formats.encodings.choice import EncodingName, compilers_of
from stream.formats.encodings.schemas import Schema
from stream.registry import INSTALL_COMMAND

FILE_BYTES_MAX = 4 << 20
NEEDS = f"needs packages that are not installed: {INSTALL_COMMAND}"


def schema_faults(encoding: EncodingName, file: Path | None, message: str | None) -> Iterator[Fault]:
    """What is wrong with the encoding of a source, and with its schema."""
    if message and not (file and encoding == "protobuf"):
        yield Fault(("message",), "is for encoding protobuf with a schema_file")
    elif encoding in ("json", "json_schema"):
        if file:
            yield Fault(("schema_file",), f"is for encoding avro or protobuf, not {encoding}")
    else:
        try:
            compilers = compilers_of(encoding)
            if file:
                compilers.bare(read_schema(encoding, file, message))
        except ImportError as error:
            yield Fault(("encoding",), f"{encoding} {NEEDS} ({error.name} is missing)")
        except Refused as error:
            yield Fault(("schema_file",), str(error))
        except UnreadableError as why:
            yield Fault(("schema_file",), f"{file}: {why.detail}")


class ContractOfRecord(Section):
    """A schema file that says what a topic's records are to look like."""

    file: Path
    """JSON Schema (`.json`), Avro (`.avsc`), or Protobuf (`.proto`, or a descriptor set: `.desc`, `.pb`)."""
    message: Text | None = None
    """Of Protobuf: the message that records are, by its full name; the first in the file unless written."""

    def read(self) -> Schema:
        """The schema.

        Raises:
            Refused: the file cannot be read, or its ending says no language.
            UnreadableError: it is a .proto file that protoc does not take.
        """
        language = LANGUAGES.get(self.file.suffix)
        if language is None:
            raise Refused(f"{self.file}: must end with {', '.join(LANGUAGES)}", Exit.CONFIG)
        if language == "json":
            return Schema("json", _content(self.file))
        return read_schema(language, self.file, self.message)


def contract_faults(contract: ContractOfRecord) -> Iterator[Fault]:
    """What is wrong with a contract."""
    if contract.message and LANGUAGES.get(contract.file.suffix) != "protobuf":
        yield Fault(("contract", "message"), "is for a contract in Protobuf")
        return
    try:
        declared_by(contract.read())
    except ImportError as error:
        yield Fault(("contract", "file"), f"{contract.file.suffix} {NEEDS} ({error.name} is missing)")
    except Refused as error:
        yield Fault(("contract", "file"), str(error))
    except UnreadableError as why:
        yield Fault(("contract", "file"), f"{contract.file}: {why.detail}")


def read_schema(encoding: EncodingName, file: Path, message: str | None) -> Schema:
    """The schema in a file.

    Raises:
        Refused: the file cannot be read.
        UnreadableError: it is a .proto file that protoc does not take.
    """
    text = _content(file)
    if encoding == "avro":
        return Schema("avro", text)
    if file.suffix == ".proto":
        from stream.formats.encodings.protobuf import run_protoc  # noqa: PLC0415  an optional dependency

        text = run_protoc(file.parent, str(file))
    return Schema("protobuf", text, message=message or "")


def _content(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            text = opened.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise Refused(f"{file}: {error.strerror}", Exit.CONFIG) from None
    if len(text) > FILE_BYTES_MAX:
        raise Refused(f"{file}: larger than {FILE_BYTES_MAX >> 20} MiB", Exit.CONFIG)
    return text
