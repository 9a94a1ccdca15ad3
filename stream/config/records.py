"""What a source of format `records` says beyond its topic: where in a record its event time and its labels stand."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from detectors.record_paths import ITEMS, VALUES, field_names, steps
from stream.config.tuning import Section
from stream.config.units import shown
from stream.formats.records import FieldPath, RecordSource

PATH_LENGTH_MAX = 512
LABELS_MAX = 16


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


class FieldOfRecord(Section):
    """A value in each record."""

    path: FieldPathText
    """The names that lead to it, with dots between: `customer.id`. A name with a dot in it stands in double quotes."""

    def names(self) -> FieldPath:
        """The names that lead to it."""
        return field_names(self.path)


LabelName = Annotated[str, Field(min_length=1, max_length=100)]
Labels = Annotated[dict[LabelName, FieldOfRecord], Field(max_length=LABELS_MAX)]


def record_source(event_time: FieldOfRecord | None, labels: dict[str, FieldOfRecord]) -> RecordSource:
    """The same for ingest."""
    named = tuple(sorted((name, where.names()) for name, where in labels.items()))
    return RecordSource(event_time.names() if event_time else (), named)
