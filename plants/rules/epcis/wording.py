"""Texts of the report of an EPCIS import: its steps, and the contradictions that it found."""

from collections.abc import Mapping
from decimal import Decimal

from plants.rules.epcis.steps import (
    AddAliases,
    Adjust,
    AdjustReason,
    DefineLocation,
    DefineMaterial,
    DefineParty,
    Discrepancy,
    DiscrepancyKind,
    DispatchTransfer,
    EndAliases,
    Line,
    Move,
    PlanStep,
    Produce,
    ReceiveBatch,
    ReceiveTransfer,
    Ship,
    Why,
)
from plants.rules.epcis.vocabulary import last_word
from plants.rules.values.refusals import Language, Wording

WHY: Mapping[Why, Wording] = {
    Why.ALREADY_HERE: Wording("the goods were here already", "货物已在此处"),
    Why.ON_THE_ROAD: Wording("seen on the way; the receipt moves the stock", "途中经过，以收货事件入库"),
    Why.OBSERVED: Wording("observed; nothing changed", "仅为观察，无变化"),
    Why.NO_GOODS: Wording("names no goods that are kept in stock", "未涉及库存货物"),
    Why.LINKS_ONLY: Wording("only links documents or equipment; no stock moves", "仅关联单据或设备，不涉及库存"),
    Why.WITHIN_PLANT: Wording("left for a site of the same plant; moved when seen there", "发往同一工厂，到达时移库"),
    Why.VOIDED: Wording("the shipment was voided", "该发货已撤销"),
    Why.DECLARED_WRONG: Wording(
        "declared wrong by its author (errorDeclaration)", "已被声明为错误（errorDeclaration）"
    ),
    Why.REPEATED: Wording("the same event as before", "与前面的事件相同"),
    Why.KEY_REUSED: Wording("its eventID was used before for another event", "eventID 已被另一事件使用"),
    Why.NO_SITE: Wording("says neither bizLocation nor readPoint", "未注明 bizLocation 或 readPoint"),
    Why.NO_QUANTITY: Wording("gives no quantity", "未给出数量"),
    Why.NO_DESTINATION: Wording("says not where the goods went; they stay in stock", "未注明去向，货物仍计入库存"),
    Why.UNIT_UNKNOWN: Wording("its unit is unknown or cannot be converted", "单位未知或无法换算"),
    Why.CONTENTS_UNKNOWN: Wording("the document does not tell what is in the container", "文档未说明包装内的货物"),
    Why.TYPE_UNKNOWN: Wording("its event type is not of the standard", "事件类型不属于标准"),
}

ALIASES_SHOWN = 3

K = DiscrepancyKind
DISCREPANCIES: Mapping[DiscrepancyKind, Wording] = {
    K.USED_BEFORE_ARRIVAL: Wording(
        "{subject} is used before it arrived (event {other})", "{subject} 在到货（事件 {other}）之前已被使用"
    ),
    K.SHORT: Wording(
        "{amount} of {subject} more than was there; added as a count difference",
        "{subject} 用量超出库存 {amount}，已按盘点差异补入",
    ),
    K.ORIGIN_UNKNOWN: Wording(
        "{amount} of {subject} first seen here; taken in without an origin",
        "{subject} {amount} 首次出现，来源不明，已入库",
    ),
    K.RECEIVED_LESS: Wording(
        "{amount} of {subject} less than event {other} sent", "{subject} 比事件 {other} 的发货少收 {amount}"
    ),
    K.RECEIVED_MORE: Wording(
        "{amount} of {subject} more than event {other} sent", "{subject} 比事件 {other} 的发货多收 {amount}"
    ),
    K.NOT_RECEIVED: Wording(
        "{amount} of {subject} is not received in this document", "{subject} {amount} 在本文档中未收货"
    ),
    K.PRODUCED_LATER: Wording(
        "the production date of {subject}, {detail}, is after the event", "{subject} 的生产日期 {detail} 晚于事件时间"
    ),
    K.BEGUN_TWICE: Wording("{subject} begins at another plant too", "{subject} 在另一工厂也有起始记录"),
    K.QUANTITY_MISSING: Wording("no quantity of {subject} is given", "未给出 {subject} 的数量"),
    K.CONTENTS_UNKNOWN: Wording("it is not known what is in {subject}", "{subject} 内的货物不明"),
}

REASONS: Mapping[AdjustReason, Wording] = {
    AdjustReason.SHORTAGE: Wording("EPCIS event {event} used more than was there", "EPCIS 事件 {event} 的用量超出库存"),
    AdjustReason.MORE_OF_LOT: Wording("EPCIS event {event} adds to the lot", "EPCIS 事件 {event} 增加该批数量"),
    AdjustReason.TAKEN_OUT: Wording(
        "EPCIS event {event} ends the goods ({step})", "EPCIS 事件 {event} 终止货物（{step}）"
    ),
}


def _say(wording: Wording, language: Language, **data: object) -> str:
    return (wording.zh if language == "zh" else wording.en).format(**data)


def amount_text(quantity: Decimal, unit: str) -> str:
    """Return an amount with its unit and no trailing zeros: 124 KGM."""
    plain = format(quantity, "f")
    return f"{plain.rstrip('0').rstrip('.') if '.' in plain else plain} {unit}"


def why_text(why: Why, language: Language) -> str:
    """Return why an event changes nothing."""
    return _say(WHY[why], language)


def discrepancy_text(found: Discrepancy, language: Language) -> str:
    """Return one discrepancy as a sentence part."""
    amount = amount_text(found.quantity, found.unit) if found.quantity is not None else ""
    data = {"subject": last_word(found.subject), "amount": amount, "detail": found.detail}
    return _say(DISCREPANCIES[found.kind], language, other=found.other_event, **data)


def adjust_text(step: Adjust, language: Language) -> str:
    """Return the reason that the ledger keeps of a count difference; it names the event."""
    name = last_word(step.biz_step) if step.biz_step else "DELETE"
    return _say(REASONS[step.reason], language, event=f"{step.event} ({step.event_key})", step=name)


def _lines(lines: tuple[Line, ...]) -> str:
    return ", ".join(f"{amount_text(line.quantity, line.unit)} {last_word(line.lot)}" for line in lines)


def step_text(step: PlanStep, language: Language) -> str:
    """Return what a step does, for the row of its event; a step that no event says so itself is marked as implied."""
    text = _step_text(step, zh=language == "zh")
    mark = ("（推断）" if language == "zh" else " (implied)") if step.implied else ""
    return f"{step.plant}: {text}{mark}"


def _step_text(step: PlanStep, *, zh: bool) -> str:
    match step:
        case DefineMaterial():
            return f"{'定义物料' if zh else 'define material'} {step.code} ({step.name})"
        case DefineLocation():
            return f"{'定义库位' if zh else 'define location'} {step.code} ({step.name})"
        case DefineParty():
            kind = {"supplier": "供应商", "customer": "客户"}[step.kind] if zh else step.kind
            return f"{'定义' if zh else 'define '}{kind} {step.code} ({step.name})"
        case AddAliases() | EndAliases():
            return _alias_text(step, zh=zh)
        case _:
            return _goods_text(step, zh=zh)


def _alias_text(step: AddAliases | EndAliases, *, zh: bool) -> str:
    adding = isinstance(step, AddAliases)
    verb = ("添加别名" if adding else "结束别名") if zh else "add alias" if adding else "end alias"
    names = ", ".join(last_word(alias.value) for alias in step.aliases[:ALIASES_SHOWN])
    more = f" +{len(step.aliases) - ALIASES_SHOWN}" if len(step.aliases) > ALIASES_SHOWN else ""
    return f"{verb} {names}{more} = {last_word(step.lot)}"


def _goods_text(step: PlanStep, *, zh: bool) -> str:
    match step:
        case ReceiveBatch():
            return f"{'入库' if zh else 'receive'} {_lines((step.batch,))}"
        case Move():
            return f"{'移库' if zh else 'move'} {_lines(step.lines)} → {step.to_location}"
        case DispatchTransfer():
            return f"{'调拨发货' if zh else 'dispatch'} {_lines(step.lines)} → {step.destination}"
        case ReceiveTransfer():
            return f"{'调拨收货' if zh else 'receive transfer'} {_lines(step.lines)} ← {step.source}"
        case Produce():
            verb = "生产" if zh else "process"
            return f"{verb} {step.segment}: {_lines(step.inputs) or '-'} → {_lines(step.outputs) or '-'}"
        case Ship():
            return f"{'发运' if zh else 'ship'} {_lines(step.lines)} → {step.customer}"
        case Adjust():
            sign = "+" if step.change > 0 else ""
            return f"{'调整' if zh else 'adjust'} {last_word(step.lot)} {sign}{amount_text(step.change, step.unit)}"
        case _:
            raise AssertionError(f"a step without words: {type(step).__name__}")
