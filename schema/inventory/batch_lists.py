"""Filters and orders of lists of batches."""

from plants.rules.quality.dispositions import Disposition
from plants.store.inventory.batch_lists import AliasesFilter, BatchesFilter, BatchOrderField
from plants.store.sql.orders import Order
from schema.engine.fields import described, enum_type, input_type
from schema.engine.filters import CodeFilter, DateRange, DateTimeRange, Filter, NameFilter, criterion
from schema.engine.orders import Ordering

enum_type(Disposition)
enum_type(BatchOrderField)


@input_type
class BatchAliasFilter:
    """Tests an alias. One alias in force must meet all fields given here."""

    scheme: CodeFilter | None = described("Scheme of the alias, such as SUPPLIER_LOT.", default=None)
    issuer_code: CodeFilter | None = described("Code of the supplier or customer that issued it.", default=None)
    value: NameFilter | None = described("Text of the alias.", default=None)

    @property
    def criterion(self) -> AliasesFilter:
        return AliasesFilter(criterion(self.scheme), criterion(self.issuer_code), criterion(self.value))


@input_type
class BatchFilter:
    """Filters batches. One plant's goods of the batch must meet all fields given here."""

    text: str | None = described(
        "Text that the code, an alias in force or the purchase order contains. "
        "Case, width and spaces at its ends do not differ.",
        default=None,
    )
    code: CodeFilter | None = described("Code of the batch.", default=None)
    aliases: BatchAliasFilter | None = described("Aliases of the batch. One of them must match.", default=None)
    material_code: CodeFilter | None = described("Code of the material.", default=None)
    supplier_code: CodeFilter | None = described("Code of the supplier.", default=None)
    supplier_lot: NameFilter | None = described("Lot code of the supplier, as the receipt stated it.", default=None)
    purchase_order: NameFilter | None = described("Purchase order of the receipt.", default=None)
    origin_code: CodeFilter | None = described("Code of the plant that made or first received it.", default=None)
    grade: CodeFilter | None = described("Quality grade, such as A.", default=None)
    produced_at: DateTimeRange | None = described("Time of production.", default=None)
    retest_on: DateRange | None = described("Day on which a retest is due.", default=None)
    plant_code: CodeFilter | None = described("Code of a plant that knows the batch.", default=None)
    disposition: Filter[Disposition] | None = described("Disposition of the plant's goods.", default=None)
    expires_on: DateRange | None = described("Last day of use of the plant's goods.", default=None)
    corrected: bool | None = described(
        "True for batches whose making was corrected, false for the others. Without it, both.", default=None
    )
    on_hold: bool | None = described(
        "True for goods with an open hold, false for goods without one. Without it, both.", default=None
    )
    in_stock: bool | None = described(
        "True for goods on hand, false for goods that are used up. Without it, both.", default=None
    )

    def criteria(self, order: Order[BatchOrderField]) -> BatchesFilter:
        return BatchesFilter(
            plant=criterion(self.plant_code),
            text=self.text,
            code=criterion(self.code),
            material=criterion(self.material_code),
            supplier=criterion(self.supplier_code),
            supplier_lot=criterion(self.supplier_lot),
            purchase_order=criterion(self.purchase_order),
            origin=criterion(self.origin_code),
            grade=criterion(self.grade),
            disposition=criterion(self.disposition),
            produced=None if self.produced_at is None else self.produced_at.in_micros,
            expires_on=criterion(self.expires_on),
            retest_on=criterion(self.retest_on),
            corrected=self.corrected,
            on_hold=self.on_hold,
            in_stock=self.in_stock,
            alias=criterion(self.aliases),
            order=order,
        )


@input_type
class BatchOrder(Ordering):
    """Order of batches."""

    field: BatchOrderField = described("Field to order by.")
