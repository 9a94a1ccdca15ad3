"""Config watch: notices that the worker's configuration file has changed, and offers its tunable part to all workers.

The newest wins: a worker that starts, or sees its file change, offers the file if it was written after the configuration that was last offered by anybody. Every
worker of a fleet may do so; the same configuration twice changes nothing.
"""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog

from detectors.commands import Configure
from stream.config import Config, ConfigError, load
from stream.config.layers import Override
from stream.config.tunable import needs_restart, tunable_part
from stream.config_offers import KEY, configure, encoded
from stream.outbox import Outbox, Record
from stream.telemetry import Telemetry

LOOK_S: Final = 5.0

log = structlog.get_logger(__name__)


class ConfigWatch:
    """Watches one file.

    Args:
        file: what was read at the start; None: there is none, and nothing is watched.
        config: what it said, with what lies over it.
        overrides: what lies over it.
        outbox: takes offers to Kafka.
        telemetry: is told whether the file is good.
    """

    def __init__(
        self,
        file: Path | None,
        config: Config,
        overrides: list[Override],
        outbox: Outbox,
        telemetry: Telemetry,
    ) -> None:
        self._file, self._config, self._overrides = file, config, overrides
        self._outbox, self._telemetry = outbox, telemetry
        self._seen = _stamp(file)
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """Look at the file now, changed or not."""
        self._asked.set()

    async def watch(self, last: Callable[[], Configure | None]) -> None:
        """Offer the file if it is newer than what was last offered, and again whenever it changes, for ever."""
        if self._file is None:
            return
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self.ask)
        known = await asyncio.to_thread(last)
        written = _written(self._file)
        if known is not None and written > known.time and tunable_part(self._config) != known.config:
            await self._offer(self._config, written)
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), LOOK_S)
            asked = self._asked.is_set()
            self._asked.clear()
            if asked or _stamp(self._file) != self._seen:
                await self._look(self._file)

    async def _look(self, file: Path) -> None:
        self._seen = _stamp(file)
        try:
            config = load(file, self._overrides)
        except ConfigError as error:
            self._refuse(error.lines)
            return
        if fixed := needs_restart(self._config, config):
            self._refuse([f"{file}: {key}: cannot change while workers run; restart them" for key in fixed])
            return
        self._telemetry.config_good.set(1)
        if config != self._config:
            self._config = config
            await self._offer(config, datetime.now(UTC))

    def _refuse(self, lines: Sequence[str]) -> None:
        """The configuration in force stays."""
        self._telemetry.config_good.set(0)
        log.error("config.refused", file=str(self._file), faults=list(lines))

    async def _offer(self, config: Config, written: datetime) -> None:
        command = configure(config, written, f"file@{socket.gethostname()}", str(self._file))
        log.info("config.offered", file=str(self._file), config_hash=config.settings().config_hash)
        await self._outbox.deliver_records([Record(config.configs.topic, KEY, encoded(command), 0)])


def _written(file: Path) -> datetime:
    return datetime.fromtimestamp(file.stat().st_mtime, UTC)


def _stamp(file: Path | None) -> tuple[int, int] | None:
    """What changes when the file does; None when it cannot be seen, as in the middle of being replaced."""
    if file is None:
        return None
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
