"""The texts of an import's report: steps, discrepancies and reasons."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

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
from plants.rules.values.refusals import Message, Phrase, message

WHY: Final[Mapping[Why, Message]] = {
    Why.ALREADY_HERE: message("IMPORT_ALREADY_HERE", "the goods were here already"),
    Why.ON_THE_ROAD: message("IMPORT_ON_THE_ROAD", "seen on the way; the receipt moves the stock"),
    Why.OBSERVED: message("IMPORT_OBSERVED", "observed; nothing changed"),
    Why.NO_GOODS: message("IMPORT_NO_GOODS", "names no goods that are kept in stock"),
    Why.LINKS_ONLY: message("IMPORT_LINKS_ONLY", "only links documents or equipment; no stock moves"),
    Why.WITHIN_PLANT: message("IMPORT_WITHIN_PLANT", "left for a site of the same plant; moved when seen there"),
    Why.VOIDED: message("IMPORT_VOIDED", "the shipment was voided"),
    Why.DECLARED_WRONG: message("IMPORT_DECLARED_WRONG", "declared wrong by its author (errorDeclaration)"),
    Why.REPEATED: message("IMPORT_REPEATED", "the same event as before"),
    Why.KEY_REUSED: message("IMPORT_KEY_REUSED", "its eventID was used before for another event"),
    Why.NO_SITE: message("IMPORT_NO_SITE", "has neither bizLocation nor readPoint"),
    Why.NO_QUANTITY: message("IMPORT_NO_QUANTITY", "gives no quantity"),
    Why.NO_DESTINATION: message("IMPORT_NO_DESTINATION", "does not say where the goods went; they stay in stock"),
    Why.UNIT_UNKNOWN: message("IMPORT_UNIT_UNKNOWN", "its unit is unknown or cannot be converted"),
    Why.CONTENTS_UNKNOWN: message("IMPORT_CONTENTS_UNKNOWN", "the document does not say what is in the container"),
    Why.TYPE_UNKNOWN: message("IMPORT_TYPE_UNKNOWN", "its event type is not of the standard"),
}

ALIASES_SHOWN = 3

K = DiscrepancyKind
DISCREPANCIES: Final[Mapping[DiscrepancyKind, Message]] = {
    K.USED_BEFORE_ARRIVAL: message(
        "IMPORT_FOUND_USED_BEFORE_ARRIVAL", "{subject} is used before it arrived (event {other})"
    ),
    K.SHORT: message("IMPORT_FOUND_SHORT", "{amount} of {subject} more than was there; added as a count difference"),
    K.ORIGIN_UNKNOWN: message(
        "IMPORT_FOUND_ORIGIN_UNKNOWN", "{amount} of {subject} first seen here; taken in without an origin"
    ),
    K.RECEIVED_LESS: message("IMPORT_FOUND_RECEIVED_LESS", "{amount} of {subject} less than event {other} sent"),
    K.RECEIVED_MORE: message("IMPORT_FOUND_RECEIVED_MORE", "{amount} of {subject} more than event {other} sent"),
    K.NOT_RECEIVED: message("IMPORT_FOUND_NOT_RECEIVED", "{amount} of {subject} is not received in this document"),
    K.PRODUCED_LATER: message(
        "IMPORT_FOUND_PRODUCED_LATER", "the production date of {subject}, {detail}, is after the event"
    ),
    K.BEGUN_TWICE: message("IMPORT_FOUND_BEGUN_TWICE", "{subject} begins at another plant too"),
    K.QUANTITY_MISSING: message("IMPORT_FOUND_QUANTITY_MISSING", "no quantity of {subject} is given"),
    K.CONTENTS_UNKNOWN: message("IMPORT_FOUND_CONTENTS_UNKNOWN", "it is not known what is in {subject}"),
}

REASONS: Final[Mapping[AdjustReason, Message]] = {
    AdjustReason.SHORTAGE: message("IMPORT_REASON_SHORTAGE", "EPCIS event {event} used more than was there"),
    AdjustReason.MORE_OF_LOT: message("IMPORT_REASON_MORE_OF_LOT", "EPCIS event {event} adds to the lot"),
    AdjustReason.TAKEN_OUT: message("IMPORT_REASON_TAKEN_OUT", "EPCIS event {event} ends the goods ({step})"),
}


STEP: Final = message("IMPORT_STEP", "{plant}: {step}")
STEP_IMPLIED: Final = message("IMPORT_STEP_IMPLIED", "{plant}: {step} (implied)")
DEFINE: Final = message("IMPORT_STEP_DEFINE", "define {thing} {code} ({name})")
ADD_ALIAS: Final = message("IMPORT_STEP_ADD_ALIAS", "add alias {names} = {lot}")
END_ALIAS: Final = message("IMPORT_STEP_END_ALIAS", "end alias {names} = {lot}")
RECEIVE: Final = message("IMPORT_STEP_RECEIVE", "receive {goods}")
MOVE: Final = message("IMPORT_STEP_MOVE", "move {goods} → {location}")
DISPATCH: Final = message("IMPORT_STEP_DISPATCH", "dispatch {goods} → {destination}")
RECEIVE_TRANSFER: Final = message("IMPORT_STEP_RECEIVE_TRANSFER", "receive transfer {goods} ← {source}")
PROCESS: Final = message("IMPORT_STEP_PROCESS", "process {segment}: {inputs} → {outputs}")
SHIP: Final = message("IMPORT_STEP_SHIP", "ship {goods} → {customer}")
ADJUST: Final = message("IMPORT_STEP_ADJUST", "adjust {lot} {change}")


def amount_text(quantity: Decimal, unit: str) -> str:
    """Return an amount with its unit and no trailing zeros: 124 KGM."""
    plain = format(quantity, "f")
    return f"{plain.rstrip('0').rstrip('.') if '.' in plain else plain} {unit}"


def why_text(why: Why) -> Phrase:
    """Return why an event changes nothing."""
    return WHY[why]()


def discrepancy_text(found: Discrepancy) -> Phrase:
    """Return one discrepancy as a sentence part."""
    amount = amount_text(found.quantity, found.unit) if found.quantity is not None else ""
    data = {"subject": last_word(found.subject), "amount": amount, "detail": found.detail}
    return DISCREPANCIES[found.kind](other=found.other_event, **data)


def adjust_text(step: Adjust) -> Phrase:
    """Return the reason that the ledger keeps of a count difference; it names the event."""
    name = last_word(step.biz_step) if step.biz_step else "DELETE"
    return REASONS[step.reason](event=f"{step.event} ({step.event_key})", step=name)


def step_text(step: PlanStep) -> Phrase:
    """Return what a step does, for the row of its event. A step that no event states is marked as implied."""
    return (STEP_IMPLIED if step.implied else STEP)(plant=step.plant, step=_step_text(step))


def _lines(lines: tuple[Line, ...]) -> str:
    return ", ".join(f"{amount_text(line.quantity, line.unit)} {last_word(line.lot)}" for line in lines)


def _step_text(step: PlanStep) -> Phrase:
    match step:
        case DefineMaterial():
            return DEFINE(thing="material", code=step.code, name=step.name)
        case DefineLocation():
            return DEFINE(thing="location", code=step.code, name=step.name)
        case DefineParty():
            return DEFINE(thing=step.kind, code=step.code, name=step.name)
        case AddAliases() | EndAliases():
            return _alias_text(step)
        case _:
            return _goods_text(step)


def _alias_text(step: AddAliases | EndAliases) -> Phrase:
    names = ", ".join(last_word(alias.value) for alias in step.aliases[:ALIASES_SHOWN])
    more = f" +{len(step.aliases) - ALIASES_SHOWN}" if len(step.aliases) > ALIASES_SHOWN else ""
    verb = ADD_ALIAS if isinstance(step, AddAliases) else END_ALIAS
    return verb(names=names + more, lot=last_word(step.lot))


def _goods_text(step: PlanStep) -> Phrase:
    match step:
        case ReceiveBatch():
            return RECEIVE(goods=_lines((step.batch,)))
        case Move():
            return MOVE(goods=_lines(step.lines), location=step.to_location)
        case DispatchTransfer():
            return DISPATCH(goods=_lines(step.lines), destination=step.destination)
        case ReceiveTransfer():
            return RECEIVE_TRANSFER(goods=_lines(step.lines), source=step.source)
        case Produce():
            return PROCESS(segment=step.segment, inputs=_lines(step.inputs) or "-", outputs=_lines(step.outputs) or "-")
        case Ship():
            return SHIP(goods=_lines(step.lines), customer=step.customer)
        case Adjust():
            sign = "+" if step.change > 0 else ""
            return ADJUST(lot=last_word(step.lot), change=f"{sign}{amount_text(step.change, step.unit)}")
        case _:
            raise AssertionError(f"a step without words: {type(step).__name__}")
