"""A week at a plant, and what a second plant does with its goods: python plant_week.py SETTINGS."""

import asyncio
from contextlib import aclosing
from datetime import date, timedelta
from typing import Any

from batchloom_plant import (
    AddProcessInputsInput,
    AddProcessOutputsInput,
    BatchAliasFilter,
    BatchAliasInput,
    BatchesBatchesNodes,
    BatchFilter,
    ChangeRequestFilter,
    ChangeVerdict,
    Client,
    CloseProcessInput,
    CodeFilter,
    CommandInput,
    CorrectEntryInput,
    CorrectionReason,
    CountStockInput,
    DecideChangeRequestInput,
    DispatchTransferInput,
    HoldKind,
    LedgerEntryFilter,
    MaterialFilter,
    MoveBatchInput,
    NameFilter,
    OpenProcessInput,
    OutputInput,
    PlaceHoldInput,
    ProcessRecordFilter,
    QuantityInput,
    ReceiveBatchInput,
    ReceiveTransferInput,
    RequestExpiryExtensionInput,
    RequestReleaseInput,
    SaveCustomerInput,
    SaveEquipmentInput,
    SaveLocationInput,
    SaveMaterialInput,
    SaveSupplierInput,
    ShipGoodsInput,
    StockLineInput,
    TraceDirection,
    TraceInput,
    TransferFilter,
    TransferState,
    TransferStateFilter,
)
from node import SETTINGS, Entry, only, recorded, request_id, say, say_entry, say_refusal, signed_in

MARK = SETTINGS["mark"]
MILK, YOGHURT = f"{MARK}-MILK", f"{MARK}-YOGHURT"


def kilograms(amount: str) -> QuantityInput:
    """Return a quantity in kilograms."""
    return QuantityInput(amount=amount, unit="KGM")


def line(code: str, amount: str) -> StockLineInput:
    """Return a line of stock at location A1."""
    return StockLineInput(batchCode=code, quantity=kilograms(amount), locationCode="A1")


def request(reason: str = "A week at a plant") -> dict[str, Any]:
    """Return the fields of every request."""
    return {"requestId": request_id(), "reason": reason}


async def batch(at: Client, alias: str) -> BatchesBatchesNodes:
    """Return a batch by an alias of its own."""
    return only((await at.batches(BatchFilter(aliases=BatchAliasFilter(value=NameFilter(eq=alias))))).batches.nodes)


async def say_stock(at: Client) -> None:
    """Say what is on hand of the yoghurt at each plant, and whether it may be used."""
    for one in (await batch(at, YOGHURT)).at_plants:
        state = "usable" if one.blocked_by is None else one.blocked_by.code
        say("stock", one.plant.code, one.on_hand.amount, one.on_hand.unit, state)


async def receive(li: Client, lot: str, amount: str) -> Entry:
    """Receive milk from a supplier."""
    delivery = ReceiveBatchInput(
        **request(),
        materialCode="MILK",
        quantity=kilograms(amount),
        locationCode="A1",
        supplierCode=f"{MARK}-FARM",
        supplierLot=lot,
    )
    return say_entry(of=(await li.receive_batch(delivery)).receive_batch)


async def sunday(wang: Client) -> None:
    """New master data. A second save changes the shelf life alone, and a third is too late."""
    supplier = SaveSupplierInput(**request(), code=f"{MARK}-FARM", name="Hill farm")
    say_entry(of=(await wang.save_supplier(supplier)).save_supplier)
    customer = SaveCustomerInput(**request(), code=f"{MARK}-SHOP", name="Village shop")
    say_entry(of=(await wang.save_customer(customer)).save_customer)
    location = SaveLocationInput(**request(), code=f"{MARK}-LINE", name="Filling line")
    say_entry(of=(await wang.save_location(location)).save_location)
    equipment = SaveEquipmentInput(**request(), code=f"{MARK}-VAT", name="Vat")
    say_entry(of=(await wang.save_equipment(equipment)).save_equipment)

    async def save(**fields: Any) -> None:
        given = SaveMaterialInput(**request(), code=f"{MARK}-CREAM", **fields)
        say_entry(of=(await wang.save_material(given)).save_material)

    wanted = MaterialFilter(code=CodeFilter(eq=f"{MARK}-CREAM"))
    await save(name="Cream", unitCode="KGM", shelfLifeDays=10, retestDays=5)
    version = only((await wang.materials(wanted)).materials.nodes).version
    await save(shelfLifeDays=12, expectedVersion=version)
    await say_refusal(save(shelfLifeDays=14, expectedVersion=version))
    cream = only((await wang.materials(wanted)).materials.nodes)
    say("material", cream.name, cream.shelf_life_days, cream.retest_days)


async def monday(li: Client, wang: Client) -> None:
    """Milk comes in. The second receipt was a mistake."""
    await receive(li, MILK, "500")
    wrong = await receive(li, f"{MARK}-WRONG", "1")
    correction = CorrectEntryInput(
        **request("Never delivered"), entryId=wrong.id, correctionReason=CorrectionReason.DID_NOT_OCCUR
    )
    say_entry(of=(await wang.correct_entry(correction)).correct_entry)


async def tuesday(li: Client, milk: str) -> None:
    """Yoghurt is made of it."""
    job = f"{MARK}-JOB"
    opening = OpenProcessInput(**request(), jobOrder=job, equipmentCode=f"{MARK}-VAT")
    say_entry(of=(await li.open_process(opening)).open_process)
    process = only(
        (await li.process_records(ProcessRecordFilter(jobOrder=NameFilter(eq=job)))).process_records.nodes
    ).id
    inputs = AddProcessInputsInput(**request(), processId=process, lines=[line(milk, "400")])
    say_entry(of=(await li.add_process_inputs(inputs)).add_process_inputs)
    alias = BatchAliasInput(scheme="LOT", value=YOGHURT)
    made = OutputInput(materialCode="YOGURT", quantity=kilograms("390"), locationCode="A1", aliases=[alias])
    outputs = AddProcessOutputsInput(**request(), processId=process, outputs=[made])
    say_entry(of=(await li.add_process_outputs(outputs)).add_process_outputs)
    closing = CloseProcessInput(**request(), processId=process)
    say_entry(of=(await li.close_process(closing)).close_process)


async def wednesday(li: Client, wang: Client, yoghurt: str) -> None:
    """Some of it goes to the line and is counted there."""
    places = {"fromLocationCode": "A1", "toLocationCode": f"{MARK}-LINE"}
    move = MoveBatchInput(**request(), batchCode=yoghurt, quantity=kilograms("90"), **places)
    say_entry(of=(await li.move_batch(move)).move_batch)
    # A scanner that was offline sends its queue: a move back, and a move of more than there is.
    back = {"fromLocationCode": f"{MARK}-LINE", "toLocationCode": "A1"}
    queued = [
        CommandInput(moveBatch=MoveBatchInput(**request(), batchCode=yoghurt, quantity=kilograms(amount), **back))
        for amount in ("0.5", "5000")
    ]
    for one in (await li.submit(queued)).submit:
        say("submitted", one.recorded.entry.type_ if one.recorded else one.refusal and one.refusal.code)
    count = CountStockInput(**request(), batchCode=yoghurt, locationCode=f"{MARK}-LINE", counted=kilograms("89.4"))
    say_entry(of=(await wang.count_stock(count)).count_stock)


async def thursday(li: Client, wang: Client, yoghurt: str) -> None:
    """It is put on hold. Nobody ships it, nobody releases it alone, and two people release it."""
    hold = PlaceHoldInput(**request("Taste off"), batchCode=yoghurt, kind=HoldKind.QUALITY)
    say_entry(of=(await li.place_hold(hold)).place_hold)
    await say_stock(li)
    await say_refusal(ship(wang, yoghurt))
    await say_stock(li)
    release = RequestReleaseInput(**request("Tasted again, sound"), batchCode=yoghurt)
    say_entry(of=(await li.request_release(release)).request_release)
    wanted = ChangeRequestFilter(batchCode=CodeFilter(eq=yoghurt))
    for person in (li, wang):
        change = only((await person.change_requests(wanted)).change_requests.nodes)
        may = change.viewer_can_decide
        say("may decide", "yes" if may.allowed else may.blocked_by and may.blocked_by.code)
    decision: dict[str, Any] = {"changeRequestId": change.id, "proposal": change.proposal, "comment": "Tasted too"}

    async def decide(person: Client) -> None:
        decided = DecideChangeRequestInput(requestId=request_id(), verdict=ChangeVerdict.APPROVED, **decision)
        say_entry(of=(await person.decide_change_request(decided)).decide_change_request)

    await say_refusal(decide(li))
    await decide(wang)
    await say_stock(li)


async def ship(wang: Client, yoghurt: str) -> None:
    """Ship yoghurt to a customer."""
    say_entry(of=(await wang.ship_goods(shipment(yoghurt))).ship_goods)


def shipment(yoghurt: str) -> ShipGoodsInput:
    """Return a shipment of yoghurt to a customer."""
    lines = [line(yoghurt, "100")]
    return ShipGoodsInput(**request(), customerCode=f"{MARK}-SHOP", customerOrder=f"{MARK}-PO", lines=lines)


async def friday(li: Client, wang: Client, away: Client, yoghurt: BatchesBatchesNodes) -> None:
    """Some is shipped, some goes to the second plant, and headquarters is asked about the rest."""
    tried = await wang.ship_goods(shipment(yoghurt.code), validate_only=True)
    if recorded(tried.ship_goods) is None:
        say("shipment validated")
    await ship(wang, yoghurt.code)
    dispatch = DispatchTransferInput(**request(), destinationCode="SZ2", lines=[line(yoghurt.code, "50")])
    say_entry(of=(await wang.dispatch_transfer(dispatch)).dispatch_transfer)
    newest = (
        await wang.transfers(TransferFilter(state=TransferStateFilter(eq=TransferState.IN_TRANSIT)))
    ).transfers.nodes[0]
    receipt = ReceiveTransferInput(**request(), manifest=newest.manifest or "", locationCode="A1")
    say_entry("SZ2", of=(await away.receive_transfer(receipt)).receive_transfer)
    later = date.fromisoformat(yoghurt.expires_on or "") + timedelta(days=7)
    extension = RequestExpiryExtensionInput(
        **request("Cold chain held"), batchCode=yoghurt.code, expiresOn=later.isoformat()
    )
    say_entry(of=(await li.request_expiry_extension(extension)).request_expiry_extension)
    await say_stock(li)


async def play() -> None:
    """Play the week."""
    li, wang, away = (
        Client(**signed_in(*who)) for who in (("SH1", "li.wei"), ("SH1", "wang.fang"), ("SZ2", "wang.fang"))
    )
    cursor = (await wang.event_cursor()).event_cursor
    await sunday(wang)
    await monday(li, wang)
    milk = (await batch(li, MILK)).code
    await tuesday(li, milk)
    yoghurt = await batch(li, YOGHURT)
    await wednesday(li, wang, yoghurt.code)
    await thursday(li, wang, yoghurt.code)
    await friday(li, wang, away, yoghurt)
    trace = (await wang.trace(TraceInput(batchCodes=[milk], direction=TraceDirection.FORWARD))).trace
    say("trace", trace.summary.batch_count, "batches", trace.summary.process_count, "processes")
    await say_ledger(wang, cursor)


async def say_ledger(wang: Client, cursor: str) -> None:
    """Say what Li recorded in the ledger after a cursor, as a subscription streams it, until yoghurt was made."""
    wanted = LedgerEntryFilter(actorCode=CodeFilter(eq="li.wei"))
    # ariadne-codegen declares its generators as iterators.
    async with aclosing(wang.ledger_entries(wanted, cursor)) as events:  # type: ignore[type-var]
        async for event in events:
            entry = event.ledger_entries.entry
            say("streamed", entry.actor.code, entry.type_)
            if entry.type_ == "ProcessOpened":
                break


asyncio.run(play())
