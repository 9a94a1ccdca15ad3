"""Describing a graph of objects as nodes, see `river_state`: each object once, in the order in which they are met."""

import functools
import random
import types
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import numpy as np

from detectors.river_classes import (
    COMPILED,
    NUMBER_KINDS,
    SCALARS,
    VECTOR_DICT,
    class_name,
    container_of,
    known_class,
    known_function,
    river_method,
    slots,
)

Value = Any
Node = list[Any]
_INT_MIN, _INT_MAX = -(1 << 63), (1 << 63) - 1


class Writer:
    """Numbers the objects of a graph as it meets them, and describes each once."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.shapes: list[tuple[str, tuple[str, ...]]] = []
        self._numbers: dict[int, int] = {}
        self._shape_numbers: dict[tuple[type, tuple[str, ...]], int] = {}
        self._waiting: list[tuple[int, object]] = []
        self._kept: list[object] = []

    def value(self, it: object) -> Value:
        """How an object is written where it is met: as itself, or as the number of its node."""
        kind = type(it)
        if kind in SCALARS and not (kind is int and not _INT_MIN <= it <= _INT_MAX):  # type: ignore[operator]
            return it
        number = self._numbers.get(id(it))
        if number is None:
            number = self._numbers[id(it)] = len(self.nodes)
            self.nodes.append([])
            self._kept.append(it)  # an object that is made on the way keeps its id until all is written
            self._waiting.append((number, it))
        return [number]

    def run(self) -> None:
        """Describe all that has been met, and what is met on the way."""
        while self._waiting:
            number, it = self._waiting.pop()
            self.nodes[number] = self._node(it)

    def _values(self, them: Iterable[object]) -> list[Value]:
        return [self.value(it) for it in them]

    def _pairs(self, them: Any) -> list[Value]:
        return self._values(part for pair in them.items() for part in pair)

    def _node(self, it: Any) -> Node:
        describe = _DESCRIBED.get(type(it))
        if describe is not None:
            return describe(self, it)
        if isinstance(it, np.generic) and it.dtype.kind in NUMBER_KINDS:
            return ["n", it.dtype.str, it.tobytes()]
        if isinstance(it, type):
            return _class_node(it)
        if isinstance(it, types.MethodType):
            river_method(type(it.__self__), it.__name__)
            return ["M", self.value(it.__self__), it.__name__]
        if isinstance(it, types.BuiltinFunctionType | types.FunctionType):
            name = f"{it.__module__}:{it.__name__}"
            if known_function(name) is not it:
                raise ValueError(f"the function {name} cannot be stored")
            return ["F", name]
        return self._object(it)

    def _object(self, it: Any) -> Node:
        kind: Any = type(it)
        name = class_name(kind)
        if name == VECTOR_DICT:
            _, (data, factory, mask, _) = it.__reduce__()
            return ["V", self._pairs(data), self.value(factory), None if mask is None else self._values(mask)]
        if kind.__module__.startswith(COMPILED):
            return ["X", name, self._values(_new_arguments(it)), _compiled_state(it, name)]
        container = container_of(kind)
        attributes = dict(_attributes(it))
        names = tuple(attributes)
        shape = self._shape_numbers.get((kind, names))
        if shape is None:
            shape = self._shape_numbers[kind, names] = len(self.shapes)
            self.shapes.append((name, names))
        values = self._values(attributes.values())
        if container is None:
            return [shape, *values]
        content = self._pairs(it) if container is dict else self._values(it)
        return ["B", shape, values, content, getattr(it, "maxlen", None)]


def _class_node(kind: type) -> Node:
    name = class_name(kind)
    if known_class(name) is not kind:
        raise ValueError(f"the class {name} cannot be stored")
    return ["C", name]


def _new_arguments(it: Any) -> tuple[Any, ...]:
    return tuple(it.__getnewargs__()) if hasattr(it, "__getnewargs__") else ()


def _compiled_state(it: Any, name: str) -> bytes:
    state = it.__getstate__()
    if not isinstance(state, bytes) or not hasattr(it, "__setstate__"):
        raise ValueError(f"{name} keeps its state out of reach")
    return state


def _describe_array(_: Writer, it: Any) -> Node:
    if it.dtype.kind not in NUMBER_KINDS:
        raise ValueError(f"an array of {it.dtype} cannot be stored")
    return ["N", it.dtype.str, list(it.shape), np.ascontiguousarray(it).tobytes()]


def _describe_random(_: Writer, it: random.Random) -> Node:
    version, words, gauss = it.getstate()
    return ["R", version, np.array(words, "<u4").tobytes(), gauss]


def _describe_partial(writer: Writer, it: Any) -> Node:
    return ["P", writer.value(it.func), writer._values(it.args), writer._pairs(it.keywords)]  # noqa: SLF001


def _sequence(code: str) -> Callable[[Writer, Any], Node]:
    return lambda writer, it: [code, writer._values(it)]  # noqa: SLF001


def _mapping(code: str) -> Callable[[Writer, Any], Node]:
    return lambda writer, it: [code, writer._pairs(it)]  # noqa: SLF001


_DESCRIBED: Final[dict[type, Callable[[Writer, Any], Node]]] = {
    list: _sequence("l"),
    tuple: _sequence("t"),
    set: _sequence("s"),
    frozenset: _sequence("z"),
    dict: _mapping("d"),
    OrderedDict: _mapping("o"),
    Counter: _mapping("c"),
    defaultdict: lambda writer, it: ["f", writer._pairs(it), writer.value(it.default_factory)],  # noqa: SLF001
    deque: lambda writer, it: ["q", writer._values(it), it.maxlen],  # noqa: SLF001
    int: lambda _, it: ["I", str(it)],
    np.ndarray: _describe_array,
    random.Random: _describe_random,
    functools.partial: _describe_partial,
}


def _attributes(it: Any) -> Iterator[tuple[str, object]]:
    kind: Any = type(it)
    for name in slots(kind):
        try:
            yield name, object.__getattribute__(it, name)
        except AttributeError:
            continue
    yield from getattr(it, "__dict__", {}).items()
