"""Every mutation over real HTTP: its answer, its effects, and one refusal that changes nothing."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from infra.ids import new_id
from plants.commands.inventory.issues import StockLine
from plants.commands.logistics.transfers import (
    Dispatch,
    ReceiptLine,
    TransferReceipt,
    dispatch_transfer,
    receive_transfer,
)
from plants.rules.logistics.transfers import transfer_manifest
from schema.engine.node_ids import node_id
from schema.engine.node_services import Snapshot
from tests.api.serving import Person, Serving

KG = {"amount": "100", "unit": "KGM"}


def kg(amount: str) -> dict[str, str]:
    return {"amount": amount, "unit": "KGM"}


def line(batch: str, amount: str, location: str = "A1") -> dict[str, Any]:
    return {"batchCode": batch, "quantity": kg(amount), "locationCode": location}


def received(person: Person, material: str = "RM-MILK", amount: str = "100", **more: Any) -> str:
    """Receive goods and return the batch's code."""
    answer = person.do(
        "receiveBatch",
        "... on BatchReceived { batch { code } }",
        materialCode=material,
        quantity=kg(amount),
        locationCode="A1",
        **more,
    )
    assert answer["__typename"] == "BatchReceived", answer
    return str(answer["batch"]["code"])


def opened(person: Person) -> str:
    """Open a process record and return its id."""
    return str(person.do("openProcess", "... on ProcessOpened { process { id } }")["process"]["id"])


def stock(served: Serving) -> dict[tuple[str, str], str]:
    return served.plant().stock()


def refused(served: Serving, person: Person, mutation: str, code: str, /, **given: Any) -> Any:
    """Check that a mutation is refused with this code in both languages, and leaves every table as it was."""
    before = served.plant().everything()
    english = person.do(mutation, **given)
    person.language = "zh-CN"
    chinese = person.do(mutation, **given)
    person.language = "en"
    assert (english.get("code"), chinese.get("code")) == (code, code), (english, chinese)
    assert english["message"] != chinese["message"]
    assert any("一" <= character <= "鿿" for character in chinese["message"])
    assert served.plant().everything() == before
    return english


def test_goods_received_then_they_are_a_batch_on_stock(plant: Serving) -> None:
    answer = plant.people["wang"].do(
        "receiveBatch",
        """... on BatchReceived {
          entry { index type occurredAt recordedAt leafHash }
          batch {
            code producedAt expiresOn quantityMade { amount unit } material { code name }
            origin { code } supplier { code name } attributes { name value }
            aliases { nodes { scheme issuerCode value } }
            stock { nodes { quantity { amount unit } location { code } plant { code } } }
            atPlants { disposition usable blockedBy { code } onHand { amount } version }
          }
        }""",
        materialCode="RM-SUGAR",
        quantity={"amount": "2.5", "unit": "BG"},
        locationCode="A1",
        supplierCode="S1",
        supplierLot="L-77",
        attributes=[{"name": "colour", "value": "白"}],
    )

    entry = plant.plant().entry()
    assert answer["entry"] == {
        "index": entry.index,
        "type": "BatchReceived",
        "occurredAt": "2026-03-14T08:00:00.000000Z",
        "recordedAt": "2026-03-14T08:00:00.000000Z",
        "leafHash": entry.leaf.hex(),
    }
    assert entry.envelope["actor"] == "wang"
    assert answer["batch"] == {
        "code": "SH1-260314-0001P",
        "producedAt": "2026-03-14T08:00:00.000000Z",
        "expiresOn": None,
        "quantityMade": {"amount": "62.5", "unit": "KGM"},
        "material": {"code": "RM-SUGAR", "name": "Sugar 白糖"},
        "origin": {"code": "SH1"},
        "supplier": {"code": "S1", "name": "Green farm 绿地牧场"},
        "aliases": {"nodes": [{"scheme": "SUPPLIER_LOT", "issuerCode": "S1", "value": "L-77"}]},
        "attributes": [{"name": "colour", "value": "白"}],
        "stock": {
            "nodes": [
                {"quantity": {"amount": "62.5", "unit": "KGM"}, "location": {"code": "A1"}, "plant": {"code": "SH1"}}
            ]
        },
        "atPlants": [
            {
                "disposition": "UNRESTRICTED",
                "usable": True,
                "blockedBy": None,
                "onHand": {"amount": "62.5"},
                "version": entry.index,
            }
        ],
    }


def test_material_unknown_then_receiving_is_refused(plant: Serving) -> None:
    refused(
        plant, plant.people["wang"], "receiveBatch", "NOT_DEFINED", materialCode="NOPE", quantity=KG, locationCode="A1"
    )


def test_run_opened_fed_yielded_and_closed_then_the_balance_adds_up(plant: Serving) -> None:
    wang = plant.people["wang"]
    milk, process = received(wang), opened(wang)

    wang.do("addProcessInputs", processId=process, lines=[line(milk, "80")])
    yielded = wang.do(
        "addProcessOutputs",
        "... on ProcessOutputsAdded { batches { code quantityMade { amount } } process { state } }",
        processId=process,
        outputs=[{"materialCode": "FP-YOG", "quantity": kg("70"), "locationCode": "B1"}],
        returns=[line(milk, "5")],
    )
    closed = wang.do(
        "closeProcess",
        """... on ProcessClosed { process {
          state kind closedAt loss { amount unit }
          inputs { nodes { use quantity { amount } batch { code } } }
          outputs { nodes { use quantity { amount } batch { code } } }
          balance { inputs { amount } outputs { amount } returned { amount } loss { amount } }
        } }""",
        processId=process,
    )

    (made,) = yielded["batches"]
    assert stock(plant) == {(milk, "A1"): "25", (made["code"], "B1"): "70"}
    assert closed["process"] == {
        "state": "CLOSED",
        "kind": "PRODUCTION",
        "closedAt": "2026-03-14T08:00:00.000000Z",
        "loss": [{"amount": "5", "unit": "KGM"}],
        "inputs": {"nodes": [{"use": "CONSUMED", "quantity": {"amount": "80"}, "batch": {"code": milk}}]},
        "outputs": {
            "nodes": [
                {"use": "PRODUCED", "quantity": {"amount": "70"}, "batch": {"code": made["code"]}},
                {"use": "RETURNED", "quantity": {"amount": "5"}, "batch": {"code": milk}},
            ]
        },
        "balance": {
            "inputs": [{"amount": "80"}],
            "outputs": [{"amount": "70"}],
            "returned": [{"amount": "5"}],
            "loss": [{"amount": "5"}],
        },
    }


def test_equipment_unknown_then_opening_is_refused(plant: Serving) -> None:
    refused(plant, plant.people["wang"], "openProcess", "NOT_DEFINED", equipmentCode="MIX9")


def test_stock_short_then_feeding_is_refused_with_what_there_is(plant: Serving) -> None:
    wang = plant.people["wang"]
    milk, process = received(wang), opened(wang)

    refusal = refused(
        plant, wang, "addProcessInputs", "STOCK_SHORT", processId=process, lines=[line(milk, "100.000001")]
    )

    assert refusal["message"] == (
        f"Only 100 KGM of batch {milk} in A1, 100.000001 KGM wanted. Count again or take less."
    )


@pytest.mark.parametrize(
    "process",
    [
        node_id("process", 7),
        node_id("process", -1),
        node_id("process", 10**20),
        node_id("batch", 1),
        "process/7",
        "",
        "进",
    ],
)
@pytest.mark.parametrize("mutation", ["addProcessInputs", "addProcessOutputs", "closeProcess"])
def test_process_unknown_then_it_is_refused(plant: Serving, mutation: str, process: str) -> None:
    wang = plant.people["wang"]
    lines = {"addProcessInputs": {"lines": [line(received(wang), "1")]}}
    outputs = {
        "addProcessOutputs": {"outputs": [{"materialCode": "FP-YOG", "quantity": kg("1"), "locationCode": "B1"}]}
    }

    given = lines.get(mutation, {}) | outputs.get(mutation, {})
    refused(plant, wang, mutation, "PROCESS_UNKNOWN", processId=process, **given)


def test_run_recorded_afterwards_then_it_is_one_closed_record(plant: Serving) -> None:
    wang = plant.people["wang"]
    milk = received(wang)

    answer = wang.do(
        "recordProduction",
        "... on ProductionRecorded { batches { code } process { state jobOrder equipment { code } } }",
        jobOrder="JO-1",
        equipmentCode="MIX1",
        inputs=[line(milk, "40")],
        outputs=[{"materialCode": "FP-YOG", "quantity": kg("38"), "locationCode": "B1"}],
    )

    assert answer["process"] == {"state": "CLOSED", "jobOrder": "JO-1", "equipment": {"code": "MIX1"}}
    assert stock(plant) == {(milk, "A1"): "60", (answer["batches"][0]["code"], "B1"): "38"}


def test_run_recorded_without_lines_then_it_is_refused(plant: Serving) -> None:
    refused(plant, plant.people["wang"], "recordProduction", "LINES_INVALID")


def test_goods_moved_then_they_are_elsewhere(plant: Serving) -> None:
    wang = plant.people["wang"]
    milk = received(wang)

    wang.do("moveBatch", batchCode=milk, fromLocationCode="A1", toLocationCode="B1", quantity=kg("30"))

    assert stock(plant) == {(milk, "A1"): "70", (milk, "B1"): "30"}


def test_goods_moved_nowhere_then_it_is_refused(plant: Serving) -> None:
    wang = plant.people["wang"]
    given = {"batchCode": received(wang), "fromLocationCode": "A1", "toLocationCode": "A1", "quantity": kg("1")}
    refused(plant, wang, "moveBatch", "NOTHING_CHANGES", **given)


def test_batch_split_and_merged_then_stock_stays_the_same(plant: Serving) -> None:
    wang = plant.people["wang"]
    milk = received(wang)

    parts = [{"quantity": kg("10"), "locationCode": "A1"}, {"quantity": kg("20"), "locationCode": "B1"}]
    split = wang.do(
        "splitBatch",
        "... on BatchSplit { parts { code } process { kind } batch { atPlants { onHand { amount } } } }",
        batchCode=milk,
        locationCode="A1",
        parts=parts,
    )
    first, second = (one["code"] for one in split["parts"])
    merged = wang.do(
        "mergeBatches",
        "... on BatchesMerged { batch { code } process { kind } }",
        sources=[
            {"batchCode": first, "locationCode": "A1"},
            {"batchCode": second, "locationCode": "B1", "quantity": kg("5")},
        ],
        locationCode="A1",
    )

    assert (split["process"]["kind"], merged["process"]["kind"]) == ("SPLIT", "MERGE")
    assert split["batch"]["atPlants"] == [{"onHand": {"amount": "70"}}]
    assert stock(plant) == {(milk, "A1"): "70", (second, "B1"): "15", (merged["batch"]["code"], "A1"): "15"}


def test_batch_unknown_then_splitting_is_refused(plant: Serving) -> None:
    parts = [{"quantity": kg("10"), "locationCode": "A1"}]
    refused(
        plant, plant.people["wang"], "splitBatch", "BATCH_UNKNOWN", batchCode="SH1-0", locationCode="A1", parts=parts
    )


def test_materials_differ_then_merging_is_refused(plant: Serving) -> None:
    wang = plant.people["wang"]
    sources = [{"batchCode": received(wang, material), "locationCode": "A1"} for material in ("RM-MILK", "RM-SUGAR")]
    refused(plant, wang, "mergeBatches", "MATERIAL_DIFFERS", sources=sources, locationCode="A1")


def test_stock_counted_then_it_is_put_right(plant: Serving) -> None:
    li = plant.people["li"]
    milk = received(li)

    li.do("countStock", batchCode=milk, locationCode="A1", counted=kg("98.5"), reason="Count of March")

    assert stock(plant) == {(milk, "A1"): "98.5"}


def test_count_far_off_then_a_change_request_is_asked_for(plant: Serving) -> None:
    li = plant.people["li"]
    given = {"batchCode": received(li), "locationCode": "A1", "counted": kg("90"), "reason": "Count of March"}
    refused(plant, li, "countStock", "CHANGE_REQUIRED", **given)


def test_alias_given_then_it_finds_the_batch_until_it_ends(plant: Serving) -> None:
    wang = plant.people["wang"]
    milk = received(wang)
    names = [{"scheme": "CUSTOMER_LOT", "value": "C-9", "issuerCode": "C1"}]
    find = '{ batches(filter: {aliases: {value: {eq: "C-9"}}}) { nodes { code } totalCount } }'

    wang.do("addBatchAliases", batchCode=milk, aliases=names)
    found = wang.ask(find)["batches"]
    wang.do("removeBatchAliases", batchCode=milk, aliases=names)

    assert found == {"nodes": [{"code": milk}], "totalCount": 1}
    assert wang.ask(find)["batches"] == {"nodes": [], "totalCount": 0}


def test_alias_taken_then_another_batch_does_not_get_it(plant: Serving) -> None:
    wang = plant.people["wang"]
    names = [{"scheme": "CUSTOMER_LOT", "value": "C-9"}]
    wang.do("addBatchAliases", batchCode=received(wang), aliases=names)
    refused(plant, wang, "addBatchAliases", "ALIAS_TAKEN", batchCode=received(wang), aliases=names)


def test_alias_not_there_then_it_does_not_end(plant: Serving) -> None:
    wang = plant.people["wang"]
    names = [{"scheme": "CUSTOMER_LOT", "value": "C-9"}]
    refused(plant, wang, "removeBatchAliases", "NOTHING_CHANGES", batchCode=received(wang), aliases=names)


def test_goods_dispatched_then_the_label_brings_them_in_elsewhere(plant: Serving) -> None:
    wang = plant.people["wang"]
    milk = received(wang)

    answer = wang.do(
        "dispatchTransfer",
        """... on TransferDispatched { manifest transfer {
          id state source { code } sourceCode destination { code } destinationCode receivedAt manifest
          lines { totalCount nodes { batch { code } dispatched { amount } received { amount } } }
        } }""",
        destinationCode="BJ2",
        lines=[line(milk, "60")],
    )

    assert stock(plant) == {(milk, "A1"): "40"}
    transfer = answer["transfer"]
    assert transfer["manifest"] == answer["manifest"]
    assert (transfer["state"], transfer["sourceCode"], transfer["destinationCode"]) == ("IN_TRANSIT", "SH1", "BJ2")
    assert (transfer["source"], transfer["destination"]) == ({"code": "SH1"}, None), "SH1 knows itself alone"
    lines = [{"batch": {"code": milk}, "dispatched": {"amount": "60"}, "received": None}]
    assert transfer["lines"] == {"totalCount": 1, "nodes": lines}
    refused(plant, wang, "receiveTransfer", "TRANSFER_MANIFEST_INVALID", manifest=answer["manifest"], locationCode="A1")


def test_goods_dispatched_to_the_plant_itself_then_it_is_refused(plant: Serving) -> None:
    wang = plant.people["wang"]
    given = {"destinationCode": "SH1", "lines": [line(received(wang), "1")]}
    refused(plant, wang, "dispatchTransfer", "NOTHING_CHANGES", **given)


def test_goods_shipped_then_the_customer_has_them(plant: Serving) -> None:
    wang = plant.people["wang"]
    milk = received(wang)

    answer = wang.do(
        "shipGoods",
        """... on GoodsShipped { shipment {
          customerOrder shippedAt plant { code } customer { code }
          lines { nodes { batch { code } quantity { amount } } }
        } }""",
        customerCode="C1",
        customerOrder="PO-5",
        lines=[line(milk, "12")],
    )

    assert answer["shipment"] == {
        "customerOrder": "PO-5",
        "shippedAt": "2026-03-14T08:00:00.000000Z",
        "plant": {"code": "SH1"},
        "customer": {"code": "C1"},
        "lines": {"nodes": [{"batch": {"code": milk}, "quantity": {"amount": "12"}}]},
    }
    found = wang.ask('{ shipments(filter: {customerCode: {eq: "C1"}}) { totalCount nodes { customerOrder } } }')[
        "shipments"
    ]
    assert found == {"totalCount": 1, "nodes": [{"customerOrder": "PO-5"}]}


def test_customer_unknown_then_shipping_is_refused(plant: Serving) -> None:
    wang = plant.people["wang"]
    refused(plant, wang, "shipGoods", "NOT_DEFINED", customerCode="C9", lines=[line(received(wang), "1")])


@pytest.mark.parametrize("kind", ["Supplier", "Customer", "Location", "Equipment"])
def test_master_data_defined_then_it_is_listed(plant: Serving, kind: str) -> None:
    li = plant.people["li"]
    noun = kind.lower()
    plural = {"Equipment": "equipmentItems"}.get(kind, f"{noun}s")

    answer = li.do(f"save{kind}", f"... on {kind}Saved {{ {noun} {{ code name }} }}", code="NEW-1", name="新")

    assert answer[noun] == {"code": "NEW-1", "name": "新"}
    one = li.ask(f'{{ {noun}(code: "NEW-1", plantCode: "SH1") {{ name plant {{ code }} }} }}')
    assert one[noun] == {"name": "新", "plant": {"code": "SH1"}}
    assert li.ask(f'{{ {noun}(code: "NEW-1", plantCode: "SZ2") {{ name }} }}')[noun] is None
    found = li.ask(f'{{ {plural}(filter: {{text: "new"}}) {{ totalCount nodes {{ code plant {{ code }} }} }} }}')
    assert found[plural] == {"totalCount": 1, "nodes": [{"code": "NEW-1", "plant": {"code": "SH1"}}]}
    refused(plant, li, f"save{kind}", "CODE_INVALID", code="no spaces", name="x")


def test_material_and_unit_defined_then_they_are_used(plant: Serving) -> None:
    li = plant.people["li"]

    li.do("saveUnit", code="DRUM", name="Drum 桶", baseUnitCode="LTR", factor="200")
    answer = li.do(
        "saveMaterial",
        "... on MaterialSaved { material { unit { code } conversions { unitCode factor unit { name } } } }",
        code="RM-OIL",
        name="Oil",
        unitCode="LTR",
        shelfLifeDays=90,
        conversions=[{"unitCode": "KGM", "factor": "1.087"}],
    )
    got = li.do(
        "receiveBatch",
        "... on BatchReceived { batch { quantityMade { amount unit } expiresOn } }",
        materialCode="RM-OIL",
        quantity={"amount": "2", "unit": "DRUM"},
        locationCode="A1",
    )

    assert answer["material"] == {
        "unit": {"code": "LTR"},
        "conversions": [{"unitCode": "KGM", "factor": "1.087", "unit": {"name": "kilogram"}}],
    }
    assert got["batch"] == {"quantityMade": {"amount": "400", "unit": "LTR"}, "expiresOn": "2026-06-12"}
    refused(plant, li, "saveUnit", "CODE_TAKEN", code="KGM", name="kilo", baseUnitCode="KGM", factor="1")
    refused(plant, li, "saveMaterial", "UNIT_UNKNOWN", code="X", name="x", unitCode="FURLONG")


def test_role_does_not_allow_it_then_every_mutation_is_refused_alike(plant: Serving) -> None:
    milk = received(plant.people["wang"])
    lines = [line(milk, "1")]
    attempts: list[tuple[str, dict[str, Any]]] = [
        ("receiveBatch", {"materialCode": "RM-MILK", "quantity": KG, "locationCode": "A1"}),
        ("openProcess", {}),
        ("recordProduction", {"inputs": lines}),
        ("moveBatch", {"batchCode": milk, "fromLocationCode": "A1", "toLocationCode": "B1", "quantity": kg("1")}),
        (
            "splitBatch",
            {"batchCode": milk, "locationCode": "A1", "parts": [{"quantity": kg("1"), "locationCode": "A1"}]},
        ),
        ("mergeBatches", {"sources": [{"batchCode": milk, "locationCode": "A1"}], "locationCode": "A1"}),
        ("countStock", {"batchCode": milk, "locationCode": "A1", "counted": kg("99"), "reason": "x"}),
        ("addBatchAliases", {"batchCode": milk, "aliases": [{"scheme": "X", "value": "Y"}]}),
        ("removeBatchAliases", {"batchCode": milk, "aliases": [{"scheme": "X", "value": "Y"}]}),
        ("dispatchTransfer", {"destinationCode": "BJ2", "lines": lines}),
        ("receiveTransfer", {"manifest": "x", "locationCode": "A1"}),
        ("shipGoods", {"customerCode": "C1", "lines": lines}),
        ("placeHold", {"batchCode": milk, "reason": "x"}),
        ("correctEntry", {"entryId": node_id("entry", 1, 1), "correctionReason": "DID_NOT_OCCUR", "reason": "x"}),
        ("requestRelease", {"batchCode": milk, "reason": "x"}),
        ("requestExpiryExtension", {"batchCode": milk, "expiresOn": "2027-01-01", "reason": "x"}),
        ("requestStockAdjustment", {"batchCode": milk, "locationCode": "A1", "counted": kg("1"), "reason": "x"}),
        (
            "decideChangeRequest",
            {"changeRequestId": node_id("change", 1, 1), "proposal": "00" * 32, "verdict": "APPROVED"},
        ),
        ("saveMaterial", {"code": "X", "name": "x", "unitCode": "KGM"}),
        ("saveUnit", {"code": "X", "name": "x", "baseUnitCode": "KGM", "factor": "2"}),
        ("saveSupplier", {"code": "X", "name": "x"}),
    ]
    before = plant.plant().everything()

    answers = [plant.people["chen"].do(mutation, **given) for mutation, given in attempts]

    text = "This was not found, or you may not do it here."
    assert answers == [{"__typename": "NotPermitted", "code": "NOT_PERMITTED", "message": text}] * len(attempts)
    assert plant.plant().everything() == before


def test_request_repeated_then_it_answers_the_same_and_does_nothing_again(plant: Serving) -> None:
    wang = plant.people["wang"]
    given: dict[str, Any] = {"requestId": new_id(), "materialCode": "RM-MILK", "quantity": KG, "locationCode": "A1"}
    selection = "... on BatchReceived { entry { index leafHash } batch { code } }"

    first = wang.do("receiveBatch", selection, **given)
    before = plant.plant().everything()
    again = wang.do("receiveBatch", selection, **given | {"requestId": str(given["requestId"]).upper()})
    other = wang.do("receiveBatch", **given | {"quantity": kg("7")})
    others = plant.people["li"].do("receiveBatch", **given)

    assert again == first
    assert (other["code"], others["code"]) == ("REQUEST_REUSED", "REQUEST_REUSED")
    assert plant.plant().everything() == before


@pytest.mark.parametrize("chosen", ["Queue", "Read"])
def test_queue_beside_another_operation_then_its_malformed_command_is_refused_in_its_place(
    plant: Serving, chosen: str
) -> None:
    wang = plant.people["wang"]
    queue = "mutation Queue($commands: [CommandInput!]!) { submit(commands: $commands) { refusal { code path } } }"
    closing = {"closeProcess": {"requestId": new_id(), "processId": "nonsense"}}
    for document in (f"query Read {{ __typename }} {queue}", f"{queue} query Read {{ __typename }}"):
        body = {"query": document, "operationName": chosen, "variables": {"commands": [{}, closing]}}

        answer = wang.client.post("/graphql", json=body, headers=wang.headers).json()

        refusals = [("VALUE_INVALID", None), ("PROCESS_UNKNOWN", ["processId"])]
        done = [{"refusal": {"code": code, "path": path}} for code, path in refusals]
        assert answer["data"] == ({"submit": done} if chosen == "Queue" else {"__typename": "Query"}), answer


def test_ten_operators_each_twice_at_once_then_stock_is_exact(plant: Serving) -> None:
    wang = plant.people["wang"]
    milk, process = received(wang, amount="1000"), opened(wang)
    requests = [new_id() for _ in range(10)]

    def feed(request: str) -> Any:
        given = {"requestId": request, "processId": process, "lines": [line(milk, "7.5")]}
        return wang.do("addProcessInputs", "... on ProcessInputsAdded { entry { index } }", **given)

    with ThreadPoolExecutor(20) as operators:
        answers = list(operators.map(feed, requests * 2))

    assert {answer["__typename"] for answer in answers} == {"ProcessInputsAdded"}
    assert answers[:10] == answers[10:]
    assert len({answer["entry"]["index"] for answer in answers}) == 10
    assert stock(plant) == {(milk, "A1"): "925"}


def test_more_wanted_than_there_is_then_somebody_is_refused_and_nothing_is_lost(plant: Serving) -> None:
    wang = plant.people["wang"]
    milk = received(wang, amount="50")

    def ship(_: int) -> str:
        return str(wang.do("shipGoods", customerCode="C1", lines=[line(milk, "20")])["__typename"])

    with ThreadPoolExecutor(5) as operators:
        answers = sorted(operators.map(ship, range(5)))

    assert answers == ["GoodsShipped", "GoodsShipped", "StockShort", "StockShort", "StockShort"]
    assert stock(plant) == {(milk, "A1"): "10"}


@pytest.mark.parametrize(
    "accepted, begins",
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "此处没有批次"),
        ("en-US,en;q=0.9,zh;q=0.8", "No batch"),
        ("fr, zh;q=0.3", "此处没有批次"),
        ("fr", "No batch"),
        ("zh;q=0, en;q=0.1", "No batch"),
        ("*;;,=,q=9,zh;q=x", "No batch"),
    ],
)
def test_languages_accepted_then_the_refusal_is_in_the_one_wanted_most(
    plant: Serving, accepted: str, begins: str
) -> None:
    wang = plant.people["wang"]
    wang.language = accepted
    given: dict[str, Any] = {
        "batchCode": "SH1-0",
        "fromLocationCode": "A1",
        "toLocationCode": "B1",
        "quantity": kg("1"),
    }

    assert wang.do("moveBatch", **given)["message"].startswith(begins)


def test_batches_sought_then_filters_and_orders_hold(plant: Serving) -> None:
    wang, li = plant.people["wang"], plant.people["li"]
    milk, sugar = received(wang, amount="10"), received(wang, "RM-SUGAR")
    old = received(wang, expiresOn="2026-03-10", supplierCode="S1")
    li.do("placeHold", batchCode=sugar, reason="Seal broken")
    wang.do("recordProduction", inputs=[line(milk, "10")])

    def codes(wanted: str = "", order: str = "{field: ORIGIN}") -> list[str]:
        asked = wang.ask(f"{{ batches(filter: {{{wanted}}}, orderBy: {order}) {{ nodes {{ code }} totalCount }} }}")
        found = [one["code"] for one in asked["batches"]["nodes"]]
        assert asked["batches"]["totalCount"] == len(found)
        return found

    assert codes() == [milk, sugar, old]
    assert codes(order="{field: ORIGIN, direction: DESCENDING}") == [old, sugar, milk]
    assert codes(order="{field: EXPIRES_ON}") == [old, milk, sugar]
    assert codes('materialCode: {eq: "RM-MILK"}') == [milk, old]
    assert codes("onHold: true") == [sugar]
    assert codes("onHold: false") == [milk, old]
    assert codes("inStock: false") == [milk]
    assert codes('expiresOn: {before: "2026-03-14"}') == [old]
    assert codes('supplierCode: {eq: "S1"}') == [old]
    assert codes('code: {beginsWith: "SH1-260314-0002"}') == [sugar]
    assert codes('plantCode: {eq: "SH1"}, disposition: {eq: UNRESTRICTED}, inStock: true') == [sugar, old]
    blocked = wang.ask(
        "{ batches(orderBy: {field: ORIGIN, direction: DESCENDING}) {"
        " nodes { atPlants { usable blockedBy { code message } } } } }"
    )
    assert [one["atPlants"][0]["usable"] for one in blocked["batches"]["nodes"]] == [False, False, True]
    assert blocked["batches"]["nodes"][0]["atPlants"][0]["blockedBy"] == {
        "code": "BATCH_EXPIRED",
        "message": f"Batch {old} expired at the end of 2026-03-10. It cannot be used.",
    }


def test_pages_asked_for_one_by_one_then_they_are_the_whole_list(plant: Serving) -> None:
    wang = plant.people["wang"]
    codes = [received(wang, expiresOn=f"2026-04-{20 - number:02}") for number in range(7)]
    for order, expected in (("ORIGIN", codes), ("CODE", codes), ("EXPIRES_ON", codes[::-1])):
        query = (
            f"query($after: String) {{ batches(first: 3, after: $after, orderBy: {{field: {order}}})"
            " { nodes { code } pageInfo { endCursor hasNextPage } } }"
        )
        seen: list[str] = []
        after, more = None, True
        while more:
            page = wang.ask(query, after=after)["batches"]
            seen += [one["code"] for one in page["nodes"]]
            after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
        assert seen == expected


def test_two_plants_and_a_transfer_then_the_hub_joins_both_statements(hub: Serving) -> None:
    here, there = hub.plant(1, "SH1"), hub.plant(2, "BJ2")
    milk = here.receive()
    sent = here.do(dispatch_transfer, Dispatch("BJ2", (StockLine(milk, "60", "KGM", "A1"),)))
    on_road = hub.people["hq"].ask("{ transfers { nodes { state } } }")["transfers"]["nodes"]
    label = transfer_manifest(sent, here.origin)
    there.do(receive_transfer, TransferReceipt(label, "B1", (ReceiptLine(milk, "58", "B1"),)))
    query = (
        "{ transfers(filter: {differs: true}) { totalCount nodes {"
        " id state sourceCode destinationCode manifest differs"
        " lines { nodes { batch { code } dispatched { amount } received { amount } difference { amount unit } } } } }"
        " stock { nodes { plant { code } location { code } quantity { amount } } } }"
    )

    seen = {name: hub.people[name].ask(query) for name in ("hq", "manager-1", "manager-2")}

    joined = {
        "id": node_id("transfer", sent.payload["transfer"]),
        "state": "RECEIVED",
        "sourceCode": "SH1",
        "destinationCode": "BJ2",
        "manifest": None,
        "differs": True,
        "lines": {
            "nodes": [
                {
                    "batch": {"code": milk},
                    "dispatched": {"amount": "60"},
                    "received": {"amount": "58"},
                    "difference": {"amount": "-2", "unit": "KGM"},
                }
            ]
        },
    }
    assert on_road == [{"state": "IN_TRANSIT"}]
    assert seen["hq"]["transfers"] == {"totalCount": 1, "nodes": [joined]}
    assert seen["manager-2"]["transfers"] == {"totalCount": 1, "nodes": [joined]}
    assert seen["manager-1"]["transfers"] == {"totalCount": 0, "nodes": []}
    assert [one["plant"]["code"] for one in seen["hq"]["stock"]["nodes"]] == ["SH1", "BJ2"]
    assert [one["plant"]["code"] for one in seen["manager-1"]["stock"]["nodes"]] == ["SH1"]
    own = hub.people["manager-1"].ask(
        "{ transfers { nodes { state manifest lines { nodes { received { amount } } } } } }"
    )
    assert own["transfers"]["nodes"] == [
        {"state": "IN_TRANSIT", "manifest": label, "lines": {"nodes": [{"received": None}]}}
    ]


def test_many_things_asked_for_then_as_few_reads_as_for_few(plant: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    li = plant.people["li"]
    reads: list[int] = []
    read = Snapshot.read

    async def counted(self: Snapshot, *args: Any, **given: Any) -> Any:
        reads[-1] += 1
        return await read(self, *args, **given)

    monkeypatch.setattr(Snapshot, "read", counted)
    for amount in (2, 12):
        reads.append(0)
        for _ in range(amount):
            received(li, supplierCode="S1")
        reads[-1] = 0
        li.ask(
            "{ batches { nodes { material { name } origin { code } supplier { name } "
            " holds { totalCount nodes { reason } } aliases { totalCount nodes { value } } history { totalCount }"
            " stock { totalCount nodes { location { name } plant { name } batch { code } } }"
            " atPlants { usable onHold inStock onHand { amount } viewerCanShip { allowed } } } }"
            " stock { nodes { batch { material { name } } location { name } } } }"
        )

    assert reads[0] == reads[1]
