"""Databases for tests: complete, apart from each other, and dropped after their module."""

import re
from contextlib import closing
from pathlib import Path

import migrations
from infra.database import Store
from infra.postgres import EmbeddedPostgres
from plants.store.ledger.entries import open_log
from tests.databases import MIGRATED, drop_databases, fresh_database, migrated_database, migrated_file
from tests.factories import plant_store, postgres_plant


def databases(server: EmbeddedPostgres) -> list[str]:
    with closing(Store(server.url("postgres"))) as store, store.transaction() as session:
        return [name for (name,) in session.rows("SELECT datname FROM pg_database WHERE NOT datistemplate")]


def test_migrated_copies_then_each_has_the_tables_and_no_row_of_another(
    postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    urls = [
        migrated_database(postgres), migrated_database(postgres),
        migrated_file(tmp_path / "a.db"), migrated_file(tmp_path / "b.db"),
    ]  # fmt: skip
    for url in urls:
        with closing(Store(url)) as store:
            assert migrations.pending(store) == ""
            with store.transaction() as session:
                assert session.rows("SELECT log_id FROM logs") == []
                open_log(session, 1, "acme.example/plant/SH1/i1")


def test_plants_then_what_one_does_does_not_reach_the_next(postgres_18: EmbeddedPostgres, tmp_path: Path) -> None:
    (tmp_path / "next").mkdir()
    with closing(plant_store(tmp_path)) as first, closing(plant_store(tmp_path / "next")) as following:
        before = following.everything()
        first.receive()
        assert following.everything() == before != first.everything()
    with closing(postgres_plant(postgres_18)) as first, closing(postgres_plant(postgres_18)) as following:
        before = following.everything()
        first.receive()
        assert following.everything() == before != first.everything()


def test_dropped_then_only_templates_are_left_even_where_a_connection_is_open(postgres_18: EmbeddedPostgres) -> None:
    name = re.split(r"[/?]", fresh_database(postgres_18))[3]
    with closing(Store(migrated_database(postgres_18))) as store:
        assert migrations.pending(store) == ""  # The pool keeps its connection.
        assert name in databases(postgres_18)
        drop_databases()
    left = databases(postgres_18)
    assert MIGRATED in left
    assert [one for one in left if one.startswith("test_")] == []
