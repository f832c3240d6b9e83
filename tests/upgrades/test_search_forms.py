"""The search forms that the migration fills in are those of a rebuild, and the version before still writes."""

from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest
from alembic import command

from infra.database import Store
from infra.postgres import EmbeddedPostgres
from migrations import config, upgrade
from plants.commands.inventory.aliases import Naming, alias_batch
from plants.commands.inventory.receipts import AliasOrder, Delivery, receive_batch
from plants.commands.production.process_records import ProcessOrder, open_process
from plants.commands.replication.rebuild import rebuild
from plants.store.projection.rebuilding import table_digests
from tests.factories import Plant, plant_store, postgres_plant
from tests.upgrades.recorded import CODES, VERSIONS, restore

BEFORE: Final = "0010"
SEARCHES: Final = {"aliases", "materials", "master_records", "receipts", "process_records"}
FORMS: Final = (
    "SELECT scheme, value, value_search FROM aliases WHERE scheme IN ('OLD', 'EPC')"
    " UNION ALL SELECT supplier_lot, purchase_order, supplier_lot_search || purchase_order_search FROM receipts"
    " UNION ALL SELECT 'JOB', job_order, job_order_search FROM process_records"
)


@pytest.fixture(params=["sqlite", "postgres_18"])
def plant(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A plant on each database."""
    if request.param == "sqlite":
        plant = plant_store(tmp_path)
    else:
        server = request.getfixturevalue(request.param)
        assert isinstance(server, EmbeddedPostgres)
        plant = postgres_plant(server)
    yield plant
    plant.close()


def test_names_of_the_version_before_then_they_have_the_forms_of_a_rebuild(plant: Plant) -> None:
    lot = Delivery("RM-MILK", "1", "KGM", "A1", supplier="S1", supplier_lot="Straße ", order="ＰＯ")
    code = str(plant.do(receive_batch, lot).envelope["key"])
    plant.do(alias_batch, Naming(code, (AliasOrder("OLD", "Мука"), AliasOrder("EPC", "urn:A"))))
    plant.do(open_process, ProcessOrder(job_order="ÖL-1"))
    before = table_digests(plant.store)
    command.downgrade(config(plant.store), BEFORE)
    upgrade(plant.store)
    assert table_digests(plant.store) == before
    assert sorted(plant.rows(FORMS)) == [
        ("EPC", "urn:A", "urn:A"), ("JOB", "ÖL-1", "öl-1"), ("OLD", "Мука", "мука"), ("Straße ", "ＰＯ", "strassepo"),
    ]  # fmt: skip


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("code", CODES)
def test_recorded_store_migrated_then_forms_are_as_after_a_rebuild(tmp_path: Path, version: str, code: str) -> None:
    with closing(Store(restore(version, code, tmp_path))) as store:
        upgrade(store)
        migrated = table_digests(store)
        with store.transaction() as session:
            rebuild(session)
        rebuilt = table_digests(store)
    assert {name: rebuilt[name] for name in SEARCHES} == {name: migrated[name] for name in SEARCHES}
