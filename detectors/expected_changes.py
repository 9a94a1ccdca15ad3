"""Expected changes: what a configuration says will change in the records of a topic, which becomes the new baseline without an alert."""

from collections.abc import Mapping
from typing import Protocol

import msgspec

TOPIC = "topic"
CHANGES_MAX = 1_000
"""Changes that may be expected of all records together; of more, the oldest are not."""


class Changed(Protocol):
    """What is asked of a change."""

    @property
    def change(self) -> str:
        """Its kind."""

    @property
    def path(self) -> str:
        """Where it is."""

    @property
    def from_(self) -> str | None:
        """What was there; of a field with another path its old one."""

    @property
    def to(self) -> str | None:
        """What is there; of a field with another path its new one."""


class ExpectedChange(msgspec.Struct, frozen=True):
    """A change of a topic's records. Without a `change` it is any at this path; a renamed field is meant by either path."""

    topic: str
    path: str
    change: str = ""

    def is_that(self, labels: Mapping[str, str], found: Changed) -> bool:
        """Whether this was found, in a series of these labels."""
        return (
            labels.get(TOPIC) == self.topic
            and self.change in ("", found.change)
            and (self.path == found.path or (found.from_ == found.path and self.path == found.to))
        )
