"""Tasks: work that goes on in turns. A task is a generator; it yields None, or a condition without which it cannot go on."""

from collections.abc import Callable, Generator

Condition = Callable[[], bool]
Work = Generator[Condition | None, None, None]


class Task:
    """One piece of work of one worker, advanced a turn at a time."""

    __slots__ = ("_condition", "_work")

    def __init__(self, work: Work) -> None:
        self._work = work
        self._condition: Condition | None = None

    def ready(self) -> bool:
        """Whether it can go on."""
        return self._condition is None or self._condition()

    def turn(self) -> None:
        """Go on to the next point at which something else may happen."""
        self._condition = next(self._work)


class Lock:
    """Held by one task at a time, as the shells' asyncio locks are."""

    __slots__ = ("held",)

    def __init__(self) -> None:
        self.held = False

    def free(self) -> bool:
        """Whether it can be taken."""
        return not self.held
