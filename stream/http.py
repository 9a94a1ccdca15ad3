"""HTTP: metrics and health on one port, read-only, served beside the event loop so that they answer when it hangs."""

import json
import threading
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from stream.exits import Exit, Refused

REQUEST_TIMEOUT_S: Final = 10

Reasons = Callable[[], Sequence[str]]
"""What is wrong now; empty when nothing is."""


class HttpServer:
    """Serves /metrics, /healthz and /readyz.

    Args:
        host: address to listen on.
        port: 0 takes any free one.
        registry: what /metrics shows.
        unhealthy: reasons why the process should be restarted.
        unready: reasons why it is not doing its work.

    Raises:
        Refused: the port cannot be had.
    """

    def __init__(
        self, host: str, port: int, registry: CollectorRegistry, unhealthy: Reasons, unready: Reasons
    ) -> None:
        routes = {
            "/metrics": lambda: (200, CONTENT_TYPE_LATEST, generate_latest(registry)),
            "/healthz": lambda: _verdict(unhealthy()),
            "/readyz": lambda: _verdict(unready()),
        }
        try:
            self._server = _Server((host, port), _handler(routes))
        except OSError as error:
            raise Refused(
                f"cannot serve metrics on {host}:{port}: {error.strerror}; choose another port with --http-port "
                "(0 takes any free one) or http: port in the configuration",
                Exit.USAGE,
            ) from None
        self._thread = threading.Thread(target=self._server.serve_forever, name="http", daemon=True)

    @property
    def address(self) -> str:
        """HOST:PORT as bound."""
        host, port = self._server.server_address[:2]
        text = host.decode() if isinstance(host, bytes) else str(host)
        return f"[{text}]:{port}" if ":" in text else f"{text}:{port}"

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def close(self) -> None:
        """Stop answering and give the port back."""
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True


Route = Callable[[], tuple[int, str, bytes]]


def _verdict(reasons: Sequence[str]) -> tuple[int, str, bytes]:
    body = {"status": "unavailable" if reasons else "ok", "reasons": list(reasons)}
    return (503 if reasons else 200), "application/json", json.dumps(body).encode() + b"\n"


def _handler(routes: dict[str, Route]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = REQUEST_TIMEOUT_S
        server_version = "streamgauge"
        sys_version = ""

        def do_GET(self) -> None:
            route = routes.get(self.path.partition("?")[0])
            status, content_type, body = route() if route else (404, "text/plain", b"not found\n")
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815  the name is http.server's

        def log_message(self, *_: Any) -> None:
            """Scrapes are not worth a log line."""

    return Handler
