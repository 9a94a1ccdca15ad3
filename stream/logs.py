"""Logs: structlog on stderr for everything in the process, as lines for people or as JSON.

What the libraries say passes through the same renderer. A client that lost its broker can write a hundred lines a
second, so each of them has a budget; what goes over it is counted and said in one line.
"""

import logging
import sys
import time
from typing import Any, Final, Literal

import structlog

LogFormat = Literal["console", "json"]

LINES_PER_PERIOD: Final = 20
PERIOD_S: Final = 10.0
_QUIET: Final = {
    "faust": logging.WARNING,
    "mode": logging.WARNING,
    "aiokafka": logging.WARNING,
    "asyncio": logging.WARNING,
}
_LIMITED: Final = ("aiokafka", "faust", "mode", "librdkafka", "stream.sources")


class RateLimit(logging.Filter):
    """Lets through so many lines of a logger per period, then says how many it kept back."""

    def __init__(self, lines: int = LINES_PER_PERIOD, period_s: float = PERIOD_S) -> None:
        super().__init__()
        self._lines, self._period_s = lines, period_s
        self._since, self._let, self._held = float("-inf"), 0, 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is within the budget."""
        now = time.monotonic()
        if now - self._since >= self._period_s:
            if self._held:
                self._mention(record)
            self._since, self._let, self._held = now, 0, 0
        if self._let < self._lines:
            self._let += 1
            return True
        self._held += 1
        return False

    def _mention(self, record: logging.LogRecord) -> None:
        if isinstance(record.msg, dict):  # structlog's own lines are rendered later
            record.msg = {**record.msg, "lines_left_out": self._held}
        else:
            record.msg = f"{record.getMessage()} ({self._held} more lines of this logger were left out)"
            record.args = ()


def configure(level: str = "info", log_format: LogFormat = "console") -> None:
    """Set up logging for the process: `level` for our own lines, warnings and worse from the libraries."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(log_format)],
        )
    )
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(level.upper())
    _tame(handler, debugging=level.lower() == "debug")


def _renderers(log_format: LogFormat) -> list[Any]:
    if log_format == "json":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    colors = sys.stderr.isatty()
    traceback = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=traceback)]


def _tame(handler: logging.Handler, *, debugging: bool) -> None:
    handler.filters[:] = [_PerLibrary()]
    for name, level in _QUIET.items():
        logging.getLogger(name).setLevel(logging.INFO if debugging else level)


class _PerLibrary(logging.Filter):
    """One budget for each library: on the handler, because a logger's own filter misses its children's lines."""

    def __init__(self) -> None:
        super().__init__()
        self._limits = {name: RateLimit() for name in _LIMITED}

    def filter(self, record: logging.LogRecord) -> bool:
        for name, limit in self._limits.items():
            if record.name == name or record.name.startswith(f"{name}."):
                return limit.filter(record)
        return True
