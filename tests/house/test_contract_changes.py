"""The contract breaks no client of the last release, and the changelog names what can surprise one."""

from typing import Final

import pytest
from graphql import build_schema

from infra.roles import Role
from schema.engine.sdl import baseline_file, committed_file
from tests.house.contract_changes import breaking, unannounced
from tests.house.sources import ROOT

OLD: Final = """
enum Disposition { USABLE BLOCKED }
union MoveResult = Moved | Refused
type Moved { entry: Int! }
type Refused { code: String! }
type Scrapped { code: String! }
input MoveInput { batchCode: String! to: String! }
type Query { batch(code: String!): String batches(first: Int = 50): [Disposition!]! scrapped: Scrapped }
type Mutation { move(input: MoveInput!): MoveResult! }
"""


@pytest.mark.parametrize("role", Role)
def test_contract_then_it_breaks_no_client_of_the_last_release(role: Role) -> None:
    files = baseline_file(role), committed_file(role)
    old, new = (build_schema(file.read_text(encoding="utf-8")) for file in files)

    assert breaking(old, new) == []
    assert list(unannounced(old, new, (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "before, after, change",
    [
        ("USABLE BLOCKED", "USABLE", "Enum value Disposition.BLOCKED was removed."),
        ("batch(code: String!): String", "", "Field Query.batch was removed."),
        (
            "batch(code: String!): String",
            "batch(code: String!): Int",
            "Field Query.batch changed type from String to Int.",
        ),
        ("to: String!", "to: String! why: String!", "A required field MoveInput.why was added."),
        ("Moved | Refused", "Moved", "Refused was removed from union type MoveResult."),
    ],
)
def test_breaking_change_then_it_is_named(before: str, after: str, change: str) -> None:
    assert before in OLD
    assert breaking(build_schema(OLD), build_schema(OLD.replace(before, after))) == [change]


@pytest.mark.parametrize(
    "before, after, place",
    [
        ("USABLE BLOCKED", "USABLE BLOCKED SCRAPPED", "Disposition.SCRAPPED"),
        ("Moved | Refused", "Moved | Refused | Scrapped", "Scrapped"),
        ("to: String!", "to: String! why: String", "MoveInput.why"),
        ("batch(code: String!)", "batch(code: String!, plant: String)", "Query.batch(plant:)"),
        ("first: Int = 50", "first: Int = 20", "Query.batches(first:)"),
    ],
)
def test_dangerous_change_then_the_changelog_must_name_its_place(before: str, after: str, place: str) -> None:
    old, new = build_schema(OLD), build_schema(OLD.replace(before, after))

    assert breaking(old, new) == []
    (said,) = unannounced(old, new, f"# Changelog\n\n## Unreleased\n\n- Nothing.\n\n## 0.1.0\n\n- `{place}`.\n")
    assert said.endswith(f"Name `{place}` in CHANGELOG.md.")
    assert list(unannounced(old, new, f"# Changelog\n\n## Unreleased\n\n- Added `{place}`.\n\n## 0.1.0\n")) == []


def test_fields_and_types_added_then_no_change_is_dangerous() -> None:
    old = build_schema(OLD)
    new = build_schema(OLD.replace("type Query {", "type Stock { code: String! }\ntype Query { stock: Stock "))
    assert (breaking(old, new), list(unannounced(old, new, ""))) == ([], [])
