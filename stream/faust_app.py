"""Faust app: the three agents on Faust, with every setting written down whose default could lose data."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final

import faust
from yarl import URL

from stream.guards import Stopper
from stream.sources import Sources
from stream.transport import BatchTransport, Follower, Membership, SeekFirstTableManager

COMMIT_INTERVAL_S: Final = 1.0
REQUEST_TIMEOUT_S: Final = 30.0
INTERNAL_FETCH_BYTES_MAX: Final = 6 << 20
INTERNAL_RECORDS_MAX: Final = 50
QUEUED_MESSAGES_MAX: Final = 16

Consume = Callable[[AsyncIterator[Any]], Awaitable[None]]


class App(faust.App):
    """A Faust app that keeps nothing on disk."""

    logger = logging.getLogger("faust.app")

    def _create_directories(self) -> None:
        """Faust would make folders for table files; there are no tables."""


def build_app(
    group: str,
    broker: Mapping[str, Any],
    sources: Sources,
    follower: Follower,
    membership: Membership,
    stopper: Stopper,
    agents: Mapping[str, tuple[tuple[str, ...], Consume]],
) -> App:
    """The app whose agents (name: topics, consumer of their events) run in consumer group `group`.

    `follower` is the agent behind ingest, which ingest must not leave far behind.
    `broker` holds Faust's connection settings: `broker`, and optionally credentials and group timeouts.
    """
    session_s = float(broker.get("broker_session_timeout", 10.0))
    app = App(
        group,
        **{**broker, "broker_session_timeout": session_s},
        broker_commit_interval=COMMIT_INTERVAL_S,
        broker_max_poll_records=INTERNAL_RECORDS_MAX,
        broker_rebalance_timeout=session_s,
        broker_request_timeout=max(REQUEST_TIMEOUT_S, session_s),
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=INTERNAL_FETCH_BYTES_MAX,
        producer_acks=-1,
        producer_request_timeout=REQUEST_TIMEOUT_S,
        processing_guarantee="at_least_once",
        stream_buffer_maxsize=QUEUED_MESSAGES_MAX,
        stream_wait_empty=False,
        store="memory://",
        table_standby_replicas=0,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        worker_redirect_stdouts=False,
        agent_supervisor="mode.CrashingSupervisor",
        autodiscover=False,
        TableManager=SeekFirstTableManager,
    )
    urls = broker["broker"] if isinstance(broker["broker"], list) else [broker["broker"]]
    app.transport = BatchTransport([URL(url) for url in urls], app, sources, follower, membership, stopper)
    for name, (topics, consume) in agents.items():
        _add_agent(app, name, topics, consume, stopper)
    return app


def _add_agent(app: App, name: str, topics: tuple[str, ...], consume: Consume, stopper: Stopper) -> None:
    """One agent, one at a time and acking by itself; nothing escapes it, for Faust acks what an agent dies of."""

    async def agent(stream: Any) -> None:
        try:
            await consume(stream.noack().events())
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001
            stopper.stop(error)

    topic = app.topic(*topics, key_type=None, value_type=None, key_serializer="raw", value_serializer="raw")
    app.agent(topic, name=name, concurrency=1)(agent)
