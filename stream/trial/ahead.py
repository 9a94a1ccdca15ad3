"""Ahead: an iterator that a thread of its own drives, so many items ahead of whoever takes them."""

from collections.abc import Iterable, Iterator
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Final, TypeVar

T = TypeVar("T")

_WAIT_S: Final = 0.1
_END: Final = object()


def ahead(items: Iterable[T], count_max: int) -> Iterator[T]:
    """The same items; what making one raises is raised where it would be taken."""
    queue: Queue[object] = Queue(count_max)
    stopped = Event()
    failed: list[BaseException] = []

    def put(item: object) -> None:
        while not stopped.is_set():
            try:
                queue.put(item, timeout=_WAIT_S)
            except Full:
                continue
            return

    def drive() -> None:
        try:
            for item in items:
                put(item)
                if stopped.is_set():
                    return
        except BaseException as error:  # noqa: BLE001  raised again where the item would be taken
            failed.append(error)
        put(_END)

    thread = Thread(target=drive, name="ahead", daemon=True)
    thread.start()
    try:
        yield from _taken(queue)
        if failed:
            raise failed[0]
    finally:
        stopped.set()
        thread.join()


def _taken(queue: "Queue[object]") -> Iterator[T]:
    while True:
        try:
            item = queue.get(timeout=_WAIT_S)
        except Empty:
            continue
        if item is _END:
            return
        yield item  # type: ignore[misc]
