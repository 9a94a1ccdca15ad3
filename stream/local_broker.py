"""A Kafka broker, or another server, run as a child process on loopback: its ports, its log, how it gets ready and how it ends."""

import functools
import itertools
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from stream.exits import Exit, Refused

LOOPBACK: Final = "127.0.0.1"
READY_TIMEOUT_S: Final = 60.0
STOP_TIMEOUT_S: Final = 30.0
LOG_TAIL_LINES: Final = 20
_POLL_S: Final = 0.05
_PORTS: Final = range(10_000, 32_768)
_METADATA_TIMEOUT_S: Final = 2.0

# Becomes the command it is given, after asking Linux to kill it when the process that started it is gone.
_DIE_WITH_PARENT: Final = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
try:
    os.execvp(sys.argv[2], sys.argv[2:])
except OSError as error:
    sys.exit(f"{sys.argv[2]}: {error}")
"""


class LocalBroker:
    """One broker process with a folder of its own, used as a context manager or by hand.

    It can be stopped or killed and started again, by the same command on the same port. It ends with the block,
    and with the process that started it, however that ends. Its folder is deleted at the end, unless the
    block is left by an error: then its log stays, and `log_path` and a line on stderr name it.

    Args:
        name: what messages call it.
        bootstrap_servers: `host:port` that clients connect to.
        folder: for its log and data; owned by this object.
        command: the program and its arguments; it must listen on `bootstrap_servers`.
        env: its whole environment; None means the caller's.
    """

    def __init__(
        self,
        name: str,
        bootstrap_servers: str,
        folder: Path,
        command: Sequence[str],
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.bootstrap_servers = bootstrap_servers
        self.folder = folder
        self.log_path = folder / "broker.log"
        self._command = list(command)
        self._env = env
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(keep_log=kind is not None and issubclass(kind, Exception))

    def close(self, *, keep_log: bool = False) -> None:
        """Stops it and deletes its folder, or all but the files in it when the log is wanted."""
        self.stop()
        if keep_log:
            for data in (each for each in self.folder.iterdir() if each.is_dir()):
                shutil.rmtree(data, ignore_errors=True)
            print(f"the log of {self.name} is kept: {self.log_path}", file=sys.stderr)  # noqa: T201  # also outside a command
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def pid(self) -> int | None:
        """The process id while it runs, else None."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Starts it and returns when it answers.

        Raises:
            Refused: it ended, or did not answer in time; the message carries the end of its log.
        """
        if self.pid is not None:
            return
        with self.log_path.open("ab") as log:
            self._process = _spawn(self._command, log.fileno(), self._env)
        try:
            self._wait_until_ready(self._process, timeout_s)
        except BaseException:
            self.kill()
            raise

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """Asks it to end (SIGTERM), and kills it if it has not done so in time."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """Ends it at once (SIGKILL), as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def send(self, number: signal.Signals) -> None:
        """Sends it a signal: SIGSTOP freezes it, SIGCONT lets it go on."""
        if self._process is not None:
            self._process.send_signal(number)

    def log_tail(self, lines: int = LOG_TAIL_LINES) -> str:
        """The last lines of its log."""
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])

    def _wait_until_ready(self, process: subprocess.Popen[bytes], timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise self._refusal(f"ended with exit code {process.returncode} while starting")
            if _accepts_connections(self.bootstrap_servers) and self.answers():
                return
            time.sleep(_POLL_S)
        raise self._refusal(f"did not answer within {timeout_s:.0f} s")

    def answers(self) -> bool:
        """Whether it answers those whom it serves."""
        return answers_metadata(self.bootstrap_servers)

    def _refusal(self, what: str) -> Refused:
        return Refused(f"{self.name} {what}. Its log, {self.log_path}, ends:\n{self.log_tail()}", Exit.KAFKA)


def free_ports(count: int) -> list[int]:
    """Distinct loopback ports that nothing listens on at this moment.

    They lie below the range from which systems number outgoing connections: a client that keeps trying a
    stopped broker could otherwise be given the broker's own port, and hold it against the restart.
    """
    candidates = random.sample(_PORTS, len(_PORTS))
    return list(itertools.islice((port for port in candidates if _is_free(port)), count))


def _is_free(port: int) -> bool:
    try:
        socket.create_server((LOOPBACK, port)).close()
    except OSError:
        return False
    return True


def answers_metadata(bootstrap_servers: str, timeout_s: float = _METADATA_TIMEOUT_S) -> bool:
    """Whether a broker there answers a metadata request with at least one live broker."""
    try:
        return bool(quiet_admin(bootstrap_servers).list_topics(timeout=timeout_s).brokers)
    except KafkaException:
        return False


def quiet_admin(bootstrap_servers: str) -> AdminClient:
    """An AdminClient that leaves refused connections to its caller instead of printing them."""
    return AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})


def new_run_folder(prefix: str) -> Path:
    """A fresh folder in the system's temporary folder for one broker's data and log."""
    return Path(tempfile.mkdtemp(prefix=f"streamgauge-{prefix}-"))


def _accepts_connections(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    return True


def _spawn(command: list[str], output: int, env: Mapping[str, str] | None) -> "subprocess.Popen[bytes]":
    if sys.platform == "linux":
        command = [sys.executable, "-I", "-S", "-c", _DIE_WITH_PARENT, str(os.getpid()), *command]
    # Linux ties the child's life to the *thread* that started it, so one thread that lasts starts them all.
    # Apart from the terminal, because Ctrl-C there would end the broker before its clients.
    return (
        _spawner(os.getpid())
        .submit(
            subprocess.Popen,
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=env,
            start_new_session=True,
        )
        .result()
    )


@functools.cache
def _spawner(pid: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"broker-spawner-{pid}")
