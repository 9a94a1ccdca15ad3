"""What is known of the series of a follower, in numbers for people: read from its portable state, nothing is computed on."""

import math
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import numpy as np

from detectors import follower_layout as layout
from detectors import numeric_layout as bank
from detectors.cadence_layout import GAPS_MAX
from detectors.core.layout import SLOW, WARM_UP
from detectors.numeric import Limits, NumericBank
from detectors.parts import series_of
from detectors.portable.planting import planted
from detectors.portable.series import Measure, Portable, Standing, Tables
from detectors.portable.shard import raw_records
from detectors.reports import RATES, WARM_CADENCE, WARM_RATE
from detectors.run_layout import BY_END, BY_HOUR, BY_START, BY_WEEKDAY
from detectors.run_routines import BELIEVED
from detectors.series import Signal, series_text

_ROUTINES: Final = {
    BY_HOUR: "hour of day",
    BY_WEEKDAY: "day of week",
    BY_START: "start of month",
    BY_END: "end of month",
}


class Known(msgspec.Struct, omit_defaults=True):
    """One series: how much is known of it, and what.

    `kind` is what judges it: `runs`, `values`, `share`, `arrivals` or `schema`. `level` and `lower` and `upper` are in its `unit`, `spread` is a share of the level for
    runs and in its unit for values; `warming`: it has too few samples to be sure. Times are epoch milliseconds.
    """

    series: str
    signal: str
    labels: dict[str, str]
    unit: str
    kind: str
    samples: int
    warming: bool
    bytes: int
    latest: float | None = None
    level: float | None = None
    spread: float | None = None
    lower: float | None = None
    upper: float | None = None
    seasons: list[str] = []
    first_ms: int | None = None
    last_ms: int | None = None
    open_runs: int | None = None
    paths: int | None = None


def known_of(series: Portable) -> Iterator[Known]:
    """Each series of a follower of which something is known."""
    follower = raw_records("follower", series.follower)[0]
    for part, measure in enumerate(series.measures):
        if measure is not None:
            yield _of_measure(series, part, measure, int(follower["open_count"]))
    for part, name in RATES.items():
        if follower[name]["rate"]["count"]:
            yield _of_outcomes(series, part, follower[name])
    if follower["arrivals"]["arrivals"]:
        yield _of_arrivals(series, follower["arrivals"])
    yield from _of_schemas(series)


def limits_of(series: Portable, part: int, standing: Standing, tables: Tables) -> Limits:
    """What a numeric series would take next without being anomalous, at the time of its last sample."""
    chunks = planted([series], standing, tables, switched=False)
    numbers = NumericBank()
    numbers.load_blocks(chunks)
    measures = series.measures[: part + 1]
    slot = sum(it is not None for it in measures) - 1
    return numbers.limits(slot, int(_light(measures[-1])["last_ms"]))


def part_of(series: Portable, text: str) -> int | None:
    """Which part of a follower the numeric series of this name is."""
    for part, measure in enumerate(series.measures):
        if measure is not None and _text(series, part) == text:
            return part
    return None


def _light(measure: Measure | None) -> Any:
    return raw_records("light", measure.light if measure else b"")[0]


def _text(series: Portable, part: int) -> str:
    name = series_of(series.key, part)
    return series_text(name.signal, name.labels)


def _known(
    series: Portable, part: int, kind: str, samples: int, *, warming: bool, size: int, **more: Any
) -> Known:
    name = series_of(series.key, part)
    return Known(
        series=series_text(name.signal, name.labels),
        signal=str(name.signal),
        labels=dict(name.labels),
        unit=name.unit,
        kind=kind,
        samples=samples,
        warming=warming,
        bytes=size,
        **more,
    )


def _of_measure(series: Portable, part: int, measure: Measure, open_runs: int) -> Known:
    light = _light(measure)
    is_runs = bool(light["kind"] == bank.RUNS)
    said = _of_runs(measure) if is_runs else _of_values(measure, int(light["n"]))
    if part == layout.LATENCY and open_runs:
        said["open_runs"] = open_runs
    return _known(
        series,
        part,
        "runs" if is_runs else "values",
        int(light["n"]),
        warming=bool(light["n"] < WARM_UP),
        size=len(measure.light) + len(measure.state) + sum(map(len, series.models.values())),
        latest=float(light["latest"]),
        first_ms=int(light["first_ms"]),
        last_ms=int(light["last_ms"]),
        **said,
    )


def _of_runs(measure: Measure) -> dict[str, Any]:
    if not measure.state:
        return {}
    model = raw_records("run_model", measure.state)[0]
    odds = model["routine"].tolist()
    return {
        "level": math.expm1(min(float(model["level"]), 600.0)),
        "spread": math.sqrt(max(0.0, float(model["variance"][0]))),
        "seasons": [name for kind, name in _ROUTINES.items() if odds[kind] > BELIEVED],
    }


def _of_values(measure: Measure, n: int) -> dict[str, Any]:
    if not measure.state:
        return {}
    if measure.is_young:
        values = raw_records("young", measure.state)[0]["value"][:n]
        return {"level": float(np.median(values)), "spread": float(np.std(values))}
    core = raw_records("deep", measure.state)[0]
    seasons = ["hour of day"] if core["day_visits"].all() else []
    if seasons and core["week_error"][SLOW] < core["day_error"][SLOW]:
        seasons.append("hour of week")
    return {"level": float(core["level"][SLOW]), "spread": float(core["scale"][SLOW]), "seasons": seasons}


def _of_outcomes(series: Portable, part: int, outcomes: Any) -> Known:
    yes, no, recent, _, count = outcomes["rate"].tolist()
    learned = yes + no
    return _known(
        series,
        part,
        "share",
        round(learned) + count,
        warming=bool(outcomes["seen"] < WARM_RATE),
        size=outcomes.nbytes,
        latest=float(recent & 1),
        level=yes / learned if learned else None,
        first_ms=int(outcomes["first_ms"]),
        last_ms=int(outcomes["last_ms"]),
    )


def _of_arrivals(series: Portable, arrivals: Any) -> Known:
    cadence = arrivals["cadence"]
    learned = int(cadence["learned"])
    return _known(
        series,
        layout.FRESHNESS,
        "arrivals",
        int(arrivals["arrivals"]),
        warming=bool(arrivals["arrivals"] < WARM_CADENCE),
        size=arrivals.nbytes,
        latest=abs(float(cadence["gaps"][(learned - 1) % GAPS_MAX])) if learned else None,
        level=float(cadence["typical_ms"]) or None,
        first_ms=int(arrivals["first_ms"]),
        last_ms=int(cadence["last_ms"]),
    )


def _of_schemas(series: Portable) -> Iterator[Known]:
    structure, declared = series.structure, series.declared
    key = series.key
    text = series_text(Signal.SCHEMA, key.labels)
    if structure is not None:
        size = len(msgspec.msgpack.encode(structure))
        paths = sum(state.new is None and not state.gone for state in structure.paths.values())
        yield Known(
            text, "schema", dict(key.labels), "paths", "schema", structure.records, structure.records < WARM_UP, size,
            first_ms=structure.first_ms, last_ms=structure.last_ms, paths=paths,
        )  # fmt: skip
    elif declared is not None:
        fields, seen, first_ms, last_ms, *_ = declared
        size = len(msgspec.msgpack.encode(declared))
        yield Known(
            text, "schema", dict(key.labels), "fields", "schema", seen, False, size,
            first_ms=first_ms, last_ms=last_ms, paths=len(fields),
        )  # fmt: skip
