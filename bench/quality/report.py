"""The report: sections of tables and pictures, as kept in quality.json, and the page in Markdown made from them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from bench.page import table

INTRODUCTION: Final = """\
# Quality of detection

Made by `make bench-quality`, which writes this page, its pictures and the numbers behind them (`quality.json`). Every simulated
series comes from a seed, so that a run repeats these numbers; `python -m bench.quality --only SECTION` makes one section again."""


class Table(msgspec.Struct):
    """Numbers as they are shown, with a sentence or two on how to read them."""

    title: str
    heads: list[str]
    rows: list[list[str]]
    about: str = ""


class Picture(msgspec.Struct):
    """An SVG drawing: the file that shows it and what is to be seen."""

    title: str
    file: str
    about: str = ""


class Section(msgspec.Struct):
    """What one measurement found. `numbers` are the unrounded ones, for machines; `conditions` say how it was run."""

    name: str
    title: str
    about: str
    tables: list[Table] = []
    pictures: list[Picture] = []
    numbers: dict[str, float] = {}
    conditions: str = ""

    def add(self, title: str, heads: Sequence[str], rows: Sequence[Sequence[str]], about: str = "") -> None:
        """Add a table."""
        self.tables.append(Table(title, list(heads), [list(row) for row in rows], about))


class Report(msgspec.Struct):
    """All sections by name."""

    sections: dict[str, Section] = {}


def load(path: Path) -> Report:
    """What was found before; nothing where there is no file."""
    return msgspec.json.decode(path.read_bytes(), type=Report) if path.exists() else Report()


def save(report: Report, path: Path) -> None:
    """Write the numbers."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")


def page(report: Report, order: Sequence[str]) -> str:
    """The page in Markdown, sections in the order given, those that were not run left out."""
    sections = [report.sections[name] for name in order if name in report.sections]
    return "\n\n".join([INTRODUCTION, *map(_section, sections)]) + "\n"


def _section(section: Section) -> str:
    parts = [f"## {section.title}", section.about]
    for it in section.tables:
        parts += [f"### {it.title}", *filter(None, [it.about]), table(it.heads, it.rows)]
    for picture in section.pictures:
        parts += [
            f"### {picture.title}",
            *filter(None, [picture.about]),
            f"![{picture.title}]({picture.file})",
        ]
    parts.append(section.conditions)
    return "\n\n".join(filter(None, parts))
