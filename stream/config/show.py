"""The effective configuration as YAML that could be loaded again, with the origin of each value and no secret."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from stream.config.faults import Path
from stream.config.loading import Loaded

ORIGIN_COLUMN = 56
DEFAULT = "default"
"""The origin of what is not written."""


def effective_yaml(loaded: Loaded) -> str:
    """Every key in force, one a line, followed by where it came from; secrets read `***`."""
    values = loaded.config.model_dump(mode="json", by_alias=True, exclude_none=True)
    lines = [*_mapping(values, (), loaded.places)]
    return "".join(
        f"{text:<{ORIGIN_COLUMN}}  # {origin}\n" if origin else f"{text}\n" for text, origin in lines
    )


Line = tuple[str, str | None]
"""A line of YAML, and where its value came from when it holds one."""


def _mapping(values: Mapping[str, Any], path: Path, places: Mapping[Path, str]) -> Iterator[Line]:
    for key, value in values.items():
        yield from _entry(f"{_scalar(key)}:", value, (*path, key), places)


def _entry(head: str, value: Any, path: Path, places: Mapping[Path, str]) -> Iterator[Line]:
    if isinstance(value, dict) and value:
        yield head, None
        yield from ((f"  {text}", origin) for text, origin in _mapping(value, path, places))
    elif isinstance(value, list) and value:
        yield head, None
        for index, item in enumerate(value):
            yield from _item(item, (*path, index), places)
    else:
        yield f"{head} {_scalar(value)}", origin(path, places)


def _item(item: Any, path: Path, places: Mapping[Path, str]) -> Iterator[Line]:
    if not isinstance(item, dict):
        yield f"  - {_scalar(item)}", origin(path, places)
        return
    for index, (text, whence) in enumerate(_mapping(item, path, places)):
        yield f"{'    ' if index else '  - '}{text}", whence


def _scalar(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=1_000_000)
    return text.removesuffix("\n").removesuffix("\n...")


def origin(path: Path, places: Mapping[Path, str]) -> str:
    """Where the value at `path` came from: `file:line`, a variable or an option, or `DEFAULT`."""
    for length in range(len(path), 0, -1):
        if (place := places.get(path[:length])) and (length == len(path) or _is_whole(path[:length], places)):
            return place
    return DEFAULT


def _is_whole(path: Path, places: Mapping[Path, str]) -> bool:
    """Whether everything under `path` was written in one go: then no key under it has a place of its own."""
    return not any(len(known) > len(path) and known[: len(path)] == path for known in places)
