"""Thousands of rows in one request, and the plant's process killed while it works on them."""

from typing import Any

import pytest

from infra.ids import new_id
from tests.patience import wait_until
from tests.scenarios.preparing import WANG
from tests.scenarios.processes import Group

ROWS = 3_000
WRONG = range(100, ROWS, 600)
JOB = "... on JobAccepted { job { id state progress { total done recorded refused } } }"

pytestmark = pytest.mark.timeout(300)


def test_killed_in_the_middle_and_sent_again_then_every_row_is_recorded_once(group: Group) -> None:
    rows = [{"code": f"M-{n}", "name": f"物料 {n}", "unitCode": "STONE" if n in WRONG else "KGM"} for n in range(ROWS)]
    request = new_id()

    def sent() -> dict[str, Any]:
        answer = group.at("SH1", WANG).do("saveMaterials", JOB, request=request, rows=rows, onRefusal="SKIP_ROW")
        return dict(answer["job"])

    def done() -> int:
        return int(sent()["progress"]["done"])

    group.start("SH1")
    first = sent()
    wait_until(lambda: done() > 0, "some rows have their results")
    group.kill("SH1")
    with group.store("SH1").transaction() as session:
        (state, before) = session.rows("SELECT state, done FROM saves")[0]
    assert (state, 0 < before < ROWS) == ("RUNNING", True)

    group.start("SH1")
    wait_until(lambda: sent()["state"] == "DONE", "every row has its result")

    last = sent()
    assert last["id"] == first["id"]
    assert last["progress"] == {
        "total": ROWS, "done": ROWS, "recorded": ROWS - len(WRONG), "refused": len(WRONG),
    }  # fmt: skip
    with group.store("SH1").transaction() as session:
        sql = "SELECT key, count(*) FROM entries WHERE type = 'MaterialDefined' AND key LIKE 'M-%' GROUP BY key"
        entries: dict[str, int] = dict(session.rows(sql))
    assert entries == {one["code"]: 1 for one in rows if one["unitCode"] == "KGM"}
    group.stop()
