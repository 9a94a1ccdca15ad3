import asyncio

import pytest

from stream.exits import Exit, Refused
from stream.worker import in_time


async def at_once() -> None: ...


async def never() -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize("late", ["store the state of detect", "commit what is stored"])
def test_the_step_in_which_time_runs_out_is_named(late: str):
    names = ("store the state of detect", "commit what is stored")
    steps = [(name, never if name == late else at_once) for name in names]
    with pytest.raises(Refused, match=f"could not {late} within 0.05 s") as refused:
        asyncio.run(in_time(steps, 0.05))
    assert refused.value.code == Exit.FAIL_STOP


def test_steps_that_end_in_time_are_taken_in_order():
    taken: list[int] = []

    async def take(number: int) -> None:
        taken.append(number)

    asyncio.run(in_time([("a", lambda: take(1)), ("b", lambda: take(2))], 1.0))
    assert taken == [1, 2]
