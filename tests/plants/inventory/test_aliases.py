"""A batch is found by its other names until they end."""

from plants.commands.inventory.aliases import Naming, alias_batch, end_alias
from plants.commands.inventory.receipts import AliasOrder
from plants.rules.inventory.refusals import ALIAS_TAKEN, BATCH_UNKNOWN
from plants.rules.values.refusals import LINES_INVALID, NOTHING_CHANGES, TEXT_INVALID
from plants.store.inventory.batches import batches_by_alias
from tests.factories import Plant

OLD = AliasOrder("OLD_CODE", "M-1")
CUSTOMERS = AliasOrder("CUSTOMER_LOT", "77", "C1")


def found(plant: Plant, alias: AliasOrder) -> list[str]:
    with plant.store.transaction() as session:
        return [one.code for one in batches_by_alias(session, plant.number, alias.scheme, alias.issuer, alias.value)]


def test_aliased_then_found_until_it_ends(plant: Plant) -> None:
    milk = plant.receive()
    entry = plant.do(alias_batch, Naming(milk, (OLD, CUSTOMERS, OLD)))
    assert (entry.type, entry.envelope["key"], len(entry.payload["aliases"])) == ("BatchAliased", milk, 2)
    assert found(plant, OLD) == found(plant, CUSTOMERS) == [milk]
    assert found(plant, AliasOrder("CUSTOMER_LOT", "77", "C2")) == []
    ended = plant.do(end_alias, Naming(milk, (OLD,)))
    assert (found(plant, OLD), found(plant, CUSTOMERS)) == ([], [milk])
    batch = plant.batch_id(milk)
    assert plant.rows("SELECT scheme, batch_id, ended_idx FROM aliases ORDER BY scheme") == [
        ("CUSTOMER_LOT", batch, None),
        ("OLD_CODE", batch, ended.index),
    ]
    other = plant.receive()
    plant.do(alias_batch, Naming(other, (OLD,)))
    assert found(plant, OLD) == [other]
    plant.do(end_alias, Naming(other, (OLD,)))
    plant.do(alias_batch, Naming(milk, (OLD,)))
    assert found(plant, OLD) == [milk]


def test_taken_then_refused_within_a_material(here: Plant) -> None:
    milk, other, sugar = here.receive(), here.receive(), here.receive("RM-SUGAR")
    here.do(alias_batch, Naming(milk, (OLD,)))
    assert here.refuses(alias_batch, Naming(other, (CUSTOMERS, OLD)), ALIAS_TAKEN) == {"alias": "M-1", "batch": milk}
    here.do(alias_batch, Naming(sugar, (OLD,)))
    assert found(here, OLD) == [milk, sugar]


def test_wrong_then_refused(here: Plant) -> None:
    milk = here.receive()
    here.refuses(alias_batch, Naming(milk, ()), LINES_INVALID)
    here.refuses(alias_batch, Naming("X", (OLD,)), BATCH_UNKNOWN)
    here.refuses(alias_batch, Naming(milk, (AliasOrder("OLD_CODE", "x" * 201),)), TEXT_INVALID)
    here.refuses(end_alias, Naming(milk, (OLD,)), NOTHING_CHANGES)
    here.refuses(end_alias, Naming(milk, ()), LINES_INVALID)
    here.do(alias_batch, Naming(milk, (OLD,)))
    here.refuses(alias_batch, Naming(milk, (CUSTOMERS, OLD)), NOTHING_CHANGES)
    here.refuses(end_alias, Naming(milk, (OLD, CUSTOMERS)), NOTHING_CHANGES)
