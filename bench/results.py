"""Results: what was measured, as it is kept in results.json, so that the page can be made again from it."""

from pathlib import Path
from typing import Final

import msgspec

RESULTS: Final = Path(__file__).with_name("results.json")


class Figure(msgspec.Struct, omit_defaults=True):
    """One thing that was measured, once in each round; or the reason why it could not be."""

    name: str
    title: str
    unit: str
    values: list[float] = []
    note: str = ""
    conditions: str = ""
    error: str = ""


class Section(msgspec.Struct):
    """The figures of one benchmark."""

    name: str
    title: str
    about: str
    figures: list[Figure] = []

    def add(self, name: str, title: str, unit: str, value: float, note: str = "") -> None:
        """Add what a round gave to a figure."""
        figure = self.figure(name, title, unit)
        figure.values.append(value)
        figure.note = note or figure.note

    def figure(self, name: str, title: str, unit: str) -> Figure:
        """The figure of that name, added when it is not there yet."""
        for figure in self.figures:
            if figure.name == name:
                return figure
        self.figures.append(Figure(name, title, unit))
        return self.figures[-1]


class Results(msgspec.Struct):
    """Everything that is known: the machine, the versions, the last command, and one section for each benchmark."""

    command: str = ""
    machine: dict[str, str] = {}
    versions: dict[str, str] = {}
    sections: dict[str, Section] = {}

    def values(self, name: str) -> list[float]:
        """The values of a figure, in whatever section it is; none when it was not measured."""
        for section in self.sections.values():
            for figure in section.figures:
                if figure.name == name:
                    return figure.values
        return []

    def put(self, section: Section) -> None:
        """Take in a section; figures that it does not have stay as they were measured before."""
        fresh = {figure.name for figure in section.figures}
        if known := self.sections.get(section.name):
            section.figures += [figure for figure in known.figures if figure.name not in fresh]
        self.sections[section.name] = section


def load(path: Path = RESULTS) -> Results:
    """What was measured before; nothing when there is no file."""
    return msgspec.json.decode(path.read_bytes(), type=Results) if path.exists() else Results()


def save(results: Results, path: Path = RESULTS) -> None:
    """Write the file, for people to read too."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")
