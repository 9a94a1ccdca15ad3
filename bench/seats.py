"""Seats: processor time that a process has to itself, whatever runs beside it.

A core each, where the machine has cores to spare for the broker. Else half of a core's time, by a quota of the kernel
(https://docs.kernel.org/scheduler/sched-bwc.html): two workers pinned to the only two cores would share them with the broker.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from bench.course import Unable

Seat = Sequence[str]
"""What goes before a command to have it run there."""

SPARE_CORES: Final = 2
PERIOD_US, QUOTA_US = 10_000, 5_000
_ENTER: Final = 'echo $$ > "$0/cgroup.procs" && exec "$@"'
_FIRST_VERSION: Final = Path("/sys/fs/cgroup/cpu")
_SECOND_VERSION: Final = Path("/sys/fs/cgroup")


def are_whole_cores(count: int) -> bool:
    """Whether so many seats are a core each."""
    return (os.cpu_count() or 1) >= count + SPARE_CORES


@contextmanager
def seats(count: int, alike: int) -> Iterator[list[Seat]]:
    """So many seats, of the kind that there are `alike` of.

    Raises:
        Unable: it takes a quota, and there is no control group that it can be set for.
    """
    with ExitStack() as stack:
        if are_whole_cores(alike):
            yield [("taskset", "--cpu-list", str(core)) for core in range(count)]
        else:
            yield [stack.enter_context(_half_core(number)) for number in range(count)]


@contextmanager
def _half_core(number: int) -> Iterator[Seat]:
    group = _root() / f"bench-seat-{os.getpid()}-{number}"
    try:
        group.mkdir()
        for file, text in _quota(group):
            (group / file).write_text(text)
    except OSError as error:
        raise Unable(f"no control group to give a worker half of a core: {error}") from None
    try:
        yield ("sh", "-c", _ENTER, str(group))
    finally:
        group.rmdir()


def _root() -> Path:
    return _FIRST_VERSION if _FIRST_VERSION.is_dir() else _SECOND_VERSION


def _quota(group: Path) -> list[tuple[str, str]]:
    if (group / "cpu.max").exists():
        return [("cpu.max", f"{QUOTA_US} {PERIOD_US}")]
    return [("cpu.cfs_quota_us", str(QUOTA_US)), ("cpu.cfs_period_us", str(PERIOD_US))]
