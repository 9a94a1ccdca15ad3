"""From file, environment and command line to one valid `Config`, or to every reason why not."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath

from pydantic import ValidationError

from stream.config.complaints import faults_of
from stream.config.document import Document, read
from stream.config.faults import ConfigError, Fault, Path
from stream.config.layers import Override, from_environment, lay_over
from stream.config.model import ALERTS_DEFAULT, NAME_DEFAULT, Config
from stream.config.shadow import shadowed

FILE_DEFAULT = FilePath("streamgauge.yaml")


@dataclass(frozen=True, slots=True)
class Loaded:
    """A valid configuration, and where each of its written keys came from (`file:line`, a variable, an option)."""

    config: Config
    places: Mapping[Path, str]
    file: FilePath | None


def load(
    path: FilePath | None = None, overrides: Iterable[Override] = (), environ: Mapping[str, str] | None = None
) -> Config:
    """The effective configuration: `overrides` over the environment over the file over the defaults.

    Without `path`, `streamgauge.yaml` in the working directory is read if it is there.

    Raises:
        ConfigError: with every fault at once, each as `file:line: key: reason (allowed: ...)`.
    """
    return load_with_places(path, overrides, environ).config


def load_with_places(
    path: FilePath | None = None, overrides: Iterable[Override] = (), environ: Mapping[str, str] | None = None
) -> Loaded:
    """As `load`, and says where each key came from."""
    file = path or (FILE_DEFAULT if FILE_DEFAULT.is_file() else None)
    document = read(file) if file else Document()
    variables, unreadable = from_environment(os.environ if environ is None else environ)
    lay_over(document, [*variables, *overrides])
    lines = [*document.faults, *unreadable]
    try:
        config = Config.model_validate(shadowed(document.values, NAME_DEFAULT, ALERTS_DEFAULT))
    except ValidationError as error:
        lines += [_line(fault, document.places, file) for fault in faults_of(error)]
        raise ConfigError(lines) from None
    if lines:
        raise ConfigError(lines)
    return Loaded(config, document.places, file)


def _line(fault: Fault, places: Mapping[Path, str], file: FilePath | None) -> str:
    for length in range(len(fault.path), -1, -1):
        if place := places.get(fault.path[:length]):
            return f"{place}: {fault.sentence()}"
    return f"{file or 'defaults'}: {fault.sentence()}"
