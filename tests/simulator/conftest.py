"""The seeds run in the background, in the processor time that other tests leave: most of those wait for brokers."""

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from stream.testing.simulator import Verdict, check

SEEDS = int(os.environ.get("STREAMGAUGE_SEEDS", "2000"))
JOBS = max(1, os.cpu_count() or 1)
LEAST_PRIORITY = 19
FIXTURE = "verdicts"


class Background:
    """Processes that work through the seeds from the moment they are made."""

    def __init__(self) -> None:
        self._processes = ProcessPoolExecutor(
            JOBS, mp_context=get_context("spawn"), initializer=os.nice, initargs=(LEAST_PRIORITY,)
        )
        self.verdicts = self._processes.map(check, range(SEEDS), chunksize=10)

    def stop(self) -> None:
        """Leave undone what is not begun."""
        self._processes.shutdown(cancel_futures=True)


BACKGROUND = pytest.StashKey[Background]()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Begin, if a test will ask for it."""
    asked = any(FIXTURE in getattr(item, "fixturenames", ()) for item in session.items)
    if asked and not session.config.option.collectonly:
        session.config.stash[BACKGROUND] = Background()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop, however the tests ended."""
    if (background := config.stash.get(BACKGROUND, None)) is not None:
        background.stop()


@pytest.fixture
def verdicts(pytestconfig: pytest.Config) -> Iterator[Verdict]:
    """What came of each seed."""
    return pytestconfig.stash[BACKGROUND].verdicts
