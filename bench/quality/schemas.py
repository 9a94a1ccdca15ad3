"""Schemas: changes in what records look like, and streams in which nothing changes, told by nobody but the records."""

from collections.abc import Callable, Sequence
from typing import Final

from bench.quality.plan import Plan
from bench.quality.report import Section
from bench.quality.schema_corpus import CHANGED, KNOWN, SHARES, harmful, harmless
from bench.quality.schema_runs import Outcome, judge

NAME: Final = "schemas"
TITLE: Final = "Schema changes learned from the records"
ABOUT: Final = f"""\
Each stream is one topic of JSON records, nested orders or flat readings of 20 fields. After {KNOWN:,} records its schema changes once, in all records
from there on, in a tenth or in a hundredth of them, for {CHANGED:,} records; in harmless streams nothing changes, though much varies.
**To be reached: 98 % found with the right kind and path, at most one false alert in all harmless streams; a change in all records within a block of
1,000, one in a hundredth within 10,000 records.** Judged through the worker's stages with default settings. Whatever else is told of a stream in which something
changes counts as told besides."""
QUICK: Final = 6
Judge = Callable[[int], Outcome]


def measure(plan: Plan) -> Section:
    """Run the corpus."""
    return fill(Section(NAME, TITLE, ABOUT), plan, _changed, _quiet, (len(harmful()), len(harmless())))


def fill(section: Section, plan: Plan, changed: Judge, quiet: Judge, counts: tuple[int, int]) -> Section:
    """The section with what came of so many changes and so many harmless streams, by their numbers."""
    changes, others = range(counts[0]), range(counts[1])
    if plan.quick:
        changes, others = changes[:: len(changes) // QUICK], others[:: len(others) // QUICK]
    outcomes = plan.spread(changed, changes)
    _add_shares(section, outcomes)
    _add_kinds(section, outcomes)
    _add_harmless(section, plan.spread(quiet, others))
    return section


def _changed(number: int) -> Outcome:
    return judge(harmful()[number])


def _quiet(number: int) -> Outcome:
    return judge(harmless()[number])


def _add_shares(section: Section, outcomes: Sequence[Outcome]) -> None:
    rows = []
    for share in SHARES:
        own = [it for it in outcomes if it.share == share]
        after = sorted(it.found_after for it in own if it.found_after is not None)
        besides = sum(len(it.others) for it in own)
        if own and after:
            rows.append([f"{share:.0%}", f"{len(after)} of {len(own)}", f"{after[len(after) // 2]:,}", f"{after[-1]:,}", f"{besides}"])  # fmt: skip
    section.numbers["found"] = sum(it.found_after is not None for it in outcomes) / len(outcomes)
    section.numbers["besides"] = sum(len(it.others) for it in outcomes)
    heads = ["records that change", "found", "median after records", "latest after records", "told besides"]
    section.add("How many are found, and how soon", heads, rows)


def _add_kinds(section: Section, outcomes: Sequence[Outcome]) -> None:
    kinds = sorted({it.expected.change for it in outcomes if it.expected})
    rows = []
    for kind in kinds:
        own = [it for it in outcomes if it.expected and it.expected.change == kind]
        missed = sorted(f"{it.scenario} ({it.share:.0%})" for it in own if it.found_after is None)
        rows.append([f"`{kind}`", f"{len(own) - len(missed)} of {len(own)}", ", ".join(missed) or "none"])
    section.add("By kind", ["change", "found", "missed"], rows)


def _add_harmless(section: Section, quiet: Sequence[Outcome]) -> None:
    false = [(it.scenario, said) for it in quiet for said in it.others]
    section.numbers["false"] = len(false)
    rows = [[scenario, said] for scenario, said in false] or [["none", ""]]
    about = f"{len(false)} false alerts in {len(quiet)} streams, {KNOWN + CHANGED:,} records each."
    section.add("Harmless streams", ["stream", "told"], rows, about)
