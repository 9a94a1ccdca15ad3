"""What lies over the file: environment variables, then the command line, each value with the place it came from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from stream.config.document import Document
from stream.config.faults import Path
from stream.config.properties import SECRETS
from stream.config.registry import REGISTRY_SECRETS

PREFIX = "STREAMGAUGE__"
DELIMITER = "__"
_DOTTED: Mapping[str, frozenset[str]] = {"kafka": SECRETS, "schema_registry": REGISTRY_SECRETS}
"""The sections whose keys have dots, and which of those are secrets."""


@dataclass(frozen=True, slots=True)
class Override:
    """One value that replaces the file's: where it belongs, what it is, and which variable or option said so."""

    path: tuple[str, ...]
    value: Any
    origin: str


def from_environment(environ: Mapping[str, str]) -> tuple[list[Override], list[str]]:
    """The overrides among `environ`, shallow paths first, and a line for each variable that cannot be read.

    `STREAMGAUGE__HTTP__PORT` is `http.port`; a value that begins with `{` or `[` is JSON. The names of properties, of
    Kafka and of a schema registry, have dots: `STREAMGAUGE__KAFKA__BOOTSTRAP_SERVERS` is `bootstrap.servers`.
    """
    overrides: list[Override] = []
    faults: list[str] = []
    for variable in sorted(environ, key=lambda name: (name.count(DELIMITER), name)):
        if variable.upper().startswith(PREFIX):
            try:
                overrides.append(_override(variable, environ[variable]))
            except (ValueError, RecursionError):
                faults.append(f"{variable}: begins like JSON and is none")
    return overrides, faults


def _override(variable: str, text: str) -> Override:
    path = tuple(part.lower() for part in variable[len(PREFIX) :].split(DELIMITER))
    if path[0] in _DOTTED and len(path) > 1:
        path = (path[0], DELIMITER.join(path[1:]).replace("_", "."))
        if path[1] in _DOTTED[path[0]] and not text.startswith(("env:", "file:")):
            return Override(path, f"env:{variable}", variable)
        return Override(path, text, variable)
    return Override(path, json.loads(text) if text.lstrip().startswith(("{", "[")) else text, variable)


def lay_over(document: Document, overrides: Iterable[Override]) -> None:
    """Put `overrides` over `document` in order: mappings key by key, anything else replaced; places follow."""
    for override in overrides:
        value = override.value
        for key in reversed(override.path):
            value = {key: value}
        document.values = _merged(document, document.values, value, override, ())


def _merged(
    document: Document, below: Mapping[str, Any], above: Mapping[str, Any], override: Override, path: Path
) -> dict[str, Any]:
    result = dict(below)
    for key, value in above.items():
        here = (*path, key)
        if isinstance(value, dict) and isinstance(result.get(key, {}), dict):
            document.places.setdefault(here, override.origin)
            result[key] = _merged(document, result.get(key, {}), value, override, here)
        else:
            _forget_below(document.places, here)
            document.places[here] = override.origin
            result[key] = value
    return result


def _forget_below(places: dict[Path, str], path: Path) -> None:
    for known in [known for known in places if known[: len(path)] == path]:
        del places[known]
