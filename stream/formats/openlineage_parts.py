"""What is read of an OpenLineage event: its envelope and the facets that matter, each decoded on its own.

Subtrees stay raw until they are asked for, so that whatever is wrong in one of them stays in it.
"""

from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct

from stream.formats.declared import DeclaredField
from stream.formats.decoding import DECODE_ERRORS

T = TypeVar("T")
Part = Raw
"""A subtree that is decoded on its own, so that what is wrong in it stays in it."""

ABSENT = Raw(b"null")
Amount = Annotated[float, Meta(ge=0, le=1e18)]


class Event(Struct, gc=False, rename="camel"):
    """The envelope."""

    event_time: Part = ABSENT
    event_type: Part = ABSENT
    run: Part = ABSENT
    job: Part = ABSENT
    dataset: Part = ABSENT
    inputs: Part = ABSENT
    outputs: Part = ABSENT


class RunFacets(Struct, gc=False, rename="camel"):
    """Facets of a run; `parentRun` is the older name of `parent`."""

    parent: Part = ABSENT
    parent_run: Part = ABSENT
    error_message: Part = ABSENT


class Run(Struct, gc=False, rename="camel"):
    """The run of a run event."""

    run_id: Any = None
    facets: Part = ABSENT


class JobFacets(Struct, gc=False, rename="camel"):
    """Facets of a job."""

    ownership: Part = ABSENT
    job_type: Part = ABSENT


class Named(Struct, gc=False, rename="camel"):
    """A job or dataset."""

    name: Any = None
    namespace: Any = None
    facets: Part = ABSENT
    output_facets: Part = ABSENT


class DatasetFacets(Struct, gc=False):
    """Facets of a dataset."""

    schema: Part = ABSENT
    ownership: Part = ABSENT


class OutputFacets(Struct, gc=False, rename="camel"):
    """Facets of a dataset as an output of a run."""

    output_statistics: Part = ABSENT


class ErrorMessage(Struct, gc=False):
    """`errorMessage` facet."""

    message: str


class Parent(Struct, gc=False):
    """`parent` facet: the job that this one is part of, and the one at its root."""

    job: Named
    root: Part = ABSENT


class Root(Struct, gc=False):
    """The root of a `parent` facet."""

    job: Named


class Owner(Struct, gc=False):
    """One owner."""

    name: str


class Ownership(Struct, gc=False):
    """`ownership` facet."""

    owners: list[Owner]


class JobType(Struct, gc=False, rename="camel"):
    """`jobType` facet."""

    job_type: str


class SchemaFacet(Struct, gc=False):
    """`schema` facet."""

    fields: list[DeclaredField] | None = None


class Statistics(Struct, gc=False, rename="camel"):
    """`outputStatistics` facet."""

    row_count: Amount | None = None
    size: Amount | None = None
    file_count: Amount | None = None


_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}


def read_part(kind: type[T], raw: Part) -> T | None:
    """What a subtree holds, or None when it is absent or of another type."""
    if raw is ABSENT:
        return None
    decoder = _decoders.get(kind) or _decoders.setdefault(kind, msgspec.json.Decoder(kind))
    try:
        found: T = decoder.decode(raw)
    except DECODE_ERRORS:
        return None
    return found


def text(value: object) -> str:
    """The value if it is text, or else the empty text."""
    return value if isinstance(value, str) else ""
