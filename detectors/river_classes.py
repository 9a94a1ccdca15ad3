"""What of River may be stored, and be made from what was stored: a closed list of classes, and how each is to be read.

Nothing here calls anything of theirs. Modules are imported only from `PACKAGES` and from River's compiled part.
"""

import functools
import importlib
import types
from collections import Counter, OrderedDict, defaultdict, deque
from typing import Any, Final

PACKAGES: Final = frozenset(
    {
        "anomaly",
        "base",
        "cluster",
        "compose",
        "covariance",
        "drift",
        "ensemble",
        "feature_extraction",
        "forest",
        "linear_model",
        "metrics",
        "misc",
        "neighbors",
        "optim",
        "preprocessing",
        "proba",
        "rules",
        "sketch",
        "stats",
        "time_series",
        "tree",
        "utils",
    }
)
"""River's packages whose classes may be made. Data sets, which can fetch and open files, are none of them."""
COMPILED: Final = "river._river_rust."
VECTOR_DICT: Final = "river._river_rust.vectordict:VectorDict"
_FUNCTION_MODULES: Final = frozenset({"river._river_rust.vectordict", "river.utils.math"})
"""Where the distances come from that neighbour searches keep."""
_BUILTIN_TYPES: Final[dict[str, type]] = {
    f"{it.__module__}:{it.__name__}": it
    for it in (tuple, list, dict, set, float, int, str, bool, deque, Counter, OrderedDict, defaultdict)
}
"""What a `defaultdict` may make for a missing key, beside River's classes."""
_CONTAINERS: Final = frozenset({deque, list, dict})
"""What a class of River may extend, beside plain objects."""
NUMBER_KINDS: Final = "biufc"
SCALARS: Final = (bool, int, float, str, bytes, type(None))
_HEAP_TYPE: Final = 1 << 9


def class_name(kind: type) -> str:
    """`module:name` of a class, where it is defined."""
    return f"{kind.__module__}:{kind.__qualname__}"


def is_panic(error: BaseException) -> bool:
    """Whether River's compiled code gave up: Rust's panics are no `Exception`, and no reason to end the process."""
    return type(error).__name__ == "PanicException"


@functools.cache
def slots(kind: type) -> tuple[str, ...]:
    """The attributes of a class that have places of their own."""
    return tuple(
        name
        for base in kind.__mro__
        for name, slot in vars(base).items()
        if isinstance(slot, types.MemberDescriptorType)
    )


@functools.cache
def container_of(kind: type[Any]) -> type | None:
    """The container that a class extends, if any.

    Raises:
        ValueError: its instances are more than that and their attributes, or it may not be made.
    """
    name = class_name(kind)
    if known_class(name) is not kind:
        raise ValueError(f"{name} cannot be stored")
    compiled = [base for base in kind.__mro__ if not base.__flags__ & _HEAP_TYPE and base is not object]
    if len(compiled) > 1 or not set(compiled) <= _CONTAINERS:
        raise ValueError(f"{name} keeps state out of reach")
    container = compiled[0] if compiled else None
    if kind.__new__ is not (container or object).__new__:
        raise ValueError(f"{name} keeps state out of reach")
    return container


@functools.cache
def known_class(name: str) -> type:
    """A class that may be stored, by `class_name`. Raises ValueError for any other."""
    if name in _BUILTIN_TYPES:
        return _BUILTIN_TYPES[name]
    module, _, qualified = name.partition(":")
    root, _, rest = module.partition(".")
    parts = rest.split(".")
    allowed = (
        root == "river"
        and (parts[0] in PACKAGES or f"{module}.".startswith(COMPILED))
        and "datasets" not in parts
    )
    found = getattr(_imported(module), qualified, None) if allowed and qualified.isidentifier() else None
    if not isinstance(found, type) or class_name(found) != name:
        raise ValueError(f"{name} is no class that may be stored")
    return found


def _imported(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ValueError(f"River has no module {module}") from error


def known_function(name: str) -> Any:
    """A distance between points by `module:name`. Raises ValueError for any other function."""
    module, _, function = name.partition(":")
    found = getattr(_imported(module), function, None) if module in _FUNCTION_MODULES else None
    if not isinstance(found, types.BuiltinFunctionType | types.FunctionType):
        raise ValueError(f"the function {name} cannot be stored")  # noqa: TRY004  a matter of the data
    return found


def river_method(kind: type, name: str) -> types.FunctionType:
    """The method of a River class by its name, as it is written there."""
    container_of(kind)
    for base in kind.__mro__:
        method = vars(base).get(name)
        if isinstance(method, types.FunctionType) and base.__module__.startswith("river."):
            return method
    raise ValueError(f"{class_name(kind)} has no method {name!r} that may be stored")
