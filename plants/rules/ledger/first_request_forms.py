"""The first form of requests, over which digests were computed before decision 0016: a dataclass's `repr`.

This is a record of the past. It is never extended: a new command, class or field has no first form. The keys are stable
names, so a renamed class, field or enum still finds the names that it was recorded under.
"""

from collections.abc import Mapping
from datetime import date, datetime
from enum import Enum
from types import NoneType
from typing import Final

from plants.rules.ledger.request_forms import Declaration, declaration_of, json_form

FIRST_FIELDS: Final[Mapping[str, str]] = {
    "Addition": "batch amount unit location use",
    "AdjustmentRequest": "batch reason location counted unit",
    "AliasOrder": "scheme value issuer",
    "Closing": "process",
    "Correction": "entry wrong:Wrong reason",
    "Count": "batch location counted unit",
    "Decision": "change proposal verdict:ChangeVerdict comment",
    "Delivery": (
        "material amount unit location supplier supplier_lot order produced_at expires_on grade attributes aliases"
        " quarantine"
    ),
    "Dispatch": "destination lines",
    "ExtensionRequest": "batch reason expires_on",
    "Feed": "process lines",
    "HoldDirection": "batch reason kind:HoldKind plants",
    "MasterDefinition": "kind code name",
    "MasterDirection": "plants definition",
    "MaterialDefinition": "code name unit shelf_life_days retest_days conversions",
    "Merge": "sources location",
    "MergeSource": "batch location amount unit",
    "Move": "batch from_location to_location amount unit",
    "Naming": "batch aliases",
    "Output": "material amount unit location use produced_at expires_on grade attributes aliases",
    "ParkedEntry": "plant index leaf",
    "ProcessOrder": "kind segment job_order equipment",
    "ProductionRun": "run inputs outputs opened_at",
    "Quarantine": "batch reason kind:HoldKind",
    "RecallDirection": "batches reason plants",
    "ReceiptLine": "batch amount location unit",
    "ReleaseDirection": "hold reason",
    "ReleaseRequest": "batch reason hold",
    "Settlement": "dispute reason",
    "Shipment": "customer lines order",
    "Split": "batch location parts",
    "SplitPart": "amount location unit",
    "StockDifference": "batch location difference unit",
    "StockLine": "batch amount unit location",
    "TransferReceipt": "manifest location lines",
    "UnitDefinition": "code name of factor",
    "Yield": "process outputs additions returns",
}
"""The fields of each class in their order, by the stable name of the class; an enum's field names the enum's class."""


class NoFirstForm(TypeError):
    """The order could not have been recorded in the first form."""


def first_form(order: object) -> str:
    """Return an order as it was written in the first form; raises NoFirstForm for what came later."""
    kind = type(order)
    if kind in {str, int, bool, NoneType, date, datetime}:
        return repr(order)
    if isinstance(order, tuple):
        return f"({', '.join(map(first_form, order))}{',' if len(order) == 1 else ''})"
    if isinstance(order, Mapping):
        return f"{{{', '.join(f'{first_form(key)}: {first_form(value)}' for key, value in order.items())}}}"
    if isinstance(order, Enum):
        return first_form(order.value)
    try:
        return _first_object(order, declaration_of(kind))
    except (KeyError, TypeError) as error:
        raise NoFirstForm(f"{error} came after the first form") from None


def _first_object(order: object, declared: Declaration) -> str:
    """Return a declared dataclass in the first form; raises KeyError for a class or field that it did not have."""
    parts = []
    members = {member.name: member for member in declared.members}
    for item in FIRST_FIELDS[declared.name].split():
        name, _, enum = item.partition(":")
        value = getattr(order, members.pop(name).attribute)
        text = first_form(value)
        parts.append(f"{name}=<{enum}.{json_form(value)}: {text}>" if enum else f"{name}={text}")
    for later in members.values():
        if json_form(getattr(order, later.attribute)) != later.default:
            raise KeyError(later.name)
    return f"{declared.name}({', '.join(parts)})"
