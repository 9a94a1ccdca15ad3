"""Worker: one process of the consumer group, from its checks at the start to its drain at the end."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, Final

import structlog

from stream.exits import Exit, Refused
from stream.faust_app import App, build_app
from stream.guards import Stopper, watch_for_a_clock_set_back, watch_for_freezes
from stream.holding import Holding
from stream.http import HttpServer
from stream.ingest_agent import Ends, IngestAgent
from stream.outbox import Outbox
from stream.progress import Progress
from stream.shard_store import ShardStore
from stream.sources import Place, Sources
from stream.stage_agent import StageAgent
from stream.telemetry import Telemetry
from stream.topology import StageSpec, Topology
from stream.transport import Membership

DRAIN_S_MAX: Final = 15.0
LEAVE_S_MAX: Final = 10.0
DRAIN_POLL_S: Final = 0.1

log = structlog.get_logger(__name__)


def run_worker(topology: Topology) -> None:
    """Run a worker until it is told to stop, and drain it.

    Raises:
        Refused: the HTTP port is taken.
    """
    asyncio.run(Worker(topology).run())


async def in_time(steps: Iterable[tuple[str, Callable[[], Awaitable[Any]]]], limit_s: float) -> None:
    """Take named steps one after the other, all within a limit.

    Raises:
        Refused: naming the step in which time ran out.
    """
    under_way = ""
    try:
        async with asyncio.timeout(limit_s):
            for name, step in steps:
                under_way = name
                await step()
    except TimeoutError:
        raise Refused(f"could not {under_way} within {limit_s:g} s", Exit.FAIL_STOP) from None


class Worker:
    """One worker; see `run_worker`."""

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        clients = topology.clients
        self._stopper = Stopper()
        self._membership = Membership()
        self._telemetry = Telemetry(topology.version)
        self._ends = Ends()
        self._sources = Sources(clients.consumer, topology.source_topics, topology.besides)
        self._holding = Holding(self._sources, self._membership)
        self._outbox = Outbox(clients.producer, topology.destinations, self._stopper.stop)
        self._ingest = IngestAgent(
            topology.make_ingest,
            self._sources,
            self._holding,
            self._membership,
            self._outbox,
            self._ends,
            self._telemetry,
            topology.idle_timeout_s,
        )
        store = ShardStore(clients.consumer)
        self._running: list[asyncio.Task[Any]] = []
        self._leaving = False
        self._stages = [self._stage_agent(spec, store) for spec in topology.stages]
        self._progress = Progress(
            clients.admin,
            self._ends,
            self._sources,
            self._holding,
            self._stages,
            self._membership,
            self._telemetry,
            topology.stall_s,
        )

    async def run(self) -> None:
        """Consume until SIGTERM or SIGINT, then drain; a second signal ends the process at once."""
        topology = self.topology
        http = HttpServer(
            topology.http_host,
            topology.http_port,
            self._telemetry.registry,
            self._progress.unhealthy,
            self._progress.unready,
        )
        http.start()
        log.info("http.listening", address=http.address)
        told_to_stop = self._signals()
        app = self._app()
        self._start(app.start())
        self._start(self._fail_when_crashed(app))
        self._progress.consumer = app.consumer
        for task in self._tasks(topology):
            self._start(task)
        log.info("worker.started", group=topology.group, sources=sorted(topology.source_topics))
        await told_to_stop.wait()
        await self._drain(app)
        http.close()

    def _app(self) -> App:
        agents = {"ingest": (tuple(sorted(self.topology.source_topics)), self._ingest.consume)}
        agents |= {agent.name: ((agent.topic,), agent.consume) for agent in self._stages}
        topology = self.topology
        return build_app(
            topology.group,
            topology.clients.faust,
            self._sources,
            self._stages[0],
            self._membership,
            self._stopper,
            agents,
        )

    def _stage_agent(self, spec: StageSpec, store: ShardStore) -> StageAgent:
        return StageAgent(
            spec,
            store,
            self._membership,
            self._outbox,
            self._telemetry,
            self._rewind,
        )

    async def _rewind(self, place: Place, offset: int) -> None:
        await self._progress.consumer.rewind(place, offset)

    def _tasks(self, topology: Topology) -> list[Coroutine[Any, Any, None]]:
        session_s = float(topology.clients.faust.get("broker_session_timeout", 10.0))
        return [
            self._ingest.mark_for_ever(),
            self._holding.ask_for_ever(),
            self._progress.watch(self._stopper),
            watch_for_a_clock_set_back(self._stopper),
            self._arm_freeze_guard(session_s),
            *(agent.store_for_ever(topology.snapshot_interval_s) for agent in self._stages),
            *([topology.beside(self._outbox, self._telemetry)] if topology.beside else []),
        ]

    async def _arm_freeze_guard(self, session_s: float) -> None:
        while not self._progress.settled:  # noqa: ASYNC110  what it rests on changes inside Faust
            await asyncio.sleep(DRAIN_POLL_S)
        log.info("worker.ready", generation=self._membership.generation)
        await watch_for_freezes(self._stopper, session_s)

    def _start(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run something for as long as the worker lives; what it dies of ends the process."""
        task = asyncio.get_running_loop().create_task(work)
        self._running.append(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None and not self._leaving:
            self._stopper.stop(error)

    async def _fail_when_crashed(self, app: App) -> None:
        """Faust records what a service died of, and would go on to shut down with commits: end at once instead."""
        await app._crashed.wait()  # noqa: SLF001  the only sign that mode gives
        if not self._leaving:
            self._stopper.stop(app.crash_reason or RuntimeError("a Faust service crashed"))

    def _signals(self) -> asyncio.Event:
        told_to_stop = asyncio.Event()
        loop = asyncio.get_running_loop()

        def on_signal(number: signal.Signals) -> None:
            if told_to_stop.is_set():
                self._stopper.stop(Refused(f"{number.name} again: ended without draining", Exit.INTERRUPTED))
            log.info("worker.draining", signal=number.name)
            told_to_stop.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, on_signal, number)
        return told_to_stop

    async def _drain(self, app: App) -> None:
        """Stop fetching, finish and store what is under way, commit, and leave the group."""
        self._progress.draining = True
        self._sources.open = False
        try:
            async with asyncio.timeout(DRAIN_S_MAX):
                await self._finish()
        except TimeoutError:
            log.warning(
                "drain.cut_short", after_s=DRAIN_S_MAX, reason="others still write, or there is a backlog"
            )
        last_steps = [(f"store the state of {agent.name}", agent.finish) for agent in self._stages]
        try:
            await in_time([*last_steps, ("commit what is stored", app.consumer.commit)], DRAIN_S_MAX)
        except Refused as refused:
            self._stopper.stop(refused)
        await self._leave(app)
        log.info("worker.drained")

    async def _finish(self) -> None:
        await self._ingest.settle()
        for agent in self._stages:
            while not await self._progress.caught_up(agent.topic):  # noqa: ASYNC110  it asks Kafka
                await asyncio.sleep(DRAIN_POLL_S)
            await agent.settle()

    async def _leave(self, app: App) -> None:
        self._leaving = True
        for task in self._running:
            task.cancel()
        try:
            async with asyncio.timeout(LEAVE_S_MAX):
                await app.stop()
        except TimeoutError:
            log.warning("group.not_left", after_s=LEAVE_S_MAX)
        self._sources.close()
        self._outbox.close(LEAVE_S_MAX)
