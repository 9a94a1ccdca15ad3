"""How kernels are compiled: the decorators that every numba function of this package goes through.

`inner` and `pasted` mark a piece of a kernel; `entry` marks what Python calls. Only entries are kept in numba's cache on disk.
Numba looks at the entry's own file to decide whether a cached binary is still right, so an entry's cache name also
carries a digest of every source file that kernels are made of (all of `core`, and what imports this module here or beside
the entry): editing any of them compiles anew.
"""

from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

from llvmlite.ir import Constant
from numba import njit
from numba.extending import intrinsic

P = ParamSpec("P")
R = TypeVar("R")
A = TypeVar("A")


@cache
def _sources_digest(package: Path) -> str:
    """Of everything that kernels of `package` may be made of: this package's and its own."""
    here = Path(__file__).parent
    digest = sha256()
    for path in sorted({*here.glob("*.py"), *here.glob("core/*.py"), *package.glob("*.py")}):
        source = path.read_bytes()
        if path.parent == here / "core" or b"detectors.compiled" in source:
            digest.update(source)
    return digest.hexdigest()[:12]


def inner(function: Callable[P, R]) -> Callable[P, R]:
    """A piece of a kernel, compiled into the entries that use it (strict IEEE arithmetic, division by zero is inf)."""
    return cast("Callable[P, R]", njit(function, error_model="numpy"))


def pasted(function: Callable[P, R]) -> Callable[P, R]:
    """A piece of a kernel that is pasted into the callers: for what takes arrays.

    An array that is passed on is counted as in use, which takes two locked instructions, and a shard has a score of them;
    a record is passed as its address.

    Every call compiles the text once more, and the time that takes grows faster than the text: what is long and called from
    several places, or seldom, is `inner` with arrays that the entry has `borrowed`, which are not counted.
    """
    return cast("Callable[P, R]", njit(function, error_model="numpy", inline="always"))


def entry(function: Callable[P, R]) -> Callable[P, R]:
    """A kernel that Python calls, without the GIL, cached on disk where a writable place for it exists."""
    function.__qualname__ += "_" + _sources_digest(Path(function.__code__.co_filename).parent)
    try:
        compiled = njit(function, error_model="numpy", nogil=True, cache=True)
    except RuntimeError:  # numba found nowhere to write: compile in every process
        compiled = njit(function, error_model="numpy", nogil=True)
    return cast("Callable[P, R]", compiled)


def _borrowed(_context: Any, array: Any) -> Any:
    def generated(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        view = target.make_array(signature.args[0])(target, builder, arguments[0])
        view.meminfo = Constant(view.meminfo.type, None)
        return view._getvalue()  # noqa: SLF001  numba's way to build a value

    return array(array), generated


borrowed = cast("Callable[[A], A]", intrinsic(_borrowed))
"""An array that does not count who uses it, for use in a kernel while whoever called the kernel holds it.

Each pass of an array to a piece of a kernel counts one use more and later one less, with locked instructions, which would
cost a shard's kernels more than all they compute.
"""
