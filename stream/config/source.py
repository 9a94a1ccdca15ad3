"""The entries of `sources`: a topic, its format, and how records of any form are read."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Annotated, Literal

import msgspec
from pydantic import Field, model_validator

from stream.config.faults import Fault, FaultsError
from stream.config.record_schemas import ContractOfRecord, contract_faults, read_schema, schema_faults
from stream.config.records import (
    EXPECTED_MAX,
    ExpectedOfRecord,
    IdOfRecord,
    Labels,
    TimeOfRecord,
    record_source,
)
from stream.config.topic_names import TopicName
from stream.config.tuning import Section, Text
from stream.config.units import Sample
from stream.formats import Reading
from stream.formats.encodings.choice import EncodingName

Examples = Literal["masked", "none"]
Format = Literal["events", "openlineage", "metrics", "records", "registry"]


class Source(Section):
    """A Kafka topic and the format its records are read in."""

    topic: TopicName
    """Topic to read. Its records need no particular key."""
    format: Format
    """How its records are read."""
    event_time: TimeOfRecord | None = None
    """Of `records`: where their event time stands; without it, it is the broker's."""
    labels: Labels = Field(default_factory=dict)
    """Of `records`: labels that set series apart beside `topic`, by name, and where their values stand."""
    id: IdOfRecord | None = None
    """Of `records`: where what tells a record from all others stands; those that come twice are duplicates then."""
    encoding: EncodingName = "json"
    """Of `records`: how values are encoded; `json_schema` is JSON behind the number of a schema."""
    schema_file: FilePath | None = None
    """Of `records`: file of the schema of all values, which are bare then: `.avsc` of Avro; of Protobuf `.proto`, or a descriptor set."""
    message: Text | None = None
    """Of Protobuf with a `schema_file`: the message that values are, by its full name; the first in the file unless written."""

    contract: ContractOfRecord | None = None
    """Of `records`: a schema that they are compared with; where they differ is an alert."""
    sample: Sample = 1.0
    """Of `records`: the share of them that is looked at, or how many in a second at most; all are counted, the others are not looked into."""
    examples: Examples = "masked"
    """Of `records`: what alerts show of a value that stands where something has changed: its form and length, or `none`."""
    expected: Annotated[tuple[ExpectedOfRecord, ...], Field(max_length=EXPECTED_MAX)] = ()
    """Of `records`: changes that are not told when they come, but become what is known."""

    @model_validator(mode="after")
    def _says_of_records_what_is_theirs(self) -> Source:
        written = {
            "event_time": self.event_time,
            "labels": self.labels,
            "id": self.id,
            "encoding": self.encoding != "json",
            "schema_file": self.schema_file,
            "message": self.message,
            "contract": self.contract,
            "sample": self.sample != 1,
            "examples": self.examples != "masked",
            "expected": self.expected,
        }
        faults = [
            Fault((key,), f"is for format records; a record of format {self.format} says it itself")
            for key, value in written.items()
            if value and self.format != "records"
        ]
        if self.id and self.sample != 1:
            faults.append(
                Fault(("sample",), "cannot stand beside id: only who looks at all records sees one twice")
            )
        faults = faults or list(schema_faults(self.encoding, self.schema_file, self.message))
        faults += contract_faults(self.contract) if self.contract else ()
        if faults:
            raise FaultsError(faults)
        return self

    @property
    def reading(self) -> Reading:
        """The same for ingest."""
        if self.format != "records":
            return self.format
        schema = read_schema(self.encoding, self.schema_file, self.message) if self.schema_file else None
        source = record_source(self.event_time, self.labels, self.encoding, schema, self.id, self.sample)
        return msgspec.structs.replace(source, contract=self.contract.read()) if self.contract else source


SOURCES_DEFAULT = (
    Source(topic="pipeline.events", format="events"),
    Source(topic="pipeline.metrics", format="metrics"),
    Source(topic="openlineage.events", format="openlineage"),
)
