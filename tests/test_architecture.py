"""What decides may not read a clock or roll dice: the same input gives the same alerts.

import-linter (see pyproject.toml) holds the borders between packages; this holds the border to time and chance.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PURE = ("detectors", "stream/ingest", "stream/ingest.py", "stream/formats")

FORBIDDEN = (
    "time",
    "random",
    "secrets",
    "uuid",
    "os.urandom",
    "numpy.random",
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "datetime.datetime.today",
    "datetime.date.today",
)


def pure_modules() -> list[Path]:
    found = (ROOT / place for place in PURE)
    files = (place.rglob("*.py") if place.is_dir() else [place] for place in found if place.exists())
    return sorted(path for group in files for path in group)


def violations(source: str) -> list[str]:
    """Each use of a clock or of randomness in a module, as `line: dotted.name`."""
    tree = ast.parse(source)
    names = dict(imported_names(tree))
    found = {(line, name) for line, name in dotted_uses(tree, names) if is_forbidden(name)}
    return [f"{line}: {name}" for line, name in sorted(found)]


def imported_names(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Every name an import binds in the module, with the dotted name it stands for."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for each in node.names:
                yield (each.asname, each.name) if each.asname else (each.name.split(".")[0],) * 2
        elif isinstance(node, ast.ImportFrom):
            yield from ((each.asname or each.name, f"{node.module}.{each.name}") for each in node.names)


def dotted_uses(tree: ast.Module, names: dict[str, str]) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, each.name) for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, f"{node.module}.{each.name}") for each in node.names)
        elif isinstance(node, ast.Attribute) and (dotted := dotted_name(node, names)):
            yield node.lineno, dotted


def dotted_name(node: ast.expr, names: dict[str, str]) -> str | None:
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute) and (owner := dotted_name(node.value, names)):
        return f"{owner}.{node.attr}"
    return None


def is_forbidden(name: str) -> bool:
    return any(name == each or name.startswith(f"{each}.") for each in FORBIDDEN)


STORE_GENERATORS = ("detectors/river_reader.py", "detectors/river_writer.py")
"""They dump and load the states of seeded generators that models hold."""
GENERATORS = ("random", "random.Random")


def test_the_modules_that_decide_are_found() -> None:
    assert {"detectors", "stream"} <= {path.relative_to(ROOT).parts[0] for path in pure_modules()}


@pytest.mark.parametrize("path", pure_modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_what_decides_reads_no_clock_and_rolls_no_dice(path: Path) -> None:
    stores = str(path.relative_to(ROOT)) in STORE_GENERATORS
    assert [
        it for it in violations(path.read_text()) if not (stores and it.partition(": ")[2] in GENERATORS)
    ] == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import time", ["1: time"]),
        ("from time import monotonic", ["1: time.monotonic"]),
        ("from datetime import datetime, UTC\nx = datetime.now(UTC)", ["2: datetime.datetime.now"]),
        ("import datetime as dt\nx = dt.datetime.utcnow()", ["2: datetime.datetime.utcnow"]),
        ("from datetime import date\nx = map(date.today, [])", ["2: datetime.date.today"]),
        (
            "import numpy as np\nx = np.random.default_rng(1)",
            ["2: numpy.random", "2: numpy.random.default_rng"],
        ),
        ("from numpy.random import default_rng", ["1: numpy.random.default_rng"]),
        ("from os import urandom", ["1: os.urandom"]),
        ("def f():\n    import uuid\n    return uuid.uuid4()", ["2: uuid", "3: uuid.uuid4"]),
        ("from datetime import datetime\nx = datetime.fromisoformat('2026-01-01')", []),
        ("import os.path\nx = os.path.join('a')", []),
        ("now = 1\ntime = now\nx = time.real", []),
    ],
)
def test_a_clock_or_dice_is_found_whatever_it_is_called(source: str, expected: list[str]) -> None:
    assert violations(source) == expected
