"""How kernels are compiled: the decorators that every numba function of this package goes through.

`inner` and `pasted` mark a piece of a kernel; `entry` marks what Python calls. Only entries are kept in numba's cache on disk.
Numba looks at the entry's own file to decide whether a cached binary is still right, so an entry's cache name also
carries a digest of every source file that kernels are made of (what imports this module, here, in `core` or beside
the entry, and what that imports): editing any of them compiles anew.

A kernel is compiled once for each combination of types, and read-only arrays are types of their own: `stream.warm_up` uses each
in the only one there should be, for the largest takes a minute and a gigabyte.

All of them are compiled without numba's runtime: whoever calls an entry holds the arrays that it takes, so nothing counts who
uses them, which would cost more than much of what is computed; and no kernel can make an array, or return another one than it
was given.
"""

import re
from collections.abc import Callable
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

from numba import njit

P = ParamSpec("P")
R = TypeVar("R")

_IMPORTED = re.compile(r"^from ([\w.]+) import (\w+)", re.MULTILINE)
_compile = cast("Callable[..., Any]", partial(njit, error_model="numpy", _nrt=False))


@cache
def _sources_digest(package: Path) -> str:
    """Of everything that kernels of `package` may be made of: this package's and its own."""
    digest = sha256()
    for path in sorted(sources_of_kernels(package)):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def sources_of_kernels(package: Path) -> set[Path]:
    """The files that have pieces of kernels, and those that they import, for constants and layouts are compiled in."""
    here = Path(__file__).parent
    every = {*here.glob("*.py"), *here.glob("core/*.py"), *package.glob("*.py")}
    waiting = [path for path in every if b"detectors.compiled" in path.read_bytes()]
    found: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += every & _imported_by(path)
    return found


def _imported_by(path: Path) -> set[Path]:
    """The files of the modules that are imported, or of which the first name is."""
    root = Path(__file__).parent.parent
    found = _IMPORTED.findall(path.read_text())
    parts = [module.split(".") for module, _ in found] + [
        [*module.split("."), name] for module, name in found
    ]
    return {root.joinpath(*it[:-1], f"{it[-1]}.py") for it in parts}


def inner(function: Callable[P, R]) -> Callable[P, R]:
    """A piece of a kernel, compiled into the entries that use it (strict IEEE arithmetic, division by zero is inf)."""
    return cast("Callable[P, R]", _compile(function))


def pasted(function: Callable[P, R]) -> Callable[P, R]:
    """A piece of a kernel that is pasted into the callers: for what takes many arrays, a record is passed as its address.

    Every call compiles the text once more, and the time that takes grows faster than the text: what is long and called from
    several places, or seldom, is `inner`.
    """
    return cast("Callable[P, R]", _compile(function, inline="always"))


def entry(function: Callable[P, R]) -> Callable[P, R]:
    """A kernel that Python calls, without the GIL, cached on disk where a writable place for it exists."""
    function.__qualname__ += "_" + _sources_digest(Path(function.__code__.co_filename).parent)
    try:
        compiled = _compile(function, nogil=True, cache=True)
    except RuntimeError:  # numba found nowhere to write: compile in every process
        compiled = _compile(function, nogil=True)
    return cast("Callable[P, R]", compiled)
