"""Whatever is sent to a plant, over HTTP or as a file: a clear no in both languages, and nothing is written."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api.cli.tree import app
from infra.ids import new_id
from plants.store.projection.rebuilding import table_digests
from schema.engine.node_ids import node_id
from tests.plants.epcis.documents import content, event, some
from tests.scenarios.preparing import PLANTS, WANG, Prepared, copy_group
from tests.scenarios.processes import Group, leaves, mutation_document
from tests.scenarios.shop_floor import amount, receive
from tests.sync_jobs.group import stand

pytestmark = pytest.mark.timeout(120)

RECEIVE = mutation_document("receiveBatch", "... on BatchReceived { batch { code } }")
MOVE = mutation_document("moveBatch", "... on BatchMoved { entry { index } }")
FEED = mutation_document("addProcessInputs", "... on ProcessInputsAdded { entry { index } }")
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01"
BRACKETS = b"[" * 10_000_000
TOMORROW = datetime.now(UTC) + timedelta(days=1)


@pytest.fixture(scope="module")
def plant(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Group]:
    with copy_group(prepared, tmp_path_factory.mktemp("bad")) as group:
        group.start("SH1")
        receive(group.at("SH1", WANG))
        yield group


@pytest.fixture
def nothing_written(plant: Group) -> Iterator[None]:
    """Ledger, root and every table are the same after the test."""
    before = whole(plant)
    yield
    assert whole(plant) == before


def whole(plant: Group) -> tuple[Any, ...]:
    store = plant.store("SH1")
    return stand(store, PLANTS["SH1"]), leaves(store, 1), table_digests(store)


def delivery(**other: Any) -> dict[str, Any]:
    return {"materialCode": "MILK", "quantity": amount("10"), "locationCode": "A1", **other}


def move(**other: Any) -> dict[str, Any]:
    places = {"fromLocationCode": "A1", "toLocationCode": "B1"}
    return {"batchCode": "SH1-260101-0001A", "quantity": amount("1"), **places, **other}


# What is sent, the refusal's code, and its whole text in both languages.
REFUSED: dict[str, tuple[str, dict[str, Any], str, str, str]] = {
    "unknown material": (
        RECEIVE, delivery(materialCode="NOPE"), "NOT_DEFINED",
        "No material with the code NOPE is defined here. Define it first.",
        "此处未定义代码为 NOPE 的物料，请先定义。",
    ),
    "unknown location": (
        RECEIVE, delivery(locationCode="Z9"), "NOT_DEFINED",
        "No location with the code Z9 is defined here. Define it first.",
        "此处未定义代码为 Z9 的库位，请先定义。",
    ),
    "negative quantity": (
        RECEIVE, delivery(quantity=amount("-5")), "AMOUNT_NOT_POSITIVE",
        "The quantity must be more than zero, not -5. Enter what was counted or weighed.",
        "数量必须大于零，当前为 -5。请填写实际数量。",
    ),
    "absurd quantity": (
        RECEIVE, delivery(quantity=amount("99999999999999999999")), "AMOUNT_TOO_LARGE",
        "The quantity 99999999999999999999 is above the limit of 1000000000000. Check the unit.",
        "数量 99999999999999999999 超过上限 1000000000000，请检查单位。",
    ),
    "quantity in words": (
        RECEIVE, delivery(quantity=amount("ten")), "AMOUNT_NOT_A_NUMBER",
        "“ten” is not a number that is accepted here. Write a decimal number such as 12.5.",
        "此处不接受数字“ten”。请填写十进制数，例如 12.5。",
    ),
    "too many decimals": (
        RECEIVE, delivery(quantity=amount("0.1234567")), "AMOUNT_TOO_PRECISE",
        "The quantity 0.1234567 has more than 6 decimals. Round it or use a smaller unit.",
        "数量 0.1234567 的小数超过 6 位，请四舍五入或改用更小的单位。",
    ),
    "wrong unit": (
        RECEIVE, delivery(quantity=amount("10", "MTR")), "UNIT_NOT_CONVERTIBLE",
        "MTR cannot be converted to KGM for this material. Define a conversion or use another unit.",
        "该物料无法由 MTR 换算为 KGM，请定义换算或改用其他单位。",
    ),
    "unknown unit": (
        RECEIVE, delivery(quantity=amount("10", "QQQ")), "UNIT_UNKNOWN",
        "QQQ is not a known unit here. Use a UN/ECE Rec 20 code such as KGM, or define the unit first.",
        "QQQ 不是此处已知的单位。请使用 KGM 等 UN/ECE Rec 20 代码，或先定义该单位。",
    ),
    "future time": (
        RECEIVE, delivery(occurredAt=TOMORROW.isoformat()), "TIME_IN_FUTURE",
        f"{TOMORROW.isoformat()} lies in the future. Check the clock of the device.",
        f"{TOMORROW.isoformat()} 是将来的时间，请检查设备时钟。",
    ),
    "unknown batch": (
        MOVE, move(), "BATCH_UNKNOWN",
        "No batch SH1-260101-0001A is known here. Check the code or scan the label again.",
        "此处没有批次 SH1-260101-0001A，请核对批次号或重新扫描标签。",
    ),
    "wrong batch code": (
        MOVE, move(batchCode="SH1 €"), "BATCH_UNKNOWN",
        "No batch SH1 € is known here. Check the code or scan the label again.",
        "此处没有批次 SH1 €，请核对批次号或重新扫描标签。",
    ),
    "code too long": (
        MOVE, move(batchCode="X" * 41), "BATCH_UNKNOWN",
        f"No batch {'X' * 40} is known here. Check the code or scan the label again.",
        f"此处没有批次 {'X' * 40}，请核对批次号或重新扫描标签。",
    ),
    "unknown process": (
        FEED, {"processId": node_id("process", 4242), "lines": []}, "PROCESS_UNKNOWN",
        "This process record is not known here. Check its id.", "此处没有该生产记录，请核对其编号。",
    ),
}  # fmt: skip


@pytest.mark.usefixtures("nothing_written")
@pytest.mark.parametrize("name", REFUSED)
def test_wrong_content_then_refused_by_name_in_both_languages(plant: Group, name: str) -> None:
    document, order, code, english, chinese = REFUSED[name]
    for language, text in (("en", english), ("zh", chinese)):
        person = plant.at("SH1", WANG, language=language)
        (answer,) = person.ask(document, input={"requestId": new_id(), **order}).values()
        assert (answer["code"], answer["message"]) == (code, text)


# What is sent as variables to a document, and what the error must name.
MALFORMED: dict[str, tuple[str, dict[str, Any], str]] = {
    "unknown field": (RECEIVE, delivery(colour="red"), "colour"),
    "missing field": (RECEIVE, {"materialCode": "MILK"}, "quantity"),
    "a number for a text": (RECEIVE, delivery(material=7), "material"),
    "a list for an object": (RECEIVE, delivery(quantity=[]), "quantity"),
    "local time": (RECEIVE, delivery(occurredAt="2026-03-14 08:00"), "2026-03-14 08:00"),
    "no uuid": (RECEIVE, delivery(requestId="1"), "requestId"),
}


@pytest.mark.usefixtures("nothing_written")
@pytest.mark.parametrize("name", MALFORMED)
def test_wrong_form_then_an_error_that_names_it(plant: Group, name: str) -> None:
    document, order, named = MALFORMED[name]
    for language in ("en", "zh"):
        person = plant.at("SH1", WANG, language=language)
        answer = person.post(document, {"input": {"requestId": new_id(), **order}})
        assert answer.status_code < 500, answer.text
        content = answer.json()
        assert content.get("data") is None
        assert any(named in error["message"] for error in content["errors"])
        assert not any("incident" in error.get("extensions", {}) for error in content["errors"]), content


WHOLE = json.dumps({"query": RECEIVE, "variables": {"input": delivery()}}).encode()
JSON = "application/json"

# What is sent as a body, as what, and the status of the answer.
BODIES: dict[str, tuple[bytes, str, int]] = {
    "half a document": (WHOLE[: len(WHOLE) // 2], JSON, 400),
    "half a query": (json.dumps({"query": RECEIVE[:60]}).encode(), JSON, 400),
    "not JSON": (b"receive 10 kg of milk, please", JSON, 400),
    "empty": (b"", JSON, 400),
    "a picture": (PNG, JSON, 400),
    "a picture that says so": (PNG, "image/png", 415),
    "an EPCIS document": (content(event(1, quantityList=[some("a", 1)])), JSON, 400),
    "an upload": (b"--x\r\n", "multipart/form-data; boundary=x", 415),
    "10 MB of brackets": (BRACKETS, JSON, 413),
    "200 KB of brackets": (BRACKETS[:200_000], JSON, 400),
    "brackets in the query": (json.dumps({"query": "{" * 100_000}).encode(), JSON, 400),
    "brackets in the variables": (
        b'{"query": "{viewer{name}}", "variables": {"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}", JSON, 400,
    ),
    "a list of operations": (b"[" + WHOLE + b"]", JSON, 400),
}  # fmt: skip


@pytest.mark.usefixtures("nothing_written")
@pytest.mark.parametrize("name", BODIES)
def test_wrong_body_then_a_clear_status_and_the_plant_goes_on(plant: Group, name: str) -> None:
    body, kind, status = BODIES[name]
    person = plant.at("SH1", WANG)
    try:
        answer = person.http.post("/graphql", content=body, headers={"Content-Type": kind})
    except httpx2.WriteError:  # the plant has answered and closed before all of it was sent.
        assert status == 413
    else:
        assert answer.status_code == status, answer.text
        assert answer.json()["errors"][0]["message"]
    assert person.ask("{ viewer { actor { code } } }") == {"viewer": {"actor": {"code": WANG}}}


@pytest.mark.usefixtures("nothing_written")
def test_nobody_then_a_401_with_its_code_whatever_is_sent(plant: Group) -> None:
    url = f"{plant.nodes['SH1'].url}/graphql"
    for body in (WHOLE, BRACKETS[:100_000], b"hello"):
        answer = httpx2.post(url, content=body, headers={"Content-Type": JSON}, trust_env=False)
        (error,) = answer.json()["errors"]
        assert (answer.status_code, error["extensions"]) == (401, {"code": "UNAUTHENTICATED"})


MILK = event(1, action="ADD", bizStep="commissioning", quantityList=[some("milk.1", 10)])
DOCUMENT = content(MILK)


def epcis(**changes: Any) -> bytes:
    return content({**MILK, **changes})


# The file, and what the answer says in English and in Chinese.
FILES: dict[str, tuple[bytes, str, str]] = {
    "half a document": (
        DOCUMENT[: len(DOCUMENT) // 2], "the document ends in the middle (", "文档不完整，在中途结束（",
    ),
    "not JSON": (b"hello", "this is not JSON (", "不是 JSON（"),
    "a picture": (PNG, "this is not UTF-8 text (", "不是 UTF-8 文本（"),
    "XML": (b'<?xml version="1.0"?><EPCISDocument/>', "this is XML;", "这是 XML 文件"),
    "another JSON file": (
        b'{"name": "left-pad", "type": "module"}',
        "(type): this is not an EPCIS 2.0 document but “module”", "不是 EPCIS 2.0 文档",
    ),
    "10 MB of brackets": (BRACKETS, "brackets are nested deeper than 64", "括号嵌套超过 64 层"),
    "future time": (
        epcis(eventTime=TOMORROW.isoformat()), "(event 1, eventTime): ", "第 1 个事件 eventTime",
    ),
    "negative quantity": (
        epcis(quantityList=[some("milk.1", -10)]), "“-10” is not a quantity: ", "“-10”不是有效数量",
    ),
    "absurd quantity": (
        epcis(quantityList=[some("milk.1", 1e30)]), "is not a quantity: ", "不是有效数量",
    ),
    "unknown field": (epcis(colour="red"), "“colour”", "“colour”"),
    "wrong action": (
        epcis(action="DROP"), "“DROP” is not an action; use ADD, OBSERVE or DELETE", "“DROP”不是有效动作",
    ),
}  # fmt: skip


@pytest.mark.usefixtures("nothing_written")
@pytest.mark.parametrize("name", FILES)
def test_wrong_file_to_import_then_exit_status_1_and_a_plain_sentence(
    plant: Group, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "document.json"
    file.write_bytes(FILES[name][0])
    home = plant.nodes["SH1"].home
    arguments = ["import", "epcis", str(file), "--home", str(home), "--map", "urn:example:loc:mill=SH1"]
    for language, text in zip(("C.UTF-8", "zh_CN.UTF-8"), FILES[name][1:], strict=True):
        monkeypatch.setenv("LC_ALL", language)
        with pytest.raises(SystemExit) as ended:
            app(arguments)
        said = capsys.readouterr()
        assert (ended.value.code, said.out) == (1, "")
        assert text in said.err.replace("\n", " ")
        assert "Traceback" not in said.err


@pytest.mark.usefixtures("nothing_written")
def test_wrong_file_in_a_process_of_its_own_then_the_same(plant: Group, tmp_path: Path) -> None:
    file = tmp_path / "document.json"
    file.write_bytes(DOCUMENT[: len(DOCUMENT) // 2])
    home = str(plant.nodes["SH1"].home)
    done = plant.run("import", "epcis", str(file), "--home", home, code="SH1", expected=1)
    assert done.stdout == ""
    assert "the document ends in the middle" in done.stderr
    done = plant.run("import", "epcis", str(file), "--home", home, "--json", code="SH1", expected=1)
    assert json.loads(done.stderr)["error"]["code"] == "DOCUMENT_INVALID"


def test_right_file_then_it_is_written_so_the_others_were_refused_for_what_is_wrong(
    plant: Group, tmp_path: Path
) -> None:
    file = tmp_path / "document.json"
    file.write_bytes(DOCUMENT)
    home = str(plant.nodes["SH1"].home)
    before = stand(plant.store("SH1"), 1)[0]
    mapping = "urn:example:loc:mill=SH1"
    done = plant.run("import", "epcis", str(file), "--home", home, "--map", mapping, "--json", code="SH1")
    said = json.loads(done.stdout)
    assert said["written"] is True
    (code,) = [code for step in said["events"][0]["steps"] for code in step["batches"]]
    person = plant.at("SH1", WANG)
    assert person.ask("query($c: BatchCode!) { batch(code: $c) { quantityMade { amount } } }", c=code) == {
        "batch": {"quantityMade": {"amount": "10"}}
    }
    assert stand(plant.store("SH1"), 1)[0] > before
