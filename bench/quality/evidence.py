"""Where the material lies that is no part of the repository, and how to read it.

`STREAMGAUGE_NAB` names a folder of series of the Numenta Anomaly Benchmark (<group>/<series>.csv and windows.json), and
`STREAMGAUGE_REFERENCE_CORE` the file of the plain reference scorer. Without them they are looked for in `shared` beside the
repository.
"""

import csv
import importlib.util
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

import numpy as np

from bench.machine import ROOT
from bench.quality.stationary import Floats, Times

NAB_VARIABLE: Final = "STREAMGAUGE_NAB"
REFERENCE_VARIABLE: Final = "STREAMGAUGE_REFERENCE_CORE"
_SHARED: Final = ROOT.parent / "shared"


class Absent(Exception):
    """Material that a section needs is not there; says where it was looked for, and how to name the place."""


class Labelled(NamedTuple):
    """A real series with the windows (first and last time) in which something happened."""

    name: str
    times_ms: Times
    values: Floats
    windows_ms: list[tuple[int, int]]


def nab_series() -> list[Labelled]:
    """The NAB series that are there.

    Raises:
        Absent: there are none.
    """
    folder = Path(os.environ.get(NAB_VARIABLE) or _SHARED / "fixtures" / "nab")
    windows = folder / "windows.json"
    if not windows.is_file():
        raise Absent(f"{folder} has no windows.json: set {NAB_VARIABLE} to a folder of NAB's series")
    return [_series(folder, name, spans) for name, spans in json.loads(windows.read_text()).items()]


def reference_scorer() -> Callable[[], Any]:
    """The class of the plain reference scorer.

    Raises:
        Absent: there is none.
    """
    path = Path(os.environ.get(REFERENCE_VARIABLE) or _SHARED / "reference" / "detector_core.py")
    spec = importlib.util.spec_from_file_location("detector_core", path) if path.is_file() else None
    if spec is None or spec.loader is None:
        raise Absent(f"{path} is not there: set {REFERENCE_VARIABLE} to the file of the reference scorer")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return cast("Callable[[], Any]", module.Scorer)


def _series(folder: Path, name: str, spans: list[tuple[str, str]]) -> Labelled:
    with (folder / name).open(encoding="utf-8-sig", newline="") as lines:
        rows = [(_ms(row["timestamp"]), float(row["value"])) for row in csv.DictReader(lines)]
    times, values = zip(*rows, strict=True)
    windows = [(_ms(first), _ms(last)) for first, last in spans]
    return Labelled(name, np.array(times, np.int64), np.array(values, np.float64), windows)


def _ms(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)
