"""Which lines of a configuration decide the settings of one series: every layer that sets a key, the last of which wins."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from detectors.settings import NO_SCHEDULE, SIGNAL_DEFAULTS, Tuning
from stream.config.loading import Loaded
from stream.config.model import Config
from stream.config.selector import Selector
from stream.config.show import DEFAULT, origin
from stream.config.tuning import Defaults, TuningSection

BUILT_IN = "built in"
NONE = "none"
_UNSET = {"model": "default", "schedule": NO_SCHEDULE.written}
_LABELS = "labels"
_KEYS = tuple(name for name in TuningSection.model_fields if name not in ("parameters", _LABELS))


class Layer(NamedTuple):
    """What one layer says of a key: the value as people write it, the section it stands in, and its place (`file:line`)."""

    value: str
    section: str
    place: str


class _Section(NamedTuple):
    """A section of the configuration that tunes a series, by its path and its name."""

    tuning: TuningSection
    path: tuple[str | int, ...]
    name: str


class Explained(NamedTuple):
    """One setting: what is in force, and what it overrides, the nearest first."""

    key: str
    decided: Layer
    overridden: tuple[Layer, ...]


def explain(loaded: Loaded, series: Selector) -> list[Explained]:
    """Every setting of a series, in the order of the documentation, then each of the `labels` that its alerts carry."""
    settings = [_explained(key, [*_layers(loaded, series, key)]) for key in _KEYS]
    return settings + [
        _explained(f"{_LABELS}.{name}", said) for name, said in _labels(loaded, series).items()
    ]


def as_json(loaded: Loaded, series: Selector) -> dict[str, Any]:
    """The same for programs."""
    return {
        "series": str(series),
        "file": str(loaded.file) if loaded.file else None,
        "settings": {
            it.key: {**it.decided._asdict(), "overridden": [layer._asdict() for layer in it.overridden]}
            for it in explain(loaded, series)
        },
    }


def _explained(key: str, layers: list[Layer]) -> Explained:
    return Explained(key, layers[-1], tuple(reversed(layers[:-1])))


def _layers(loaded: Loaded, series: Selector, key: str) -> Iterator[Layer]:
    """What is said of a key, from the bottom up."""
    (of_all, of_signal, *entries), signal = _sections(loaded.config, series), series.signal
    yield Layer(_text(Defaults(), key), BUILT_IN, DEFAULT)
    yield from _written(loaded, of_all, key)
    yield from _natural(signal, of_signal.tuning, key)
    for section in (of_signal, *entries):
        yield from _written(loaded, section, key)


def _labels(loaded: Loaded, series: Selector) -> dict[str, list[Layer]]:
    """What is said of each label that alerts carry, from the bottom up."""
    said: dict[str, list[Layer]] = {}
    for section in _sections(loaded.config, series):
        for name, value in (section.tuning.labels or {}).items():
            place = origin((*section.path, _LABELS, name), loaded.places)
            said.setdefault(name, []).append(Layer(value, section.name, place))
    return said


def _sections(config: Config, series: Selector) -> list[_Section]:
    """The sections that hold for a series, from the bottom up: `defaults`, its signal's, and entries of `series`."""
    signal, signals = series.signal, config.signals
    alias = next(it for it, field in type(signals).model_fields.items() if (field.alias or it) == signal)
    return [
        _Section(config.defaults, ("defaults",), "defaults"),
        _Section(getattr(signals, alias), ("signals", signal), f"signals.{signal}"),
        *(
            _Section(entry, ("series", number), f"series[{number}]")
            for number, entry in enumerate(config.series)
            if entry.rule().matches(signal, series.labels)
        ),
    ]


def _natural(signal: str, section: TuningSection, key: str) -> Iterator[Layer]:
    """What the signal's nature says, whatever is written."""
    natural = getattr(SIGNAL_DEFAULTS[signal], key, None) if key in Tuning.__struct_fields__ else None
    if natural is not None:
        yield Layer(_text(section.model_copy(update={key: natural}), key), f"{BUILT_IN}, {signal}", DEFAULT)


def _written(loaded: Loaded, section: _Section, key: str) -> Iterator[Layer]:
    place = origin((*section.path, key), loaded.places)
    if place != DEFAULT and getattr(section.tuning, key) is not None:
        yield Layer(_text(section.tuning, key), section.name, place)


def _text(section: TuningSection, key: str) -> str:
    """The value of a key as people write it; a model with the parameters beside it."""
    said = section.model_dump(mode="json", by_alias=True, include={key, "parameters"})
    value = said[key]
    if value is None:
        return _UNSET.get(key, NONE)
    text = f"{value:.15g}" if isinstance(value, float) else str(value)
    return f"{text} {said['parameters']}" if key == "model" and said.get("parameters") else text
