"""Secrets: held as a reference to where they are, read at the moment a client is made, and printed as `***`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from stream.exits import Exit, Refused

SCHEMES = ("env:NAME", "file:PATH")
FILE_BYTES_MAX = 64 << 10
MASK = "***"


class Secret:
    """A reference to a secret, `env:NAME` or `file:PATH`; raises ValueError for anything else, without quoting it."""

    __slots__ = ("_reference",)

    def __init__(self, reference: str) -> None:
        scheme, _, rest = reference.partition(":")
        if scheme not in ("env", "file") or not rest:
            raise ValueError("a secret is given by reference, never as it is")
        self._reference = reference

    def reveal(self, environ: Mapping[str, str] | None = None) -> str:
        """The secret itself. Refused, naming only the reference, when there is none."""
        scheme, _, rest = self._reference.partition(":")
        if scheme == "file":
            return self._from_file(Path(rest))
        value = (os.environ if environ is None else environ).get(rest)
        if not value:
            raise Refused(
                f"the environment variable {rest}, which a secret refers to, is not set", Exit.CONFIG
            )
        return value

    def _from_file(self, path: Path) -> str:
        try:
            with path.open(encoding="utf-8") as file:
                value = file.read(FILE_BYTES_MAX).rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "is not text"
            raise Refused(f"the file {path}, which a secret refers to: {reason}", Exit.CONFIG) from None
        if not value:
            raise Refused(f"the file {path}, which a secret refers to, is empty", Exit.CONFIG)
        return value

    def __str__(self) -> str:
        return MASK

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._reference == self._reference

    def __hash__(self) -> int:
        return hash(self._reference)
