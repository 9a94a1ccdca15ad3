"""How kernels are compiled: the two decorators that every numba function of this package goes through.

`inner` marks a piece of a kernel; `entry` marks what Python calls. Only entries are kept in numba's cache on disk.
Numba looks at the entry's own file to decide whether a cached binary is still right, so an entry's cache name also
carries a digest of every source file that kernels are made of (all of `core`, and what imports this module): editing any of them compiles anew.
"""

from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import ParamSpec, TypeVar, cast

from numba import njit

P = ParamSpec("P")
R = TypeVar("R")


@cache
def _sources_digest() -> str:
    here = Path(__file__).parent
    digest = sha256()
    for path in sorted({*here.glob("*.py"), *here.glob("core/*.py")}):
        source = path.read_bytes()
        if path.parent != here or b"detectors.compiled" in source:
            digest.update(source)
    return digest.hexdigest()[:12]


def inner(function: Callable[P, R]) -> Callable[P, R]:
    """A piece of a kernel, compiled into the entries that use it (strict IEEE arithmetic, division by zero is inf)."""
    return cast("Callable[P, R]", njit(function, error_model="numpy"))


def entry(function: Callable[P, R]) -> Callable[P, R]:
    """A kernel that Python calls, cached on disk where a writable place for it exists."""
    function.__qualname__ += "_" + _sources_digest()
    try:
        compiled = njit(function, error_model="numpy", cache=True)
    except RuntimeError:  # numba found nowhere to write: compile in every process
        compiled = njit(function, error_model="numpy")
    return cast("Callable[P, R]", compiled)
