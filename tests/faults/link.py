"""A link: a network namespace of its own for workers, joined to the broker's by a virtual cable that can be cut.

A cut is silent, as a dead switch is: packets vanish, and nobody is told. It can be one-way. Needs root and iproute2.
"""

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest

NOBODY: Final = "02:00:00:00:00:0f"
"""A hardware address that no end of the cable has: what is sent there is lost."""


class Link:
    """One namespace and its cable; `near` is the broker's address, `far` the workers'."""

    def __init__(self) -> None:
        mark = secrets.token_hex(4)
        self.namespace = f"streamgauge-{mark}"
        self._near_end, self._far_end = f"sgn{mark}", f"sgf{mark}"
        network = f"10.{128 + secrets.randbelow(127)}.{secrets.randbelow(256)}"
        self.near, self.far = f"{network}.1", f"{network}.2"

    @property
    def program(self) -> tuple[str, ...]:
        """Streamgauge, run at the far end."""
        return ("ip", "netns", "exec", self.namespace, sys.executable, "-m", "stream")

    def lay(self) -> None:
        """Make the namespace and the cable."""
        _ip("netns", "add", self.namespace)
        _ip("link", "add", self._near_end, "type", "veth", "peer", "name", self._far_end)
        _ip("link", "set", self._far_end, "netns", self.namespace)
        _ip("address", "add", f"{self.near}/30", "dev", self._near_end)
        self._far("address", "add", f"{self.far}/30", "dev", self._far_end)
        _ip("link", "set", self._near_end, "up")
        self._far("link", "set", self._far_end, "up")
        self._far("link", "set", "lo", "up")
        self._near_mac = _ip("-o", "link", "show", self._near_end).partition("link/ether ")[2].split()[0]
        self._far_mac = self._far("-o", "link", "show", self._far_end).partition("link/ether ")[2].split()[0]
        self.mend()

    def remove(self) -> None:
        """Take both away, whatever state they are in."""
        for command in (["link", "del", self._near_end], ["netns", "del", self.namespace]):
            subprocess.run(["ip", *command], check=False, capture_output=True)

    def cut(self, *, to_worker: bool = True, to_broker: bool = True) -> None:
        """Lose every packet in these directions from now on."""
        self._address_frames(NOBODY if to_worker else self._far_mac, NOBODY if to_broker else self._near_mac)

    def mend(self) -> None:
        """Lose none."""
        self._address_frames(self._far_mac, self._near_mac)

    def read(self, url: str) -> str:
        """What an HTTP server at the far end answers, whatever its status."""
        ask = (
            "import sys, urllib.request, urllib.error\n"
            "try: print(urllib.request.urlopen(sys.argv[1], timeout=5).read().decode())\n"
            "except urllib.error.HTTPError as error: print(error.read().decode())\n"
        )
        command = ["ip", "netns", "exec", self.namespace, sys.executable, "-c", ask, url]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout

    def _address_frames(self, to_far: str, to_near: str) -> None:
        neighbour = ("neighbour", "replace")
        _ip(*neighbour, self.far, "lladdr", to_far, "dev", self._near_end, "nud", "permanent")
        self._far(*neighbour, self.near, "lladdr", to_near, "dev", self._far_end, "nud", "permanent")

    def _far(self, *arguments: str) -> str:
        return _ip("-n", self.namespace, *arguments)


@contextmanager
def laid() -> Iterator[Link]:
    """A link for the block. Without root or iproute2 the test is skipped, and with CI=true it fails."""
    missing = None if os.geteuid() == 0 and shutil.which("ip") else "needs root and iproute2"
    if missing and os.environ.get("CI", "").lower() in {"true", "1"}:
        pytest.fail(f"a network to cut {missing}")
    if missing:
        pytest.skip(missing)
    link = Link()
    try:
        link.lay()
        yield link
    finally:
        link.remove()


def _ip(*arguments: str) -> str:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr}"
    return done.stdout
