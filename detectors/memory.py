"""Memory as kernels see it: reading it by address, and asking for it ahead of time.

Whoever reads by address keeps the memory and stays within it.
"""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from detectors.compiled import inner

Address = int
"""Where bytes begin."""


def _reader(of: Any, bits: int) -> Any:
    def read(_context: Any, address: Any, at: Any) -> Any:
        def generated(target: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            place = builder.add(*arguments)
            pointer = builder.inttoptr(place, ir.IntType(bits).as_pointer())
            return builder.load(pointer, align=1)

        return of(types.int64, types.int64), generated

    return intrinsic(read)


byte_at = cast("Callable[[Address, int], int]", _reader(types.uint8, 8))
"""The byte at an address and a distance from it."""
_half_at = _reader(types.uint16, 16)
_quarter_at = _reader(types.uint32, 32)
word_at = cast("Callable[[Address, int], np.uint64]", _reader(types.uint64, 64))
"""Eight bytes from there on, the first one lowest."""


def _lowest_bit(_context: Any, word: Any) -> Any:
    def generated(target: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), generated


lowest_bit = cast("Callable[[np.uint64], int]", intrinsic(_lowest_bit))
"""The place of the lowest bit that is set, of a word that is not 0."""


def _bits_set(_context: Any, word: Any) -> Any:
    def generated(target: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), generated


bits_set = cast("Callable[[np.uint64], int]", intrinsic(_bits_set))
"""How many bits of a word are set."""


@inner
def head_at(address: Address, at: int, size: int) -> np.uint64:
    """Up to eight bytes as a word, the first one lowest, zeros above; no byte beyond is touched."""
    if size >= 8:
        return word_at(address, at)
    if size >= 4:
        low, high = np.uint64(_quarter_at(address, at)), np.uint64(_quarter_at(address, at + size - 4))
        return low | (high << np.uint64(8 * (size - 4)))
    if size >= 2:
        low, high = np.uint64(_half_at(address, at)), np.uint64(_half_at(address, at + size - 2))
        return low | (high << np.uint64(8 * (size - 2)))
    return np.uint64(byte_at(address, at)) if size == 1 else np.uint64(0)


LINE_BYTES = 64
_READ, _SECOND_LEVEL, _DATA = 0, 2, 1
"""What is asked for rows ahead comes no nearer than the second level: the first has no room for so many rows, and few misses at a time."""


def _prefetch(target: Any, builder: Any, of: Any, arguments: Any, offsets: Any) -> None:
    """Ask for the lines at some distances (LLVM values) from the start of a record."""
    pointer, word = ir.IntType(8).as_pointer(), ir.IntType(32)
    array = target.make_array(of)(target, builder, arguments[0])
    size = target.get_abi_sizeof(target.get_data_type(of.dtype))
    start = builder.mul(arguments[1], ir.Constant(arguments[1].type, size))
    first = builder.gep(builder.bitcast(array.data, pointer), [start])
    signature = ir.FunctionType(ir.VoidType(), [pointer, word, word, word])
    function = builder.module.declare_intrinsic("llvm.prefetch", [pointer], signature)
    how = [ir.Constant(word, said) for said in (_READ, _SECOND_LEVEL, _DATA)]
    for offset in offsets(size):
        builder.call(function, [builder.gep(first, [offset]), *how])


def _fetcher(bytes_max: int) -> Any:
    def lines(size: int) -> list[Any]:
        ends = range(0, min(size, bytes_max) + LINE_BYTES - 1, LINE_BYTES)
        return [ir.Constant(ir.IntType(64), min(line, size - 1)) for line in ends]

    def fetch(_context: Any, records: Any, place: Any) -> Any:
        def generated(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            _prefetch(target, builder, signature.args[0], arguments, lines)
            return target.get_dummy_value()

        return types.none(records, types.int64), generated

    return intrinsic(fetch)


def _fetch_line(_context: Any, records: Any, place: Any, offset: Any) -> Any:
    def generated(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _prefetch(target, builder, signature.args[0], arguments, lambda _size: [arguments[2]])
        return target.get_dummy_value()

    return types.none(records, types.int64, types.int64), generated


fetch_record = cast("Callable[[Any, int], None]", _fetcher(1 << 20))
"""Have the processor fetch a record of an array, which will be needed soon; nothing else happens."""
fetch_head = cast("Callable[[Any, int], None]", _fetcher(256))
"""The same for its first 256 bytes."""
fetch_line = cast("Callable[[Any, int, int], None]", intrinsic(_fetch_line))
"""The same for the line in which the byte at a distance from its start lies."""
