"""Faust's settings whose defaults could lose data are set, and what the transport is built on is pinned."""

import asyncio
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from faust.types.enums import ProcessingGuarantee

from stream.config import Config, load
from stream.wiring import topology
from stream.worker import Worker

ROOT = Path(__file__).parents[2]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    path = tmp_path / "streamgauge.yaml"
    path.write_text(
        yaml.safe_dump({"sources": [{"topic": "events", "format": "events"}], "http": {"port": 0}})
    )
    return load(path)


def settings(config: Config) -> dict[str, Any]:
    """What Faust is told, by the names of its settings."""

    async def build() -> dict[str, Any]:
        worker = Worker(topology(config, {"events": 1}))
        app = worker._app()
        names = (*EXPECTED, "broker_heartbeat_interval", "broker_session_timeout")
        told = {name: getattr(app.conf, name) for name in names}
        told["concurrency"] = {agent.concurrency for agent in app.agents.values()}
        worker._sources.close()
        worker._outbox.close(1)
        return told

    return asyncio.run(build())


EXPECTED = {
    "processing_guarantee": ProcessingGuarantee.AT_LEAST_ONCE,
    "consumer_auto_offset_reset": "earliest",
    "producer_acks": -1,
    "table_standby_replicas": 0,
    "topic_allow_declare": False,
    "topic_disable_leader": True,
    "web_enabled": False,
    "worker_redirect_stdouts": False,
    "stream_wait_empty": False,
}


def test_no_default_of_faust_that_could_lose_data_is_left(config: Config):
    told = settings(config)
    assert {name: told[name] for name in EXPECTED} == EXPECTED


def test_p2_each_agent_handles_one_message_at_a_time(config: Config):
    assert settings(config)["concurrency"] == {1}


def test_p14_a_dead_member_is_waited_for_ten_seconds_and_not_sixty(config: Config):
    told = settings(config)
    assert told["broker_session_timeout"] == 10
    assert told["broker_heartbeat_interval"] <= told["broker_session_timeout"] / 3


def test_p18_what_the_transport_builds_on_is_pinned_to_one_version_each():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = {name for it in project["dependencies"] if (name := re.match(r"([\w-]+)==", it))}
    assert {it[1] for it in pinned} >= {"faust-streaming", "mode-streaming", "aiokafka"}
