"""Holding: source partitions whose next records cannot be read yet, because the schema that they name cannot be had now.

No offset moves past them and nothing of theirs is kept: when the registry answers they are fetched again from where they stand. All others flow.
"""

import asyncio
import time
from collections import Counter as Tally
from typing import Final, NamedTuple

import structlog

from stream.formats.encodings.schemas import SchemaAwaitedError
from stream.sources import Batch, Place, Sources
from stream.transport import Membership

FIRST_PAUSE_S: Final = 0.5
PAUSE_S_MAX: Final = 4.0
"""At most, between two times that the registry is asked."""
_TICK_S: Final = 0.1

log = structlog.get_logger(__name__)


class _Held(NamedTuple):
    offset: int
    why: SchemaAwaitedError


class Holding:
    """Which partitions are held, and why; a new assignment begins without any."""

    def __init__(self, sources: Sources, membership: Membership) -> None:
        self._sources = sources
        self._since_s = 0.0
        self.held: dict[Place, _Held] = {}
        membership.on_change(self.held.clear)

    def hold(self, batch: Batch, why: SchemaAwaitedError) -> None:
        """Hold a batch's partition before its first record. The first one is logged: all wait for the same registry."""
        self._sources.hold(batch)
        if not self.held:
            self._since_s = time.monotonic()
            place, offset = batch.place, batch.previous_offset + 1
            log.warning(
                "sources.held", topic=place.topic, partition=place.partition, offset=offset, error=str(why)
            )
        self.held[batch.place] = _Held(batch.previous_offset + 1, why)

    async def ask_for_ever(self) -> None:
        """Ask for what is waited for until it is known, and let go those that waited for it."""
        pause_s = FIRST_PAUSE_S
        while True:
            await asyncio.sleep(pause_s if self.held else _TICK_S)
            if not self.held or await self._ask_all():
                pause_s = FIRST_PAUSE_S
            else:
                pause_s = min(2 * pause_s, PAUSE_S_MAX)

    async def _ask_all(self) -> bool:
        """Ask once for each schema that is waited for; whether any is known now."""
        let_go = 0
        for wanted, why in {it.why.wanted: it.why for it in self.held.values()}.items():
            if await asyncio.to_thread(why.answered):
                let_go += self._let_go(wanted)
        if let_go and not self.held:
            log.info("sources.let_go", after_s=round(time.monotonic() - self._since_s, 1))
        return let_go > 0

    def _let_go(self, wanted: str) -> int:
        """Let go those that wait for this; how many."""
        places = [place for place, it in self.held.items() if it.why.wanted == wanted]
        for place in places:
            del self.held[place]
            self._sources.let_go(place)
        return len(places)

    def reasons(self) -> list[str]:
        """Why partitions are held. Called from the HTTP threads."""
        counts = Tally(str(it.why) for it in list(self.held.values()))
        return [f"{count} source partitions are held: {why}" for why, count in sorted(counts.items())]
