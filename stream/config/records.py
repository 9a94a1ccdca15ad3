"""What a source of format `records` says beyond its topic: where its event time and its labels stand."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from detectors.expected_changes import ExpectedChange
from detectors.record_paths import ITEMS, VALUES, field_names, steps
from stream.config.faults import Fault, FaultsError
from stream.config.tuning import Section
from stream.config.units import PerSecond, shown
from stream.formats.encodings.choice import EncodingName
from stream.formats.encodings.schemas import Schema
from stream.formats.records import RecordSource, Where
from stream.formats.values import KEY

PATH_LENGTH_MAX = 512
HEADER_LENGTH_MAX = 249
LABELS_MAX = 16
EXPECTED_MAX = 1_000


def _field_path(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError(f"must be the path of a field, such as customer.id, not {shown(value)}")  # noqa: TRY004  pydantic reports ValueError only
    parts = steps(value)
    if ITEMS in parts or VALUES in parts:
        raise ValueError("must lead to one value; [] and {*} are many")
    if not parts or "".join(parts) != value or value.startswith("."):
        raise ValueError(f"{shown(value)} is no path of names with dots between, such as customer.id")
    return value


FieldPathText = Annotated[str, Field(min_length=1, max_length=PATH_LENGTH_MAX), BeforeValidator(_field_path)]


HeaderName = Annotated[str, Field(min_length=1, max_length=HEADER_LENGTH_MAX)]


class TimeOfRecord(Section):
    """Where the event time of a record stands: in a field or in a header."""

    path: FieldPathText | None = None
    """The names that lead to a field, with dots between: `customer.id`. A name with a dot in it stands in double quotes."""
    header: HeaderName | None = None
    """The name of a header. Of several with one name the last counts."""

    @model_validator(mode="after")
    def _is_one_place(self) -> Self:
        one_of(self, ("path", "header"))
        return self

    def where(self) -> Where:
        """The same for ingest."""
        return self.header or field_names(self.path or "")


class LabelOfRecord(TimeOfRecord):
    """Where the value of a label stands: in a field, in a header, or in the key."""

    key: Literal[True] | None = None
    """`true`: the record's key, which is text."""

    @model_validator(mode="after")
    def _is_one_place(self) -> Self:
        one_of(self, ("path", "header", "key"))
        return self

    def where(self) -> Where:
        """The same for ingest."""
        return KEY if self.key else super().where()


class IdOfRecord(LabelOfRecord):
    """Where what tells a record from all others stands: in a field, in a header, or in the key."""


class ExpectedOfRecord(Section):
    """A change of a topic's records that is to come, or has come."""

    path: Annotated[str, Field(min_length=1, max_length=PATH_LENGTH_MAX)]
    """Where, as alerts have it: `customer.zip`, `items[].price`, `users{*}.name`; of a renamed field either path."""
    change: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    """What, as alerts have it, such as `field_added`; any change there unless written."""

    def of(self, topic: str) -> ExpectedChange:
        """The same for the detectors."""
        return ExpectedChange(topic, self.path, self.change or "")


def one_of(section: Section, keys: tuple[str, ...]) -> None:
    """Complain unless just one of these keys is written."""
    written = [key for key in keys if getattr(section, key) is not None]
    if not written:
        raise ValueError(f"must have {' or '.join(keys)}")
    if len(written) > 1:
        raise FaultsError([Fault((written[1],), f"cannot stand beside {written[0]}: a value has one place")])


LabelName = Annotated[str, Field(min_length=1, max_length=100)]
Labels = Annotated[dict[LabelName, LabelOfRecord], Field(max_length=LABELS_MAX)]


def record_source(
    event_time: TimeOfRecord | None,
    labels: dict[str, LabelOfRecord],
    encoding: EncodingName,
    schema: Schema | None,
    id_: IdOfRecord | None,
    sample: float | PerSecond,
) -> RecordSource:
    """The same for ingest."""
    named = tuple(sorted((name, place.where()) for name, place in labels.items()))
    share, per_second = (1.0, sample.times) if isinstance(sample, PerSecond) else (sample, None)
    at, told_by = event_time.where() if event_time else (), id_.where() if id_ else ()
    return RecordSource(at, named, encoding, schema, told_by, share, per_second)
