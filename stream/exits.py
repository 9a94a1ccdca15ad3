"""How a command ends: the exit codes of `streamgauge`, and the error a user can act on."""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes, documented in docs/reference/cli.md."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    CONFIG = 3
    KAFKA = 4
    DATA = 5
    COMMAND_REFUSED = 6
    UNANSWERED = 7
    CONDITION = 8
    FAIL_STOP = 70
    INTERRUPTED = 130


class Refused(Exception):
    """The command cannot go on, for a reason the user can mend: printed as one message, never as a traceback."""

    def __init__(self, message: str, code: Exit) -> None:
        super().__init__(message)
        self.code = code
