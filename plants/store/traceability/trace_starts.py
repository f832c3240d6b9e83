"""Starts of a trace: names (codes, aliases, orders, supplier lots, customers) and the nodes that they mean."""

from collections.abc import Iterable
from dataclasses import dataclass, fields

from infra.database import ReadSession
from plants.rules.values.scope import PlantScope
from plants.store.genealogy.walks import Seeds
from plants.store.sql.arrays import as_array, in_list, in_scope
from plants.store.sql.filters import forms_of

LOT_SCHEMES = ("SUPPLIER_LOT",)
SEARCH = "_search"
"""The ending of a column that holds search forms."""


@dataclass(frozen=True, slots=True)
class Start:
    """The names at which a trace begins; all of them count.

    `codes` are batch codes, `aliases` values under any scheme, `supplier_lots` lot codes of any supplier. `customers`
    are codes of customers, for all that was ever shipped to them. `purchase_orders` name what was received on them,
    `customer_orders` shipments, and `job_orders` all other process records.
    """

    codes: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    supplier_lots: tuple[str, ...] = ()
    purchase_orders: tuple[str, ...] = ()
    job_orders: tuple[str, ...] = ()
    customer_orders: tuple[str, ...] = ()
    customers: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All names, in the order of the fields."""
        return tuple(name for one in fields(self) for name in getattr(self, one.name))

    @property
    def by_name(self) -> bool:
        """True if there is a name that any plant may have given to goods."""
        return len(self.names) > len(self.codes)


def resolve_seeds(session: ReadSession, scope: PlantScope, start: Start) -> Seeds:
    """Return the batches and process records that the names mean at the plants in the scope.

    A corrected alias no longer counts. Orders and customers lead to process records: a trace from a shipment looks
    backward at what was in it. Names without a meaning are returned as unknown, each once, as given.
    """
    aliases = "SELECT value_search, batch_id FROM aliases WHERE ended_idx IS NULL AND"
    lots = f"scheme IN ({', '.join(repr(scheme) for scheme in LOT_SCHEMES)}) AND"
    records = "SELECT {0}, id FROM process_records WHERE kind {1} 'SHIPMENT' AND"
    look = _Look(session, scope)
    batches = look.find("SELECT code, id FROM batches WHERE", "code", start.codes)
    batches += look.find(aliases, "value_search", start.aliases)
    batches += look.find(f"{aliases} {lots}", "value_search", start.supplier_lots)
    ordered = "SELECT purchase_order_search, batch_id FROM receipts WHERE"
    batches += look.find(ordered, "purchase_order_search", start.purchase_orders)
    processes = look.find(records.format("job_order_search", "<>"), "job_order_search", start.job_orders)
    processes += look.find(records.format("job_order_search", "="), "job_order_search", start.customer_orders)
    processes += look.find(records.format("customer", "="), "customer", start.customers)
    return Seeds(
        tuple(dict.fromkeys(batches)),
        tuple(dict.fromkeys(processes)),
        by_name=start.by_name,
        unknown=tuple(dict.fromkeys(look.unknown)),
    )


class _Look:
    """Looks names up, and remembers those that were not found."""

    def __init__(self, session: ReadSession, scope: PlantScope) -> None:
        self._session = session
        self._scope = as_array(session, scope)
        self.unknown: list[str] = []

    def find(self, select: str, column: str, names: Iterable[str]) -> list[int]:
        """Return the ids that the names mean, in order. A column of search forms is searched by those of the names."""
        names = tuple(names)
        forms = {name: forms_of([name]) if column.endswith(SEARCH) else [name] for name in names}
        if not names:
            return []
        sql = f"{select} {in_list(self._session, column, 'names', 'text')} AND {in_scope(self._session, 'plant_id')}"
        rows = self._session.rows(
            sql,
            {"names": as_array(self._session, [form for one in forms.values() for form in one]), "scope": self._scope},
        )
        found = {form for form, _ in rows}
        self.unknown += [name for name in names if found.isdisjoint(forms[name])]
        return sorted({node for _, node in rows})
