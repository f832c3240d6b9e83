"""Errors over HTTP and WebSocket: a declared code, the language of the caller, the status and the media type."""

import http.client
import json
import logging
import socket
from typing import Any

import pytest

from schema.engine import limits
from tests.api.http.test_websocket import closed, connected, enter, hear, say, subscribe
from tests.api.serving import Serving
from tests.coded import check_codes
from tests.patience import patient, wait_until

BEARER = "Bearer"
TOO_LONG = limits.BODY_BYTES_MAX + 1
GRAPHQL_RESPONSE = "application/graphql-response+json"


def chinese(text: str) -> bool:
    return any("一" <= character <= "鿿" for character in text)


WRONG: list[tuple[str, dict[str, Any], str, int]] = [
    ("{", {}, "GRAPHQL_PARSE_FAILED", 400),
    ("{ nothing }", {}, "GRAPHQL_VALIDATION_FAILED", 400),
    ("{ viewer }", {}, "GRAPHQL_VALIDATION_FAILED", 400),
    ("{ viewer { name } } { viewer { name } }", {}, "OPERATION_RESOLUTION_FAILURE", 400),
    ("query a { viewer { name } } query b { viewer { name } }", {}, "OPERATION_RESOLUTION_FAILURE", 400),
    ("fragment F on Query { viewer { name } }", {}, "OPERATION_RESOLUTION_FAILURE", 400),
    ("subscription { ledgerEntries { cursor } }", {}, "OPERATION_RESOLUTION_FAILURE", 400),
    ("{ batches(frist: 1) { totalCount } }", {}, "GRAPHQL_VALIDATION_FAILED", 400),
    ("{ batch { code } }", {}, "GRAPHQL_VALIDATION_FAILED", 400),
    ("query($n: Int!) { batches(first: $n) { totalCount } }", {}, "BAD_USER_INPUT", 400),
    ("query($n: Int) { batches(first: $n) { totalCount } }", {"n": 1e308}, "BAD_USER_INPUT", 400),
    ("query($n: Int) { batches(first: $n) { totalCount } }", {"n": "x"}, "BAD_USER_INPUT", 400),
    (
        "query($f: BatchFilter) { batches(filter: $f) { totalCount } }",
        {"f": {"expiresOn": {"from": "soon"}}},
        "BAD_USER_INPUT",
        400,
    ),
    ("mutation { submit(commands: [{}]) { __typename } }", {}, "BAD_USER_INPUT", 400),
    ("{ ledgerExport(fromIndex: -5) { url } }", {}, "BAD_USER_INPUT", 200),
    ("{ ledgerExport(fromIndex: 8, beforeIndex: 5) { url } }", {}, "BAD_USER_INPUT", 200),
    ('{ batches(after: "x") { totalCount } }', {}, "CURSOR_INVALID", 200),
    ("{ trace(input: {}) { unknownNames } }", {}, "TRACE_START_MISSING", 200),
    ("{ __schema { queryType { name } } }", {}, "INTROSPECTION_NOT_PERMITTED", 403),
    ("{ " + "viewer { name } " * 1000 + "}", {}, "LIMIT_EXCEEDED", 400),
]


@pytest.mark.parametrize("document, variables, code, status", WRONG)
def test_request_wrong_then_a_declared_code_the_status_and_the_callers_language(
    plant: Serving, document: str, variables: dict[str, Any], code: str, status: int
) -> None:
    wang = plant.people["wang" if code == "INTROSPECTION_NOT_PERMITTED" else "li"]
    for language in ("en", "zh"):
        wang.language = language
        answer = wang.send(document, **variables)
        assert answer.status_code == status, answer.text
        error = answer.json()["errors"][0]
        assert error["extensions"]["code"] == code, error
        assert chinese(error["message"]) is (language == "zh"), error
        assert not chinese(error["extensions"].get("detail", "")) or "'" in error["extensions"]["detail"]


@pytest.mark.parametrize(
    "document, name",
    [
        ("{ " + "viewer { name } " * 1000 + "}", "TOKENS_MAX"),
        ("{ batches(filter: " + "[" * 300 + "]" * 300 + ") { totalCount } }", "NESTING_MAX"),
        ("{ " + " ".join(f"x{n}" for n in range(20)) + " }", "ERRORS_MAX"),
        (
            "{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }",
            "INTROSPECTION_LISTS_MAX",
        ),
        ("{ batches(first: 501) { totalCount } }", "PAGE_MAX"),
        ("{ batches(filter: {code: {in: [" + '"A",' * 101 + "]}}) { totalCount } }", "VALUES_MAX"),
        ("{ nodes(ids: [" + '"A",' * 101 + "]) { id } }", "IDS_MAX"),
    ],
)
def test_above_a_limit_then_the_error_has_its_name_and_number(plant: Serving, document: str, name: str) -> None:
    errors = plant.people["li"].send(document).json()["errors"]
    (found,) = [one["extensions"] for one in errors if one["extensions"]["code"] == "LIMIT_EXCEEDED"]
    assert (found["limitName"], found["limit"]) == (name, limits.LIMITS[name])


def test_introspection_without_the_permission_then_it_is_named(plant: Serving) -> None:
    error, *_ = plant.people["wang"].send("{ __schema { queryType { name } } }").json()["errors"]
    assert "`schema:read`" in error["message"]
    assert error["extensions"]["permission"] == "schema:read"


def test_no_token_then_a_json_body_in_the_callers_language(plant: Serving) -> None:
    for language, text in (
        ("en", "The access token is missing, not valid or expired. Sign in again."),
        ("zh", "访问令牌缺失、无效或已过期。请重新登录。"),
    ):
        answer = plant.client.post(
            "/graphql", json={"query": "{ viewer { name } }"}, headers={"Accept-Language": language}
        )
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, BEARER)
        assert answer.json() == {"errors": [{"message": text, "extensions": {"code": "UNAUTHENTICATED"}}]}


def test_token_in_the_query_then_refused_in_the_callers_language(plant: Serving) -> None:
    li = plant.people["li"]
    li.language = "zh"
    answer = plant.client.post("/graphql?token=x", json={"query": "{ viewer { name } }"}, headers=li.headers)
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["extensions"]["code"]) == (400, "BAD_REQUEST")
    assert error["message"] == "令牌应放在 Authorization 标头中。"


@pytest.mark.parametrize(
    "accept, given",
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        (GRAPHQL_RESPONSE, GRAPHQL_RESPONSE),
        (f"{GRAPHQL_RESPONSE}, application/json;q=0.9", GRAPHQL_RESPONSE),
        (f"application/json, {GRAPHQL_RESPONSE}; charset=utf-8; q=0.5", "application/json"),
        (f"{GRAPHQL_RESPONSE};q=0", "application/json"),
    ],
)
@pytest.mark.parametrize("document, status", [("{ viewer { name } }", 200), ("{ nothing }", 400)])
def test_media_type_asked_for_then_the_answer_has_it(
    plant: Serving, accept: str | None, given: str, document: str, status: int
) -> None:
    headers = plant.people["li"].headers | ({} if accept is None else {"Accept": accept})
    answer = plant.client.post("/graphql", json={"query": document}, headers=headers)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, f"{given}; charset=utf-8")


def test_variables_wrong_then_nothing_is_charged(plant: Serving) -> None:
    li = plant.people["li"]
    answer = li.send("query($n: Int) { batches(first: $n) { totalCount } }", n=1e308).json()
    assert (answer["extensions"]["cost"]["requested"], answer["extensions"]["cost"]["spent"]) == (0, 0)
    assert li.send("{ viewer { name } }").json()["extensions"]["cost"]["spent"] == 1


def post(plant: Serving, head: str, *parts: bytes) -> tuple[int, Any]:
    """Send a request with these headers, and return status and content of the answer."""
    address = ("127.0.0.1", int(plant.url.rpartition(":")[2]))
    with socket.create_connection(address, timeout=patient(30)) as line:
        line.sendall(f"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{head}\r\n".encode())
        for part in parts:
            line.sendall(part)
        answer = http.client.HTTPResponse(line)
        answer.begin()
        return answer.status, json.loads(answer.read())


@pytest.mark.parametrize("token, status, code", [(True, 413, "LIMIT_EXCEEDED"), (False, 401, "UNAUTHENTICATED")])
@pytest.mark.parametrize("chunked", [False, True])
def test_body_above_the_limit_then_a_fast_sender_gets_the_answer(
    plant: Serving, *, token: bool, status: int, code: str, chunked: bool
) -> None:
    said = f"Authorization: Bearer {plant.people['li'].token}\r\n" if token else ""
    piece = b" " * 65536
    count = 3 * limits.BODY_BYTES_MAX // len(piece)
    if chunked:
        head, parts = "Transfer-Encoding: chunked\r\n", [b"10000\r\n" + piece + b"\r\n"] * count + [b"0\r\n\r\n"]
    else:
        head, parts = f"Content-Length: {count * len(piece)}\r\n", [piece] * count
    found, content = post(plant, said + head, *parts)
    assert (found, content["errors"][0]["extensions"]["code"]) == (status, code)


def test_body_above_the_limit_then_a_slow_sender_has_the_answer_before_it_has_sent_all(plant: Serving) -> None:
    head = f"Authorization: Bearer {plant.people['li'].token}\r\nContent-Length: {TOO_LONG}\r\n"
    status, content = post(plant, head, b" " * 10)
    assert (status, content["errors"][0]["extensions"]["limitName"]) == (413, "BODY_BYTES_MAX")


@pytest.mark.parametrize("method, path", [("POST", ""), ("GET", "/"), ("DELETE", ""), ("GET", "/more")])
def test_ticket_sent_otherwise_then_the_log_does_not_hold_it(
    plant: Serving, caplog: pytest.LogCaptureFixture, method: str, path: str
) -> None:
    url = plant.people["li"].ask("{ ledgerExport { url } }")["ledgerExport"]["url"]
    caplog.set_level(logging.INFO, "batchloom.requests")
    for begin in ("", "/"):
        plant.client.request(method, f"{plant.url}{begin}{url}{path}", follow_redirects=False)
    wait_until(lambda: len(caplog.records) > 1, "the requests are in the log")
    assert url.rpartition("/")[2][:20] not in caplog.text


async def test_subscription_wrong_then_a_coded_error_in_the_callers_language(plant: Serving) -> None:
    async with connected(plant, additional_headers={"Accept-Language": "zh"}) as connection:
        await enter(connection, plant.people["li"])
        for number, (document, code) in enumerate(
            (
                ("{", "GRAPHQL_PARSE_FAILED"),
                ("subscription { nothing }", "GRAPHQL_VALIDATION_FAILED"),
                ("{ viewer { name } }", "OPERATION_RESOLUTION_FAILURE"),
                ("fragment F on Query { viewer { name } }", "OPERATION_RESOLUTION_FAILURE"),
                ('subscription { ledgerEntries(after: "x") { cursor } }', "CURSOR_INVALID"),
                ("subscription($a: String!) { ledgerEntries(after: $a) { cursor } }", "BAD_USER_INPUT"),
            )
        ):
            await subscribe(connection, document, number)
            answer = await hear(connection)
            (error, *_) = check_codes(answer)
            assert error["extensions"]["code"] == code, answer
            assert chinese(error["message"]), answer
            if answer["type"] == "next":
                assert (await hear(connection))["type"] == "complete"


async def test_subscription_above_the_limit_then_the_error_names_it(plant: Serving) -> None:
    most = limits.SUBSCRIPTIONS_PER_CONNECTION_MAX
    async with connected(plant) as connection:
        await enter(connection, plant.people["li"])
        for number in range(most + 1):
            await subscribe(connection, "subscription { ledgerEntries { cursor } }", number)
        answer = await hear(connection)
    (error,) = check_codes(answer)
    assert (answer["id"], error["extensions"]["limitName"]) == (str(most), "SUBSCRIPTIONS_PER_CONNECTION_MAX")
    assert error["extensions"]["limit"] == most


async def test_connection_above_the_limit_then_it_is_told_to_wait(plant: Serving) -> None:
    li = plant.people["li"]
    connections = [connected(plant) for _ in range(limits.CONNECTIONS_PER_PERSON_MAX)]
    try:
        for one in connections:
            await enter(await one.__aenter__(), li)
        async with connected(plant, additional_headers={"Accept-Language": "zh"}) as connection:
            await say(connection, type="connection_init", payload={"authorization": f"Bearer {li.token}"})
            assert await closed(connection) == 4429
            assert connection.close_reason == "您已有 10 个连接。请关闭一个，或等待其中一个结束。"
    finally:
        for one in connections:
            await one.__aexit__(None, None, None)
