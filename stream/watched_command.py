"""A command run as a child of ours, as if we were not there: its input, output, signals and exit code pass through."""

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Final, NamedTuple

NOT_EXECUTABLE: Final = 126
NOT_FOUND: Final = 127
_SIGNALLED: Final = 128
_PASSED_ON: Final = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGUSR1,
    signal.SIGUSR2,
)
_FROM_TERMINAL: Final = (signal.SIGINT, signal.SIGQUIT)


class Ending(NamedTuple):
    """How a command ended: the exit code a shell would give, and what was wrong, empty when nothing was."""

    exit_code: int
    error: str


def run_watched(command: Sequence[str]) -> Ending:
    """Runs a command to its end. Signals sent to this process reach the command, and do not end this process."""
    with _passing_signals_on() as child:
        try:
            process = subprocess.Popen(command)
        except FileNotFoundError:
            return Ending(NOT_FOUND, f"{command[0]}: command not found")
        except OSError as error:
            return Ending(NOT_EXECUTABLE, f"{command[0]}: {error.strerror}")
        child.started(process)
        code = process.wait()
    if code < 0:
        return Ending(_SIGNALLED - code, f"ended by {_signal_name(-code)}")
    return Ending(code, f"exit code {code}" if code else "")


class _Child:
    """Where signals go: kept until the command runs, then sent on."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._kept: list[int] = []

    def started(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        for number in self._kept:
            process.send_signal(number)

    def receive(self, number: int, _frame: FrameType | None) -> None:
        if number in _FROM_TERMINAL and _in_foreground():
            return  # the terminal has sent it to the command as well
        if self._process is None:
            self._kept.append(number)
        else:
            self._process.send_signal(number)


@contextmanager
def _passing_signals_on() -> Iterator[_Child]:
    child = _Child()
    before = {
        number: signal.signal(number, child.receive)
        for number in _PASSED_ON
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield child
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _in_foreground() -> bool:
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
