"""Format `registry`: the topic in which a schema registry keeps what is registered, `_schemas` unless it was told otherwise.

Each version of a subject declares its fields, at the time it was registered; deletions and compatibility levels are said as well.
https://github.com/confluentinc/schema-registry/blob/master/docs/operations.rst
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from detectors.registrations import DELETED, LEVEL, REGISTERED
from detectors.samples import NEVER, Key
from detectors.series import Signal
from stream.formats.caps import Caps
from stream.formats.dead import DeadReason, UnreadableError, explain
from stream.formats.declarations.choice import declared_by
from stream.formats.declarations.compatibility import VersionsOf, compatibility
from stream.formats.declarations.json_schema import Place
from stream.formats.declared import Fields
from stream.formats.decoding import DECODE_ERRORS
from stream.formats.encodings.schemas import Language, Schema
from stream.formats.table import Memo, Table
from stream.formats.values import KEY, Values

DEPTH_MAX: Final = 32
"""How deep fields are looked for: a schema may hold itself."""
GLOBAL: Final = "(all subjects)"
"""The subject of what holds for all."""
_LANGUAGES: Final[dict[str, Language]] = {"AVRO": "avro", "PROTOBUF": "protobuf", "JSON": "json"}
_EXPECTED: Final = {"keytype": "text", "subject": "text", "version": "a whole number", "id": "a whole number"}


class _Key(msgspec.Struct):
    keytype: str
    subject: str | None = None


class _Reference(msgspec.Struct):
    name: str = ""


class _Value(msgspec.Struct, rename="camel"):
    subject: str | None = None
    version: int = 0
    id: int = 0
    schema: str = ""
    schema_type: str = "AVRO"
    deleted: bool = False
    compatibility_level: str = ""
    references: list[_Reference] | None = None


class RegistryTopic:
    """Reads the topic of a registry: a row in `declared` for each change of a subject; `versions_of` gives the versions before one."""

    def __init__(self, topic: str, caps: Caps, shards: int, versions_of: VersionsOf | None = None) -> None:
        self._topic, self._caps, self._versions_of = topic, caps, versions_of
        self._series = Memo(self._key, shards)
        self._decode_key = msgspec.json.Decoder(_Key).decode
        self._decode = msgspec.json.Decoder(_Value).decode

    def read(self, values: Sequence[bytes | None], kafka_ms: Sequence[int] = ()) -> Table:
        """The rows of a fetched batch; a tombstone ends what was deleted before, and says nothing."""
        values = Values.of(values)
        table = Table(len(values))
        slots = table.slots(self._series)
        keys = list(values.besides.get(KEY, ())) or [None] * len(values)
        for record, (key, value) in enumerate(zip(keys, values, strict=True)):
            if value is None:
                continue
            try:
                said = self._said(key, value)
            except UnreadableError as why:
                table.dead[record] = why
                continue
            if said is None:
                continue
            subject, fields = said
            table.times[record] = int(kafka_ms[record]) if len(kafka_ms) and kafka_ms[record] > 0 else NEVER
            if table.times[record] == NEVER:
                table.dead[record] = UnreadableError(DeadReason.NO_TIME, "the record has no Kafka timestamp")
                continue
            table.declared.append(record, slots[(subject,)], table.schema(fields))
        return table

    def _said(self, key: bytes | None, value: bytes) -> tuple[str, Fields] | None:
        """The subject that a record is about, and what it declares: first of all what has happened."""
        if key is None:
            raise UnreadableError(DeadReason.WRONG_TYPE, "the record has no key, which says what it is about")
        try:
            about, it = self._decode_key(key), self._decode(value)
        except DECODE_ERRORS as error:
            raise explain(error, _EXPECTED) from None
        subject = about.subject or it.subject or GLOBAL
        if about.keytype == "SCHEMA" and not it.deleted:
            return subject, self._fields(it)
        if about.keytype == "SCHEMA":
            return subject, _only(f"{DELETED}version {it.version}")
        if about.keytype == "DELETE_SUBJECT":
            return subject, _only(f"{DELETED}all versions up to {it.version}")
        if about.keytype == "CONFIG":
            return subject, _only(
                f"{LEVEL}{self._caps.schema_text(it.compatibility_level or 'none of its own')}"
            )
        return None

    def _fields(self, it: _Value) -> Fields:
        """What a version declares; of a schema that cannot be read here, as one that refers to others, only that it was registered."""
        text = f"{REGISTERED}version {it.version}, id {it.id}"
        language = _LANGUAGES.get(it.schema_type)
        if language is None or it.references:
            return _only(text)
        schema = Schema(language, it.schema)
        if self._versions_of is not None and (
            found_class := compatibility(schema, self._versions_of(it.subject or "", it.version))
        ):
            text += f", compatibility {found_class}"
        said = _only(text)
        try:
            root = declared_by(schema)
        except (UnreadableError, ImportError):
            return said
        limit = self._caps.limits.schema_fields_max
        found: dict[str, tuple[str, str, bool | None]] = {}
        for path, kinds, nullable in _walk(root, "", DEPTH_MAX):
            if len(found) == limit:
                self._caps.counts["limited", "schema_fields_max"] += 1
                break
            capped = self._caps.schema_text(path)
            found.setdefault(capped, (capped, kinds, nullable))
        return (*said, *(found[path] for path in sorted(found)))

    def _key(self, subject: str) -> Key:
        return Key(Signal.SCHEMA, self._caps.labels([("topic", self._topic), ("subject", subject)]))


def _only(text: str) -> Fields:
    return (("", text, None),)


def _walk(place: Place, path: str, depth: int) -> Iterator[Any]:
    """The fields below a place, each with its types and whether null may stand there."""
    if depth == 0:
        return
    for name in sorted(place.names):
        inner = place.field(name)
        if inner is not None:
            below = f"{path}.{name}" if path else name
            types = inner.types
            plain = " or ".join(sorted(types - {"null"})) if types is not None else "anything"
            yield below, plain, None if types is None else "null" in types
            yield from _walk(inner, below, depth - 1)
            if types is not None and "array" in types:
                yield from _walk(inner.items(), f"{below}[]", depth - 1)
