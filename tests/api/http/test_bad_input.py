"""Invalid input gets a clear answer, never a server error, and nothing is written."""

import gzip
import json
import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import httpx2
import pytest

from infra.ids import new_id
from plants.rules.quality.refusals import HOLD_UNKNOWN
from schema.engine import limits
from tests.api.serving import Person, Serving
from tests.patience import wait_until

RECEIVE = "mutation($input: ReceiveBatchInput!) { receiveBatch(input: $input) { __typename ... on Refusal { code } } }"


def delivery(**changes: Any) -> dict[str, Any]:
    given = {
        "requestId": new_id(),
        "materialCode": "RM-MILK",
        "quantity": {"amount": "1", "unit": "KGM"},
        "locationCode": "A1",
    }
    return given | changes


def amount(text: Any, unit: str = "KGM") -> dict[str, Any]:
    return {"quantity": {"amount": text, "unit": unit}}


@pytest.mark.parametrize(
    "changes, code",
    [
        (amount("-1"), "AMOUNT_NOT_POSITIVE"),
        (amount("0"), "AMOUNT_NOT_POSITIVE"),
        (amount("1000000000001"), "AMOUNT_TOO_LARGE"),
        (amount("9" * 31), "AMOUNT_TOO_LARGE"),
        (amount("0.0000001"), "AMOUNT_TOO_PRECISE"),
        (amount("NaN"), "AMOUNT_NOT_A_NUMBER"),
        (amount("1e400"), "AMOUNT_NOT_A_NUMBER"),
        (amount("１２"), "AMOUNT_NOT_A_NUMBER"),
        (amount(""), "AMOUNT_NOT_A_NUMBER"),
        (amount("1", "LTR"), "UNIT_NOT_CONVERTIBLE"),
        (amount("1", "FURLONG"), "UNIT_UNKNOWN"),
        (amount("1", "' OR 1=1 --"), "UNIT_UNKNOWN"),
        ({"materialCode": "NOPE"}, "NOT_DEFINED"),
        ({"materialCode": ""}, "NOT_DEFINED"),
        ({"materialCode": "x" * 10_000}, "NOT_DEFINED"),
        ({"locationCode": "Z9"}, "NOT_DEFINED"),
        ({"supplierCode": "S9"}, "NOT_DEFINED"),
        ({"occurredAt": "2026-03-14T08:05:01Z"}, "TIME_IN_FUTURE"),
        ({"producedAt": "2027-01-01T00:00:00+08:00"}, "TIME_IN_FUTURE"),
        ({"occurredAt": "2025-03-14T08:00:00Z"}, "TIME_TOO_OLD"),
        ({"reason": ""}, "TEXT_INVALID"),
        ({"reason": "a\nb"}, "TEXT_INVALID"),
        ({"reason": "\u202eevil"}, "TEXT_INVALID"),
        ({"reason": "x" * 501}, "TEXT_INVALID"),
        ({"supplierLot": "x" * 201}, "TEXT_INVALID"),
        ({"attributes": [{"name": f"n{n}", "value": "v"} for n in range(51)]}, "TEXT_INVALID"),
        ({"attributes": [{"name": "🐄", "value": "v"}]}, "TEXT_INVALID"),
        ({"attributes": [{"name": f"n{n}", "value": "汉" * 1000} for n in range(50)]}, "ENTRY_TOO_LARGE"),
    ],
)
def test_input_that_the_rules_refuse_then_the_refusal_says_why(
    plant: Serving, changes: dict[str, Any], code: str
) -> None:
    before = plant.plant().everything()

    answer = plant.people["wang"].ask(RECEIVE, input=delivery(**changes))["receiveBatch"]

    assert answer.get("code") == code, answer
    assert plant.plant().everything() == before


@pytest.mark.parametrize(
    "changes, says",
    [
        (amount(1.5), "Decimal cannot be '1.5': write it as a string."),
        (amount(None), "Expected value of non-null type 'Decimal!' not to be None."),
        ({"quantity": {"amount": True, "unit": "KGM"}}, "Decimal cannot be 'True'"),
        (amount("1" * 65), "at most 64 characters"),
        ({"occurredAt": "2026-03-14T08:00:00"}, "use RFC 3339 with an offset"),
        ({"occurredAt": "2026-03-14"}, "use RFC 3339 with an offset"),
        ({"occurredAt": "2026-13-14T08:00:00Z"}, "use RFC 3339 with an offset"),
        ({"occurredAt": "0001-01-01T00:00:00+23:59"}, "use RFC 3339 with an offset"),
        ({"occurredAt": 1773475200}, "write it as a string."),
        ({"expiresOn": "14.03.2026"}, "use ISO 8601"),
        ({"expiresOn": "2026-02-30"}, "use ISO 8601"),
        ({"requestId": "1"}, "use the form 0190d6a1-0000-7000-8000-000000000001 of RFC 9562."),
        ({"requestId": None}, "Expected value of non-null type 'UUID!' not to be None."),
        ({"materialCode": None}, "Expected value of non-null type 'Code!' not to be None."),
        ({"materialCode": 7}, "Code cannot be '7': write it as a string."),
        ({"plant": "BJ2"}, "type 'ReceiveBatchInput' not to include unknown field 'plant'"),
        ({"status": "UNRESTRICTED"}, "type 'ReceiveBatchInput' not to include unknown field 'status'"),
        ({"aliases": "x"}, "Expected value of type 'BatchAliasInput' to be an object"),
        ({"materialCode": "a\0b"}, "A text cannot hold the character U+0000."),
    ],
)
def test_input_of_the_wrong_form_then_the_request_is_refused(
    plant: Serving, changes: dict[str, Any], says: str
) -> None:
    before = plant.plant().everything()

    answer = plant.people["wang"].send(RECEIVE, input=delivery(**changes))

    assert answer.status_code == 400, answer.text
    assert says in answer.json()["errors"][0]["message"]
    assert "data" not in answer.json()
    assert plant.plant().everything() == before


@pytest.mark.parametrize("code", ["漢", "", "x" * 10_000, "SH1 1", "SH1-260314-0001X"])
def test_batch_code_of_the_wrong_form_then_it_names_no_batch(plant: Serving, code: str) -> None:
    wang = plant.people["wang"]
    before = plant.plant().everything()

    found = wang.ask("query($code: BatchCode!) { batch(code: $code) { code } }", code=code)
    hold = wang.do("placeHold", "... on BatchUnknown { batchCode path }", batchCode=code, reason="Seal broken")
    line = {"batchCode": code, "quantity": {"amount": "1", "unit": "KGM"}, "locationCode": "A1"}
    ship = wang.do("shipGoods", "... on BatchUnknown { batchCode path }", customerCode="C1", lines=[line])

    assert found == {"batch": None}
    assert (hold["code"], hold["batchCode"], hold["path"]) == ("BATCH_UNKNOWN", code[:40], ["batchCode"])
    assert (ship["code"], ship["batchCode"], ship["path"]) == ("BATCH_UNKNOWN", code[:40], ["lines", "0", "batchCode"])
    assert plant.plant().everything() == before


def test_plant_code_of_the_wrong_form_then_it_names_no_plant(plant: Serving) -> None:
    wang = plant.people["wang"]
    line = {"batchCode": "SH1-1", "quantity": {"amount": "1", "unit": "KGM"}, "locationCode": "A1"}

    sent = wang.do("dispatchTransfer", "... on Refusal { path }", destinationCode="new york", lines=[line])

    assert wang.ask('{ plant(code: "new york") { code } }') == {"plant": None}
    assert (sent["code"], sent["path"]) == ("CODE_INVALID", ["destinationCode"])


PLAIN = {"Content-Type": "application/json"}
DEEP = b"[" * 100_000 + b"]" * 100_000
QUERY = b'{"query": "{ viewer { name } }"}'


BODIES: tuple[tuple[bytes, dict[str, str], int], ...] = (
    (b"", PLAIN, 400),
    (b'{"query": "{ viewer { name', PLAIN, 400),
    (b"\xff\xfe\x00", PLAIN, 400),
    (b"not json", PLAIN, 400),
    (b"null", PLAIN, 400),
    (b"7", PLAIN, 400),
    (b"[]", PLAIN, 400),
    (b'[{"query": "{ viewer { name } }"}]', PLAIN, 400),
    (b'{"query": 7}', PLAIN, 400),
    (b'{"query": null}', PLAIN, 400),
    (b'{"query": "  "}', PLAIN, 400),
    (b'{"query": "# nothing"}', PLAIN, 400),
    (b'{"query": "{ viewer { name } }", "variables": []}', PLAIN, 400),
    (b'{"query": "{ viewer { name } }", "operationName": 7}', PLAIN, 400),
    (b'{"query": "query A { viewer { name } } query B { viewer { name } }"}', PLAIN, 400),
    (b'{"query": "{ viewer { name } }", "operationName": "B"}', PLAIN, 400),
    (b'{"query": "{ viewer { name } }", "variables": {"a": NaN}}', PLAIN, 400),
    (b'{"query": "{ viewer { name } }", "variables": {"a": "\\ud800"}}', PLAIN, 400),
    (b'{"query": "{ viewer { name } }", "variables": {"a": "\\u0000"}}', PLAIN, 400),
    (b'{"query": "{ viewer { name } }", "variables": {"a": 1' + b"0" * 5000 + b"}}", PLAIN, 400),
    (b'{"query": "subscription { replicationStatus { plant { code } } }"}', PLAIN, 400),
    (b'{"query": "fragment A on Query { ...A } { ...A }"}', PLAIN, 400),
    (DEEP, PLAIN, 400),
    (b'{"query": "' + b"{a" * 20_000 + b'"}', PLAIN, 400),
    (b'{"query": "{ batches(filter: ' + b"[" * 900 + b'"}', PLAIN, 400),
    (b"[" * 10_000_000, PLAIN, 413),
    (b" " * (limits.BODY_BYTES_MAX + 1), PLAIN, 413),
    (QUERY, {"Content-Type": "text/plain"}, 415),
    (QUERY, {"Content-Type": "application/graphql"}, 415),
    (QUERY, {}, 415),
    (b"query=%7Bviewer%7Bname%7D%7D", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
    (b"--x\r\n\r\n--x--", {"Content-Type": "multipart/form-data; boundary=x"}, 415),
    (b"PK\x03\x04" + bytes(200), {"Content-Type": "application/zip"}, 415),
    (b"\x89PNG\r\n\x1a\n" + bytes(200), PLAIN, 400),
    (gzip.compress(QUERY, mtime=0), PLAIN | {"Content-Encoding": "gzip"}, 415),
)


@pytest.mark.parametrize("body, headers, status", BODIES, ids=map(str, range(len(BODIES))))
def test_body_that_is_no_operation_then_its_status_says_so(
    plant: Serving, body: bytes, headers: dict[str, str], status: int
) -> None:
    wang = plant.people["wang"]
    before = plant.plant().everything()

    answer = wang.client.post("/graphql", content=body, headers=wang.headers | headers)

    assert answer.status_code == status, answer.text[:300]
    assert answer.json()["errors"][0]["message"]
    assert len(answer.content) < 4_000
    assert plant.plant().everything() == before


def test_body_without_end_then_it_is_cut_off_at_the_limit(plant: Serving) -> None:
    wang = plant.people["wang"]

    def endless() -> Any:
        while True:
            yield b"[" * 65_536

    try:
        answer = wang.client.post("/graphql", content=endless(), headers=wang.headers | PLAIN)
        assert answer.status_code == 413
    except httpx2.TransportError:
        # The server may close the connection while the client is still sending.
        pass
    assert wang.ask("{ viewer { actor { code } } }") == {"viewer": {"actor": {"code": "wang"}}}


def test_operation_asked_for_by_get_then_it_is_not_answered(plant: Serving) -> None:
    wang = plant.people["wang"]
    for method in ("GET", "PUT", "DELETE", "HEAD"):
        assert wang.client.request(method, "/graphql?query={viewer{name}}", headers=wang.headers).status_code == 405


def nested(depth: int) -> str:
    return (
        "{ plants { replication { size } } batches "
        + "{ nodes { atPlants { plant " * depth
        + "{ code }"
        + " } } }" * depth
        + " }"
    )


def deep(levels: int) -> str:
    inner = "{ code }"
    for _ in range(levels):
        inner = "{ history { nodes { plant { replication { state } } } } stock { nodes { batch " + inner + " } } }"
    return "{ batches { nodes " + inner + " } }"


def fragments(count: int) -> str:
    spread = [f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }}" for n in range(count)]
    return " ".join([*spread, f"fragment F{count} on Query {{ viewer {{ name }} }}", "{ ...F0 }"])


@pytest.mark.parametrize(
    "document, says",
    [
        (deep(7), "levels; 15 is the limit."),
        ("{ " + " ".join(f"a{n}: viewer {{ name }}" for n in range(31)) + " }", "31 aliases; 30 is the limit."),
        ("{ viewer { name " + "@include(if: true) " * 21 + "} }", "21 directives; 20 is the limit."),
        ("{ viewer { name " + "@x " * 500 + "} }", "500 directives; 20 is the limit."),
        ("{ " + "viewer { name } " * 1000 + "}", "The document has more than 2000 tokens."),
        (fragments(20), "fields; 3000 is the limit."),
        (fragments(120), "fields; 3000 is the limit."),
        ("{ stock(first: 501) { totalCount } }", "`first` is between 0 and 500, not 501."),
        ("{ stock(first: -1) { totalCount } }", "`first` is between 0 and 500, not -1."),
        ("{ stock(first: 1000000000000) { totalCount } }", "Int cannot represent non 32-bit signed integer value"),
        ('{ stock(after: "x") { totalCount } }', "The cursor is not one of this list."),
        ('{ batch(code: "a\\u0000b") { code } }', "A text cannot hold the character U+0000."),
    ],
)
def test_document_beyond_a_limit_then_the_limit_is_named(plant: Serving, document: str, says: str) -> None:
    answer = plant.people["wang"].send(document)

    content = answer.json()
    assert answer.status_code in {200, 400}
    assert content.get("data") is None
    assert says in content["errors"][0]["message"]
    assert len(answer.content) < 2_000


def test_pages_that_add_up_to_too_much_then_the_request_is_refused(
    plant: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    wang = plant.people["wang"]
    for _ in range(3):
        wang.ask(RECEIVE, input=delivery())
    monkeypatch.setattr("schema.engine.context.ROWS_MAX", limits.Limit(5, "Rows."))

    content = wang.send("{ batches { nodes { code } } stock { nodes { id } } }").json()

    assert content["errors"][0]["message"] == "The answer has more than 5 rows. Ask for smaller pages."


def test_cursor_of_another_list_or_filter_then_it_is_refused(plant: Serving) -> None:
    wang = plant.people["wang"]
    for _ in range(3):
        wang.ask(RECEIVE, input=delivery())
    page = wang.ask("{ batches(first: 2) { nodes { code } pageInfo { endCursor hasNextPage hasPreviousPage } } }")
    cursor = page["batches"]["pageInfo"]["endCursor"]

    rest = wang.ask("query($after: String) { batches(after: $after) { nodes { code } totalCount } }", after=cursor)
    others = [
        wang.send("query($after: String) { stock(after: $after) { nodes { id } } }", after=cursor),
        wang.send(
            'query($a: String) { batches(filter: {materialCode: {eq: "X"}}, after: $a) { nodes { code } } }', a=cursor
        ),
        wang.send("query($a: String) { batches(orderBy: {field: CODE}, after: $a) { nodes { code } } }", a=cursor),
        wang.send("query($a: String) { batches(after: $a) { nodes { code } } }", a=cursor[:-2] + "AA"),
        wang.send("query($a: String) { batches(after: $a) { nodes { code } } }", a="A" * 5000),
    ]

    assert page["batches"]["pageInfo"] == {"endCursor": cursor, "hasNextPage": True, "hasPreviousPage": False}
    assert (len(rest["batches"]["nodes"]), rest["batches"]["totalCount"]) == (1, 3)
    assert {answer.json()["errors"][0]["extensions"]["code"] for answer in others} == {"CURSOR_INVALID"}


def test_schema_hidden_then_neither_introspection_nor_suggestions_show_it(plant: Serving) -> None:
    def shown(person: Person) -> list[str]:
        answers = (person.send("{ __schema { types { name } } }"), person.send("{ viewerr { name } }"))
        return [answer.text for answer in answers]

    hidden, seen = shown(plant.people["wang"]), shown(plant.people["chen"])

    assert "GraphQL introspection has been disabled" in hidden[0]
    assert "Did you mean" not in hidden[1]
    assert '"ReceiveBatchInput"' in seen[0]
    assert "Did you mean" in seen[1]


def test_nobody_recognised_then_nothing_is_parsed_and_all_get_the_same_answer(plant: Serving) -> None:
    wang = plant.people["wang"]
    plant.clock.advance(seconds=700)
    tokens = ["", "Bearer", "Bearer x", f"Basic {wang.token}", f"Bearer {wang.token}", "Bearer " + "a" * 100_0]

    for authorization in tokens:
        answer = wang.client.post("/graphql", content=b"[" * 500, headers={"Authorization": authorization})
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert [one["extensions"] for one in answer.json()["errors"]] == [{"code": "UNAUTHENTICATED"}]


def test_token_in_the_address_then_it_is_refused(plant: Serving) -> None:
    wang = plant.people["wang"]
    answer = wang.client.post(f"/graphql?access_token={wang.token}", json={"query": "{ viewer { name } }"})
    assert answer.status_code == 400


def test_request_made_then_the_log_has_one_line_for_it_whatever_was_sent(
    plant: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    wang = plant.people["wang"]
    caplog.set_level(logging.INFO, "batchloom")
    documents = [
        "{ " + "x " * 400 + "}",
        "{ viewer { name " + "@x " * 300 + "} }",
        '{ batch(code: "漢\\n\\n") { code } }',
    ]

    for document in documents:
        body = {"query": document, "operationName": "a\nb\x1b[31m"}
        wang.client.post("/graphql", json=body, headers=wang.headers)
        sent = len(json.dumps(body))
        # The line is written when the answer has gone.
        wait_until(lambda: caplog.records, "the request is in the log")
        lines = [record.getMessage() for record in caplog.records]
        caplog.clear()
        assert len(lines) == 1, lines
        assert lines[0].startswith("POST /graphql 400 ")
        assert lines[0].isprintable()
        assert len(lines[0]) < 3 * sent


def test_bug_then_the_caller_learns_an_incident_and_the_log_where_it_was(
    plant: Serving, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret\ndetail")

    monkeypatch.setattr("schema.group.plants.plants_seen", broken)
    wang = plant.people["wang"]

    answer = wang.send("{ viewer { name plants { code } } }")

    (error,) = answer.json()["errors"]
    incident = error["extensions"]["incident"]
    assert answer.status_code == 200
    assert error["message"] == f"An internal error occurred and was logged. Incident {incident}."
    assert "secret" not in answer.text
    (line,) = [record.getMessage() for record in caplog.records if record.name == "batchloom.incidents"]
    assert line.startswith(f"incident {incident} actor=wang path=['viewer', 'plants'] RuntimeError")
    assert "\n" not in line


def test_refusal_that_is_not_listed_then_it_is_masked(plant: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    from plants.rules.values.refusals import Refusal  # noqa: PLC0415 -- of this test alone.

    def wrong(*_: object, **__: object) -> None:
        raise Refusal(HOLD_UNKNOWN, batch="x", hold=1)

    monkeypatch.setattr("plants.commands.inventory.receipts.new_goods", wrong)

    content = plant.people["wang"].send(RECEIVE, input=delivery()).json()

    assert content["errors"][0]["extensions"]["code"] == "INCIDENT"


def test_headers_of_any_size_then_the_server_stays_up(plant: Serving) -> None:
    host, port = plant.url.removeprefix("http://").split(":")
    hostile: list[Callable[[], bytes]] = [
        lambda: b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        lambda: b"POST /graphql HTTP/1.1\r\nHost: x\r\n" + b"A: " + b"b" * 200_000 + b"\r\n\r\n",
        lambda: b"\x16\x03\x01" + bytes(300),
    ]

    for make in hostile:
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            connection.sendall(make())
            with suppress(OSError):
                connection.shutdown(socket.SHUT_WR)
            reply = connection.recv(1000)
        assert b" 5" not in reply[:12]
    assert plant.people["wang"].ask("{ viewer { actor { code } } }") == {"viewer": {"actor": {"code": "wang"}}}


@pytest.mark.parametrize(
    "language, text",
    [
        ("en", "This JSON has more than 200000 values. Send fewer rows at once."),
        ("zh", "此 JSON 的值超过 200000 个。请分批发送。"),
    ],
)
def test_body_of_very_many_values_then_refused_before_it_is_read(plant: Serving, language: str, text: str) -> None:
    wang = plant.people["wang"]
    body = '{"query": "{x}", "variables": {"a": [' + "{}," * limits.BODY_COMMAS_MAX + "{},{}]}}"
    headers = {**wang.headers, "Accept-Language": language, "Content-Type": "application/json"}
    answer = wang.client.post("/graphql", content=body, headers=headers)
    assert (answer.status_code, answer.json()["errors"][0]["message"]) == (400, text)
