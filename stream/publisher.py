"""The Python SDK: pipelines report their runs and metrics to Streamgauge.

    publisher = Publisher("localhost:9092")
    with publisher.run("orders", task="load") as run:
        run.rows = load_orders()

Nothing here blocks or fails the pipeline that uses it. While Kafka is away events are kept, up to a limit; what cannot
be kept or sent is counted in `Publisher.dropped` and logged by the logger `streamgauge.publisher`, at most once a minute.
"""

import functools
import inspect
import threading
import time
import uuid
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Self, TypedDict, TypeVar, Unpack, cast

from stream import publications
from stream.publisher_buffer import Buffer

BUFFER_RECORDS_MAX: Final = 10_000
EXIT_TIMEOUT_S: Final = 2.0
CLOSE_TIMEOUT_S: Final = 10.0

F = TypeVar("F", bound=Callable[..., Any])
Moment = datetime | float | str
"""A datetime (UTC when it names no timezone), epoch milliseconds, or RFC 3339 text."""


class About(TypedDict, total=False):
    """What is known of a run before it starts. `labels` set series apart; `owner` is told of alerts.

    `inputs` are the datasets that it reads, `outputs` those that it writes beside `dataset`, `after` the pipelines that it comes after: by
    these an alert is explained by what went wrong before it.
    """

    task: str | None
    run_id: str | uuid.UUID | None
    dataset: str | None
    inputs: Iterable[str] | None
    outputs: Iterable[str] | None
    after: Iterable[str] | None
    scheduled_at: Moment | None
    labels: Mapping[str, str] | None
    owner: str | None


class Fields(About, total=False):
    """The optional fields of a run event."""

    time: Moment | None
    duration_ms: float | None
    rows: float | None
    bytes: float | None
    error: str | None
    schema: Sequence[Mapping[str, Any]] | None


class Publisher:
    """Publishes run events and metrics. Thread-safe, and usable in forked processes.

    A field with a wrong value (negative rows, a label that is no text) is left out and logged; an event whose pipeline,
    state or time is wrong is dropped and counted. At interpreter exit up to `EXIT_TIMEOUT_S` are spent on sending
    what is left; leaving the `with` block of a publisher, or `close`, does so earlier and with a limit of your own.

    Args:
        bootstrap_servers: where Kafka is, `host:port,…`.
        properties: librdkafka properties of the connection, `bootstrap.servers` among them when it is not given above.
        topic: for run events, keyed by pipeline.
        metrics_topic: for metrics, keyed by name.
        buffer_records_max: events kept while Kafka is away; when it is full, new ones are dropped.

    Raises:
        TypeError: neither `bootstrap_servers` nor `properties["bootstrap.servers"]` is given.
        ValueError: `buffer_records_max` is below 1.
    """

    def __init__(
        self,
        bootstrap_servers: str | None = None,
        *,
        properties: Mapping[str, Any] | None = None,
        topic: str = "pipeline.events",
        metrics_topic: str = "pipeline.metrics",
        buffer_records_max: int = BUFFER_RECORDS_MAX,
    ) -> None:
        connection = dict(properties or {})
        if bootstrap_servers is not None:
            connection["bootstrap.servers"] = bootstrap_servers
        if not connection.get("bootstrap.servers"):
            raise TypeError('Publisher needs to know where Kafka is: Publisher("host:9092")')
        if buffer_records_max < 1:
            raise ValueError(f"buffer_records_max is {buffer_records_max}; it must be 1 or more")
        self._topic, self._metrics_topic = topic, metrics_topic
        self._buffer = Buffer(connection, buffer_records_max)
        self._delivered_when_away: int | None = None
        self._at_exit = weakref.finalize(self, self._buffer.close, EXIT_TIMEOUT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def dropped(self) -> int:
        """Events lost in this process: refused, or without room in the buffer."""
        return self._buffer.dropped

    @property
    def delivered(self) -> int:
        """Events that the broker is known to have stored, in this process."""
        return self._buffer.delivered

    @property
    def pending(self) -> int:
        """Events that are kept until the broker has them, in this process."""
        return self._buffer.pending

    def event(self, pipeline: str, state: str, **fields: Unpack[Fields]) -> None:
        """Publishes one run event: `state` is started, succeeded, failed or skipped; `time` is now unless given."""
        self._publish(self._topic, functools.partial(publications.run_event, pipeline, state, fields))

    def metric(
        self, name: str, value: float, labels: Mapping[str, str] | None = None, time: Moment | None = None
    ) -> None:
        """Publishes one sample of a numeric series."""
        self._publish(self._metrics_topic, functools.partial(publications.metric, name, value, labels, time))

    def run(self, pipeline: str, **about: Unpack[About]) -> "Run":
        """A `with` block that reports the run of a pipeline: started, then succeeded or failed."""
        return Run(self, pipeline, about)

    def watch(self, pipeline: str, **about: Unpack[About]) -> Callable[[F], F]:
        """A decorator: every call of the function, plain or async, is a run."""

        def decorate(function: F) -> F:
            @functools.wraps(function)
            def watched(*args: Any, **kwargs: Any) -> Any:
                with self.run(pipeline, **about):
                    return function(*args, **kwargs)

            @functools.wraps(function)
            async def watched_async(*args: Any, **kwargs: Any) -> Any:
                with self.run(pipeline, **about):
                    return await function(*args, **kwargs)

            return cast("F", watched_async if inspect.iscoroutinefunction(function) else watched)

        return decorate

    def flush(self, timeout_s: float = CLOSE_TIMEOUT_S) -> bool:
        """Waits, at most so long, until nothing is pending; whether that is so."""
        return self._buffer.flush(timeout_s)

    def close(self, timeout_s: float = CLOSE_TIMEOUT_S) -> bool:
        """Flushes, at most so long, and drops the rest; whether nothing was pending any more."""
        return self._buffer.close(timeout_s)

    def run_ended(self) -> None:
        """Called when a run has been reported: a forked worker may end without exit handlers, so it sends now.

        While Kafka is away only the first run waits for it.
        """
        if self._buffer.forked and self._buffer.delivered != self._delivered_when_away:
            flushed = self.flush(EXIT_TIMEOUT_S)
            self._delivered_when_away = None if flushed else self._buffer.delivered

    def _publish(self, topic: str, make: Callable[[], publications.Publication]) -> None:
        try:
            publication = make()
        except Exception as error:  # noqa: BLE001  whatever is wrong with an event, the pipeline goes on
            self._buffer.drop(str(error))
            return
        for what in publication.left_out:
            self._buffer.mention(f"a field was left out of an event: {what}")
        self._buffer.put(topic, publication.key, publication.value)


class Run:
    """One run of a pipeline, reported from the start of its `with` block to the end.

    `rows`, `bytes`, `schema` and `error` may be set inside the block and go out with its end. An exception that
    leaves the block makes the run `failed`, with its type and message as the error, and goes on; so does
    KeyboardInterrupt, and SystemExit but for exit code 0.
    """

    def __init__(self, publisher: Publisher, pipeline: str, about: About) -> None:
        self._publisher, self._pipeline = publisher, pipeline
        self._about: dict[str, Any] = {**about}
        self.run_id = str(about.get("run_id") or uuid.uuid4())
        self.rows: float | None = None
        self.bytes: float | None = None
        self.schema: Sequence[Mapping[str, Any]] | None = None
        self._state = "succeeded"
        self._error: str | None = None
        self._lock = threading.Lock()
        self._started_s = time.monotonic()

    def __enter__(self) -> Self:
        self._started_s = time.monotonic()
        self._report("started")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and not (isinstance(error, SystemExit) and error.code in (None, 0)):
            self.fail(_described(error))
        ended = {"duration_ms": round((time.monotonic() - self._started_s) * 1000)}
        self._report(
            self._state, **ended, rows=self.rows, bytes=self.bytes, schema=self.schema, error=self._error
        )
        self._publisher.run_ended()

    def add_rows(self, rows: float) -> None:
        """Counts rows; threads may do so at the same time."""
        with self._lock:
            self.rows = _sum(self.rows, rows)

    def add_bytes(self, size_bytes: float) -> None:
        """Counts bytes; threads may do so at the same time."""
        with self._lock:
            self.bytes = _sum(self.bytes, size_bytes)

    def skip(self) -> None:
        """There was nothing to do: the run ends as skipped, unless an exception makes it failed."""
        self._state = "skipped"

    def fail(self, error: str) -> None:
        """The run ends as failed, though no exception says so."""
        self._state, self._error = "failed", error

    def _report(self, state: str, **fields: Any) -> None:
        told: Any = {**self._about, "run_id": self.run_id, **fields}
        self._publisher.event(self._pipeline, state, **told)


def _sum(total: float | None, more: float) -> float | None:
    """The sum, or what cannot be summed: it is left out of the event, and logged, when the run ends."""
    try:
        return more if total is None else total + more
    except TypeError:
        return more


def _described(error: BaseException) -> str:
    kind = type(error).__name__
    try:
        message = str(error)
    except Exception:  # noqa: BLE001  an exception that cannot be printed still ends the run as failed
        return kind
    return f"{kind}: {message}" if message else kind
