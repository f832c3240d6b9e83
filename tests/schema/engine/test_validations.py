"""Every mutation can be validated: nothing is written, no number is drawn, and the request id can still be used."""

import asyncio
from pathlib import Path
from typing import Final

from auth.actors import Actor, Role
from infra.ids import new_id
from plants.commands.approvals.change_requests import ReleaseRequest, request_change
from plants.commands.inventory.aliases import Naming, alias_batch
from plants.commands.inventory.issues import StockLine
from plants.commands.inventory.receipts import AliasOrder
from plants.commands.logistics.transfers import Dispatch, dispatch_transfer
from plants.commands.production.process_records import Feed, ProcessOrder, feed_process, open_process
from plants.commands.quality.holds import Quarantine, quarantine_batch
from plants.rules.identification.codes import HUB
from plants.rules.logistics.transfers import transfer_manifest
from plants.rules.quality.holds import HoldKind
from plants.rules.values.actors import Author
from schema.engine.node_ids import node_id
from schema.engine.operations import OperationKind, operations
from tests.factories import Plant
from tests.schema.asking import AUDITOR, DIRECTOR, JSON, OPERATOR, Served, person, served
from tests.schema.group import Group, group_of_two, hold_at_hub

ANYBODY: Final = person(7, *((1, role) for role in (Role.OPERATOR, Role.MANAGER, Role.QUALITY)))
"""Somebody who may do everything at the plant."""

AT_WORKLISTS: Final = {"settleConflictingEntry", "retryParkedEntry", "skipParkedEntry"}
"""Mutations of worklists: tests/schema/replication validates them, because it has the entries for them."""


NAMED: Final = {"code": "NEW-1", "name": "New 新"}
DEFINITIONS: Final[dict[str, JSON]] = {
    "saveMaterial": {**NAMED, "unitCode": "KGM"},
    "saveUnit": {**NAMED, "baseUnitCode": "KGM", "factor": "25"},
    **{f"save{kind}": NAMED for kind in ("Customer", "Equipment", "Location", "Supplier")},
}

MANY: Final[dict[str, JSON]] = {
    f"save{kind}": {"rows": [{**given, "code": "NEW-2"}, {**given, "code": "NEW-3"}], "onRefusal": "REJECT_ALL"}
    for kind, given in (
        ("Materials", DEFINITIONS["saveMaterial"]),
        ("Units", DEFINITIONS["saveUnit"]),
        *((kind, NAMED) for kind in ("Customers", "EquipmentItems", "Locations", "Suppliers")),
    )
}


def quantity(amount: str, unit: str = "KGM") -> JSON:
    return {"amount": amount, "unit": unit}


def line(batch: str, amount: str = "1") -> JSON:
    return {"batchCode": batch, "quantity": quantity(amount), "locationCode": "A1"}


def inputs_at_plant(group: Group) -> dict[str, JSON]:
    here, there = group.here, group.there
    milk, held, named = here.receive(), here.receive(), here.receive()
    here.receive()
    wrong = here.entry()
    here.do(quarantine_batch, Quarantine(held, "Seal broken"))
    here.do(alias_batch, Naming(named, (AliasOrder("LINE_TAG", "T-1"),)))
    process = int(here.do(open_process, ProcessOrder()).envelope["key"])
    here.do(feed_process, Feed(process, (StockLine(milk, "10", "KGM", "A1"),)))
    asked = here.do(request_change, ReleaseRequest(held, "Tested"), actor=Author("person-1", "Wang Fang"))
    sent = there.do(dispatch_transfer, Dispatch("SH1", (StockLine(there.receive(), "5", "KGM", "A1"),)))
    label = transfer_manifest(sent, there.origin)
    output = {"materialCode": "FP-YOG", "quantity": quantity("3"), "locationCode": "B1"}
    process_id, reason = node_id("process", process), "Counted twice"
    return {
        "addBatchAliases": {"batchCode": milk, "aliases": [{"scheme": "LINE_TAG", "value": "T-2"}]},
        "addProcessInputs": {"processId": process_id, "lines": [line(milk)]},
        "addProcessOutputs": {"processId": process_id, "outputs": [output], "returns": [line(milk)]},
        "countStock": {"batchCode": milk, "locationCode": "A1", "counted": quantity("89"), "reason": reason},
        "dispatchTransfer": {"destinationCode": "NB1", "lines": [line(milk)]},
        "mergeBatches": {"sources": [line(milk), line(named)], "locationCode": "B1"},
        "moveBatch": {
            "batchCode": milk, "fromLocationCode": "A1", "toLocationCode": "B1", "quantity": quantity("1"),
        },
        "openProcess": {"equipmentCode": "MIX1"},
        "receiveBatch": {"materialCode": "RM-MILK", "quantity": quantity("10"), "locationCode": "A1"},
        "receiveTransfer": {"manifest": label, "locationCode": "A1"},
        "recordProduction": {"inputs": [line(milk)], "outputs": [output]},
        "removeBatchAliases": {"batchCode": named, "aliases": [{"scheme": "LINE_TAG", "value": "T-1"}]},
        "requestExpiryExtension": {"batchCode": milk, "expiresOn": "2027-01-01", "reason": reason},
        "requestRelease": {"batchCode": held, "reason": reason},
        "requestStockAdjustment": {
            "batchCode": milk, "locationCode": "A1", "counted": quantity("1"), "reason": reason,
        },
        "shipGoods": {"customerCode": "C1", "lines": [line(milk)]},
        "splitBatch": {
            "batchCode": milk, "locationCode": "A1", "parts": [{"quantity": quantity("2"), "locationCode": "B1"}],
        },
        **DEFINITIONS,
        **MANY,
        "decideChangeRequest": {
            "changeRequestId": node_id("change", 1, asked.index), "proposal": asked.leaf.hex(), "verdict": "APPROVED",
        },
        "placeHold": {"batchCode": milk, "reason": reason},
        "closeProcess": {"processId": process_id},
        "correctEntry": {
            "entryId": node_id("entry", 1, wrong.index), "correctionReason": "INCORRECT_DATA", "reason": reason,
        },
    }  # fmt: skip


def inputs_at_hub(group: Group) -> dict[str, JSON]:
    here = group.here
    milk, recalled = here.receive(), here.receive()
    here.do(quarantine_batch, Quarantine(recalled, "Glass found", HoldKind.RECALL))
    hold = here.entry().index
    asked = here.do(request_change, ReleaseRequest(recalled, "Tested", hold))
    group.hears()
    reason, both = "Glass found", ["SH1", "NB1"]
    return {
        **{name: {**given, "plantCodes": both} for name, given in (DEFINITIONS | MANY).items()},
        "placeHold": {"batchCode": milk, "reason": reason, "plantCodes": both},
        "openRecall": {"batchCodes": [milk, recalled], "reason": reason},
        "liftHold": {"holdId": node_id("directed-hold", hold_at_hub(group, milk)), "reason": reason},
        "decideChangeRequest": {
            "changeRequestId": node_id("change", 1, asked.index), "proposal": asked.leaf.hex(), "verdict": "APPROVED",
        },
    }  # fmt: skip


async def check(node: Served, actor: Actor, inputs: dict[str, JSON]) -> None:
    """Validate each mutation, then run it with the same request id, then validate it once more."""
    declared = {one.name for one in operations() if one.kind is OperationKind.MUTATION and node.role in one.roles}
    assert set(inputs) == declared - AT_WORKLISTS - {"submit"}
    sent = {name: {"requestId": new_id(), **given} for name, given in inputs.items()}
    validated = {}
    for name in MANY:
        await check_many(node, actor, name, sent.pop(name))
    for name, given in sent.items():
        validated[name] = await node.validate(actor, name, **given)
        assert (validated[name]["__typename"], validated[name].get("alreadyRecorded")) == ("Validated", False), name
    for name, given in sent.items():
        done = await node.do(actor, name, "... on Recorded { entry { type } }", **given)
        assert "code" not in done, (name, done)
        assert done["entry"] == {"type": validated[name]["eventType"]}, name
        assert (await node.validate(actor, name, **given))["alreadyRecorded"] is True, name


async def check_many(node: Served, actor: Actor, name: str, given: JSON) -> None:
    """Do the same with a mutation of many rows, which is validated by a job."""
    job = "... on JobAccepted { job { id validateOnly rows { nodes { outcome } } } }"
    validated = (await node.do(actor, name, job, validateOnly=True, **given))["job"]
    done = (await node.do(actor, name, job, **given))["job"]
    assert (validated["validateOnly"], done["validateOnly"]) == (True, False)
    assert validated["rows"] == done["rows"] != {"nodes": []}
    assert (await node.do(actor, name, job, validateOnly=True, **given))["job"] == done


async def test_mutations_of_a_plant_then_each_is_validated_without_a_trace(tmp_path: Path) -> None:
    with group_of_two(tmp_path, None) as group:
        inputs = inputs_at_plant(group)
        node = served(group.here)
        await check(node, ANYBODY, inputs)
        node.close()


async def test_mutations_of_the_hub_then_each_is_validated_without_a_trace(tmp_path: Path) -> None:
    with group_of_two(tmp_path, None) as group:
        inputs = inputs_at_hub(group)
        node = Served(group.hub.store, group.here.clock, HUB)
        await check(node, DIRECTOR, inputs)
        node.close()


async def test_validated_and_refused_then_the_refusals_of_the_mutation(here: Plant, node: Served) -> None:
    before = here.entry()
    given = {"requestId": new_id(), "customerCode": "C1", "lines": [line("SH1-NONE"), line("SH1-NIL")]}
    validated = await node.validate(OPERATOR, "shipGoods", **given)
    done = await node.do(OPERATOR, "shipGoods", "", **given)

    assert validated == done
    assert validated["code"] == "BATCH_UNKNOWN"
    assert (await node.validate(AUDITOR, "shipGoods", **given))["code"] == "NOT_PERMITTED"
    assert here.entry() == before


VALIDATED: Final = """mutation($input: ReceiveBatchInput!) {
  receiveBatch(input: $input, validateOnly: true) { __typename } }"""


async def test_validated_while_others_write_then_their_numbers_have_no_gap(here: Plant, node: Served) -> None:
    delivery = {"materialCode": "RM-MILK", "quantity": quantity("1"), "locationCode": "A1"}
    wanted = "... on BatchReceived { batch { code } }"
    size = len(here.entries())

    async def received(*, validate: bool) -> str | None:
        if validate:
            await node.ask(OPERATOR, VALIDATED, input={"requestId": new_id(), **delivery})
            return None
        return str((await node.do(OPERATOR, "receiveBatch", wanted, **delivery))["batch"]["code"])

    answers = await asyncio.gather(*(received(validate=number % 2 == 0) for number in range(40)))

    codes = sorted(code for code in answers if code is not None)
    assert [code.split("-")[2][:4] for code in codes] == [f"{number:04d}" for number in range(1, 21)]
    assert len(here.entries()) == size + 20
