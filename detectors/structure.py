"""Structure: what the payloads of one series have looked like so far, path by path, and how far what is new has got.

A path has traits: the types that stood there, and `absent` where its parent was there without it. A trait is known with the number of
records that had it; one that has come up only lately gathers evidence until it is either a change or known to be rare.
"""

from typing import Final

import msgspec

from detectors.evidence import Evidence
from detectors.record_blocks import Place
from detectors.record_declared import Told
from detectors.record_paths import ROOT, parent_of
from detectors.record_rates import Rate
from detectors.record_repeats import Repeats
from detectors.samples import ABSENT, Element
from detectors.value_state import Values

PATHS_MAX: Final = 2_000
"""Paths of one series; more are not followed."""
CHANCES_MAX: Final = 1_000_000
"""What is known counts half from here on."""
NULL: Final = "null"


class PathState(msgspec.Struct, array_like=True):
    """What is known of one path.

    `chances` are the records in which its parent was there, `had` those in which it was; `missing` are the chances since it was
    last there, `missed` the first record of a block that lacked it all along, and `gap` the most chances there were between two records with it. A path that is `new` waits to become known. `values` are those that stood there, `rates` how
    often it is null, absent or empty.
    """

    chances: float = 0.0
    had: float = 0.0
    known: dict[str, float] = {}
    fresh: dict[str, Evidence] = {}
    missing: float = 0.0
    gap: float = 0.0
    missed: Place = (-1, -1)
    new: Evidence | None = None
    gone: bool = False
    values: Values | None = None
    rates: dict[str, Rate] = {}

    @property
    def types(self) -> list[str]:
        """The types that are known, null apart."""
        return sorted(kind for kind in self.known if kind not in (ABSENT, NULL))

    def halve(self) -> None:
        """Have what is known count half."""
        self.chances /= 2
        self.had /= 2
        self.known = {kind: times / 2 for kind, times in self.known.items()}


class Trait(msgspec.Struct, array_like=True, frozen=True):
    """What a record may have: something at a path, of this type if one is said, or nothing (`ABSENT`)."""

    path: str
    kind: str


class Migration(msgspec.Struct, array_like=True):
    """Records of two versions, of which the new one has the `mark`.

    `parts` are the changes that were told together, and `traits` what records of the new version have. Of `chances` records since, `new` are of the new version; `since_new` and
    `since_old` came after the last block with either; `recent` are not yet judged. `share` is the latest of the new version, `told_share` what was told at `told_ms`.
    """

    mark: Trait
    parts: list[str]
    traits: list[Trait]
    first: Place
    told_ms: int
    last: Place = (-1, -1)
    confidence: float = 0.0
    chances: float = 0.0
    new: float = 0.0
    since_new: float = 0.0
    since_old: float = 0.0
    recent: float = 0.0
    recent_new: float = 0.0
    share: float = 0.0
    told_share: float = 0.0


class Structure(msgspec.Struct, array_like=True):
    """What is known of one series: paths by name, since when and until when (ms), and when a change is over.

    `folded` are the objects whose names are data, `late` says how many names came up late in one; `full` that paths were ever refused, `crowded` that some were in the
    latest block: those that there is room for then are not new. `checked` is the number of paths when maps were last looked for. `repeats` are of records with an id; `migration` is one that is
    under way; `differing` are differences from what is declared.
    """

    records: int = 0
    blocks: int = 0
    first_ms: int = 0
    last_ms: int = 0
    interest_ms: int = 0
    full: bool = False
    checked: int = 0
    paths: dict[str, PathState] = {}
    folded: list[str] = []
    late: dict[str, int] = {}
    repeats: Repeats | None = None
    migration: Migration | None = None
    crowded: bool = False
    differing: dict[str, Told] = {}


def opener_of(path: str) -> Element:
    """What must be there for a path to have a chance: its parent, as an object or an array.

    >>> opener_of("items[]"), opener_of("items[].price"), opener_of("users{*}")
    (('items', 'array'), ('items[]', 'object'), ('users', 'object'))
    """
    return parent_of(path) if path != ROOT else ROOT, "array" if path.endswith("[]") else "object"


def is_field(path: str) -> bool:
    """Whether a path is a field's: items and values of maps come and go as they like."""
    return path != ROOT and path[-1] not in "]}"
