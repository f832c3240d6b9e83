"""What people of the scenarios do and look at, over GraphQL, in a word each."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from tests.scenarios.preparing import CHEN, PLANTS, WANG
from tests.scenarios.processes import HUB, Group, Person, is_level, leaves, wait_until

ENTRY: Final = "entry { index type leafHash }"
REPLICATION: Final = "{ plants { code replication { state size root projected acknowledged faults alarm } } }"


def amount(quantity: str, unit: str = "KGM") -> dict[str, str]:
    return {"amount": quantity, "unit": unit}


def line(batch: str, quantity: str, location: str = "A1") -> dict[str, Any]:
    return {"batch": batch, "quantity": amount(quantity), "location": location}


def receive(person: Person, quantity: str = "100", *, material: str = "MILK", **more: Any) -> str:
    """Receive goods and return the code of the new batch."""
    wanted = f"... on BatchReceived {{ {ENTRY} batch {{ code }} }}"
    order = {"material": material, "quantity": amount(quantity), "location": "A1", **more}
    return str(person.do("receiveBatch", wanted, **order)["batch"]["code"])


def replication(group: Group, code: str) -> dict[str, dict[str, Any]]:
    """Return how the plants stand, by code, as a node answers it over GraphQL."""
    person = CHEN if code == HUB else WANG
    answer = group.at(code, person).ask(REPLICATION)
    return {plant["code"]: plant["replication"] for plant in answer["plants"]}


def stock_of(person: Person, code: str) -> dict[str, str]:
    """Return what is on hand of a batch, by location, as the person sees it."""
    query = "query($code: BatchCode!) { batch(code: $code) { stock { quantity { amount } location { code } } } }"
    batch = person.ask(query, code=code)["batch"]
    return {one["location"]["code"]: one["quantity"]["amount"] for one in batch["stock"]}


def wait_level(group: Group, codes: Sequence[str] = tuple(PLANTS)) -> None:
    """Return when the hub has and shows everything of these plants."""
    for code in codes:
        wait_until(partial(is_level, group, code, PLANTS[code]), f"the hub is level with {code}")


def check_equal(group: Group, codes: Sequence[str] = tuple(PLANTS)) -> None:
    """Check that hub and plants hold the same ledgers, entry by entry, and say so alike over GraphQL."""
    for code in codes:
        number = PLANTS[code]
        mine, hubs = leaves(group.store(code), number), leaves(group.store(HUB), number)
        assert [index for index, _, _ in mine] == list(range(len(mine)))
        assert len({event for _, _, event in mine}) == len(mine), "an event stands in the ledger twice"
        assert hubs == mine
        wait_until(partial(has_receipt, group, code, len(mine)), f"{code} has a receipt for all")
        own, at_hub = replication(group, code)[code], replication(group, HUB)[code]
        assert (own["size"], own["root"]) == (at_hub["size"], at_hub["root"])
        assert own["size"] == at_hub["projected"] == len(mine)
        assert (own["alarm"], at_hub["alarm"], at_hub["faults"]) == (None, None, 0)


def has_receipt(group: Group, code: str, size: int) -> bool:
    """Tell whether the hub has cosigned so many entries of a plant."""
    return bool(replication(group, code)[code]["acknowledged"] == size)
