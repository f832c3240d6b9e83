"""Master data over HTTP: two people at once, clients of different ages, and thousands of rows in one request."""

from functools import partial
from typing import Any

import httpx2
import pytest

from auth.actors import Grant, Role
from auth.authors import check_definer
from auth.people import disable_person, revoke_role
from infra.ids import new_id
from plants.commands.materials.saves import advance_save
from schema.materials.many import ROW_WEIGHT
from tests.api.serving import SETUP, Person, Serving

ROWS = 5_000
MANAGER = partial(check_definer, plant_number=1)
REFUSED = range(7, ROWS, 250)  # 20 rows
SHOWN = "code name version shelfLifeDays retestDays unit { code } conversions { unitCode factor }"
SAVED = f"... on MaterialSaved {{ entry {{ index type }} material {{ {SHOWN} }} }}"
PROGRESS = "id state progress { total done recorded unchanged refused rejected notRun }"
JOB = f"... on JobAccepted {{ job {{ {PROGRESS} }} }}"
REFUSED_ROWS = f"""query($id: ID!, $after: String) {{ node(id: $id) {{ ... on Job {{ {PROGRESS}
  rows(filter: {{ outcome: {{ eq: REFUSED }} }}, first: 12, after: $after) {{ totalCount pageInfo {{ endCursor }}
    nodes {{ index code outcome saved {{ id }} refusal {{ code path message }} }} }} }} }} }}"""


def cream(person: Person, **given: Any) -> Any:
    return person.do("saveMaterial", SAVED, code="RM-CREAM", **given)


def test_two_people_save_the_same_material_then_one_is_refused_as_stale(plant: Serving) -> None:
    li = plant.people["li"]
    seen = cream(li, name="Cream", unitCode="KGM", shelfLifeDays=10)["material"]["version"]

    first = cream(li, shelfLifeDays=12, expectedVersion=seen)
    before = plant.plant().everything()
    second = li.do(
        "saveMaterial",
        "... on StaleVersion { expectedVersion currentVersion givenCode }",
        code="RM-CREAM", name="Double cream", expectedVersion=seen,
    )  # fmt: skip

    assert (second["__typename"], second["code"]) == ("StaleVersion", "STALE_VERSION")
    assert (second["expectedVersion"], second["currentVersion"]) == (seen, first["material"]["version"])
    assert plant.plant().everything() == before
    again = cream(li, name="Double cream", expectedVersion=second["currentVersion"])
    assert (again["material"]["name"], again["material"]["shelfLifeDays"]) == ("Double cream", 12)
    assert again["material"]["version"] == again["entry"]["index"]


def test_client_that_knows_three_fields_then_the_others_stay(plant: Serving) -> None:
    li = plant.people["li"]
    cream(li, name="Cream", unitCode="KGM", retestDays=5, conversions=[{"unitCode": "LTR", "factor": "1.02"}])

    saved = cream(li, name="Cream 奶油", unitCode="KGM", shelfLifeDays=9)["material"]

    assert saved["retestDays"] == 5
    assert saved["conversions"] == [{"unitCode": "LTR", "factor": "1.02"}]
    assert (saved["name"], saved["shelfLifeDays"], saved["unit"]) == ("Cream 奶油", 9, {"code": "KGM"})


def test_null_then_cleared_and_what_cannot_be_empty_is_refused(plant: Serving) -> None:
    li = plant.people["li"]
    cream(li, name="Cream", unitCode="KGM", shelfLifeDays=9, conversions=[{"unitCode": "BG", "factor": "25"}])

    saved = cream(li, shelfLifeDays=None, conversions=None)["material"]
    assert (saved["shelfLifeDays"], saved["conversions"], saved["name"]) == (None, [], "Cream")

    before = plant.plant().everything()
    wanted = "... on FieldRequired { field path furtherRefusals { code path } }"
    answer = li.do("saveMaterial", wanted, code="RM-CREAM", name=None, unitCode=None)
    assert (answer["code"], answer["path"]) == ("FIELD_REQUIRED", ["name"])
    assert answer["furtherRefusals"] == [{"code": "FIELD_REQUIRED", "path": ["unitCode"]}]
    assert cream(li, name="Cream")["code"] == "NOTHING_CHANGES"
    assert plant.plant().everything() == before


def rows(wrong: str = "STONE") -> list[dict[str, Any]]:
    return [
        {"code": f"M-{n:04}", "name": f"Material 物料 {n}", "unitCode": wrong if n in REFUSED else "KGM"}
        for n in range(ROWS)
    ]


def run_to_the_end(plant: Serving) -> None:
    """Do what the node's job does."""
    while plant.node.writer.write(lambda session: advance_save(session, 1, plant.clock.now(), check=MANAGER)):
        pass


def test_five_thousand_materials_then_the_twenty_wrong_ones_are_refused_each_at_its_place(plant: Serving) -> None:
    li = plant.people["li"]
    given = {"requestId": new_id(), "onRefusal": "SKIP_ROW", "rows": rows()}

    job = li.do("saveMaterials", JOB, **given)["job"]
    assert (job["state"], job["progress"]["total"]) == ("WAITING", ROWS)
    plant.node.writer.write(lambda session: advance_save(session, 1, plant.clock.now(), check=MANAGER))
    assert li.ask(REFUSED_ROWS, id=job["id"])["node"]["state"] == "RUNNING"
    again = li.do("saveMaterials", JOB, **given)["job"]
    assert (again["id"], again["state"]) == (job["id"], "RUNNING")
    run_to_the_end(plant)

    found = li.ask(REFUSED_ROWS, id=job["id"])["node"]
    rest = li.ask(REFUSED_ROWS, id=job["id"], after=found["rows"]["pageInfo"]["endCursor"])["node"]
    assert found["state"] == "DONE"
    assert found["progress"] == {
        "total": ROWS, "done": ROWS, "recorded": ROWS - 20, "unchanged": 0, "refused": 20, "rejected": 0, "notRun": 0,
    }  # fmt: skip
    refused = [*found["rows"]["nodes"], *rest["rows"]["nodes"]]
    assert found["rows"]["totalCount"] == len(refused) == len(REFUSED)
    assert [one["refusal"]["path"] for one in refused] == [["rows", str(n), "unitCode"] for n in REFUSED]
    assert {one["refusal"]["code"] for one in refused} == {"UNIT_UNKNOWN"}
    assert {one["saved"] for one in refused} == {None}
    counted = li.ask('{ materials(filter: { code: { beginsWith: "M-" } }) { totalCount } }')
    assert counted["materials"]["totalCount"] == ROWS - 20
    li.do("saveMaterials", JOB, **given)
    entries = [one.envelope["key"] for one in plant.plant().entries()]
    assert len([key for key in entries if key.startswith("M-")]) == ROWS - 20


def test_one_of_many_refused_and_all_are_to_be_rejected_then_nothing_changes(plant: Serving) -> None:
    li, before = plant.people["li"], plant.plant().everything()

    job = li.do("saveMaterials", JOB, onRefusal="REJECT_ALL", rows=rows())["job"]
    run_to_the_end(plant)

    assert plant.plant().everything() == before
    found = li.ask(REFUSED_ROWS, id=job["id"])["node"]
    assert found["state"] == "DONE"
    assert found["progress"] == {
        "total": ROWS, "done": ROWS, "recorded": 0, "unchanged": 0, "refused": 20, "rejected": ROWS - 20, "notRun": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    "mutation, noun, more",
    [
        ("saveUnits", "Unit", {"baseUnitCode": "KGM", "factor": "25"}),
        ("saveSuppliers", "Supplier", {}),
        ("saveCustomers", "Customer", {}),
        ("saveLocations", "Location", {}),
        ("saveEquipmentItems", "Equipment", {}),
    ],
)
def test_few_rows_of_any_kind_then_they_are_done_with_the_answer(
    plant: Serving, mutation: str, noun: str, more: dict[str, str]
) -> None:
    li = plant.people["li"]
    wanted = (
        f"... on JobAccepted {{ job {{ state validateOnly rows {{ nodes {{ index outcome refusal {{ code path }}"
        f" saved {{ ... on {noun} {{ code name version }} }} entry {{ index }} }} }} }} }}"
    )
    given = [{"code": "N-1", "name": "New 新", **more}, {"code": "no spaces", "name": "x", **more}]

    job = li.do(mutation, wanted, onRefusal="SKIP_ROW", rows=given)["job"]

    assert job["state"] == "DONE"
    new, wrong = job["rows"]["nodes"]
    assert (new["outcome"], new["saved"]["code"], new["saved"]["name"]) == ("RECORDED", "N-1", "New 新")
    assert new["saved"]["version"] == plant.plant().entry().index
    assert wrong["refusal"] == {"code": "CODE_INVALID", "path": ["rows", "1", "code"]}
    before = plant.plant().everything()
    validated = li.do(mutation, wanted, validateOnly=True, onRefusal="SKIP_ROW", rows=given)
    assert (job["validateOnly"], validated["job"]["validateOnly"]) == (False, True)
    assert [one["outcome"] for one in validated["job"]["rows"]["nodes"]] == ["UNCHANGED", "REFUSED"]
    assert plant.plant().everything() == before


def test_author_loses_the_role_then_the_job_stops_before_the_next_rows(plant: Serving) -> None:
    temp = plant.person("temp", Grant(1, Role.MANAGER))
    job = temp.do("saveMaterials", JOB, onRefusal="SKIP_ROW", rows=rows())["job"]
    plant.node.writer.write(lambda session: advance_save(session, 1, plant.clock.now(), check=MANAGER))
    plant.node.writer.write(
        lambda session: revoke_role(session, actor=SETUP, person_id="temp", grant=Grant(1, Role.MANAGER))
    )
    before = plant.plant().everything()

    run_to_the_end(plant)

    assert plant.plant().everything() == before
    shown = f"""query($id: ID!) {{ node(id: $id) {{ ... on Job {{ {PROGRESS} refusal {{ code }}
      rows(filter: {{ outcome: {{ eq: NOT_RUN }} }}, first: 1) {{
        totalCount nodes {{ refusal {{ code path }} }} }} }} }} }}"""
    found = plant.people["li"].ask(shown, id=job["id"])["node"]
    assert (found["state"], found["refusal"]) == ("STOPPED", {"code": "NOT_PERMITTED"})
    assert found["progress"] == {
        "total": ROWS, "done": 100, "recorded": 99, "unchanged": 0, "refused": 1, "rejected": 0, "notRun": ROWS - 100,
    }  # fmt: skip
    assert found["rows"] == {"totalCount": ROWS - 100, "nodes": [{"refusal": {"code": "NOT_PERMITTED", "path": None}}]}


def test_author_is_disabled_then_the_job_stops(plant: Serving) -> None:
    temp = plant.person("temp", Grant(1, Role.MANAGER))
    job = temp.do("saveMaterials", JOB, onRefusal="REJECT_ALL", rows=rows())["job"]
    plant.node.writer.write(
        lambda session: disable_person(session, actor=SETUP, person_id="temp", at=plant.clock.now())
    )
    before = plant.plant().everything()

    run_to_the_end(plant)

    assert plant.plant().everything() == before
    found = plant.people["li"].ask(REFUSED_ROWS, id=job["id"])["node"]
    assert (found["state"], found["progress"]["notRun"]) == ("STOPPED", ROWS)


def test_many_rows_cost_by_their_number(plant: Serving) -> None:
    query = "mutation($input: SaveLocationsInput!) { saveLocations(input: $input) { __typename } }"

    def cost(count: int) -> int:
        many = [{"code": f"L-{n}", "name": "L"} for n in range(count)]
        given = {"requestId": new_id(), "onRefusal": "SKIP_ROW", "rows": many}
        answer = plant.people["li"].send(query, input=given).json()
        found: int = answer["extensions"]["cost"]["requested"]
        return found

    assert cost(200) - cost(100) == 100 * ROW_WEIGHT


def test_not_permitted_then_many_rows_are_refused_alike(plant: Serving) -> None:
    before = plant.plant().everything()
    answer = plant.people["wang"].do("saveMaterials", onRefusal="SKIP_ROW", rows=rows()[:3])
    assert answer["code"] == "NOT_PERMITTED"
    assert plant.plant().everything() == before


def test_more_rows_than_the_limit_then_refused(plant: Serving) -> None:
    many = [{"code": "M", "name": "M"}] * 10_001
    answer = plant.people["li"].do("saveLocations", onRefusal="SKIP_ROW", rows=many)
    assert answer["code"] == "LINES_INVALID"


def test_units_then_built_in_and_own_ones_are_listed_in_the_callers_language(plant: Serving) -> None:
    li = plant.people["li"]
    li.do("saveUnit", code="BAG25", name="Bag 袋", baseUnitCode="KGM", factor="25")
    li.language = "zh"
    wanted = "nodes { code name factor version baseUnit { code } plant { code } }"

    found = li.ask(f'{{ units(filter: {{ text: "千克" }}) {{ totalCount {wanted} }} }}')["units"]
    assert found["totalCount"] == 1
    assert found["nodes"][0] == {
        "code": "KGM", "name": "千克", "factor": "1", "version": None, "baseUnit": {"code": "KGM"}, "plant": None,
    }  # fmt: skip
    own = li.ask(f'{{ units(filter: {{ plantCode: {{ eq: "SH1" }} }}) {{ {wanted} }} }}')["units"]["nodes"]
    assert [(one["code"], one["factor"], one["plant"]) for one in own] == [("BAG25", "25", {"code": "SH1"})]


def test_pages_of_units_then_every_unit_once_in_order(plant: Serving) -> None:
    li = plant.people["li"]
    for code in ("AAA", "KGN", "ZZZ"):
        li.do("saveUnit", code=code, name=code, baseUnitCode="KGM", factor="2")
    document = """query($after: String) {
      units(first: 7, after: $after) { totalCount nodes { code } pageInfo { endCursor hasNextPage } } }"""
    found, after = [], None
    while True:
        page = li.ask(document, after=after)["units"]
        found += [one["code"] for one in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert found == sorted(set(found))
    assert len(found) == page["totalCount"]


def test_orders_and_filters_then_the_lists_of_the_console(plant: Serving) -> None:
    li = plant.people["li"]
    for code, name in (("C-2", "Alpha"), ("C-1", "Beta"), ("C-3", "Alpha")):
        li.do("saveCustomer", code=code, name=name)
    document = """query($order: DefinitionOrder, $after: String) { customers(
      filter: { code: { beginsWith: "C-" } }, orderBy: $order, first: 2, after: $after) {
      nodes { id code } pageInfo { endCursor } } }"""

    def listed(order: dict[str, str] | None) -> list[str]:
        page = li.ask(document, order=order)["customers"]
        after = li.ask(document, order=order, after=page["pageInfo"]["endCursor"])["customers"]
        return [one["code"] for one in (*page["nodes"], *after["nodes"])]

    assert listed(None) == ["C-1", "C-2", "C-3"]
    assert listed({"field": "NAME"}) == ["C-2", "C-3", "C-1"]
    assert listed({"field": "NAME", "direction": "DESCENDING"}) == ["C-1", "C-3", "C-2"]
    (one, *_) = li.ask(document)["customers"]["nodes"]
    assert li.ask("query($id: ID!) { node(id: $id) { ... on Customer { code name } } }", id=one["id"])["node"] == {
        "code": "C-1", "name": "Beta",
    }  # fmt: skip
    assert li.send("{ units { nodes { id } } }").status_code == httpx2.codes.OK
