"""`submit`: commands in order, each under its own permission and request id, while others write."""

import asyncio
from typing import Any

import pytest
from graphql import GraphQLInputObjectType

from auth.actors import Role
from infra.ids import new_id
from infra.roles import Role as NodeRole
from schema.engine.contracts import contract
from schema.engine.limits import COMMANDS_MAX, Limit
from schema.engine.node_ids import node_id
from schema.engine.operations import OperationKind, operations
from tests.factories import Plant
from tests.schema.asking import AUDITOR, DIRECTOR, JSON, OPERATOR, Served, person
from tests.schema.group import Group, hold_at_hub

SUBMIT = """mutation($commands: [CommandInput!]!) { submit(commands: $commands) {
  requestId recorded { __typename entry { index type } ... on BatchReceived { batch { code } } }
  refusal { code path furtherRefusals { code path } } } }"""
PLAIN = "mutation($commands: [CommandInput!]!) { submit(commands: $commands) { requestId } }"
AT_HUB = """mutation($commands: [CommandInput!]!) { submit(commands: $commands) {
  requestId recorded { entry { type } } refusal { code path } } }"""


def command(mutation: str, **given: Any) -> JSON:
    return {mutation: {"requestId": new_id(), **given}}


def receipt(**more: Any) -> JSON:
    quantity = {"amount": "10", "unit": "KGM"}
    return command("receiveBatch", **{"materialCode": "RM-MILK", "quantity": quantity, "locationCode": "A1", **more})


def move(batch: str, amount: str = "1") -> JSON:
    return command(
        "moveBatch",
        batchCode=batch,
        fromLocationCode="A1",
        toLocationCode="B1",
        quantity={"amount": amount, "unit": "KGM"},
    )


async def submit(node: Served, commands: list[JSON]) -> list[JSON]:
    done: list[JSON] = (await node.ask(OPERATOR, SUBMIT, commands=commands))["submit"]
    assert [one["requestId"] for one in done] == [next(iter(each.values()))["requestId"] for each in commands]
    return done


async def test_commands_submitted_then_done_in_order_and_a_refused_one_stops_none(here: Plant, node: Served) -> None:
    batch = here.receive(amount="3")
    size = len(here.entries())
    ship = command(
        "shipGoods",
        customerCode="C1",
        lines=[
            {"batchCode": one, "quantity": {"amount": "1", "unit": "KGM"}, "locationCode": "A1"}
            for one in ("SH1-NONE", batch, "SH1-NIL")
        ],
    )
    done = await submit(node, [move(batch, "2"), move(batch, "2"), receipt(), ship, move(batch, "1")])

    assert [one["recorded"] and one["recorded"]["__typename"] for one in done] == [
        "BatchMoved", None, "BatchReceived", None, "BatchMoved",
    ]  # fmt: skip
    assert [one["recorded"]["entry"]["index"] for one in done if one["recorded"]] == [size, size + 1, size + 2]
    assert done[2]["recorded"]["batch"]["code"].startswith("SH1-")
    assert [one["refusal"] for one in done] == [
        None,
        {"code": "STOCK_SHORT", "path": ["quantity"], "furtherRefusals": []},
        None,
        {
            "code": "BATCH_UNKNOWN",
            "path": ["lines", "0", "batchCode"],
            "furtherRefusals": [{"code": "BATCH_UNKNOWN", "path": ["lines", "2", "batchCode"]}],
        },
        None,
    ]
    assert here.stock()[batch, "B1"] == "3"


async def test_same_commands_again_then_the_first_answers_and_nothing_new(here: Plant, node: Served) -> None:
    batch = here.receive()
    commands = [move(batch), move(batch), receipt()]
    first = await submit(node, commands)
    before = here.everything()

    assert await submit(node, [*commands, *commands]) == [*first, *first]
    assert here.everything() == before

    other = {"receiveBatch": {**commands[2]["receiveBatch"], "locationCode": "B1"}}
    (reused,) = await submit(node, [other])
    assert reused["refusal"] == {"code": "REQUEST_REUSED", "path": ["requestId"], "furtherRefusals": []}
    assert here.everything() == before


async def test_commands_of_several_permissions_then_each_as_if_sent_alone(here: Plant, node: Served) -> None:
    batch = here.receive()
    count = command(
        "countStock",
        batchCode=batch,
        locationCode="A1",
        counted={"amount": "99", "unit": "KGM"},
        reason="Counted",
    )
    process = command("closeProcess", processId="nonsense")
    for actor, codes in (
        (OPERATOR, [None, "NOT_PERMITTED", "PROCESS_UNKNOWN"]),
        (person(4, (1, Role.QUALITY)), ["NOT_PERMITTED", "NOT_PERMITTED", "NOT_PERMITTED"]),
        (AUDITOR, ["NOT_PERMITTED", "NOT_PERMITTED", "NOT_PERMITTED"]),
    ):
        before = here.everything()
        answer = await node.ask(actor, SUBMIT, commands=[receipt(), count, process])
        assert [one["refusal"] and one["refusal"]["code"] for one in answer["submit"]] == codes
        assert (here.everything() == before) is (actor is not OPERATOR)


VALUE_SUBMIT = """mutation($commands: [CommandInput!]!) { submit(commands: $commands) {
  requestId recorded { entry { index } }
  refusal { code path message ... on ValueInvalid { text rule } furtherRefusals { code path } } } }"""


async def test_malformed_commands_then_each_is_refused_in_its_place_and_the_others_are_run(
    here: Plant, node: Served
) -> None:
    wrong: list[tuple[Any, list[str] | None]] = [
        (receipt(occurredAt="30.11.2026"), ["occurredAt"]),
        (receipt(quantity={"amount": 1.5, "unit": "KGM"}), ["quantity", "amount"]),
        (receipt(colour="red"), ["colour"]),
        (receipt(quantity={"amount": "1"}), ["quantity", "unit"]),
        (receipt(attributes=[{"name": "a", "value": "b"}, {"name": 7, "value": "b"}]), ["attributes", "1", "name"]),
        (command("correctEntry", entryId="x", reasonKind="NONE", reason="r"), None),
        ({}, None),
        ({**receipt(), **move("SH1-1")}, None),
        ({"receiveBatch": None}, None),
        ({"submit": {}}, None),
        (None, None),
        ("text", None),
    ]
    size = len(here.entries())
    commands = [one for each, _ in wrong for one in (receipt(), each)]

    answer = await node.ask(OPERATOR, VALUE_SUBMIT, commands=commands)

    found = answer["submit"]
    assert [one["recorded"]["entry"]["index"] for one in found[::2]] == [*range(size, size + len(wrong))]
    for (given, path), one in zip(wrong, found[1::2], strict=True):
        assert one["recorded"] is None
        assert one["refusal"]["code"] == "VALUE_INVALID", one
        if path is not None:
            assert one["refusal"]["path"] == path
            assert one["requestId"] == next(iter(given.values()))["requestId"]
    assert found[1]["refusal"]["text"] == "30.11.2026"
    assert found[1]["refusal"]["rule"] == "use RFC 3339 with an offset, like 2026-03-14T08:00:00Z."
    assert [one["requestId"] for one in found[13::2]] == [None] * 6
    assert len(here.entries()) == size + len(wrong)
    again = await node.ask(OPERATOR, VALUE_SUBMIT, commands=commands)
    assert again == answer


async def test_thousands_of_unknown_fields_then_as_many_are_told_as_one_answer_tells(node: Served) -> None:
    wrong = {"receiveBatch": {f"field{number}": 1 for number in range(5_000)}}

    (one,) = (await node.ask(OPERATOR, VALUE_SUBMIT, commands=[wrong]))["submit"]

    assert len(one["refusal"]["furtherRefusals"]) == 99


@pytest.mark.parametrize("value, text", [(1, "1"), (0, "0"), (True, "true"), (2.5, "2.5"), ([1], "[]")])
async def test_value_is_no_text_then_it_is_quoted_as_it_was_sent(node: Served, value: object, text: str) -> None:
    (one,) = (await node.ask(OPERATOR, VALUE_SUBMIT, commands=[receipt(occurredAt=value)]))["submit"]

    assert one["refusal"]["text"] == text


async def test_several_values_of_a_command_are_malformed_then_all_are_told(node: Served) -> None:
    (one,) = (await node.ask(OPERATOR, VALUE_SUBMIT, commands=[{"receiveBatch": {"occurredAt": 1, "colour": 2}}]))[
        "submit"
    ]

    places = [one["refusal"]["path"], *(each["path"] for each in one["refusal"]["furtherRefusals"])]
    assert sorted(places) == [
        ["colour"],
        ["locationCode"],
        ["materialCode"],
        ["occurredAt"],
        ["quantity"],
        ["requestId"],
    ]


async def test_invisible_characters_in_the_input_then_the_message_quotes_them_as_escapes(node: Served) -> None:
    sent = "a\n\u202eb\u200b" + "x" * 1000
    wrong = [receipt(occurredAt=sent), receipt(locationCode=sent), receipt(materialCode=sent)]

    for one in (await node.ask(OPERATOR, VALUE_SUBMIT, commands=wrong))["submit"]:
        message = one["refusal"]["message"]
        assert message.isprintable()
        assert "a\\n\\u202eb\\u200bx" in message
        assert len(message) < 400


async def test_malformed_literal_of_a_command_then_the_document_is_refused(here: Plant, node: Served) -> None:
    before = here.everything()
    literal = "mutation { submit(commands: [{ receiveBatch: { colour: 2 } }]) { requestId } }"

    assert (await node.answer(OPERATOR, literal))["errors"]
    assert here.everything() == before


async def test_too_many_or_no_commands_then_said_so_and_nothing_is_done(here: Plant, node: Served) -> None:
    before = here.everything()
    for commands, text in (
        ([receipt()] * (COMMANDS_MAX + 1), "`commands` holds at most 500 commands, not 501."),
        ([{}] * (COMMANDS_MAX + 1), "`commands` holds at most 500 commands, not 501."),
        ([5] * 50_000, "`commands` holds at most 500 commands, not 50000."),
    ):
        (error,) = (await node.answer(OPERATOR, PLAIN, commands=commands))["errors"]
        assert text in error["message"], error
    assert (await node.ask(OPERATOR, SUBMIT, commands=[]))["submit"] == []
    assert here.everything() == before


async def test_as_many_commands_as_the_limit_then_each_is_answered(here: Plant, node: Served) -> None:
    before = here.everything()

    done = await submit(node, [command("closeProcess", processId="nonsense") for _ in range(COMMANDS_MAX)])

    refused = {"code": "PROCESS_UNKNOWN", "path": ["processId"], "furtherRefusals": []}
    assert [one["refusal"] for one in done] == [refused] * COMMANDS_MAX
    assert here.everything() == before


async def test_others_write_meanwhile_then_they_need_not_wait_for_the_end(here: Plant, node: Served) -> None:
    batch = here.receive(amount="1000")
    wanted = "... on Recorded { entry { index } }"

    async def receive() -> int:
        return int((await node.do(OPERATOR, "receiveBatch", wanted, **receipt()["receiveBatch"]))["entry"]["index"])

    many = asyncio.gather(submit(node, [move(batch) for _ in range(150)]))
    single = await asyncio.gather(*(receive() for _ in range(5)))
    (done,) = await many
    last = done[-1]["recorded"]["entry"]["index"]
    assert [index < last for index in single] == [True] * 5
    assert here.stock()[batch, "B1"] == "150"


async def test_batches_of_all_answers_are_too_many_then_only_the_answer_is_refused(
    here: Plant, node: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = here.receive(amount="100")
    part = {"quantity": {"amount": "1", "unit": "KGM"}, "locationCode": "A1"}
    splits = [command("splitBatch", batchCode=batch, locationCode="A1", parts=[part] * 4) for _ in range(3)]
    monkeypatch.setattr("schema.engine.context.ROWS_MAX", Limit(3 + 3 * 4 - 1, "Rows."))
    parts = SUBMIT.replace("BatchReceived { batch { code } }", "BatchSplit { parts { code } }")
    size = len(here.entries())

    refused = await node.answer(OPERATOR, parts, commands=splits)

    assert [one["extensions"]["code"] for one in refused["errors"]] == ["LIMIT_EXCEEDED"]
    assert len(here.entries()) == size + 3
    assert [one["recorded"]["entry"]["index"] for one in await submit(node, splits)] == [size, size + 1, size + 2]
    found = await node.ask(OPERATOR, parts, commands=splits[:2])
    codes = [part["code"] for one in found["submit"] for part in one["recorded"]["parts"]]
    assert len(set(codes)) == 8
    assert len(here.entries()) == size + 3


async def test_malformed_commands_then_they_count_as_rows_of_the_answer(
    here: Plant, node: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("schema.engine.context.ROWS_MAX", Limit(4, "Rows."))
    before = here.everything()

    refused = await node.answer(OPERATOR, PLAIN, commands=[{}, {}, {}, {}, receipt()])

    assert [one["extensions"]["code"] for one in refused["errors"]] == ["LIMIT_EXCEEDED"]
    assert here.everything() == before
    answered = (await node.ask(OPERATOR, PLAIN, commands=[{}, {}, {}, {}]))["submit"]
    assert answered == [{"requestId": None}] * 4


@pytest.mark.parametrize("role", NodeRole)
def test_members_of_a_command_then_the_mutations_of_the_role_with_their_inputs(role: NodeRole) -> None:
    schema = contract(role)._schema  # noqa: SLF001 -- Strawberry keeps the schema of graphql-core private.
    kind = schema.type_map["CommandInput"]
    assert isinstance(kind, GraphQLInputObjectType)
    assert "input CommandInput @oneOf" in contract(role).as_str()
    assert schema.mutation_type is not None
    bulk = {one.name for one in operations() if one.kind is OperationKind.MUTATION and one.bulk}
    expected = {
        name: str(field.args["input"].type).removesuffix("!")
        for name, field in schema.mutation_type.fields.items()
        if name not in bulk and "input" in field.args
    }
    members = {name: field.type for name, field in kind.fields.items()}
    for name, field in schema.mutation_type.fields.items():
        if set(field.args) > {"input", "validateOnly"} and name in expected:
            member = members.pop(name)
            del expected[name]
            assert isinstance(member, GraphQLInputObjectType)
            given = {each: str(one.type) for each, one in field.args.items() if each != "validateOnly"}
            assert {each: str(one.type) for each, one in member.fields.items()} == given

    assert {name: str(one) for name, one in members.items()} == expected


async def test_commands_with_more_arguments_than_an_input_then_run_as_their_mutations(
    group: Group, hub: Served
) -> None:
    batch = group.here.receive()
    group.hears()
    supplier = {"requestId": new_id(), "code": "S-Q", "name": "Queued"}
    hold = {"requestId": new_id(), "batchCode": batch, "reason": "Seal", "kind": "QUALITY"}
    commands: list[dict[str, JSON]] = [
        {"saveSupplier": {"input": supplier, "plantCodes": ["SH1"]}},
        {"saveSupplier": {"input": {**supplier, "requestId": new_id(), "name": 7}, "plantCodes": ["SH1"]}},
        {"saveSupplier": {"input": {**supplier, "requestId": new_id()}}},
        {"placeHold": {"input": hold}},
        {"placeHold": {"input": {**hold, "requestId": new_id()}, "plantCodes": []}},
    ]

    done = (await hub.ask(DIRECTOR, AT_HUB, commands=commands))["submit"]

    assert [one["recorded"] and one["recorded"]["entry"]["type"] for one in done] == [
        "MasterChangeDirected", None, None, "HoldDirected", None,
    ]  # fmt: skip
    assert [one["requestId"] for one in done] == [next(iter(one.values()))["input"]["requestId"] for one in commands]
    assert [one["refusal"] for one in done[1:]] == [
        {"code": "VALUE_INVALID", "path": ["name"]},
        {"code": "VALUE_INVALID", "path": ["plantCodes"]},
        None,
        {"code": "LINES_INVALID", "path": ["plantCodes"]},
    ]


async def test_several_values_of_a_command_with_arguments_are_malformed_then_each_path_begins_below_input(
    hub: Served,
) -> None:
    given = {"input": {**command("saveSupplier", code="S-Q", name=7)["saveSupplier"], "colour": 2}}
    document = AT_HUB.replace("path }", "path furtherRefusals { path } }")

    (one,) = (await hub.ask(DIRECTOR, document, commands=[{"saveSupplier": given}]))["submit"]

    places = [one["refusal"]["path"], *(each["path"] for each in one["refusal"]["furtherRefusals"])]
    assert sorted(places) == [["colour"], ["name"], ["plantCodes"]]


async def test_commands_of_the_hub_then_run_there(group: Group, hub: Served) -> None:
    batch = group.here.receive()
    group.hears()
    hold = node_id("directed-hold", hold_at_hub(group, batch))
    lifts = [command("liftHold", holdId=one, reason="Tested") for one in (hold, hold, "none")]

    done = (await hub.ask(DIRECTOR, AT_HUB, commands=lifts))["submit"]

    assert [one["recorded"] and one["recorded"]["entry"]["type"] for one in done] == ["ReleaseDirected", None, None]
    assert [one["refusal"] for one in done[1:]] == [{"code": "DIRECTED_HOLD_UNKNOWN", "path": ["holdId"]}] * 2
