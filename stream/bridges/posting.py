"""Posting over HTTP: one request, and what its answer means for the alert in it."""

import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException, HTTPMessage
from typing import IO, Any, Final
from urllib.parse import urlsplit

from stream.bridges.target import Rejected, Unavailable
from stream.config.bridges import HttpTarget, url_reason
from stream.config.secret import Secret
from stream.exits import Exit, Refused

ANSWER_BYTES_MAX: Final = 200
BUSY: Final = (408, 425, 429)
"""Client errors that pass."""
_UNSHOWN: Final = re.compile(r"[^\x20-\x7e]+")


class Poster:
    """Posts to one target; neither its URL nor its headers are ever part of what is said of a failure.

    Raises:
        Refused: a secret cannot be read, or the URL is none.
    """

    def __init__(self, target: HttpTarget, path: str = "") -> None:
        url = target.url.reveal() if isinstance(target.url, Secret) else target.url
        if (reason := url_reason(url)) and isinstance(target.url, Secret):
            raise Refused(f"the URL of the target {target.name} {reason}", Exit.CONFIG)
        self._url = url.rstrip("/") + path if path else url
        self._timeout_s = target.timeout_ms / 1000
        self._headers = {name: secret.reveal() for name, secret in target.headers.items()}
        self._opener = urllib.request.build_opener(_NoRedirects)
        self.host = urlsplit(url).netloc

    def post(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Send it, and return when the target has taken it (2xx).

        Raises:
            Rejected: the target answers with a client error that does not pass, or sends us elsewhere.
            Unavailable: it cannot be reached, is busy or has failed.
        """
        request = urllib.request.Request(  # noqa: S310  http or https, as checked
            self._url, body, {"User-Agent": "streamgauge", **headers, **self._headers}, method="POST"
        )
        try:
            with self._opener.open(request, timeout=self._timeout_s) as answer:
                answer.read(ANSWER_BYTES_MAX)
        except urllib.error.HTTPError as error:
            raise self._failure(error) from None
        except (OSError, HTTPException) as error:
            reason = error.reason if isinstance(error, urllib.error.URLError) else error
            raise Unavailable(f"{self.host}: {_said(reason)}") from None

    def _failure(self, error: urllib.error.HTTPError) -> Rejected | Unavailable:
        try:
            text = _UNSHOWN.sub(" ", error.read(ANSWER_BYTES_MAX).decode("utf-8", "replace")).strip()
        except (OSError, HTTPException):
            text = ""
        why = f"{self.host} answers {error.code}{f': {text}' if text else ''}"
        return failure(error.code, why, error.headers.get("Retry-After", ""))


def failure(status: int, why: str, retry_after: str = "") -> Rejected | Unavailable:
    """What an HTTP status that is no success means: 3xx and 4xx are refusals, all but those that pass."""
    if status >= 500 or status in BUSY:
        return Unavailable(why, float(retry_after) if retry_after.isdecimal() else 0.0)
    return Rejected(why)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirected POST would arrive as a GET without the alert."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> None:
        return None


def _said(reason: Any) -> str:
    text = (reason.strerror if isinstance(reason, OSError) else None) or str(reason)
    return _UNSHOWN.sub(" ", text) or type(reason).__name__
