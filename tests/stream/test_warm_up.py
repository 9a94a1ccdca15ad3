"""Warming up: after it nothing is compiled while records wait."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
WORK = """
import sys
from stream.testing.simulator import check
from stream.warm_up import compile_kernels

def signatures():
    kernels = {
        id(it): it
        for name, module in list(sys.modules.items()) if name.startswith(("detectors.", "stream."))
        for it in vars(module).values() if hasattr(it, "nopython_signatures")
    }
    return {it.__qualname__: len(it.nopython_signatures) for it in kernels.values() if it.targetoptions.get("nogil")}

compile_kernels()
warm = signatures()
assert len(warm) > 5, warm
for seed in range(12):
    assert not check(seed).complaints
for name, known in signatures().items():
    if known > warm.get(name, 0):
        print(name)
"""


def test_simulated_workers_that_restart_compile_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WORK], cwd=ROOT, capture_output=True, text=True, check=True, timeout=600
    )
    assert done.stdout == ""
