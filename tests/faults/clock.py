"""A wall clock that a test moves: `jumping_clock.c`, compiled and preloaded into workers."""

import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

SOURCE: Final = Path(__file__).with_name("jumping_clock.c")


class Clock:
    """The clock of every process started with `env`; the monotonic clock goes on as it was.

    Args:
        folder: for what is compiled.
    """

    def __init__(self, folder: Path) -> None:
        self._ahead = folder / "clock"
        self.jump_to(0)
        self.env: Mapping[str, str] = {
            "LD_PRELOAD": str(_compiled(folder)),
            "JUMPING_CLOCK": str(self._ahead),
        }

    def jump_to(self, ahead_s: int) -> None:
        """Set the clock so far ahead of the machine's, at once."""
        with self._ahead.open("r+b" if self._ahead.exists() else "wb") as file:
            file.write(struct.pack("=q", ahead_s))


def _compiled(folder: Path) -> Path:
    """With CI=true it must be possible."""
    compiler = shutil.which("cc") if sys.platform == "linux" else None
    if compiler is None and os.environ.get("CI", "").lower() in {"true", "1"}:
        pytest.fail("a C compiler on Linux is missing: apt-get install gcc libc6-dev")
    if compiler is None:
        pytest.skip("needs Linux and a C compiler: apt-get install gcc libc6-dev")
    library = folder / "jumping_clock.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", library, SOURCE], check=True)
    return library
