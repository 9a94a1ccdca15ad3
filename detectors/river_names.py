"""River's detectors by name: which there are, and how one is made from the parameters that a user wrote.

A parameter that is itself a model is written as a map with `model`, and `parameters` where it needs some:

    model: river.anomaly.PredictiveAnomalyDetection
    parameters: {predictive_model: {model: river.time_series.HoltWinters, parameters: {alpha: 0.3}}}

Whatever takes a `seed` and is given none gets one from the caller: nothing here is random. River is imported with the first
model, which takes a second and some 60 MB; who names none pays nothing.
"""

import importlib
import inspect
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from typing import Any, Final

from detectors.river_classes import PACKAGES

ROOMS: Final = ("anomaly", "drift")
_NESTED: Final = frozenset({"model", "parameters"})
_DEPTH_MAX: Final = 8


class ModelError(ValueError):
    """A model cannot be made; `where` is the key at fault beside or below `model`, `allowed` what would do."""

    def __init__(self, where: tuple[str, ...], reason: str, allowed: tuple[str, ...] = ()) -> None:
        super().__init__(f"{'.'.join(where)}: {reason}")
        self.where, self.reason, self.allowed = where, reason, allowed


@cache
def names() -> tuple[str, ...]:
    """Every detector that a series can have, as `river.anomaly.HalfSpaceTrees`."""
    return tuple(
        f"river.{room}.{name}"
        for room in ROOMS
        for name in sorted(_module(room).__all__)
        if isinstance(found := getattr(_module(room), name, None), type) and _is_detector(found)
    )


def make(name: str, parameters: Mapping[str, Any], seed: int) -> Any:
    """The detector of this name.

    Raises:
        ModelError: there is none, or it does not take these parameters.
    """
    if name not in names():
        raise ModelError(("model",), *_unknown(name))
    _, room, kind = name.split(".")
    return _made(getattr(_module(room), kind), name, parameters, seed, ())


def is_drift_detector(model: object) -> bool:
    """Whether a model flags changes by itself, instead of giving scores."""
    return isinstance(model, _base().DriftDetector)


def is_supervised(model: object) -> bool:
    """Whether a model takes the value as its target, rather than as a feature."""
    inner = getattr(model, "anomaly_detector", model)
    return bool(getattr(inner, "_supervised", False))


def _is_detector(kind: type) -> bool:
    base = _base()
    known = (base.AnomalyDetector, base.SupervisedAnomalyDetector, base.AnomalyFilter, base.DriftDetector)
    return issubclass(kind, known) and not inspect.isabstract(kind)


def _unknown(name: str) -> tuple[str, tuple[str, ...]]:
    parts = name.split(".")
    if parts[:3] == ["river", "drift", "binary"]:
        return f"{name} takes yes/no outcomes, and a numeric series has none", names()
    near = get_close_matches(name, names(), n=1, cutoff=0.5)
    return f"no detector is named {name!r}" + (f", did you mean {near[0]}?" if near else ""), names()


def _made(kind: type, name: str, parameters: Mapping[str, Any], seed: int, inside: tuple[str, ...]) -> Any:
    takes = _taken(kind)
    given = dict(parameters)
    for key in given:
        if key not in takes:
            near = get_close_matches(str(key), takes, n=1)
            hint = f", did you mean {near[0]}?" if near else ""
            raise ModelError(
                (*inside, "parameters", str(key)), f"{name} takes no such parameter{hint}", takes
            )
    made = {key: _argument(value, seed, (*inside, "parameters", key)) for key, value in given.items()}
    if "seed" in takes:
        made.setdefault("seed", seed)
    try:
        return kind(**made)
    except Exception as error:
        raise ModelError(
            (*inside, "parameters"), f"{name} refuses them: {str(error) or type(error).__name__}"
        ) from error


def _argument(value: Any, seed: int, where: tuple[str, ...]) -> Any:
    if not (isinstance(value, Mapping) and "model" in value and set(value) <= _NESTED):
        return value
    if len(where) > 2 * _DEPTH_MAX:
        raise ModelError(where, f"models within models, more than {_DEPTH_MAX} deep")
    name, parameters = value["model"], value.get("parameters") or {}
    if not isinstance(parameters, Mapping):
        raise ModelError((*where, "parameters"), "must be a map of parameters")
    return _made(_nested_class(str(name), where), str(name), parameters, seed, where)


def _nested_class(name: str, where: tuple[str, ...]) -> type:
    root, _, rest = name.partition(".")
    package, _, kind = rest.rpartition(".")
    found = None
    if root == "river" and package.split(".")[0] in PACKAGES and "datasets" not in package.split("."):
        try:
            found = getattr(_module(package), kind, None)
        except ImportError:
            found = None
    if not isinstance(found, type) or not issubclass(found, _base().Base):
        raise ModelError((*where, "model"), f"{name!r} is no model of River that can be named here")
    return found


@cache
def _taken(kind: type) -> tuple[str, ...]:
    """The parameters that may be given by name."""
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    parameters = inspect.signature(kind).parameters.values()
    return tuple(parameter.name for parameter in parameters if parameter.kind in by_name)


def _base() -> Any:
    return _module("base")


def _module(name: str) -> Any:
    return importlib.import_module(f"river.{name}")
