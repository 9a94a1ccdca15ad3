"""Making the objects of a graph from its nodes, see `river_state`, without running anything that the nodes name."""

import functools
import random
import types
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np

from detectors.river_classes import (
    COMPILED,
    NUMBER_KINDS,
    SCALARS,
    VECTOR_DICT,
    container_of,
    is_panic,
    known_class,
    known_function,
    river_method,
    slots,
)

Value = Any
Node = list[Any]


class Reader:
    """Makes the objects of a graph: shells first, each once, then what is in them, keys of dicts last."""

    def __init__(self, shapes: list[Any], nodes: list[Node]) -> None:
        self._shapes = [(self._plain_class(name), tuple(names)) for name, names in shapes]
        self._nodes = nodes
        self._made: dict[int, Any] = {}
        self._busy: set[int] = set()

    def _plain_class(self, name: str) -> type:
        kind = known_class(name)
        container_of(kind)
        return kind

    def read(self, root: Value) -> Any:
        """The object that a value stands for, and all that hangs on it."""
        model = self._value(root)
        for number in range(len(self._nodes)):
            self._make(number)
        for number, node in enumerate(self._nodes):
            self._fill(self._made[number], node)
        for number, node in enumerate(self._nodes):
            self._fill_hashed(self._made[number], node)
        return model

    def _value(self, value: Value) -> Any:
        if type(value) is not list:
            if type(value) not in SCALARS:
                raise ValueError("a value is neither plain nor a reference")
            return value
        (number,) = value
        return self._make(number)

    def _values(self, values: list[Value]) -> list[Any]:
        return [self._value(value) for value in values]

    def _pairs(self, values: list[Value]) -> Iterator[tuple[Any, Any]]:
        flat = iter(self._values(values))
        return zip(flat, flat, strict=True)

    def _make(self, number: int) -> Any:
        if number in self._made:
            return self._made[number]
        if type(number) is not int or not 0 <= number < len(self._nodes) or number in self._busy:
            raise ValueError("a reference leads nowhere")
        self._busy.add(number)
        made = self._made[number] = self._shell(self._nodes[number])
        return made

    def _shell(self, node: Node) -> Any:
        code, *rest = node
        if type(code) is int:
            kind, _ = self._shapes[code]
            return object.__new__(kind)
        if code == "B":
            return self._container(*rest)
        if code in _SHELLS:
            return _SHELLS[code]()
        if code == "q":
            return deque(maxlen=rest[1])
        return self._whole(code, rest)

    def _whole(self, code: str, rest: list[Any]) -> Any:
        """What is made together with all that is in it."""
        match code:
            case "t":
                return tuple(self._values(rest[0]))
            case "z":
                return frozenset(self._values(rest[0]))
            case "M":
                return self._method(*rest)
            case "P":
                return self._partial(*rest)
            case "V":
                return self._vector(*rest)
        return self._compiled(*rest) if code == "X" else _leaf(code)(*rest)

    def _method(self, owner: Value, name: str) -> Any:
        of = self._value(owner)
        return types.MethodType(river_method(type(of), name), of)

    def _container(self, shape: int, _values: Any, _content: Any, maxlen: int | None) -> Any:
        kind, _ = self._shapes[shape]
        container: Any = container_of(kind)
        made = container.__new__(kind)
        if container is deque:
            deque.__init__(made, (), maxlen)
        return made

    def _partial(self, function: Value, arguments: list[Value], keywords: list[Value]) -> Any:
        known = self._value(function)
        if not isinstance(known, type):
            raise ValueError("only a class may be called with given arguments")  # noqa: TRY004
        return functools.partial(known, *self._values(arguments), **dict(self._pairs(keywords)))

    def _vector(self, pairs: list[Value], factory: Value, mask: list[Value] | None) -> Any:
        masked = None if mask is None else set(self._values(mask))
        kind: Any = known_class(VECTOR_DICT)
        return kind(dict(self._pairs(pairs)), self._factory(factory), masked, True)

    def _factory(self, factory: Value) -> Any:
        known = self._value(factory)
        if known is not None and not isinstance(known, type | functools.partial):
            raise ValueError("only a class makes what is missing")
        return known

    def _compiled(self, name: str, arguments: list[Value], state: bytes) -> Any:
        kind = known_class(name)
        plain = all(type(it) in SCALARS for it in arguments)
        if not (
            name.startswith(COMPILED) and name != VECTOR_DICT and hasattr(kind, "__setstate__") and plain
        ):
            raise ValueError(f"{name} is no compiled class whose state may be set")
        try:
            made: Any = kind(*arguments)
            made.__setstate__(state)
        except BaseException as error:
            if is_panic(error):
                raise ValueError(f"the state of {name} is damaged") from error
            raise
        return made

    def _fill(self, made: Any, node: Node) -> None:
        code, *rest = node
        if type(code) is int:
            self._fill_object(made, self._shapes[code][1], rest)
        elif code == "B":
            self._fill_object(made, self._shapes[rest[0]][1], rest[1])
            if not isinstance(made, dict):
                kind: Any = type(made)
                container: Any = container_of(kind)
                container.extend(made, self._values(rest[2]))
        elif code in ("l", "q"):
            made.extend(self._values(rest[0]))

    def _fill_object(self, made: Any, names: tuple[str, ...], values: list[Value]) -> None:
        kind: Any = type(made)
        in_slots = slots(kind)
        for name, value in zip(names, self._values(values), strict=True):
            if name in in_slots:
                object.__setattr__(made, name, value)
            elif name.isidentifier() and not name.startswith("__"):
                made.__dict__[name] = value
            else:
                raise ValueError(f"{name!r} is no attribute that may be set")

    def _fill_hashed(self, made: Any, node: Node) -> None:
        code, *rest = node
        if code == "s":
            made.update(self._values(rest[0]))
        elif code == "f":
            made.default_factory = self._factory(rest[1])
        elif code == "B" and isinstance(made, dict):
            self._fill_pairs(made, rest[2])
        if code in ("d", "o", "c", "f"):
            self._fill_pairs(made, rest[0])

    def _fill_pairs(self, made: Any, pairs: list[Value]) -> None:
        set_item = OrderedDict.__setitem__ if type(made) is OrderedDict else dict.__setitem__
        for key, value in self._pairs(pairs):
            set_item(made, key, value)


_SHELLS: Final[dict[object, Callable[[], Any]]] = {
    "l": list,
    "s": set,
    "d": dict,
    "o": OrderedDict,
    "c": Counter,
    "f": defaultdict,
}


def _array(dtype: str, raw: bytes) -> Any:
    kind = np.dtype(dtype)
    if kind.kind not in NUMBER_KINDS or kind.fields or kind.shape:
        raise ValueError(f"an array of {dtype} cannot be read")
    return np.frombuffer(raw, kind).copy()


def _random(version: int, words: bytes, gauss: float | None) -> random.Random:
    made = random.Random(0)
    made.setstate((version, tuple(_array("<u4", words).tolist()), gauss))
    return made


_LEAVES: Final[dict[str, Callable[..., Any]]] = {
    "I": int,
    "C": known_class,
    "F": known_function,
    "R": _random,
    "N": lambda dtype, shape, raw: _array(dtype, raw).reshape(shape),
    "n": lambda dtype, raw: _array(dtype, raw)[0],
}


def _leaf(code: str) -> Callable[..., Any]:
    if code not in _LEAVES:
        raise ValueError(f"unknown kind of node {code!r}")
    return _LEAVES[code]
