"""Schemas: changes in what records look like, and streams in which nothing changes, told by nobody but the records."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, NamedTuple

from bench.quality import schema_avro, schema_corpus, schema_second
from bench.quality.plan import Plan
from bench.quality.report import Section
from bench.quality.schema_runs import Outcome, judge
from bench.quality.schema_scenario import CHANGED, KNOWN, SHARES, Corpus, Scenario

QUICK: Final = 6
SOON: Final = 4_000
_GOAL: Final = f"""\
**To be reached: 98 % found with the right kind and path, at most one false alert in all harmless streams; a change in all records within a block of
1,000, one in a hundredth within {CHANGED:,} records.** Judged through the worker's stages with default settings. Whatever else is told of a stream in which something
changes counts as told besides."""
_AVRO: Final = f"""\
The streams of the section before, each record framed and in Avro's binary encoding: {KNOWN:,} records of one schema, then {CHANGED:,} (where a tenth or more
change, {SOON:,}) of which those that change are written with another one. Harmless streams have one schema throughout; each is there once, not at three seeds."""


def in_avro(scenario: Scenario, seed: int = 1) -> Outcome:
    """What came of a scenario in Avro; what changes in many records is followed for less long, which costs less."""
    soon = scenario.expected is not None and scenario.share >= SHARES[1]
    return schema_avro.judge(scenario, changed=SOON if soon else CHANGED, seed=seed)


class Subject(NamedTuple):
    """A section: the streams that are judged in it, and how."""

    title: str
    about: str
    corpus: Corpus
    judge: Callable[[Scenario], Outcome]


SUBJECTS: Final = {
    "schemas": Subject(
        "Schema changes learned from the records",
        f"""\
Each stream is one topic of JSON records, nested orders or flat readings of 20 fields. After {KNOWN:,} records its schema changes once, in all records
from there on, in a tenth or in a hundredth of them, for {CHANGED:,} records; in harmless streams nothing changes, though much varies.
{_GOAL}""",
        schema_corpus.CORPUS,
        judge,
    ),
    "schemas-avro": Subject("The same schema changes in Avro", _AVRO, schema_corpus.CORPUS.once, in_avro),
    "schemas-second": Subject(
        "Schema changes in records that nothing was tuned on",
        f"""\
Other records, nested payments, flat clicks and deep readings of devices, with other names, values and seeds. No limit was tuned on them. Their first run showed
faults, which were mended before this one: a map of very many names took the room of the fields beside it, and an object that became numbers, some of them whole, was told twice.
{_GOAL}""",
        schema_second.CORPUS,
        partial(judge, seed=2),
    ),
    "schemas-second-avro": Subject(
        "The same changes in Avro", _AVRO, schema_second.CORPUS.once, partial(in_avro, seed=2)
    ),
}


def measure(name: str, plan: Plan) -> Section:
    """Judge the streams of a section."""
    subject = SUBJECTS[name]
    section = Section(name, subject.title, subject.about)
    changes, others = range(len(subject.corpus.changes)), range(len(subject.corpus.harmless))
    if plan.quick:
        changes, others = changes[:: len(changes) // QUICK], others[:: len(others) // QUICK]
    outcomes = plan.spread(partial(_changed, name), changes)
    _add_shares(section, outcomes)
    _add_kinds(section, outcomes)
    _add_besides(section, outcomes)
    _add_harmless(section, plan.spread(partial(_quiet, name), others))
    return section


MEASURES: Final = {name: partial(measure, name) for name in SUBJECTS}


def _changed(name: str, number: int) -> Outcome:
    return SUBJECTS[name].judge(SUBJECTS[name].corpus.changes[number])


def _quiet(name: str, number: int) -> Outcome:
    return SUBJECTS[name].judge(SUBJECTS[name].corpus.harmless[number])


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


def _add_besides(section: Section, outcomes: Sequence[Outcome]) -> None:
    rows = [[f"{it.scenario} ({it.share:.0%})", said] for it in outcomes for said in it.others]
    if rows:
        section.add("Told besides", ["stream", "told"], rows)


def _add_harmless(section: Section, quiet: Sequence[Outcome]) -> None:
    false = [(it.scenario, said) for it in quiet for said in it.others]
    section.numbers["false"] = len(false)
    rows = [[scenario, said] for scenario, said in false] or [["none", ""]]
    about = f"{len(false)} false alerts in {len(quiet)} streams, {KNOWN + CHANGED:,} records each."
    section.add("Harmless streams", ["stream", "told"], rows, about)
