"""Protobuf: messages read by their descriptors into what JSON would have there, under the names that the schema has.

Numbers stay numbers, of 64 bits too; bytes are text, one character a byte; an enum is the text of its name; timestamps and durations are
text as Protobuf's own JSON has it, wrappers what they wrap, and a `Struct` the object it stands for. A field that may be absent, and is, is left
out; one that cannot be has its default. The names of a map are data.
https://protobuf.dev/programming-guides/json/
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor
from google.protobuf.message import DecodeError, Message

from stream.formats.dead import DeadReason, UnreadableError
from stream.formats.encodings import DataNames, Decode, bytes_text
from stream.formats.encodings.schemas import Schema
from stream.formats.encodings.time_text import timestamp_text

PROTOC_TIMEOUT_S: Final = 20
MESSAGES_MAX: Final = 64
"""How deep a message may stand inside others in its file."""
_MAIN: Final = "schema.proto"
_SAID_CHARS: Final = 300
_VARINT_BYTES_MAX: Final = 10


def compiled_framed(schema: Schema) -> Decode:
    """A reader of what follows the number of a schema: which message of the file it is, and then the message.

    Raises:
        UnreadableError: `no_schema`, it is no Protobuf schema.
    """
    file, reading = _file(schema), _Reading()
    decoders: dict[tuple[int, ...], Decode] = {}

    def decode(value: bytes) -> dict[str, Any]:
        places, start = _places(value)
        decoder = decoders.get(places)
        if decoder is None:
            decoder = decoders[places] = _decoder(_message_at(file, places), reading)
        return decoder(value[start:])

    return decode


def compiled_bare(schema: Schema) -> Decode:
    """A reader of messages: of the one that the schema names, or of the first in its file.

    Raises:
        UnreadableError: `no_schema`, it is no Protobuf schema, or it has no such message.
    """
    return _decoder(message_of(schema), _Reading())


def message_of(schema: Schema) -> Descriptor:
    """The message that a schema names, or the first in its file.

    Raises:
        UnreadableError: `no_schema`, it is no Protobuf schema, or it has no such message.
    """
    file = _file(schema)
    if not schema.message:
        return _message_at(file, (0,))
    try:
        return file.pool.FindMessageTypeByName(schema.message)
    except KeyError:
        raise UnreadableError(DeadReason.NO_SCHEMA, f"it has no message {schema.message}") from None


def _decoder(descriptor: Descriptor, reading: "_Reading") -> Decode:
    made = message_factory.GetMessageClass(descriptor)

    def decode(value: bytes) -> dict[str, Any]:
        message = made()
        try:
            message.ParseFromString(value)
        except DecodeError:
            raise UnreadableError(DeadReason.NOT_PROTOBUF, f"no {descriptor.full_name}") from None
        return reading.message(message)

    return decode


def _places(value: bytes) -> tuple[tuple[int, ...], int]:
    """The places of a message, from the outside in, and where it begins; a lone 0 stands for the first message."""
    count, start = _zigzag(value, 0)
    if not 0 <= count <= MESSAGES_MAX:
        raise UnreadableError(DeadReason.NOT_FRAMED, "which message it is cannot be told")
    places = []
    for _ in range(count):
        place, start = _zigzag(value, start)
        places.append(place)
    return tuple(places) or (0,), start


def _zigzag(value: bytes, start: int) -> tuple[int, int]:
    """The number that stands at a place, zigzag in seven bits a byte, and the place after it."""
    number = 0
    for place, byte in enumerate(value[start : start + _VARINT_BYTES_MAX]):
        number |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return (number >> 1) ^ -(number & 1), start + place + 1
    raise UnreadableError(DeadReason.NOT_FRAMED, "which message it is cannot be told")


def _message_at(file: FileDescriptor, places: tuple[int, ...]) -> Descriptor:
    inside: Any = list(file.message_types_by_name.values())
    found: Any = None
    for place in places:
        if not 0 <= place < len(inside):
            at = ".".join(map(str, places))
            raise UnreadableError(DeadReason.NO_SCHEMA, f"its file has no message {at}")
        found = inside[place]
        inside = found.nested_types
    described: Descriptor = found
    return described


def _file(schema: Schema) -> FileDescriptor:
    """The file of a schema, in a pool of its own with all that it refers to."""
    described = descriptor_pb2.FileDescriptorSet()
    pool = descriptor_pool.DescriptorPool()
    try:
        described.ParseFromString(schema.text if isinstance(schema.text, bytes) else _described(schema))
        for file in described.file:
            pool.AddSerializedFile(file.SerializeToString())
        return pool.FindFileByName(described.file[-1].name)
    except (DecodeError, IndexError, KeyError, TypeError, ValueError) as error:
        said = str(error).partition("\n")[0][:_SAID_CHARS]
        raise UnreadableError(DeadReason.NO_SCHEMA, f"no Protobuf schema: {said}") from None


def _described(schema: Schema) -> bytes:
    """The descriptor set of .proto text and all that it imports, as protoc makes it."""
    with tempfile.TemporaryDirectory(prefix="streamgauge-proto-") as name:
        folder = Path(name)
        for path, text in _files(_MAIN, schema):
            place = (folder / path).resolve()
            if not place.is_relative_to(folder.resolve()):
                raise UnreadableError(DeadReason.NO_SCHEMA, "it refers to a file outside")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
        return run_protoc(folder, _MAIN)


def _files(path: str, schema: Schema) -> Iterable[tuple[str, str]]:
    yield path, str(schema.text)
    for name, reference in schema.references:
        yield from _files(name, reference)


def run_protoc(folder: Path, file: str) -> bytes:
    """The descriptor set of a .proto file in a folder, with all that it imports.

    Raises:
        UnreadableError: `no_schema`, with what protoc says.
    """
    with tempfile.TemporaryDirectory(prefix="streamgauge-proto-") as name:
        out = Path(name) / "set"
        options = ["--include_imports", f"--proto_path={folder}", f"--descriptor_set_out={out}", file]
        command = [sys.executable, "-m", "grpc_tools.protoc", *options]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=PROTOC_TIMEOUT_S
            )
        except subprocess.TimeoutExpired:
            raise UnreadableError(DeadReason.NO_SCHEMA, "protoc takes too long") from None
        if done.returncode != 0:
            raise UnreadableError(
                DeadReason.NO_SCHEMA, f"no Protobuf schema: {_complaint(done.stderr, folder)}"
            )
        return out.read_bytes()


def _complaint(said: str, folder: Path) -> str:
    """The first line about a file; before it protoc may speak of its own log."""
    lines = said.replace(f"{folder}/", "").strip().splitlines() or ["protoc fails"]
    return next((line for line in lines if ".proto:" in line.partition(" ")[0]), lines[-1])[:_SAID_CHARS]


class _Field(NamedTuple):
    name: str
    may_be_absent: bool
    read: Callable[[Any], Any]


class _Reading:
    """How messages are read, by the names of their types; found once for each."""

    def __init__(self) -> None:
        self._fields: dict[str, tuple[_Field, ...]] = {}

    def message(self, message: Message) -> dict[str, Any]:
        """The fields of a message."""
        descriptor: Any = message.DESCRIPTOR
        fields = self._fields.get(descriptor.full_name)
        if fields is None:
            fields = self._fields[descriptor.full_name] = tuple(map(self._field, descriptor.fields))
        return {
            name: read(getattr(message, name))
            for name, may_be_absent, read in fields
            if not may_be_absent or message.HasField(name)
        }

    def _field(self, field: FieldDescriptor) -> _Field:
        of: Any = field.message_type
        if of is not None and of.GetOptions().map_entry:
            return _Field(field.name, False, self._map_of(self._one(of.fields_by_name["value"])))
        one = self._one(field)
        if field.is_repeated:
            return _Field(field.name, False, lambda values: [one(value) for value in values])
        return _Field(field.name, bool(field.has_presence), one)

    def _map_of(self, one: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return lambda values: DataNames({str(name): one(values[name]) for name in values})

    def _one(self, field: FieldDescriptor) -> Callable[[Any], Any]:
        of: Any = field.message_type
        if of is not None:
            known = _WELL_KNOWN.get(of.full_name)
            return self.message if known is None else known
        if field.type == FieldDescriptor.TYPE_BYTES:
            return bytes_text
        if field.type == FieldDescriptor.TYPE_ENUM:
            enum: Any = field.enum_type
            names = {number: value.name for number, value in enum.values_by_number.items()}
            return lambda number: names.get(number, str(number))
        return _as_it_is


def _as_it_is(value: Any) -> Any:
    return value


def _duration(value: Any) -> str:
    seconds, nanos = divmod(abs(value.seconds * 10**9 + value.nanos), 10**9)
    sign = "-" if value.seconds < 0 or value.nanos < 0 else ""
    return f"{sign}{seconds}.{nanos:09}s"


def _value(value: Any) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return _struct(value.struct_value)
    if kind == "list_value":
        return [_value(it) for it in value.list_value.values]
    return None if kind in (None, "null_value") else getattr(value, kind)


def _struct(value: Any) -> dict[str, Any]:
    return {name: _value(it) for name, it in value.fields.items()}


_nanos = timestamp_text("nanos", "Z")
_WRAPPED: Final = ("Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String")
_WELL_KNOWN: Final[dict[str, Callable[[Any], Any]]] = {
    "google.protobuf.Timestamp": lambda it: _nanos(it.seconds * 10**9 + it.nanos),
    "google.protobuf.Duration": _duration,
    "google.protobuf.Struct": _struct,
    "google.protobuf.Value": _value,
    "google.protobuf.ListValue": lambda it: [_value(each) for each in it.values],
    "google.protobuf.Any": lambda it: {"@type": it.type_url},
    "google.protobuf.FieldMask": lambda it: ",".join(it.paths),
    "google.protobuf.BytesValue": lambda it: bytes_text(it.value),
    **{f"google.protobuf.{name}Value": lambda it: it.value for name in _WRAPPED},
}
