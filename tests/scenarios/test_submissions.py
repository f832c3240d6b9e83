"""A queue of scans in one request: the server is killed in the middle, and the same queue is sent again."""

from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from infra.ids import new_id
from tests.factories import Plant
from tests.patience import wait_until
from tests.scenarios.preparing import WANG
from tests.scenarios.processes import Group

pytestmark = pytest.mark.timeout(300)

SCANS = 200
REFUSED = range(7, SCANS, 20)
SUBMIT = """mutation($commands: [CommandInput!]!) { submit(commands: $commands) {
  requestId recorded { entry { index } } refusal { code path } } }"""


def test_queue_killed_in_the_middle_and_sent_again_then_each_scan_is_once(group: Group) -> None:
    group.start("SH1")
    quantity = {"amount": str(SCANS), "unit": "KGM"}
    received = group.at("SH1", WANG).do(
        "receiveBatch",
        "... on BatchReceived { batch { code } }",
        materialCode="MILK",
        quantity=quantity,
        locationCode="A1",
    )
    batch = received["batch"]["code"]
    scans = [
        {
            "moveBatch": {
                "requestId": new_id(),
                "batchCode": "SH1-NONE" if number in REFUSED else batch,
                "fromLocationCode": "A1",
                "toLocationCode": "B1",
                "quantity": {"amount": "1", "unit": "KGM"},
            }
        }
        for number in range(SCANS)
    ]
    plant = Plant(group.store("SH1"))

    def recorded() -> list[str]:
        sent = {scan["moveBatch"]["requestId"] for scan in scans}
        return [str(one.envelope["request"]) for one in plant.entries() if one.envelope.get("request") in sent]

    with ThreadPoolExecutor(1) as sending:
        answer = sending.submit(group.at("SH1", WANG).post, SUBMIT, {"commands": scans})
        wait_until(lambda: len(recorded()) >= SCANS // 5, "a fifth of the queue is recorded")
        group.kill("SH1")
        with pytest.raises(httpx2.TransportError):
            answer.result()
    assert SCANS // 5 <= len(recorded()) < SCANS - len(REFUSED)

    group.start("SH1")
    group.forget_person("SH1", WANG)
    done = group.at("SH1", WANG).ask(SUBMIT, commands=scans)["submit"]

    expected = [scan["moveBatch"]["requestId"] for number, scan in enumerate(scans) if number not in REFUSED]
    assert recorded() == expected, "each once, in the order of the queue"
    assert plant.stock()[batch, "B1"] == str(SCANS - len(REFUSED))
    refused = {"code": "BATCH_UNKNOWN", "path": ["batchCode"]}
    assert [one["refusal"] for one in done] == [refused if number in REFUSED else None for number in range(SCANS)]
    indexes = [one["recorded"]["entry"]["index"] for one in done if one["recorded"]]
    assert indexes == sorted(set(indexes))
