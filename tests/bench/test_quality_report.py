from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from bench.quality import routines
from bench.quality.few import DROP, KNOWN_DAYS, Case, platform
from bench.quality.plan import Plan
from bench.quality.report import Picture, Report, Section, load, page, save
from bench.quality.routines import ROUTINES, play, score
from stream.plots.drawn import Drawn
from stream.plots.svg import drawing

DAY_MS = 86_400_000


def section() -> Section:
    it = Section("nab", "Real series", "What they are.", conditions="29 series.")
    it.add("Scores", ["detector", "score"], [["ours", "72.6"], ["a|b", "1"]], "How to read it.")
    it.pictures.append(Picture("Seen", "quality/nab.svg", "A band."))
    it.numbers["x"] = 0.5
    return it


def test_a_page_has_its_sections_in_order_and_leaves_out_what_was_not_run():
    text = page(Report({"nab": section(), "few": Section("few", "Few", "")}), ["few", "calibration", "nab"])
    assert text.index("## Few") < text.index("## Real series") < text.index("### Scores")
    assert "| ours | 72.6 |\n| a\\|b | 1 |" in text
    assert "![Seen](quality/nab.svg)" in text
    assert text.endswith("29 series.\n")


def test_a_report_survives_being_written(tmp_path: Path):
    assert load(tmp_path / "quality.json") == Report()
    save(Report({"nab": section()}), tmp_path / "quality.json")
    assert load(tmp_path / "quality.json") == Report({"nab": section()})


def test_a_plan_narrows_down_and_spreads_in_order():
    plan = Plan(chosen=frozenset({"b", "z"}), jobs=2)
    assert plan.takes(["a", "b"]) == ["b"]
    assert plan.takes(["c", "d"]) == ["c", "d"]
    assert plan.spread(abs, list(range(-40, 0))) == list(range(40, 0, -1))


def drawn(count: int, lower: float) -> ET.Element:
    times = np.arange(count, dtype=np.int64) * 300_000
    flat, known = np.ones(count), np.where(np.arange(count) < count // 2, np.nan, 1.0)
    it = Drawn(
        "a < b",
        times,
        flat * 100,
        known * 100,
        known * lower,
        known * 120,
        [(0, 600_000)],
        [300_000, 900_000],
    )
    return ET.fromstring(drawing([it, it]))  # noqa: S314  our own picture


@pytest.mark.parametrize("lower", [80.0, -1e9, float("nan")])
def test_a_drawing_is_well_formed_whatever_the_band(lower: float):
    root = drawn(5000, lower)
    paths = [it for it in root.iter() if it.tag.endswith("path")]
    assert not any("nan" in (it.get("d") or "nan") for it in paths)
    triangles = [it.get("fill") for it in paths if (it.get("d") or "").endswith("h10z")]
    assert triangles == ["#e03131", "#868e96"] * 2
    assert sum(len(it.get("d") or "") for it in paths) < 200_000


def test_a_drop_of_four_fifths_is_seen_by_the_stages_and_an_ordinary_day_is_not():
    dropped = platform(Case(0, KNOWN_DAYS, (DROP,), 1))
    assert dropped.open[:KNOWN_DAYS] == [False] * KNOWN_DAYS
    assert dropped.open[KNOWN_DAYS]
    assert platform(Case(0, KNOWN_DAYS, (1.0,), 1)).open == [False] * (KNOWN_DAYS + 1)


@pytest.mark.parametrize("routine", ROUTINES, ids=lambda it: it.name)
def test_what_breaks_a_routine_stands_out_and_occurrences_are_where_the_load_is(routine: routines.Routine):
    interval_ms = routine.intervals_ms[1]
    played = play(routine, interval_ms, 1)

    def load(span: tuple[int, int]) -> float:
        return float(played.values[(played.times_ms >= span[0]) & (played.times_ms < span[1])].mean()) / 100

    for span, it in zip(played.breaks_ms, routine.breaks, strict=True):
        assert load(span) == pytest.approx(it.load, rel=0.2), it.name
        assert (span[0] - routines.MONDAY_MS) // DAY_MS == it.day
    assert all(load(span) == pytest.approx(routine.load, rel=0.2) for span in played.ordinary_ms)
    assert len(played.ordinary_ms) >= 5
    assert not set(played.ordinary_ms) & set(played.breaks_ms)
    twice = next(it for it in routine.breaks if it.name == "twice the size")
    assert routine.on(twice.day)


def test_alarms_are_counted_in_occurrences_in_breaks_or_elsewhere():
    night = ROUTINES[0]
    played = play(night, 300_000, 1)
    hour_ms = 3_600_000
    first = played.ordinary_ms[0][0]
    told = [routines.MONDAY_MS, first, first + 2 * hour_ms, first + 3 * hour_ms, played.breaks_ms[1][0] + 5]
    counted = routines._count(night, played, told)
    assert (counted.alarms, counted.elsewhere, counted.found) == (2, 1, [False, True, False])


def test_a_nightly_load_at_another_hour_is_found_by_default():
    assert score(ROUTINES[0], 300_000, 1).found[0]
