"""Requests with their digests as they were computed when each form was new; neither digest ever changes."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from hashlib import sha256
from typing import Any, Final

import pytest

from plants.commands.approvals.change_requests import (
    AdjustmentRequest,
    ExtensionRequest,
    ReleaseRequest,
    request_change,
)
from plants.commands.approvals.decisions import Decision, decide_change, decide_change_at_hub
from plants.commands.audit.corrections import Correction, correct_entry
from plants.commands.directives.directives import (
    GroupCommand,
    HoldDirection,
    MasterDirection,
    RecallDirection,
    ReleaseDirection,
    direct_hold,
    direct_master,
    direct_recall,
    direct_release,
)
from plants.commands.execution import Command
from plants.commands.inventory.aliases import Naming, alias_batch, end_alias
from plants.commands.inventory.issues import StockLine
from plants.commands.inventory.movements import Move, move_batch
from plants.commands.inventory.receipts import AliasOrder, Delivery, receive_batch
from plants.commands.inventory.stock import Count, StockDifference, adjust_stock
from plants.commands.logistics.shipments import Shipment, ship_batch
from plants.commands.logistics.transfers import (
    Dispatch,
    ReceiptLine,
    TransferReceipt,
    dispatch_transfer,
    receive_transfer,
)
from plants.commands.materials.definitions import (
    MasterDefinition,
    MaterialDefinition,
    UnitDefinition,
    define_master,
    define_material,
    define_unit,
)
from plants.commands.production.merges import Merge, MergeSource, merge_batches
from plants.commands.production.process_records import (
    Closing,
    Feed,
    ProcessOrder,
    close_process,
    feed_process,
    open_process,
)
from plants.commands.production.runs import ProductionRun, record_production
from plants.commands.production.splits import Split, SplitPart, split_batch
from plants.commands.production.yields import Addition, Output, Yield, yield_process
from plants.commands.quality.holds import Quarantine, quarantine_batch
from plants.commands.replication.disputes import Settlement, settle_dispute
from plants.commands.replication.parked_entries import ParkedEntry, retry_entry, skip_entry
from plants.rules.approvals.change_requests import ChangeVerdict
from plants.rules.audit.corrections import CorrectionReason
from plants.rules.ledger.request_digests import RequestDigests
from plants.rules.materials.definitions import MasterKind
from plants.rules.production.process_records import OutputUse, RunKind
from plants.rules.quality.holds import HoldKind


@dataclass(frozen=True)
class Recorded:
    """One request: its digest in the first form, by the program before decision 0016, and in the canonical form."""

    command: Command[Any] | GroupCommand[Any]
    order: Any
    first: str
    digest: str


TEXTS_ONCE: Final = re.compile(r"<(?:MasterKind|OutputUse|RunKind)\.\w+: ('\w+')>")
"""Members of enums that were plain texts before decision 0016."""


@contextmanager
def writing_in(form: str) -> Iterator[None]:
    """Have digests written in a form; in the first one by the program's own line before decision 0016."""

    def digest(self: RequestDigests[Any], order: Any, *_given: object) -> str:
        shown = TEXTS_ONCE.sub(r"\1", repr(order))
        return sha256(f"{self.name} {shown}".encode()).hexdigest()[:32]

    with pytest.MonkeyPatch.context() as patch:
        if form == "first":
            patch.setattr(RequestDigests, "digest", digest)
        yield


FORMS: Final = ("first", "canonical")
DAY = date(2026, 4, 30)
AT = datetime(2026, 3, 14, 8, 30, 15, 250_000, tzinfo=UTC)
AT_IN_SHANGHAI = datetime(2026, 3, 14, 16, 30, tzinfo=timezone(timedelta(hours=8)))
LINE = StockLine("SH1-260314-0001P", "12.50", "KGM", "A1")
ALIAS = AliasOrder("LOT", "Y-1")
ALIAS_OF_CUSTOMER = AliasOrder("CUSTOMER", 'it\'s "7" \\ 酸奶', "C1")
LEAF = "0f" * 32
PROCESS = 1 << 40 | 7

RECORDED: Final = (
    Recorded(
        adjust_stock,
        Count("SH1-260314-0001P", "A1", "48.9"),
        "22a8b1509732323d50a1b7210ac5e350",
        "2:d7880b871f3a9553ec312acb71e30a6e",
    ),
    Recorded(
        adjust_stock,
        Count("SH1-260314-0001P", "A1", "0", "BG"),
        "a4e386aee23c89d268c662a72456c5c1",
        "2:d5201f31aefae849771dd799137e993c",
    ),
    Recorded(
        adjust_stock,
        StockDifference("SH1-260314-0001P", "A1", "-3"),
        "d6a5f5339db99de7a96d0a60dca452b9",
        "2:9bb29f6f3469aaf7149921de3ead29c7",
    ),
    Recorded(
        adjust_stock,
        StockDifference("SH1-260314-0001P", "A1", "3", "KGM"),
        "80435211377c811c20aa79b301016d63",
        "2:e6d752def46b6c22e556e526f800789f",
    ),
    Recorded(
        alias_batch,
        Naming("SH1-260314-0001P", (ALIAS,)),
        "38612f669e87786804ae7ee73346dafe",
        "2:dbbba4b378929b448efc052856c6b1ac",
    ),
    Recorded(
        alias_batch,
        Naming("SH1-260314-0001P", (ALIAS, ALIAS_OF_CUSTOMER)),
        "c45332f94032973fcbbbe63834a37a57",
        "2:df57e74cc7ec2adf7ce2973a328a917b",
    ),
    Recorded(
        end_alias,
        Naming("SH1-260314-0001P", (ALIAS,)),
        "73c0fc8d69d7749d8f26a9c24a3910c4",
        "2:9e553bbdba5d075b0cdd323f8739ae6a",
    ),
    Recorded(
        correct_entry,
        Correction(17, CorrectionReason.INCORRECT_DATA, "Wrong scale 秤错了"),
        "d414c4fb8f714278720dc0a1ff10dff9",
        "2:6f29aa48303c5bbdb8482b836ab00980",
    ),
    Recorded(
        correct_entry,
        Correction(18, CorrectionReason.DID_NOT_OCCUR, "Twice"),
        "22b80de1e0352cfeb6890afdd4f45b43",
        "2:6048d96b095a1d6f444881c161daba20",
    ),
    Recorded(
        decide_change,
        Decision(21, LEAF, ChangeVerdict.APPROVED),
        "c44edda896e3ca35e531075f78a8b6be",
        "2:f78341d4a9e9ad506625daa0f421e1eb",
    ),
    Recorded(
        decide_change,
        Decision(21, LEAF, ChangeVerdict.REJECTED, "Not yet 暂不"),
        "8bd6f3f3f093dc9d678eebc03ee66e21",
        "2:8343c543b790160037712e83060dbac1",
    ),
    Recorded(
        decide_change_at_hub,
        Decision(21, LEAF, ChangeVerdict.APPROVED, "Agreed 同意"),
        "542ad14dbee834e394c7fdf11041f11b",
        "2:a0d08e5489c78f8913ef194e607c168b",
    ),
    Recorded(
        define_material,
        MaterialDefinition("RM-MILK", "Raw milk 生乳", "KGM"),
        "0da4c2106e790dbafd05adc7e79db1f8",
        "2:54760b64e292c19386e48f0fe6410353",
    ),
    Recorded(
        define_material,
        MaterialDefinition("RM-SUGAR", "Sugar 白糖", "KGM", 30, 14, {"CS": "12.5", "BG": "25"}),
        "1539db8f9a6816dee1c6033eba31a0f1",
        "2:cfd6bf44936afa991a9930db83f67619",
    ),
    Recorded(
        define_master,
        MasterDefinition(MasterKind.LOCATION, "A1", "Cold store 冷库"),
        "1e4b4d97a93d085d7bc8146a63680491",
        "2:466e28ce4c9de133cab55bc110dd032e",
    ),
    Recorded(
        define_unit,
        UnitDefinition("CRATE", "Crate 箱", "KGM", "12.5"),
        "edfcb792d09d1340400310bfe4e7564b",
        "2:a14e12f69417e72df13bbe85128f906e",
    ),
    Recorded(
        direct_master,
        MasterDirection(("SH1", "NB1"), MasterDefinition(MasterKind.SUPPLIER, "S1", "Farm")),
        "58a0be8a74827f6f3e44bd786421467b",
        "2:7f475aff8d7e2d2124eaf4d49f9f14d9",
    ),
    Recorded(
        direct_master,
        MasterDirection(("SH1",), MaterialDefinition("RM-MILK", "Raw milk", "KGM", shelf_life_days=30)),
        "b88d288b58ec029d7ac3450dae9810c3",
        "2:555c3728fffc0c31a787534c62e7f77d",
    ),
    Recorded(
        direct_master,
        MasterDirection(("SH1",), UnitDefinition("CRATE", "Crate", "KGM", "12.5")),
        "f8bc008e8d46be0bba16251b232f377d",
        "2:d0a61dafeb64b74f83833be7a9c18768",
    ),
    Recorded(
        direct_hold,
        HoldDirection("SH1-260314-0001P", "Suspect 可疑"),
        "cdc93b850c482dd548cf5fcc926645a9",
        "2:b626644f95a65c9611881ac4d4611745",
    ),
    Recorded(
        direct_hold,
        HoldDirection("SH1-260314-0001P", "Suspect", HoldKind.MISSING_INSPECTION, ("SH1",)),
        "4802350fa389612d79b5d7f4aad55253",
        "2:c67ccd71e03808529bf18939d5d0d825",
    ),
    Recorded(
        direct_recall,
        RecallDirection(("SH1-260314-0001P", "SH1-260314-0002N"), "Recall 召回"),
        "8553492cf659f11a420f8ec854a62bcc",
        "2:d4383cb31ba8bc5e32b2c06a57153270",
    ),
    Recorded(
        direct_recall,
        RecallDirection(("SH1-260314-0001P",), "Recall", ("SH1", "NB1")),
        "8f1f40b671565be7cb620877d20460d5",
        "2:a977ce6e041bfc80ff245e6cda27452c",
    ),
    Recorded(
        direct_release,
        ReleaseDirection("0195a1b2-0000-7000-8000-000000000001", "Tested 已检验"),
        "8f704502a28dc4daee2467c7a0cff4da",
        "2:6cdbc52a3bedd08c0641cc3d43faf430",
    ),
    Recorded(
        dispatch_transfer,
        Dispatch("NB1", (LINE,)),
        "e6c9b073b1d26546c48e98715c096760",
        "2:b86aad9837fd2d6e5517c6343b4e41e8",
    ),
    Recorded(
        dispatch_transfer,
        Dispatch("NB1", (LINE, LINE)),
        "d39c4a51f278dc1def82a82b19939100",
        "2:780ee9d9dc4cc7a4188021e0bebe58fc",
    ),
    Recorded(
        merge_batches,
        Merge((MergeSource("SH1-260314-0001P", "A1"), MergeSource("SH1-260314-0002N", "A1")), "B1"),
        "82d685492cae438a7e7fadefa824261d",
        "2:50d87e9b2dffa68392823c361ef32894",
    ),
    Recorded(
        merge_batches,
        Merge((MergeSource("SH1-260314-0001P", "A1", "2", "KGM"),), "B1"),
        "d9db1f3b626135945cba9647192212ea",
        "2:c553d075cdd7d4a2b210a17e81656e5d",
    ),
    Recorded(
        move_batch,
        Move("SH1-260314-0001P", "A1", "B1", "5", "KGM"),
        "429dce0956a7a1fa75b1ad8aa6b5744f",
        "2:871ee2616f1944327b5ac69589912950",
    ),
    Recorded(
        quarantine_batch,
        Quarantine("SH1-260314-0001P", "Damp 受潮"),
        "5a6d29103ae2c54e6e50d02c968c4777",
        "2:2710a798830feba498567c8757967334",
    ),
    Recorded(
        quarantine_batch,
        Quarantine("SH1-260314-0001P", "Damp", HoldKind.RECALL),
        "2d73b8e76435ef6369b82b3b903b1f39",
        "2:557dd5de42280a29a45e535795894072",
    ),
    Recorded(
        receive_batch,
        Delivery("RM-MILK", "100", "KGM", "A1"),
        "32a048bb01590db4afead02d05fd79d4",
        "2:e71e48921ef2c624d5b2fc8e524586b7",
    ),
    Recorded(
        receive_batch,
        Delivery("RM-MILK", "100", "KGM", "A1", "S1", "L-1", "PO-1", attributes={"fat": "3.8"}),
        "6344be53585b2a832ce8de0dce5babb1",
        "2:642c90c4f37ead17bc7811dbd63e2eb5",
    ),
    Recorded(
        receive_batch,
        Delivery(
            "RM-MILK",
            "100",
            "KGM",
            "A1",
            produced_at=AT,
            expires_on=DAY,
            grade="A",
            attributes={"origin": "Hebei 河北", "fat": "3.8", "\U0001f95b": "\ufb33"},
            aliases=(ALIAS_OF_CUSTOMER, ALIAS),
            quarantine="Sample first",
        ),
        "e2b6dafd3ec0823c94c2bc4bb6f192dc",
        "2:59da390cee133342b26591295b826d54",
    ),
    Recorded(
        receive_batch,
        Delivery("RM-MILK", "100", "KGM", "A1", produced_at=AT_IN_SHANGHAI),
        "083b37ff7609a406e2eea6fd37814cfe",
        "2:a0e8e3d90209a76d95cec9ec666b289b",
    ),
    Recorded(
        receive_transfer,
        TransferReceipt("BL1:label", "A1"),
        "c58eb82e0daabe49f9b535f81c389711",
        "2:9b26dc0aea38ffc962c3a7c83db62aa0",
    ),
    Recorded(
        receive_transfer,
        TransferReceipt(
            "BL1:label", "A1", (ReceiptLine("SH1-260314-0001P", "2", "B1"), ReceiptLine("X", "1", "B1", "BG"))
        ),
        "dc2abf7d0b128771ac1a851eb79b87d7",
        "2:c4b9b9384b53b6f765cefd24df69ad68",
    ),
    Recorded(
        record_production,
        ProductionRun(ProcessOrder()),
        "92f6bc801e71836aced3fe1708b8b608",
        "2:ab7e6d11842fc9d2619f9d851cae643e",
    ),
    Recorded(
        record_production,
        ProductionRun(ProcessOrder(segment="Fermentation 发酵"), (LINE,), (Output("FP-YOG", "1.9", "KGM", "A1"),), AT),
        "d99aa5a974c3eeb970531dfcc5866536",
        "2:87fb2f7324cdc8a3ce55f0791709e3e8",
    ),
    Recorded(
        request_change,
        ReleaseRequest("SH1-260314-0001P", "Dried 已晾干"),
        "a3b9a872449479050e7be9d67d91e6e1",
        "2:7528788f44d1037a1cbebfa7f428bf86",
    ),
    Recorded(
        request_change,
        ReleaseRequest("SH1-260314-0001P", "Dried", 7),
        "936bdcbf3b0ca9edd2aa3fcf59e41dc2",
        "2:929230e58aab260f55db77a5904e6a9e",
    ),
    Recorded(
        request_change,
        ExtensionRequest("SH1-260314-0001P", "Retested 复检", DAY),
        "578ea0314955e0e4a99b88ffe96fd9ec",
        "2:fbe289a39b094b747ab1e1bd03c1ccd5",
    ),
    Recorded(
        request_change,
        AdjustmentRequest("SH1-260314-0001P", "Counted 盘点", "A1", "0", "KGM"),
        "0c9d4ad8b164908b3fee6ae6faffc7b7",
        "2:67aa130605cf0b63f5c59f16d739bfc6",
    ),
    Recorded(open_process, ProcessOrder(), "a5c804c4ce56d629dd8f3d798e98681e", "2:6d551254dde7a170791fefbead9bdc04"),
    Recorded(
        open_process,
        ProcessOrder(RunKind.REWORK, "Fermentation", "JO-17", "MIX1"),
        "f02a1e64d69200746151936eeec8fd87",
        "2:aa6a13e01d9983a0c54e6967118e212a",
    ),
    Recorded(
        feed_process, Feed(PROCESS, (LINE,)), "e2da92e6f80873548711f69fca366b32", "2:ea4c7673ea973179a98abd011d32e9e5"
    ),
    Recorded(close_process, Closing(PROCESS), "9ba7a75b8fcfcb60f6be6c82959f022c", "2:d3a219a3c5201938be364e51f8e6847c"),
    Recorded(
        settle_dispute,
        Settlement(40, "Recorded again 已重录"),
        "0eda5263bdf189bad4897c08c2b523ba",
        "2:69607849fed3eb123764de5d34d35400",
    ),
    Recorded(
        ship_batch, Shipment("C1", (LINE,)), "e50f7f9b1af7d8c89590fcf0d2910dff", "2:67df7d52ec1a33bed9f9e4e2d09365f1"
    ),
    Recorded(
        ship_batch,
        Shipment("C1", (LINE, LINE), "SO-7"),
        "a3c062e3a5e6154aab53cacd159067da",
        "2:0a0dcd96f82075d4a6f6af2859f5e32e",
    ),
    Recorded(
        skip_entry, ParkedEntry(1, 12, LEAF), "89a74ef6246c3b13790d8ad53f597bd7", "2:2bf0f0fd59af59e100f708124ab9e7e5"
    ),
    Recorded(
        retry_entry, ParkedEntry(1, 12, LEAF), "8633f7b0e18d07949d53f579ea70ec0a", "2:5f78acfbdba781130861591912b64137"
    ),
    Recorded(
        split_batch,
        Split("SH1-260314-0001P", "B1", (SplitPart("10", "A1"), SplitPart("5", "A1", "KGM"))),
        "59644869f913bbfe0009fad8ce2d1af7",
        "2:1958a033a48cea457bc769a339e28cae",
    ),
    Recorded(yield_process, Yield(PROCESS), "eadc69f4f4e5af229bc5f1df29273b04", "2:510d539f4552b62f284942ac92562263"),
    Recorded(
        yield_process,
        Yield(
            PROCESS,
            (
                Output("FP-YOG", "20", "KGM", "B1"),
                Output("FP-WHEY", "3", "KGM", "B1", OutputUse.BY_PRODUCT, AT, DAY, "B", {"fat": "0"}, (ALIAS,)),
            ),
            (
                Addition("SH1-260314-0003M", "10", "KGM", "B1"),
                Addition("SH1-260314-0003M", "1", "KGM", "B1", OutputUse.CO_PRODUCT),
            ),
            (LINE,),
        ),
        "a07206dac8f2072d448eb048783fe334",
        "2:c880cfb53b1bdd90e0b1c50037de585b",
    ),
)

DEFAULTS: Final[dict[str, dict[str, Any]]] = {
    "Addition": {"use": "PRODUCED"},
    "AliasOrder": {"issuer": ""},
    "Count": {"unit": None},
    "Decision": {"comment": ""},
    "Delivery": {
        "supplier": None,
        "supplier_lot": None,
        "order": None,
        "produced_at": None,
        "expires_on": None,
        "grade": None,
        "attributes": [],
        "aliases": [],
        "quarantine": None,
    },
    "HoldDirection": {"kind": "QUALITY", "plants": []},
    "MaterialDefinition": {"shelf_life_days": None, "retest_days": None, "conversions": []},
    "MergeSource": {"amount": None, "unit": None},
    "Output": {
        "use": "PRODUCED",
        "produced_at": None,
        "expires_on": None,
        "grade": None,
        "attributes": [],
        "aliases": [],
    },
    "ProcessOrder": {"kind": "PRODUCTION", "segment": None, "job_order": None, "equipment": None},
    "ProductionRun": {"inputs": [], "outputs": [], "opened_at": None},
    "Quarantine": {"kind": "QUALITY"},
    "RecallDirection": {"plants": []},
    "ReceiptLine": {"unit": None},
    "ReleaseRequest": {"hold": None},
    "Shipment": {"order": None},
    "SplitPart": {"unit": None},
    "StockDifference": {"unit": None},
    "TransferReceipt": {"lines": []},
    "Yield": {"outputs": [], "additions": [], "returns": []},
}
"""The defaults of fields in their canonical form, by stable names: a digest leaves them out, so none may change."""
