"""The state of River models as bytes, and back, without pickle: data may name classes to be filled, never code to be run.

A model is a graph of objects. `dump` walks it and writes one node for each object, so that what is shared stays shared and
cycles stay cycles. `load` makes the objects of a closed list of types only: Python's containers, numpy's arrays and
scalars, `random.Random`, and classes of River's packages in `PACKAGES`, whose attributes are set without calling anything
of theirs. River's compiled classes (ADWIN's window, P2 quantiles) are given the bytes that their `__getstate__` gave. What
cannot be stored this way is refused by name, which `river_names.check` finds out before a model is ever used.

Form: msgpack of (VERSION, shapes, nodes), behind its XXH3 digest. A value is a number, text, bytes or None, or `[n]`: node n.
A shape is a River class with the names of its attributes; the node of such an object is its shape's number and values.
Cost: about 4 us a node both ways; ten half-space trees of the default height have 7,700 nodes.
"""

import functools
import importlib
import random
import types
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import msgspec
import numpy as np
from xxhash import xxh3_128_digest

VERSION: Final = 1
PACKAGES: Final = frozenset(
    "anomaly base cluster compose covariance drift ensemble feature_extraction forest linear_model metrics misc"
    " neighbors optim preprocessing proba rules sketch stats time_series tree utils".split()
)
"""River's packages whose classes may be made. Data sets, which can fetch and open files, are none of them."""
_COMPILED: Final = "river._river_rust."
_FUNCTION_MODULES: Final = frozenset({"river._river_rust.vectordict", "river.utils.math"})
"""Where the distances come from that neighbour searches keep."""
_BUILTIN_TYPES: Final[dict[str, type]] = {
    f"{it.__module__}:{it.__name__}": it
    for it in (tuple, list, dict, set, float, int, str, bool, deque, Counter, OrderedDict, defaultdict)
}
"""What a `defaultdict` may make for a missing key, beside River's classes."""
_NUMBER_KINDS: Final = "biufc"
_HEAP_TYPE: Final = 1 << 9
_SCALARS: Final = (bool, int, float, str, bytes, type(None))
_DIGEST_BYTES: Final = 16
_INT_MIN, _INT_MAX = -(1 << 63), (1 << 63) - 1

Value = Any
Node = list[Any]


def dump(model: object) -> bytes:
    """The state of a model.

    Raises:
        ValueError: something in it cannot be stored; the message names the class.
    """
    writer = _Writer()
    root = writer.value(model)
    writer.run()
    body = msgspec.msgpack.encode([VERSION, root, writer.shapes, writer.nodes])
    return xxh3_128_digest(body) + body


def load(data: bytes, kind: type) -> Any:
    """The model of class `kind` that was dumped. Nothing that the data names is ever called.

    Raises:
        ValueError: the data is damaged, of another version, of another class, or names what may not be made.
    """
    digest, body = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
    if xxh3_128_digest(body) != digest:
        raise ValueError("the state of a River model is damaged")
    try:
        version, root, shapes, nodes = msgspec.msgpack.decode(body)
        if version != VERSION:
            raise ValueError(f"state of a River model of version {version}; this release reads {VERSION}")
        model = _Reader(shapes, nodes).read(root)
    except (msgspec.MsgspecError, ArithmeticError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"the state of a River model cannot be read: {error}") from error
    if type(model) is not kind:
        raise ValueError(f"the state is one of {class_name(type(model))}, not of {class_name(kind)}")
    return model


def class_name(kind: type) -> str:
    """`module:name` of a class, where it is defined."""
    return f"{kind.__module__}:{kind.__qualname__}"


def is_panic(error: BaseException) -> bool:
    """Whether River's compiled code gave up: Rust's panics are no `Exception`, and no reason to end the process."""
    return type(error).__name__ == "PanicException"


class _Writer:
    """Numbers the objects of a graph as it meets them, and describes each once."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.shapes: list[tuple[str, tuple[str, ...]]] = []
        self._numbers: dict[int, int] = {}
        self._shape_numbers: dict[tuple[type, tuple[str, ...]], int] = {}
        self._waiting: list[tuple[int, object]] = []
        self._kept: list[object] = []

    def value(self, it: object) -> Value:
        kind = type(it)
        if kind in _SCALARS and not (kind is int and not _INT_MIN <= it <= _INT_MAX):  # type: ignore[operator]
            return it
        number = self._numbers.get(id(it))
        if number is None:
            number = self._numbers[id(it)] = len(self.nodes)
            self.nodes.append([])
            self._kept.append(it)  # an object that is made on the way keeps its id until all is written
            self._waiting.append((number, it))
        return [number]

    def run(self) -> None:
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
        if isinstance(it, np.generic) and it.dtype.kind in _NUMBER_KINDS:
            return ["n", it.dtype.str, it.tobytes()]
        if isinstance(it, type):
            return ["C", _known_class(class_name(it)) and class_name(it)]
        if isinstance(it, types.MethodType):
            _river_method(type(it.__self__), it.__name__)
            return ["M", self.value(it.__self__), it.__name__]
        if isinstance(it, types.BuiltinFunctionType | types.FunctionType):
            name = f"{it.__module__}:{it.__name__}"
            if _known_function(name) is not it:
                raise ValueError(f"the function {name} cannot be stored")
            return ["F", name]
        return self._object(it)

    def _object(self, it: Any) -> Node:
        kind = type(it)
        name = class_name(kind)
        if name == _VECTOR_DICT:
            _, (data, factory, mask, _) = it.__reduce__()
            return ["V", self._pairs(data), self.value(factory), None if mask is None else self._values(mask)]
        if kind.__module__.startswith(_COMPILED):
            return ["X", name, self._values(_new_arguments(it)), _compiled_state(it, name)]
        _require_plain(kind)
        attributes = dict(_attributes(it))
        names = tuple(attributes)
        shape = self._shape_numbers.get((kind, names))
        if shape is None:
            shape = self._shape_numbers[kind, names] = len(self.shapes)
            self.shapes.append((name, names))
        return [shape, *self._values(attributes.values())]


_VECTOR_DICT: Final = "river._river_rust.vectordict:VectorDict"


def _new_arguments(it: Any) -> tuple[Any, ...]:
    return tuple(it.__getnewargs__()) if hasattr(it, "__getnewargs__") else ()


def _compiled_state(it: Any, name: str) -> bytes:
    state = it.__getstate__()
    if not isinstance(state, bytes) or not hasattr(it, "__setstate__"):
        raise ValueError(f"{name} keeps its state out of reach")
    return state


def _describe_array(writer: _Writer, it: Any) -> Node:
    if it.dtype.kind not in _NUMBER_KINDS:
        raise ValueError(f"an array of {it.dtype} cannot be stored")
    return ["N", it.dtype.str, list(it.shape), np.ascontiguousarray(it).tobytes()]


def _describe_random(writer: _Writer, it: random.Random) -> Node:
    version, words, gauss = it.getstate()
    return ["R", version, np.array(words, "<u4").tobytes(), gauss]


def _describe_partial(writer: _Writer, it: Any) -> Node:
    return ["P", writer.value(it.func), writer._values(it.args), writer._pairs(it.keywords)]  # noqa: SLF001


def _sequence(code: str) -> Callable[[_Writer, Any], Node]:
    return lambda writer, it: [code, writer._values(it)]  # noqa: SLF001


def _mapping(code: str) -> Callable[[_Writer, Any], Node]:
    return lambda writer, it: [code, writer._pairs(it)]  # noqa: SLF001


_DESCRIBED: Final[dict[type, Callable[[_Writer, Any], Node]]] = {
    list: _sequence("l"),
    tuple: _sequence("t"),
    set: _sequence("s"),
    frozenset: _sequence("z"),
    dict: _mapping("d"),
    OrderedDict: _mapping("o"),
    Counter: _mapping("c"),
    defaultdict: lambda writer, it: ["f", writer._pairs(it), writer.value(it.default_factory)],  # noqa: SLF001
    deque: lambda writer, it: ["q", writer._values(it), it.maxlen],  # noqa: SLF001
    int: lambda writer, it: ["I", str(it)],
    np.ndarray: _describe_array,
    random.Random: _describe_random,
    functools.partial: _describe_partial,
}


def _attributes(it: Any) -> Iterator[tuple[str, object]]:
    for name in _slots(type(it)):
        try:
            yield name, object.__getattribute__(it, name)
        except AttributeError:
            continue
    yield from getattr(it, "__dict__", {}).items()


@functools.cache
def _slots(kind: type) -> tuple[str, ...]:
    return tuple(
        name
        for base in kind.__mro__
        for name, slot in vars(base).items()
        if isinstance(slot, types.MemberDescriptorType)
    )


@functools.cache
def _require_plain(kind: type) -> None:
    """Raise ValueError unless instances of a class are nothing but their attributes, and it may be made."""
    name = class_name(kind)
    if _known_class(name) is not kind:
        raise ValueError(f"{name} cannot be stored")
    written_in_python = all(base.__flags__ & _HEAP_TYPE for base in kind.__mro__ if base is not object)
    if kind.__new__ is not object.__new__ or not written_in_python:
        raise ValueError(f"{name} keeps state out of reach")


@functools.cache
def _known_class(name: str) -> type:
    if name in _BUILTIN_TYPES:
        return _BUILTIN_TYPES[name]
    module, _, qualified = name.partition(":")
    root, _, rest = module.partition(".")
    parts = rest.split(".")
    allowed = root == "river" and (parts[0] in PACKAGES or f"{module}." .startswith(_COMPILED)) and "datasets" not in parts
    found = getattr(_imported(module), qualified, None) if allowed and qualified.isidentifier() else None
    if not isinstance(found, type) or class_name(found) != name:
        raise ValueError(f"{name} is no class that may be stored")
    return found


def _imported(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ValueError(f"River has no module {module}") from error


def _known_function(name: str) -> Any:
    module, _, function = name.partition(":")
    found = getattr(_imported(module), function, None) if module in _FUNCTION_MODULES else None
    if not isinstance(found, types.BuiltinFunctionType | types.FunctionType):
        raise ValueError(f"the function {name} cannot be stored")  # noqa: TRY004  a matter of the data
    return found


def _river_method(kind: type, name: str) -> types.FunctionType:
    """The method of a River class by its name, as it is written there."""
    _require_plain(kind)
    for base in kind.__mro__:
        method = vars(base).get(name)
        if isinstance(method, types.FunctionType) and base.__module__.startswith("river."):
            return method
    raise ValueError(f"{class_name(kind)} has no method {name!r} that may be stored")


class _Reader:
    """Makes the objects of a graph: shells first, each once, then what is in them, keys of dicts last."""

    def __init__(self, shapes: list[Any], nodes: list[Node]) -> None:
        self._shapes = [(self._plain_class(name), tuple(names)) for name, names in shapes]
        self._nodes = nodes
        self._made: dict[int, Any] = {}
        self._busy: set[int] = set()

    def _plain_class(self, name: str) -> type:
        kind = _known_class(name)
        _require_plain(kind)
        return kind

    def read(self, root: Value) -> Any:
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
            if type(value) not in _SCALARS:
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
        if code in _SHELLS:
            return _SHELLS[code]()
        if code == "q":
            return deque((), rest[1])
        return self._whole(code, rest)

    def _whole(self, code: str, rest: list[Any]) -> Any:  # noqa: PLR0911  one line a kind
        match code:
            case "t":
                return tuple(self._values(rest[0]))
            case "z":
                return frozenset(self._values(rest[0]))
            case "I":
                return int(rest[0])
            case "C":
                return _known_class(rest[0])
            case "F":
                return _known_function(rest[0])
            case "M":
                owner = self._value(rest[0])
                return types.MethodType(_river_method(type(owner), rest[1]), owner)
            case "P":
                return self._partial(*rest)
            case "R":
                return _random(*rest)
            case "N":
                return _array(rest[0], rest[2]).reshape(rest[1])
            case "n":
                return _array(rest[0], rest[1])[0]
            case "V":
                return self._vector(*rest)
            case "X":
                return self._compiled(*rest)
        raise ValueError(f"unknown kind of node {code!r}")

    def _partial(self, function: Value, arguments: list[Value], keywords: list[Value]) -> Any:
        known = self._value(function)
        if not isinstance(known, type):
            raise ValueError("only a class may be called with given arguments")  # noqa: TRY004
        return functools.partial(known, *self._values(arguments), **dict(self._pairs(keywords)))

    def _vector(self, pairs: list[Value], factory: Value, mask: list[Value] | None) -> Any:
        made, masked = self._value(factory), None if mask is None else set(self._values(mask))
        if made is not None and not isinstance(made, type | functools.partial | types.MethodType):
            raise ValueError("only a class makes what is missing")
        return _known_class(_VECTOR_DICT)(dict(self._pairs(pairs)), made, masked, True)

    def _compiled(self, name: str, arguments: list[Value], state: bytes) -> Any:
        kind = _known_class(name)
        plain = all(type(it) in _SCALARS for it in arguments)
        if not (name.startswith(_COMPILED) and name != _VECTOR_DICT and hasattr(kind, "__setstate__") and plain):
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
        elif code in ("l", "q"):
            made.extend(self._values(rest[0]))

    def _fill_object(self, made: Any, names: tuple[str, ...], values: list[Value]) -> None:
        slots = _slots(type(made))
        for name, value in zip(names, self._values(values), strict=True):
            if name in slots:
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
            factory = self._value(rest[1])
            if factory is not None and not isinstance(factory, type | functools.partial | types.MethodType):
                raise ValueError("only a class makes what is missing")
            made.default_factory = factory
        if code in ("d", "o", "c", "f"):
            for key, value in self._pairs(rest[0]):
                dict.__setitem__(made, key, value) if code != "o" else made.__setitem__(key, value)


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
    if kind.kind not in _NUMBER_KINDS or kind.fields or kind.shape:
        raise ValueError(f"an array of {dtype} cannot be read")
    return np.frombuffer(raw, kind).copy()


def _random(version: int, words: bytes, gauss: float | None) -> random.Random:
    made = random.Random(0)
    made.setstate((version, tuple(_array("<u4", words).tolist()), gauss))
    return made
