"""The rules of the GraphQL contract hold for both roles, and each rule finds a planted breach."""

from typing import Final

import pytest
from graphql import build_schema

from infra.roles import Role
from tests.house.contract_rules import (
    Rule,
    bare_names_in_refusals,
    clashing_members,
    missing_validations,
    null_defaults,
    unlisted_verbs,
    unmarked_members,
    unplaced_refusals,
)
from tests.house.sources import ROOT

BEGIN: Final = """
scalar BatchCode
interface Recorded { entry: Int! }
interface Refusal { code: String! }
type Validated { validatedAt: String! }
type Batch { code: BatchCode! }
type BatchMoved implements Recorded { entry: Int! batch: Batch! }
type Query { batch: Batch }
input MoveInput { code: BatchCode! }
union MoveResult = BatchMoved | Validated | BatchUnknown
"""
SOUND: Final = """
type BatchUnknown implements Refusal { code: String! path: [String!] furtherRefusals: [Refusal!]! batchCode: BatchCode }
type SubmittedCommand { recorded: Recorded refusal: Refusal }
type Mutation {
  moveBatch(input: MoveInput!, validateOnly: Boolean! = false): MoveResult!
  submit(commands: [MoveInput!]!): [SubmittedCommand!]!
}
"""
BREACHES: Final[dict[Rule, tuple[str, list[str]]]] = {
    clashing_members: (
        """type BatchUnknown implements Refusal { code: String! batch: BatchCode entry: String }
        type Mutation { move(input: MoveInput!): MoveResult! }""",
        ["MoveResult.entry: Int!, String", "MoveResult.batch: !{}, BatchCode"],
    ),
    null_defaults: (
        """type BatchUnknown implements Refusal { code: String! }
        type Mutation { move(input: MoveInput!, plant: String = null): MoveResult! }
        input CountInput { location: String = null, times: Int = 1 }""",
        ["Mutation.move(plant)", "CountInput.location"],
    ),
    unmarked_members: (
        """type BatchUnknown { batchCode: BatchCode }
        type Mutation { move(input: MoveInput!): MoveResult! }""",
        ["move: BatchUnknown"],
    ),
    bare_names_in_refusals: (
        """type BatchUnknown implements Refusal { code: String! batch: BatchCode }
        type Mutation { move(input: MoveInput!): MoveResult! }""",
        ["BatchUnknown.batch"],
    ),
    missing_validations: (
        """type BatchUnknown implements Refusal { code: String! }
        union CountResult = BatchMoved | BatchUnknown
        type Mutation {
          move(input: MoveInput!): MoveResult!
          count(input: MoveInput!, validateOnly: Boolean! = true): CountResult!
        }""",
        ["move(validateOnly)", "count(validateOnly)", "count: CountResult"],
    ),
    unlisted_verbs: (
        """type BatchUnknown implements Refusal { code: String! }
        type Mutation { feedProcess(input: MoveInput!): MoveResult! moved(input: MoveInput!): MoveResult! }""",
        ["feedProcess", "moved"],
    ),
    unplaced_refusals: (
        """type BatchUnknown implements Refusal { code: String! path: [String] }
        type Mutation { move(input: MoveInput!): MoveResult! }""",
        ["BatchUnknown.path", "BatchUnknown.furtherRefusals"],
    ),
}
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
