"""Compiled kernels: a cached one is used only while all that it was made of is as it was."""

from pathlib import Path

import detectors
import stream.formats
from detectors.compiled import sources_of_kernels

DETECTORS = Path(detectors.__file__).parent
FORMATS = Path(stream.formats.__file__).parent


def test_constants_and_layouts_that_kernels_import_count_as_their_sources() -> None:
    assert sources_of_kernels(DETECTORS) >= {
        DETECTORS / name
        for name in ("fold.py", "run_layout.py", "budget.py", "core/layout.py", "follower_layout.py")
    }


def test_what_no_kernel_is_made_of_may_change() -> None:
    made_of = sources_of_kernels(DETECTORS)
    assert not {DETECTORS / name for name in ("wording.py", "triage.py", "alerts.py")} & made_of


def test_kernels_of_another_package_are_made_of_both() -> None:
    assert sources_of_kernels(FORMATS) > sources_of_kernels(DETECTORS)
    assert FORMATS / "event_scan.py" in sources_of_kernels(FORMATS)
