import json
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, Counter

from stream.exits import Exit, Refused
from stream.http import HttpServer


class Health:
    def __init__(self) -> None:
        self.unhealthy: list[str] = []
        self.unready: list[str] = []


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
def server(health: Health) -> Iterator[HttpServer]:
    registry = CollectorRegistry()
    Counter("things", "Things.", registry=registry).inc(3)
    server = HttpServer("127.0.0.1", 0, registry, lambda: health.unhealthy, lambda: health.unready)
    server.start()
    yield server
    server.close()


def ask(server: HttpServer, path: str, method: str = "GET") -> tuple[int, str]:
    request = urllib.request.Request(f"http://{server.address}{path}", method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  our own server
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_metrics_are_served(server: HttpServer):
    status, body = ask(server, "/metrics")
    assert status == 200
    assert "things_total 3.0" in body


def test_health_and_readiness_say_ok(server: HttpServer):
    for path in ("/healthz", "/readyz"):
        status, body = ask(server, path)
        assert (status, json.loads(body)) == (200, {"status": "ok", "reasons": []})


def test_a_worker_that_is_not_ready_says_why_and_is_healthy(server: HttpServer, health: Health):
    health.unready = ["no assignment"]
    status, body = ask(server, "/readyz")
    assert (status, json.loads(body)["reasons"]) == (503, ["no assignment"])
    assert ask(server, "/healthz")[0] == 200


def test_a_hanging_worker_is_unhealthy(server: HttpServer, health: Health):
    health.unhealthy = ["hangs"]
    assert ask(server, "/healthz")[0] == 503


def test_there_is_nothing_else(server: HttpServer):
    assert ask(server, "/")[0] == 404
    assert ask(server, "/metrics/../etc/passwd")[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_changed(server: HttpServer, method: str):
    assert ask(server, "/metrics", method)[0] == 501


def test_head_has_no_body(server: HttpServer):
    assert ask(server, "/metrics", "HEAD") == (200, "")


def test_a_port_in_use_is_refused_with_the_way_out(server: HttpServer):
    port = int(server.address.rpartition(":")[2])
    with pytest.raises(Refused, match=f"127.0.0.1:{port}.*--http-port") as caught:
        HttpServer("127.0.0.1", port, CollectorRegistry(), list, list)
    assert caught.value.code == Exit.USAGE
