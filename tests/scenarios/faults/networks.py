"""Networks of their own inside this machine, joined by one cable that can be cut, both ways or one way."""

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.scenarios.faults.programs import need_root, program, run

NEAR_ADDRESS: Final = "10.77.0.2"
FAR_ADDRESS: Final = "10.77.0.1"
CABLE: Final = "cable"
CLONE_NEWNET: Final = 0x40000000
LIBC: Final = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Network:
    """A namespace of the network: its own interfaces, addresses and routes, which nobody else sees."""

    name: str

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Have what this thread opens and starts be in this network; connections that are open stay where they are."""
        with Path("/proc/thread-self/ns/net").open() as home, Path("/run/netns", self.name).open() as there:
            _enter(there.fileno())
            try:
                yield
            finally:
                _enter(home.fileno())

    def ip(self, *words: str) -> None:
        """Change this network."""
        run("ip", "-n", self.name, *words)


@dataclass(frozen=True, slots=True)
class Cable:
    """What joins two networks; `near` asks and `far` answers."""

    near: Network
    far: Network

    def cut(self) -> None:
        """Let nothing pass."""
        self.far.ip("link", "set", CABLE, "down")

    def mend(self) -> None:
        """Let everything pass again that `cut` stopped."""
        self.far.ip("link", "set", CABLE, "up")

    @contextmanager
    def answers_lost(self) -> Iterator[None]:
        """Let requests arrive, and no answer, until the block ends."""
        with _lost(self.far, NEAR_ADDRESS):
            yield

    @contextmanager
    def requests_lost(self) -> Iterator[None]:
        """Let nothing go out from the near side until the block ends."""
        with _lost(self.near, FAR_ADDRESS):
            yield


@contextmanager
def joined() -> Iterator[Cable]:
    """Make two networks and a cable between them; skips with the reason where they cannot be made."""
    need_root("make networks of its own")
    program("ip")
    networks = [Network(f"batchloom-{os.getpid()}-{side}") for side in ("near", "far")]
    with ExitStack() as opening:
        for network in networks:
            done = subprocess.run(
                [program("ip"), "netns", "add", network.name], capture_output=True, text=True, check=False
            )
            if done.returncode != 0:
                pytest.skip(f"NOT RUN: no network of its own can be made here: {done.stderr.strip()[:200]}")
            opening.callback(run, "ip", "netns", "delete", network.name)
        near, far = networks
        # Made inside from the beginning: the machine's own network never has it.
        near.ip("link", "add", CABLE, "type", "veth", "peer", "name", CABLE, "netns", far.name)
        for network, address in ((near, NEAR_ADDRESS), (far, FAR_ADDRESS)):
            network.ip("address", "add", f"{address}/24", "dev", CABLE)
            for interface in ("lo", CABLE):
                network.ip("link", "set", interface, "up")
        yield Cable(near, far)


@contextmanager
def _lost(network: Network, address: str) -> Iterator[None]:
    """Have a network drop all that it sends to an address."""
    network.ip("route", "add", "blackhole", f"{address}/32")
    try:
        yield
    finally:
        network.ip("route", "delete", "blackhole", f"{address}/32")


def _enter(descriptor: int) -> None:
    if LIBC.setns(descriptor, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "the network cannot be entered")
