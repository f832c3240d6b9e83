"""The versions that the migration takes from the ledger are those that a rebuild finds."""

from contextlib import closing
from pathlib import Path

import pytest

from infra.database import Store
from migrations import upgrade
from plants.commands.replication.rebuild import rebuild
from tests.upgrades.recorded import CODES, VERSIONS, restore

VERSIONS_OF = (
    "SELECT plant_id, 'MATERIAL', code, version FROM materials"
    " UNION ALL SELECT plant_id, kind, code, version FROM master_records ORDER BY 1, 2, 3"
)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("code", CODES)
def test_recorded_store_migrated_then_versions_are_as_after_a_rebuild(tmp_path: Path, version: str, code: str) -> None:
    with closing(Store(restore(version, code, tmp_path))) as store:
        upgrade(store)
        with store.transaction() as session:
            migrated = session.rows(VERSIONS_OF)
            rebuild(session)
        with store.transaction() as session:
            assert session.rows(VERSIONS_OF) == migrated
    assert len({one for *_, one in migrated}) > 2
