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

from typing import Any, Final

import msgspec
from xxhash import xxh3_128_digest

from detectors.river_classes import class_name
from detectors.river_reader import Reader
from detectors.river_writer import Writer

VERSION: Final = 1
_DIGEST_BYTES: Final = 16


def dump(model: object) -> bytes:
    """The state of a model.

    Raises:
        ValueError: something in it cannot be stored; the message names the class.
    """
    writer = Writer()
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
        model = Reader(shapes, nodes).read(root)
    except (
        msgspec.MsgspecError,
        ArithmeticError,
        LookupError,
        TypeError,
        AttributeError,
        RecursionError,
    ) as error:
        raise ValueError(f"the state of a River model cannot be read: {error}") from error
    if type(model) is not kind:
        raise ValueError(f"the state is one of {class_name(type(model))}, not of {class_name(kind)}")
    return model
