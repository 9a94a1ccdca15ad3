"""Pipeline faults: what Streamgauge and its peers find on simulated platforms, whose faults are known."""

from collections.abc import Sequence
from typing import Final

from bench.quality.fault_runs import END_MS, Course, Run, Size, run
from bench.quality.fault_tables import add_comparison, add_own
from bench.quality.plan import Plan
from bench.quality.report import Picture, Section
from stream.plots.svg import drawing
from stream.simulate.recording import rfc3339

NAME: Final = "faults"
TITLE: Final = "Pipeline faults"
ABOUT: Final = """\
Platforms of pipelines (streaming, every few minutes, hourly, daily, working days, month-end, sparse; with trends, seasons, holidays, daylight saving and
heavy tails) made by `streamgauge simulate`, with labelled faults, read by the worker's stages with default settings as `streamgauge backtest` reads them.
**To be reached on held-out seeds (1000 and above): 95 % of incidents found, each kind at least 85 %, at no more than 0.25 false alerts a series and week,
and 1.2 alerts per incident.** Seeds below 1000 may be used in development.

An alert is an episode that opens and fires (`alert_id`); what joins an open alert of its pipeline (`suppressed`) is none, but may find. It belongs to an incident when its series has the incident's labels and it comes between the incident's
start and its end plus a grace (one usual interval of the pipeline's runs and an hour); else it is false. An incident is found by an alert of its own that has one of the
signals in which it may show. See `bench/quality/attribution.py`."""
HELD_OUT_FROM: Final = 1000
FULL, QUICK = Size(100, 60, 0.25), Size(16, 42, 0.4)
SEEDS: Final = (1, 1401, 1402, 1403, 1404)


def measure(plan: Plan) -> Section:
    """Every recording, or those in the directories given."""
    size = QUICK if plan.quick else FULL
    seeds = [plan.seed] if plan.quick else list(dict.fromkeys([plan.seed, *SEEDS[1:]]))
    courses = [Course(seed, None, size, not number and not plan.quick) for number, seed in enumerate(seeds)]
    if plan.recordings:
        courses = [Course(0, path, size, False) for path in plan.recordings]
    runs = plan.spread(run, courses)
    section = Section(NAME, TITLE, ABOUT)
    for held_out in (True, False):
        part = [it for it in runs if (it.seed >= HELD_OUT_FROM) is held_out]
        if part:
            add_own(section, part, "held-out seeds" if held_out else "development seeds")
    part = [it for it in runs if it.seed >= HELD_OUT_FROM] or runs
    add_comparison(section, part)
    _draw(section, plan, part)
    section.conditions = _conditions(runs, size, given=bool(plan.recordings))
    return section


def _draw(section: Section, plan: Plan, runs: Sequence[Run]) -> None:
    panels = {it.title.partition(":")[0]: it for one in runs for it in one.drawn}
    folder = plan.folder / "quality-plots"
    folder.mkdir(exist_ok=True)
    (folder / "faults.svg").write_text(drawing([panels[kind] for kind in sorted(panels)]))
    what = (
        "An incident of each kind that numbers show: the series with the band expected of it (green), the incident (red), and all alerts of its pipeline: "
        "red triangles within the incident, grey ones outside."
    )
    section.pictures.append(Picture("What it looks like", "quality-plots/faults.svg", what))


def _conditions(runs: Sequence[Run], size: Size, *, given: bool) -> str:
    incidents = sum(len(it.incidents) for it in runs)
    samples = sum(len(it.samples.times_ms) for it in runs)
    series = sum(int(it.samples.series[-1]) + 1 for it in runs)
    platforms = (
        "Recordings that were given"
        if given
        else f"Platforms of {size.pipelines} pipelines over {size.days} days to {rfc3339(END_MS)}, {size.per_week} faults a pipeline and week"
    )
    return f"{platforms}; {incidents:,} incidents, {samples:,} numbers in {series:,} series."
