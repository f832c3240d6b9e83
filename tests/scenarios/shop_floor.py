"""Actions and queries of users in the scenarios, over GraphQL, one function each."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from infra.database import Store
from infra.ids import new_id
from plants.rules.ledger.events import Entry
from plants.store.ledger import entries
from tests.patience import wait_until
from tests.scenarios.preparing import CHEN, PLANTS, WANG
from tests.scenarios.processes import HUB, Group, Person, is_level, leaves

ENTRY: Final = "entry { id index type leafHash }"
REPLICATION: Final = "{ plants { code replication { state size root projected acknowledged faults alarms { code } } } }"


def amount(quantity: str, unit: str = "KGM") -> dict[str, str]:
    return {"amount": quantity, "unit": unit}


def line(batch: str, quantity: str, location: str = "A1") -> dict[str, Any]:
    return {"batchCode": batch, "quantity": amount(quantity), "locationCode": location}


def define(person: Person, kind: str, content: Mapping[str, str]) -> None:
    """Define master data of a kind, such as Location."""
    document = f"mutation($input: Save{kind}Input!) {{ save{kind}(input: $input) {{ __typename }} }}"
    answer = person.ask(document, input={"requestId": new_id(), **content})
    assert answer[f"save{kind}"]["__typename"] == f"{kind}Saved", answer


def receive(person: Person, quantity: str = "100", *, material: str = "MILK", unit: str = "KGM", **more: Any) -> str:
    """Receive goods and return the code of the new batch."""
    wanted = f"... on BatchReceived {{ {ENTRY} batch {{ code }} }}"
    order = {"materialCode": material, "quantity": amount(quantity, unit), "locationCode": "A1", **more}
    return str(person.do("receiveBatch", wanted, **order)["batch"]["code"])


def replication(group: Group, code: str) -> dict[str, dict[str, Any]]:
    """Return how the plants stand, by code, as a node answers it over GraphQL."""
    person = CHEN if code == HUB else WANG
    answer = group.at(code, person).ask(REPLICATION)
    return {plant["code"]: plant["replication"] for plant in answer["plants"]}


def stock_of(person: Person, code: str) -> dict[str, str]:
    """Return what is on hand of a batch, by location, as the person sees it."""
    query = (
        "query($code: BatchCode!) { batch(code: $code) { stock { nodes { quantity { amount } location { code } } } } }"
    )
    batch = person.ask(query, code=code)["batch"]
    return {one["location"]["code"]: one["quantity"]["amount"] for one in batch["stock"]["nodes"]}


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
        assert (own["alarms"], at_hub["alarms"], at_hub["faults"]) == ([], [], 0)


def has_receipt(group: Group, code: str, size: int) -> bool:
    """Tell whether the hub has cosigned so many entries of a plant."""
    return bool(replication(group, code)[code]["acknowledged"] == size)


def produce(
    person: Person, inputs: Sequence[dict[str, Any]], quantity: str, *, material: str = "YOGURT", **run: Any
) -> str:
    """Open, feed, yield and close a process record; return the code of what came out."""
    opened = person.do("openProcess", "... on ProcessOpened { process { id } }", equipmentCode="MIX1", **run)
    process = opened["process"]["id"]
    person.do("addProcessInputs", f"... on ProcessInputsAdded {{ {ENTRY} }}", processId=process, lines=list(inputs))
    output = {"materialCode": material, "quantity": amount(quantity), "locationCode": "A1"}
    wanted = "... on ProcessOutputsAdded { batches { code } }"
    (made,) = person.do("addProcessOutputs", wanted, processId=process, outputs=[output])["batches"]
    person.do("closeProcess", f"... on ProcessClosed {{ {ENTRY} }}", processId=process)
    return str(made["code"])


def move(person: Person, code: str, quantity: str, *, request: str | None = None) -> dict[str, Any]:
    """Move goods of a batch from A1 to B1 and return the entry."""
    places = {"fromLocationCode": "A1", "toLocationCode": "B1"}
    wanted = f"... on BatchMoved {{ {ENTRY} }}"
    order: dict[str, Any] = {"batchCode": code, "quantity": amount(quantity), **places}
    return dict(person.do("moveBatch", wanted, request=request, **order)["entry"])


def dispatch(person: Person, destination: str, lines: Sequence[dict[str, Any]]) -> str:
    """Put goods on the road and return the text of their label."""
    wanted = "... on TransferDispatched { manifest }"
    return str(person.do("dispatchTransfer", wanted, destinationCode=destination, lines=list(lines))["manifest"])


def take_in(person: Person, manifest: str) -> None:
    """Receive a transfer by its label, as much as was dispatched."""
    person.do("receiveTransfer", f"... on TransferReceived {{ {ENTRY} }}", manifest=manifest, locationCode="A1")


def quarantine(person: Person, code: str, reason: str = "Damp sacks") -> int:
    """Put a batch on hold and return the index of the entry that placed it."""
    wanted = "... on HoldPlaced { entry { index } }"
    return int(person.do("placeHold", wanted, batchCode=code, reason=reason)["entry"]["index"])


def ask_release(person: Person, code: str, reason: str = "Analysed, dry") -> dict[str, Any]:
    """Ask for a release from quarantine, and return the request with its id, its index and its proposal."""
    wanted = "... on ChangeRequested { changeRequest { id index proposal state batchVersion plant { code } } }"
    return dict(person.do("requestRelease", wanted, batchCode=code, reason=reason)["changeRequest"])


def decide(
    person: Person, change: dict[str, Any], verdict: str = "APPROVED", *, request: str | None = None
) -> dict[str, Any]:
    """Decide on a change request, at the plant or at the hub, and return the answer, refused or not."""
    wanted = f"... on ChangeRequestDecided {{ {ENTRY} changeRequest {{ state }} }}"
    order = {"changeRequestId": change["id"], "proposal": change["proposal"]}
    order |= {"verdict": verdict, "comment": "Looked at"}
    return person.say("decideChangeRequest", wanted, request=request, **order)


def completeness(person: Person, code: str, direction: str = "BOTH") -> dict[str, Any]:
    """Return what the trace of a batch says of its own completeness, with the plants of the watermarks by code."""
    query = (
        "query($input: TraceInput!) { trace(input: $input) { summary { batchCount } completeness { complete"
        " asOf { plant { code } size lagSeconds } gaps { nodes { kind plant { code } } } } } }"
    )
    return dict(person.ask(query, input={"batchCodes": [code], "direction": direction})["trace"])


def entries_of(store: Store, log_id: int, since: int = 0) -> list[Entry]:
    """Return the entries of a ledger from a position on."""
    with store.transaction() as session:
        return list(entries.entries_between(session, log_id, since, entries.Head(session, log_id).size))
