"""Actors and refusals are objects and addresses are ids in both contracts, and each rule finds a planted breach."""

from typing import Final

import pytest
from graphql import build_schema

from infra.roles import Role
from tests.house.contract_rules import Rule
from tests.house.object_rules import actors_as_texts, numbers_as_addresses, refusals_as_texts
from tests.house.sources import ROOT

BEGIN: Final = """
interface Refusal { code: String! }
type BatchUnknown implements Refusal { code: String! }
type Actor { code: String! }
type BatchHold { id: ID! }
type LedgerEntry { id: ID! }
type Query { hold: BatchHold entry: LedgerEntry }
"""
SOUND: Final = """
type Decision { decidedBy: Actor! actor: Actor printedName: String! refusal: BatchUnknown furtherRefusals: [Refusal!]!
  blockedBy: Refusal refusalCount: Int onRefusal: OnRefusal }
enum OnRefusal { SKIP_ROW }
input Line { entryId: ID! days: Int }
input MoveInput { lines: [Line!]! expectedVersion: Int times: Int! }
type Mutation { move(input: MoveInput!, validateOnly: Boolean): Decision }
"""
BREACHES: Final[dict[Rule, tuple[str, list[str]]]] = {
    actors_as_texts: (
        """type Decision { decidedBy: String! actor: ID placedBy: [String!]! blockedBy: Refusal }
        type Mutation { move(version: Int): Decision }""",
        ["Decision.decidedBy", "Decision.actor", "Decision.placedBy"],
    ),
    refusals_as_texts: (
        """type Decision { refusal: String blockedBy: Actor furtherRefusals: [String!]! keptRefusal: Refusal }
        type Mutation { move(version: Int): Decision }""",
        ["Decision.refusal", "Decision.blockedBy", "Decision.furtherRefusals"],
    ),
    numbers_as_addresses: (
        """input Line { entry: Int! ledgerEntry: [Int!] days: Int }
        input MoveInput { hold: Int lines: [Line!]! lineIndex: Int }
        type Mutation { move(input: MoveInput!, batchHold: Int!, changeNumber: Int): BatchHold }""",
        [
            "move(batchHold)", "move(changeNumber)", "move(input).hold", "move(input).lineIndex",
            "move(input).lines.entry", "move(input).lines.ledgerEntry",
        ],
    ),
}  # fmt: skip
"""A contract that breaks each rule, and the places."""


@pytest.mark.parametrize("rule", BREACHES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("role", Role)
def test_contract_then_it_keeps_the_rule(role: Role, rule: Rule) -> None:
    schema = build_schema((ROOT / "schema" / f"{role.value}.graphql").read_text(encoding="utf-8"))
    assert list(rule(schema)) == []


@pytest.mark.parametrize("rule", BREACHES, ids=lambda rule: rule.__name__)
def test_breach_then_the_rule_names_its_place(rule: Rule) -> None:
    broken, places = BREACHES[rule]
    assert sorted(rule(build_schema(BEGIN + broken))) == sorted(places)
    assert list(rule(build_schema(BEGIN + SOUND))) == []
