"""A group as its people make it: every command a process of its own, the hub on the PostgreSQL that it embeds."""

import json
import os
import signal
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from infra.postgres import find_binaries
from tests.patience import wait_until
from tests.scenarios.preparing import GROUP_DOMAIN
from tests.scenarios.processes import HUB, PASSWORD, Group, Node, Person
from tests.scenarios.shop_floor import define, receive

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(not find_binaries(), reason="NOT RUN: no PostgreSQL is on this machine"),
]


def servers(home: Path) -> list[int]:
    """Return the processes that run on a data directory under this home."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if str(home) in command and "postgres" in command:
                found.append(int(process.name))
    return found


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the server's own user can enter, so that the cluster lies in the hub's home and goes with it."""
    with tempfile.TemporaryDirectory(prefix="batchloom-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


def test_group_made_and_run_by_hand_then_hub_has_what_the_plant_wrote(folder: Path) -> None:
    with Group(folder) as group:
        hub, plant, secret = folder / "hub", folder / "sh1", folder / "password"
        secret.write_text(PASSWORD + "\n")
        hub_card, plant_card = folder / "hub-card.json", folder / "sh1-card.json"
        group.run("hub", "init", "--home", str(hub), "--group", GROUP_DOMAIN)
        assert servers(hub) == [], "the server ends with the command"
        group.add(HUB, hub, "")
        hub_card.write_text(group.run("hub", "card", "--home", str(hub)).stdout)
        made = ("--number", "1", "--code", "SH1", "--name", "Shanghai 上海", "--time-zone", "Asia/Shanghai")
        known = ("--hub-card", str(hub_card), "--hub-url", group.nodes[HUB].url)
        group.run("plant", "init", "--home", str(plant), *made, *known)
        plant_card.write_text(group.run("plant", "card", "--home", str(plant)).stdout)
        card = json.loads(plant_card.read_text())
        assert (card["number"], card["code"], card["name"]) == (1, "SH1", "Shanghai 上海")
        assert "PRIVATE" not in plant_card.read_text() + hub_card.read_text()
        group.run("hub", "enrol", "--home", str(hub), str(plant_card))
        for home, person, role in ((plant, "wang.fang", "manager"), (hub, "chen.jing", "headquarters")):
            name = ("--name", person.title(), "--role", role, "--password-file", str(secret))
            group.run("person", "add", "--home", str(home), person, *name)
        group.add("SH1", plant, f"sqlite:///{plant / 'plant.db'}")
        group.start()
        code = work(group.at("SH1", "wang.fang"))
        chen = group.at(HUB, "chen.jing")
        seen = wait_until(lambda: batch_at_hub(chen, code), "the hub knows the batch")
        assert seen == {"quantityMade": {"amount": "12.5"}, "origin": {"code": "SH1"}}
        assert servers(hub) != []
        # As where its disk was full, or memory short: nobody has to start the hub again.
        for process in servers(hub):
            os.kill(process, signal.SIGKILL)
        later = receive(group.at("SH1", "wang.fang"), "7.5")
        wait_until(partial(seen_at, group.nodes[HUB], chen, later), "the hub has its database again, and the batch")
        second = group.run("hub", "run", "--home", str(hub), code=HUB, expected=1)
        assert "Another process serves" in second.stderr
        group.stop()
        assert servers(hub) == []


def work(person: Person) -> str:
    define(person, "Material", {"code": "MILK", "name": "Raw milk 生乳", "unitCode": "KGM"})
    define(person, "Location", {"code": "A1", "name": "Cold store 冷库"})
    return receive(person, "12.5")


def seen_at(hub: Node, person: Person, code: str) -> bool:
    """Tell whether the hub serves and knows a batch."""
    return hub.is_ready() and batch_at_hub(person, code) is not None


def batch_at_hub(person: Person, code: str) -> object:
    query = "query($code: BatchCode!) { batch(code: $code) { quantityMade { amount } origin { code } } }"
    return person.ask(query, code=code)["batch"]
