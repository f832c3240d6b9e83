"""Statements on the store have homes, and infra names no table of the domain."""

import ast
import re
from collections.abc import Iterator
from typing import Final

from infra.catalogue import ROOMS
from tests.house.sources import Source, read, sources
from tests.house.test_tables import TABLES
from tests.house.test_tidy import below, check

# The simulator reads the stores from outside, so that it does not trust the queries under test.
HOMES: Final = re.compile(
    r"plants/store/.+|auth/store\.py|infra/(backup|database|postgres\w*|statements|stores)\.py|migrations/.+"
    r"|simulation/.+"
)
SQL: Final = re.compile(
    r"\s*(SELECT|INSERT\s+INTO|UPDATE|DELETE\s+FROM|WITH(\s+RECURSIVE)?|LOCK\s+TABLE|TRUNCATE)\s+([\w(*:%\"]|$)"
)
CORE: Final = re.compile(r"(sqlmodel|sqlalchemy)(\.\w+)*\.(select|insert|update|delete|union|union_all|text)")
NAMES: Final = frozenset(table.name for table in TABLES)
NAMED: Final = re.compile(r"\b(?:FROM|JOIN|INTO|UPDATE)\s+\"?(\w+)")


def statements(source: Source) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of each string that begins as a statement does."""
    for node in source.nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL.match(node.value):
            yield node.lineno, node.value


def away_from_home(source: Source) -> list[str]:
    if HOMES.fullmatch(source.name):
        return []
    texts = [f"line {line}: {text.split()[0]}" for line, text in statements(source)]
    return texts + [f"line {line}: {name}" for line, name in source.imports() if CORE.fullmatch(name)]


def of_our_tables(source: Source) -> list[str]:
    return [
        f"line {line}: {name}"
        for line, text in statements(source)
        for name in NAMED.findall(text)
        if name.lower() in NAMES
    ]


def test_statements_then_each_is_in_a_store_module() -> None:
    check(away_from_home, sources(*ROOMS), "move the query to the store module of its noun")


def test_statements_of_infra_then_none_names_a_table_of_the_domain() -> None:
    assert {"logs", "entries", "batches"} <= NAMES
    check(of_our_tables, below("infra", sources(*ROOMS)), "let the caller hand in the statement")


def test_planted_statements_then_each_is_found() -> None:
    texts = (
        '"SELECT 1 FROM logs"', '"""\n    SELECT size\n"""', '"INSERT INTO logs (size) VALUES (1)"',
        '"UPDATE logs SET size = 1"', '"DELETE FROM logs WHERE size = 1"', '"WITH late AS (SELECT 1) SELECT *"',
        '"WITH RECURSIVE walk(node) AS (SELECT 1)"', 'f"SELECT {columns} FROM logs"', '"SELECT *" " FROM logs"',
        '"LOCK TABLE logs"', "from sqlmodel import select", "from sqlalchemy import delete as remove",
        "from sqlalchemy.sql import text",
    )  # fmt: skip
    for room in ("plants/commands/group/x.py", "sync_jobs/celery/x.py", "infra/clock.py", "schema/x.py"):
        assert [text for text in texts if len(away_from_home(read(room, f"{text}\n"))) != 1] == []
    assert [text for text in texts if away_from_home(read("plants/store/group/x.py", text))] == []


def test_planted_words_then_none_is_a_statement() -> None:
    texts = ('"UPDATE"', '"Select a plant"', '"With reason {why}"', "selected = 1", "from sqlmodel import col")
    assert [text for text in texts if away_from_home(read("schema/x.py", text))] == []


def test_planted_tables_then_those_of_the_domain_are_found() -> None:
    joined = '"SELECT size FROM logs JOIN pg_tables USING (size)"'
    assert of_our_tables(read("infra/backup.py", joined)) == ["line 1: logs"]
    assert of_our_tables(read("infra/backup.py", '"SELECT count(*) FROM pg_tables"')) == []
