"""Null in a save of master data over GraphQL: the field is emptied, or refused where a definition must have it."""

from typing import Any, Final

import pytest

from infra.roles import Role
from tests.factories import Plant, rows_of
from tests.plants.replicas import answer_next
from tests.schema.asking import DIRECTOR, JSON, MANAGER, Served
from tests.schema.group import Group
from tests.schema.paths import input_type_of

NAMED: Final = {"code": "NEW-1", "name": "New 新"}
WHOLE: Final[dict[str, JSON]] = {
    "saveMaterial": {
        **NAMED, "unitCode": "KGM", "shelfLifeDays": 9, "retestDays": 5,
        "conversions": [{"unitCode": "BG", "factor": "25"}],
    },
    "saveUnit": {**NAMED, "baseUnitCode": "KGM", "factor": "25"},
    **{f"save{kind}": NAMED for kind in ("Customer", "Equipment", "Location", "Supplier")},
}  # fmt: skip
"""Each mutation with every field of a definition."""

ANSWER: Final = "... on Refusal { path } ... on Recorded { entry { index } }"
EMPTIED: Final[dict[str, tuple[str, Any]]] = {
    "shelfLifeDays": ("shelf_life_days", None),
    "retestDays": ("retest_days", None),
    "conversions": ("conversions", {}),
}
"""The fields that can be empty: the name and the value that an entry has then."""


def fields_of(role: Role, mutation: str) -> list[str]:
    """Return the fields of a definition that a mutation can set."""
    given = {"requestId", "occurredAt", "reason", "code", "expectedVersion"}
    fields = [name for name in input_type_of(role, mutation).fields if name not in given]
    assert set(fields) == WHOLE[mutation].keys() - {"code"}
    return fields


@pytest.mark.parametrize("mutation", WHOLE)
async def test_null_then_emptied_or_refused_at_its_place(here: Plant, node: Served, mutation: str) -> None:
    await node.do(MANAGER, mutation, ANSWER, **WHOLE[mutation])
    for field in fields_of(Role.PLANT, mutation):
        before, size = here.everything(), len(here.entries())
        answer = await node.do(MANAGER, mutation, ANSWER, code="NEW-1", **{field: None})
        if field in EMPTIED:
            name, empty = EMPTIED[field]
            assert (answer["entry"], here.entry().payload[name]) == ({"index": size}, empty)
        else:
            assert (answer["code"], answer["path"]) == ("FIELD_REQUIRED", [field])
            assert here.everything() == before


@pytest.mark.parametrize("mutation", WHOLE)
async def test_null_from_headquarters_then_as_at_the_plant_itself(group: Group, hub: Served, mutation: str) -> None:
    here = group.here
    given = {"plantCodes": ["SH1"]}

    def obey() -> None:
        group.hub.tells(here)
        answer_next(here)

    await hub.do(DIRECTOR, mutation, ANSWER, **WHOLE[mutation], **given)
    obey()
    for field in fields_of(Role.HUB, mutation):
        before = rows_of(group.hub.store)
        answer = await hub.do(DIRECTOR, mutation, ANSWER, code="NEW-1", **{field: None}, **given)
        if field in EMPTIED:
            obey()
            name, empty = EMPTIED[field]
            assert here.entry(-2).payload[name] == empty
        else:
            assert (answer["code"], answer["path"]) == ("FIELD_REQUIRED", [field])
            assert rows_of(group.hub.store) == before
