"""Give a batch another name to be found by, or end one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from plants.commands.execution import PlantLedgerWriter, check_lines, command
from plants.commands.inventory.receipts import AliasOrder, check_alias, first_places, new_alias
from plants.rules.inventory.events import BATCH_ALIASED
from plants.rules.inventory.refusals import ALIAS_IN_FORCE, ALIAS_NOT_IN_FORCE
from plants.rules.ledger.events import Entry
from plants.rules.ledger.payloads import AliasStatement, Outcome
from plants.rules.ledger.request_forms import stable_name
from plants.rules.values.refusals import NOTHING_CHANGES, Refusal, Refusals
from plants.store.inventory import batches
from plants.store.inventory.batches import Goods


@stable_name("Naming")
@dataclass(frozen=True, slots=True)
class Naming:
    """A batch, and the names that it gets or loses."""

    batch: str
    aliases: tuple[AliasOrder, ...]


@command("alias_batch")
def alias_batch(writer: PlantLedgerWriter, order: Naming) -> Entry:
    """Give a batch more aliases; one that names another batch of the material here is refused, so is one it has."""
    stated: list[AliasStatement] = []
    with Refusals() as refusals:
        goods = refusals.value(writer.batch, order.batch)
        for place, alias in _places(order.aliases, refusals):
            with refusals.at("aliases", place):
                if goods is None:
                    check_alias(alias)
                    continue
                stated.append(new_alias(writer, goods.id, goods.material, alias))
                if _values(writer, goods, alias):
                    why = ALIAS_IN_FORCE(alias=alias.value, scheme=alias.scheme, batch=goods.code)
                    raise Refusal(NOTHING_CHANGES, why=why)
    assert goods is not None
    payload: Outcome = {"aliases": stated}
    return writer.record(BATCH_ALIASED, goods.code, payload)


@command("end_alias")
def end_alias(writer: PlantLedgerWriter, order: Naming) -> Entry:
    """End aliases of a batch; it can no longer be found by them, and each is free for another batch."""
    ended: list[AliasStatement] = []
    with Refusals() as refusals:
        goods = refusals.value(writer.batch, order.batch)
        for place, alias in _places(order.aliases, refusals):
            with refusals.at("aliases", place):
                if goods is None:
                    continue  # the batch is unknown, and so are its aliases
                values = _values(writer, goods, alias)
                if not values:
                    why = ALIAS_NOT_IN_FORCE(alias=alias.value[:40], scheme=alias.scheme[:40], batch=goods.code)
                    raise Refusal(NOTHING_CHANGES, why=why)
                named: AliasStatement = {
                    "batch": goods.id,
                    "scheme": alias.scheme,
                    "issuer": alias.issuer,
                    "value": alias.value,
                }
                ended += ({**named, "value": value} for value in values)
    assert goods is not None
    payload: Outcome = {"ended_aliases": ended}
    return writer.record(BATCH_ALIASED, goods.code, payload)


def _places(aliases: Sequence[AliasOrder], refusals: Refusals) -> Iterator[tuple[int, AliasOrder]]:
    """Yield each alias once, with its first place. Collects the Refusal of a list that is empty or too long."""
    with refusals.at():
        check_lines(aliases, "aliases")
        yield from first_places(aliases)


def _values(writer: PlantLedgerWriter, goods: Goods, alias: AliasOrder) -> list[str]:
    """Return the values in force by which the alias names the batch, as they were given."""
    session, plant = writer.session, writer.call.plant
    named = batches.aliases_in_force(session, plant, alias.scheme, alias.issuer, alias.value)
    return [value for batch, value in named if batch == goods.id]
