"""The formats in which source topics are read: each turns a fetched batch of values into a table of rows.

`events`, `openlineage`, `metrics`, `records` and `registry_topic` hold one format each; the other modules what they share: limits, times, labels,
declared schemas, dead letters, the table.
"""

from enum import StrEnum

import msgspec
from msgspec import Raw, Struct

from stream.formats.caps import Caps
from stream.formats.declarations.compatibility import VersionsOf
from stream.formats.decoding import DECODE_ERRORS
from stream.formats.encodings.choice import no_registry
from stream.formats.encodings.schemas import SchemaOf
from stream.formats.events import Events
from stream.formats.metrics import Metrics
from stream.formats.openlineage import OpenLineage
from stream.formats.records import Records, RecordSource
from stream.formats.registry_topic import RegistryTopic
from stream.formats.table import Reader
from stream.formats.values import KEY


class Format(StrEnum):
    """How the records of a source are read."""

    EVENTS = "events"
    OPENLINEAGE = "openlineage"
    METRICS = "metrics"
    RECORDS = "records"
    REGISTRY = "registry"


_READERS: dict[Format, type[Events | OpenLineage | Metrics]] = {
    Format.EVENTS: Events,
    Format.OPENLINEAGE: OpenLineage,
    Format.METRICS: Metrics,
}
_ABSENT = Raw(b"")


class _Outline(Struct, rename="camel"):
    event_time: Raw = _ABSENT
    pipeline: Raw = _ABSENT
    state: Raw = _ABSENT
    name: Raw = _ABSENT
    value: Raw = _ABSENT


_outline = msgspec.json.Decoder(_Outline)


Reading = str | RecordSource
"""How a topic is read: the name of its format, or what is said of its records."""


def beside(reading: Reading) -> tuple[str, ...]:
    """What is wanted of a topic's records beside their values: names of headers, or `KEY`."""
    if isinstance(reading, RecordSource):
        return reading.besides
    return (KEY,) if reading == Format.REGISTRY else ()


def reader_for(
    topic: str,
    reading: Reading,
    caps: Caps,
    shards: int,
    schema_of: SchemaOf = no_registry,
    versions_of: VersionsOf | None = None,
) -> Reader:
    """The reader of a source topic; `shards` is the number of samples partitions, `schema_of` gives schemas by number, `versions_of` those of a subject.

    Raises:
        ValueError: no such format.
    """
    source = RecordSource() if reading == Format.RECORDS else reading
    if isinstance(source, RecordSource):
        return Records(topic, source, caps, shards, schema_of)
    if source == Format.REGISTRY:
        return RegistryTopic(topic, caps, shards, versions_of)
    return _READERS[Format(source)](caps.limits, caps, shards)


def guess_format(value: bytes) -> Format | None:
    """The format that a value seems to be in, by the fields it has; None when it looks like none of them."""
    try:
        outline = _outline.decode(value)
    except DECODE_ERRORS:
        return None
    if outline.event_time is not _ABSENT:
        return Format.OPENLINEAGE
    if outline.pipeline is not _ABSENT and outline.state is not _ABSENT:
        return Format.EVENTS
    if outline.name is not _ABSENT and outline.value is not _ABSENT:
        return Format.METRICS
    return None
