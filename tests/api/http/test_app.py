"""The application around the contract: signing in, health, pages, headers, jobs, and stopping in order."""

import logging
import re
import threading
from pathlib import Path

import httpx2
import pytest
from starlette.datastructures import Headers

from api.http.app import STATIC, application
from api.http.authentication import language_of
from api.http.routes import GRAPHIQL, ROUTES
from api.http.serve import Server, listen, server
from api.node.node import Node, make_home
from auth.people import FAILURES_BEFORE_LOCK_OUT
from infra.clock import FixedClock
from infra.roles import Role
from infra.settings import Settings
from tests.api.serving import PASSWORD, SETUP, Serving, password, plant_node
from tests.factories import GROUP
from tests.patience import patient, wait_until


@pytest.fixture
def wang(plant: Serving) -> Serving:
    """The plant, where wang has a password that people know."""

    def work(session: object) -> None:
        from auth.people import set_password  # noqa: PLC0415 -- of this fixture alone.

        at = plant.clock.now()
        set_password(session, actor=SETUP, person_id="wang", password=password("wang"), at=at)  # type: ignore[arg-type]

    plant.node.writer.write(work)
    return plant


def sign_in(served: Serving, secret: str, person: str = "wang", language: str = "en") -> httpx2.Response:
    body = {"person": person, "password": secret}
    return served.client.post("/auth/token", json=body, headers={"Accept-Language": language})


def test_right_password_then_the_token_opens_the_contract(wang: Serving) -> None:
    answer = sign_in(wang, PASSWORD)

    content = answer.json()
    headers = {"Authorization": f"bearer {content['accessToken']}", "Batchloom-Device": "TC52"}
    asked = wang.client.post("/graphql", json={"query": "{ viewer { name actor { code } } }"}, headers=headers)
    assert (answer.status_code, content["expiresIn"], answer.headers["Cache-Control"]) == (200, 600, "no-store")
    assert asked.json()["data"] == {"viewer": {"name": "Wang", "actor": {"code": "wang"}}}


def test_device_named_then_it_stands_in_the_entry(plant: Serving) -> None:
    wang = plant.people["wang"]
    query = 'mutation { openProcess(input: {requestId: "0190b0a0-0000-7000-8000-000000000001"}) { __typename } }'
    headers = wang.headers | {"Batchloom-Device": "TC52 dock 3"}

    wang.client.post("/graphql", json={"query": query}, headers=headers)

    assert plant.plant().entry().envelope["device"] == "TC52 dock 3"


def test_wrong_password_then_everybody_gets_the_same_answer(wang: Serving) -> None:
    answers = [sign_in(wang, "wrong wrong wrong"), sign_in(wang, PASSWORD, "nobody"), sign_in(wang, "", "x" * 3000)]

    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1
    assert sign_in(wang, "wrong", language="zh").json()["message"].startswith("登录失败")


def test_wrong_passwords_in_a_row_then_the_right_one_is_refused_for_a_while(wang: Serving) -> None:
    for _ in range(FAILURES_BEFORE_LOCK_OUT):
        sign_in(wang, "wrong wrong wrong")
    wang.node.writer.write(lambda session: session.row("SELECT 1"))

    assert sign_in(wang, PASSWORD).status_code == 401
    wang.clock.advance(minutes=16)
    assert sign_in(wang, PASSWORD).status_code == 200


@pytest.mark.parametrize(
    "content, kind, status",
    [
        (b"person=wang&password=x", "application/x-www-form-urlencoded", 415),
        (b"[]", "application/json", 400),
        (b'{"person": "wang"}', "application/json", 400),
        (b'{"person": ["wang"], "password": "x"}', "application/json", 400),
        (b'{"person": "wang\\u0000", "password": "x"}', "application/json", 400),
        (b"{", "application/json", 400),
        (b" " * 5000, "application/json", 413),
    ],
    ids=str,
)
def test_sign_in_of_the_wrong_form_then_its_status_says_so(
    plant: Serving, content: bytes, kind: str, status: int
) -> None:
    answer = plant.client.post("/auth/token", content=content, headers={"Content-Type": kind})
    assert (answer.status_code, "message" in answer.json()) == (status, True)
    headers = {"Content-Type": kind, "Accept-Language": "zh-CN"}
    chinese = plant.client.post("/auth/token", content=content, headers=headers)
    assert chinese.status_code == status
    assert re.search(r"[\u4e00-\u9fff]", chinese.json()["message"]), chinese.json()


@pytest.mark.parametrize("fixture", ["plant", "hub"])
def test_routes_of_a_node_then_they_are_those_declared_for_its_role(
    fixture: str, request: pytest.FixtureRequest
) -> None:
    served: Serving = request.getfixturevalue(fixture)
    role = served.node.settings.role

    paths = {getattr(one, "path", None) for one in application(served.node, jobs=False).routes}

    declared = {one.path for one in ROUTES if role in one.roles}
    assert paths | {GRAPHIQL.path} == declared


def test_health_asked_for_then_nobody_needs_to_sign_in(plant: Serving) -> None:
    assert plant.client.get("/healthz").text == "ok"
    assert (plant.client.get("/readyz").status_code, plant.client.get("/readyz").json()) == (200, {"ready": True})


def test_ledger_not_opened_then_the_node_is_alive_and_not_ready(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, role=Role.PLANT, group=GROUP, plant_number=1, plant_code="SH1")
    make_home(settings)
    from tests.api.serving import serving  # noqa: PLC0415 -- of this test alone.

    clock = FixedClock()
    with Node(settings, clock=clock) as node, serving(node, clock) as served:
        assert served.client.get("/healthz").status_code == 200
        assert (served.client.get("/readyz").status_code, served.client.get("/readyz").json()) == (
            503,
            {"ready": False, "reason": "The store does not hold the ledger of this node."},
        )


def test_page_asked_for_by_a_browser_then_it_is_led_to_our_own(plant: Serving) -> None:
    answer = plant.client.get("/graphql", headers={"Accept": "text/html"})

    assert (answer.status_code, answer.headers["Location"]) == (307, "/graphiql/")


@pytest.mark.skipif(not (STATIC / "graphiql" / "index.html").exists(), reason="the page is not built: make graphiql")
def test_page_then_it_names_no_other_server_and_leads_to_no_other_file(plant: Serving) -> None:
    page = plant.client.get("/graphiql/")

    assert page.status_code == 200
    assert "https://" not in page.text.replace("https://www.w3.org", "")
    assert plant.client.get("/graphiql/../../pyproject.toml").status_code == 404


def test_pages_switched_off_then_there_are_none(tmp_path: Path) -> None:
    with plant_node(tmp_path, graphiql=False) as served:
        assert served.client.get("/graphql", headers={"Accept": "text/html"}).status_code == 405
        assert served.client.get("/graphiql/").status_code == 404


def test_anything_answered_then_browsers_are_told_to_be_careful(plant: Serving) -> None:
    for answer in (plant.client.get("/healthz"), plant.client.get("/nothing"), plant.client.post("/graphql")):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "server" not in answer.headers


def test_request_refused_then_the_log_knows_why(plant: Serving, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "batchloom.requests")

    plant.client.post("/graphql", json={}, headers={"Authorization": "Bearer x"})

    wait_until(lambda: caplog.records, "the request is in the log")
    line = caplog.records[0].getMessage()
    assert line.startswith("POST /graphql 401 ")
    assert line.endswith(" failure=malformed")


def test_plant_without_a_hub_then_it_has_no_route_of_replication(plant: Serving) -> None:
    assert plant.client.post("/sync/v1/hello").status_code == 404


def test_hub_then_it_has_routes_of_replication_and_its_own_keys(hub: Serving) -> None:
    manager = hub.people["manager-1"]
    assert hub.client.post("/sync/v1/hello", headers=manager.headers).status_code == 401


@pytest.mark.parametrize(
    "accepted, language",
    [
        ("", None),
        ("fr", None),
        ("en", "en"),
        ("EN-gb", "en"),
        ("zh-Hans-CN", "zh"),
        ("en;q=0.2, zh;q=0.20001", "en"),
        ("en;q=0.2, zh;q=0.201", "zh"),
        ("zh;q=0", None),
        ("zh;q=2", None),
        ("zh;level=1", None),
        ("english, zhu", None),
    ],
)
def test_languages_accepted_then_the_one_wanted_most_is_chosen(accepted: str, language: str | None) -> None:
    assert language_of(Headers({"accept-language": accepted})) == language


def test_told_to_stop_then_requests_under_way_are_answered_and_the_node_can_be_closed(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, role=Role.PLANT, group=GROUP, plant_number=1, plant_code="SH1")
    make_home(settings)
    with Node(settings) as node, listen("127.0.0.1", 0) as listener:
        running: Server = server(node)
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
        thread.start()
        wait_until(lambda: running.started, "the server has started")
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        assert httpx2.get(f"{url}/healthz").status_code == 200
        running.handle_exit(2, None)
        thread.join(patient(20))
        assert not thread.is_alive()
        assert node.writer.write(lambda session: session.row("SELECT 1")) == (1,)
