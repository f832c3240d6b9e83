"""The rules of the GraphQL contract hold for both roles, and each rule finds a planted breach."""

from typing import Final

import pytest
from graphql import build_schema

from infra.roles import Role
from tests.house.contract_rules import (
    Rule,
    bare_names,
    bare_names_in_refusals,
    clashing_members,
    empty_defaults,
    misnamed_ids,
    missing_validations,
    nodeless_lists,
    null_defaults,
    odd_orders,
    odd_pages,
    unbounded_lists,
    unexampled_mutations,
    unexplained_nodes,
    unlisted_verbs,
    unmarked_members,
    unmirrored_filters,
    unordered_lists,
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
type BatchUnknown implements Refusal {
  code: String!
  "At most 10 names."
  path: [String!]
  "At most 100."
  furtherRefusals: [Refusal!]!
  batchCode: BatchCode
}
type SubmittedCommand { recorded: Recorded refusal: Refusal }
type Mutation {
  "Moves. Example: `{ code: 1 }`."
  moveBatch(input: MoveInput!, validateOnly: Boolean! = false): MoveResult!
  "One for each command. Example: `[{ code: 1 }]`."
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
    nodeless_lists: (
        """type BatchUnknown implements Refusal { code: String! }
        type Mutation { move(input: MoveInput!): MoveResult! }
        interface Node { id: ID! }
        type Stock { amount: Int }
        type Hold implements Node { id: ID! }
        type TracePath { length: Int }
        union Thing = Stock | Hold
        type StockConnection { nodes: [Stock!]! }
        type ThingConnection { nodes: [Thing!]! }
        type HoldConnection { nodes: [Hold!]! }
        type TracePathConnection { nodes: [TracePath!]! }""",
        ["StockConnection: Stock", "ThingConnection: Stock"],
    ),
    odd_pages: (
        """type BatchUnknown implements Refusal { code: String! }
        type Mutation { move(input: MoveInput!): MoveResult! }
        type BatchConnection { totalCount: Int }
        type StockConnection { totalCount: Int! }
        type Plant {
          batches(first: Int = 50, after: String): BatchConnection!
          all: BatchConnection!
          few(first: Int = 10, after: String): BatchConnection!
          many(first: Int, after: String): BatchConnection!
          next(first: Int = 50, after: String!): BatchConnection!
          stock(first: Int = 50, after: String): StockConnection!
        }""",
        ["Plant.all", "Plant.few", "Plant.many", "Plant.next", "StockConnection.totalCount"],
    ),
    odd_orders: (
        """type BatchUnknown implements Refusal { code: String! }
        type Mutation { move(input: MoveInput!): MoveResult! }
        enum OrderDirection { ASCENDING DESCENDING }
        enum BatchOrderField { CODE }
        enum StockOrder { NEWEST_FIRST }
        input BatchOrder { field: BatchOrderField! direction: OrderDirection! = ASCENDING }
        input HoldOrder { field: BatchOrderField! direction: OrderDirection! = DESCENDING }
        type Plant {
          batches(orderBy: BatchOrder): Int
          stock(orderBy: StockOrder): Int
          holds(orderBy: HoldOrder): Int
          sorted(order: BatchOrder): Int
          newest(orderBy: Boolean): Int
        }""",
        ["Plant.stock(orderBy)", "Plant.holds(orderBy)", "Plant.sorted(order)", "Plant.newest(orderBy)"],
    ),
    unordered_lists: (
        """type BatchUnknown implements Refusal { code: String! }
        type Mutation { move(input: MoveInput!): MoveResult! }
        input BatchOrder { field: Int }
        type BatchConnection { nodes: [Batch!]! }
        type Plant { "Batches." batches: BatchConnection! "Lots, by code." lots: BatchConnection!
          "Batches." ordered(orderBy: BatchOrder): BatchConnection! "Each in the order fed." fed: BatchConnection! }
        extend type Query { "Batches by code." batches: BatchConnection! all(orderBy: BatchOrder): BatchConnection!
          plant: Plant }""",
        ["Plant.batches", "Query.batches"],
    ),
    empty_defaults: (
        """type BatchUnknown implements Refusal { code: String! }
        type Mutation { move(input: MoveInput!, note: String = ""): MoveResult! }
        input CountInput { location: String! = "", place: String = "A", times: Int = 0 }""",
        ["Mutation.move(note)", "CountInput.location"],
    ),
    misnamed_ids: (
        """type BatchUnknown implements Refusal { code: String! process: ID processId: ID }
        type Mutation { move(input: MoveInput!, hold: ID, holdIds: [ID!]): MoveResult! }
        input FeedInput { process: ID! processId: ID! entryId: String! requestId: UUID! }
        scalar UUID
        type BatchOnHold implements Refusal { code: String! holdId: String holdIds: [Int!] requestId: UUID }""",
        [
            "FeedInput.process",
            "FeedInput.entryId",
            "Mutation.move(hold)",
            "BatchUnknown.process",
            "BatchOnHold.holdId",
            "BatchOnHold.holdIds",
        ],
    ),
    unmirrored_filters: (
        """type BatchUnknown implements Refusal { code: String! }
        enum Grade { A }
        enum Colour { RED }
        input CodeFilter { eq: String in: [String!] beginsWith: String }
        input ColourFilter { eq: Colour in: [Colour!] notIn: [Colour!] }
        input IntRange { from: Int before: Int }
        input AliasFilter { value: CodeFilter lot: CodeFilter }
        input GoodsFilter { code: CodeFilter text: String materialCode: CodeFilter codeId: CodeFilter
          plantCode: CodeFilter batchCode: CodeFilter lotCode: CodeFilter
          grade: ColourFilter madeOn: IntRange steps: IntRange open: Boolean held: Boolean
          aliases: AliasFilter lots: AliasFilter }
        type Material { code: String! }
        type Alias { value: String! }
        type AliasConnection { nodes: [Alias!]! }
        type GoodsLine { batch: Batch amount: Int }
        type GoodsLineConnection { nodes: [GoodsLine!]! }
        type AtPlant { plant: Material! open: Boolean! held: String }
        type Goods { code: String! material: Material! grade: Grade madeOn: String distance: Int
          atPlants: [AtPlant!]! aliases: AliasConnection! lines: GoodsLineConnection! }
        type GoodsConnection { nodes: [Goods!]! }
        type GoodsEvent { cursor: String! goods: Goods }
        extend type Query { goods(filter: GoodsFilter): GoodsConnection! }
        type Subscription { goods(filter: ColourOf): GoodsEvent }
        input ColourOf { code: CodeFilter colour: ColourFilter }
        type Mutation { move(input: MoveInput!): MoveResult! }""",
        [
            "Query.goods(GoodsFilter.codeId)",
            "Query.goods(GoodsFilter.lotCode)",
            "Query.goods(GoodsFilter.grade)",
            "Query.goods(GoodsFilter.madeOn)",
            "Query.goods(GoodsFilter.steps)",
            "Query.goods(GoodsFilter.held)",
            "Query.goods(AliasFilter.lot)",
            "Query.goods(GoodsFilter.lots)",
            "Subscription.goods(ColourOf.colour)",
        ],
    ),
    unbounded_lists: (
        """type BatchUnknown implements Refusal { code: String! }
        type BatchConnection { nodes: [Batch!]! edges: [Batch!]! others: [Batch!]! }
        type Goods { "Parts." parts: [Batch!]! "Names." names: [String!] "Names, at most 20." short: [String!]!
          "At most twenty." few: [Batch!]! "One state, one for each plant." states: [Batch!]!
          "Or at most." most: [Int!] }
        extend type Query { goods: Goods batches: BatchConnection }
        type Mutation { move(input: MoveInput!): MoveResult! }""",
        ["BatchConnection.others", "Goods.parts", "Goods.names", "Goods.most"],
    ),
    bare_names: (
        """type BatchUnknown implements Refusal { code: String! }
        type Plant { code: String! batch: BatchCode origin: Plant owner: Plant }
        type Goods { origin: String! owner: Boolean! batchCode: BatchCode batch: Batch }
        input GoodsInput { batch: ID! originCode: String }
        extend type Query { goods(origin: Int, originId: ID): Goods plant: Plant }
        type Mutation { move(input: MoveInput!, goods: GoodsInput): MoveResult! }""",
        ["Plant.batch", "Goods.origin", "GoodsInput.batch", "Query.goods(origin)"],
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
    unexampled_mutations: (
        """type BatchUnknown implements Refusal { code: String! }
        input CountInput { requestId: String! code: BatchCode! unit: Unit }
        enum Unit { KGM }
        type Mutation {
          "Moves." moveBatch(input: MoveInput!): MoveResult!
          "Example: `{ batch: 1 }`." splitBatch(input: MoveInput!): MoveResult!
          "Example of a count: `{ code: 1, unit: KGM }`." countStock(input: CountInput!): MoveResult!
          "Example: `{ code: 1, lot: 2 }`." moveStock(input: CountInput!): MoveResult!
          "Example: `{ code: 1, unit: LTR }`." scrapStock(input: CountInput!): MoveResult!
          "Example: `[{ name: 1 }]`." submit(commands: [MoveInput!]!): [MoveResult!]!
        }""",
        ["moveBatch", "splitBatch", "moveStock", "scrapStock", "submit"],
    ),
    unexplained_nodes: (
        """type BatchUnknown implements Refusal { code: String! }
        interface Node { id: ID! }
        type LedgerEntry implements Node { id: ID! }
        type ParkedEntry implements Node { id: ID! }
        type LostPallet implements Node { id: ID! }
        type Mutation { move(input: MoveInput!): MoveResult! }""",
        ["LostPallet"],
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
