"""The hub's database is gone: it comes back from the archive, and from the plants what was not archived yet."""

from functools import partial

import pytest

from infra.database import Store
from plants.rules.ledger.merkle import root_at
from plants.rules.ledger.notes import Checkpoint, Note
from plants.store.ledger.mirrors import leaf_reader
from plants.store.projection.rebuilding import table_digests
from tests.databases import fresh_database
from tests.patience import wait_until
from tests.scenarios.preparing import LI, PLANTS, WANG, Prepared
from tests.scenarios.processes import HUB, Group, leaves
from tests.scenarios.shop_floor import check_equal, produce, receive, wait_level
from tests.sync_jobs.group import stand

pytestmark = pytest.mark.timeout(300)


def receipts(store: Store, log_id: int) -> list[tuple[int, bytes]]:
    """Return size and root of every checkpoint of a plant's ledger that carries the hub's cosignature."""
    with store.reading() as reads:
        notes = reads.rows("SELECT note FROM checkpoints WHERE log_id = :log_id ORDER BY size", {"log_id": log_id})
    found = []
    for (note,) in notes:
        parsed = Note.parse(bytes(note))
        if any(line.name.endswith("/hub/i1") for line in parsed.signatures):
            checkpoint = Checkpoint.parse(parsed.text)
            found.append((checkpoint.size, checkpoint.root))
    return found


def hold(store: Store, log_id: int, kept: list[tuple[int, bytes]]) -> bool:
    """Tell whether a store's ledger has each of these roots at its size."""
    with store.reading() as reads:
        return all(root_at(leaf_reader(reads, log_id), size) == root for size, root in kept)


def reaches(store: Store, log_id: int, size: int) -> bool:
    """Tell whether a store's ledger has so many entries."""
    return bool(stand(store, log_id)[0] >= size)


def lose_database(group: Group, prepared: Prepared) -> None:
    """Put an empty database in place of the hub's."""
    hub = group.nodes[HUB]
    group.forget_store(HUB)
    hub.database_url = fresh_database(prepared.server)
    hub.process.environment["BATCHLOOM_DATABASE_URL"] = hub.database_url


def plant_tables(store: Store) -> dict[int, dict[str, str]]:
    """Return the digests of each plant's rows in the tables that belong to plants."""
    return {number: table_digests(store, plant=number) for number in PLANTS.values()}


def test_hub_lost_then_archive_and_plants_give_all_of_it_back(group: Group, prepared: Prepared) -> None:
    group.start()
    li, there = group.at("SH1", LI), group.at("SZ2", WANG)
    milk = receive(li, "100")
    batches = [receive(li, str(count)) for count in range(1, 30)]
    yogurt = produce(
        li, [{"batchCode": milk, "locationCode": "A1", "quantity": {"amount": "60", "unit": "KGM"}}], "58.25"
    )
    receive(there, "7")
    wait_level(group)
    group.run("archive", "run", "--home", str(group.nodes[HUB].home), code=HUB)
    archived = {number: stand(group.store(HUB), number)[0] for number in PLANTS.values()}
    receive(li, "5")
    receive(there, "6")
    wait_level(group)
    check_equal(group)
    before = plant_tables(group.store(HUB))
    known = {
        code: (leaves(group.store(code), number), receipts(group.store(code), number))
        for code, number in PLANTS.items()
    }
    assert all(kept for _, kept in known.values())
    assert batches, yogurt
    group.kill(HUB)

    lose_database(group, prepared)
    told = group.run("archive", "restore", "--home", str(group.nodes[HUB].home), "--json", code=HUB)
    hub = group.store(HUB)
    assert {number: stand(hub, number)[0] for number in PLANTS.values()} == archived, told.stdout
    assert archived[PLANTS["SH1"]] < len(known["SH1"][0])
    # What came back is the beginning of what was: receipts for it hold before any plant is heard of.
    for code, number in PLANTS.items():
        kept = [one for one in known[code][1] if one[0] <= archived[number]]
        assert kept
        assert hold(hub, number, kept)

    group.start(HUB)
    for code, number in PLANTS.items():
        had = len(known[code][0])
        wait_until(partial(reaches, hub, number, had), f"{code} has sent what was lost")
    wait_level(group)
    for code, number in PLANTS.items():
        assert leaves(hub, number) == leaves(group.store(code), number)
        assert leaves(hub, number)[: len(known[code][0])] == known[code][0]
        assert hold(hub, number, known[code][1])
    group.stop(HUB)
    assert plant_tables(hub) == before
    group.run("verify", "--home", str(group.nodes[HUB].home), code=HUB)
    group.run("rebuild", "--home", str(group.nodes[HUB].home), code=HUB)
    group.run("archive", "verify", "--home", str(group.nodes[HUB].home), code=HUB)
