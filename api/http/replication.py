"""The HTTP routes of replication, /sync/v1, over the functions of `sync_jobs`."""

import json
import logging
from asyncio import timeout
from base64 import b64encode
from collections.abc import Awaitable, Callable
from contextlib import aclosing

import psycopg
from sqlalchemy.exc import DBAPIError
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from api.http.routes import CHECKPOINT, CONSISTENCY, ENROLMENT, ENTRIES, ENTRIES_SENT, HELLO, KEY, ROOTS
from auth.enrolment import WrongCodes
from auth.machines import EnrolledMachine
from infra.store_faults import store_fault
from plants.rules.ledger.notes import MAX_NOTE_BYTES
from plants.rules.values.instants import format_instant
from sync_jobs.hub import assertion_key_rotation, directive_recovery, enrolment, handshake, intake, ledger_reads
from sync_jobs.hub.rejection_alarms import RejectionAlarms
from sync_jobs.nodes import HubNode, NotRecognised
from sync_jobs.protocol.enrolment import BODY_BYTES_MAX
from sync_jobs.protocol.wire import (
    GREETING_BYTES_MAX,
    MEDIA_TYPE,
    PROTOCOL,
    PROTOCOL_HEADER,
    ROOTS_MAX,
    SESSION_HEADER,
    SIZE_MAX,
    Hello,
    Problem,
    Proof,
    Roots,
)

RETRY_SECONDS = 5
STILL_SECONDS_MAX = 30  # between two pieces of a body
BEARER = "Bearer "
LOG = logging.getLogger(__name__)

Answer = Callable[[Request, EnrolledMachine], Awaitable[Response]]


def sync_routes(hub: HubNode) -> list[Route]:
    """Return the routes of the hub. Every rejection is application/problem+json with a `code`."""
    admission, alarms = intake.AdmissionControl(), RejectionAlarms(hub)

    async def hello(request: Request, machine: EnrolledMachine) -> Response:
        greeting = Hello.read(await _body(request, GREETING_BYTES_MAX))
        welcome = await run_in_threadpool(handshake.answer_hello, hub, machine, greeting)
        return Response(welcome.to_bytes(), media_type="application/json")

    async def take(request: Request, machine: EnrolledMachine) -> Response:
        if request.headers.get("Content-Type") != MEDIA_TYPE:
            raise Problem(415, "MEDIA_TYPE_WRONG")
        with admission.plant_slot(machine.plant_number):
            packed = await _body(request, hub.limits.max_bytes)
            delivery = intake.Delivery(
                origin=request.path_params["origin"],
                start=_number(request, "from"),
                session=request.headers.get(SESSION_HEADER, "")[:100],
                packed=packed,
            )
            with admission.work_slot():
                receipt = await run_in_threadpool(directive_recovery.accept_parcel, hub, machine, delivery)
        return Response(receipt.to_bytes(), media_type="application/json")

    async def give(request: Request, machine: EnrolledMachine) -> Response:
        high = _number(request, "to") if "to" in request.query_params else None
        origin, low = request.path_params["origin"], _number(request, "from")
        packed = await run_in_threadpool(ledger_reads.entries, hub, machine, origin, low, high)
        return Response(packed, media_type=MEDIA_TYPE)

    async def checkpoint(request: Request, machine: EnrolledMachine) -> Response:
        note = await run_in_threadpool(ledger_reads.checkpoint, hub, machine, request.path_params["origin"])
        return Response(note, media_type="text/plain; charset=utf-8")

    async def consistency(request: Request, machine: EnrolledMachine) -> Response:
        origin, old, new = request.path_params["origin"], _number(request, "old"), _number(request, "new")
        hashes = await run_in_threadpool(ledger_reads.consistency, hub, machine, origin, old, new)
        proof = Proof(hashes=[b64encode(part).decode() for part in hashes])
        return Response(proof.to_bytes(), media_type="application/json")

    async def key(request: Request, machine: EnrolledMachine) -> Response:
        statement = await _body(request, MAX_NOTE_BYTES)
        await run_in_threadpool(
            assertion_key_rotation.accept_rotation, hub, machine, request.path_params["origin"], statement
        )
        return Response(b"{}", media_type="application/json")

    async def roots(request: Request, machine: EnrolledMachine) -> Response:
        sizes = _numbers(request, "sizes")
        found = await run_in_threadpool(ledger_reads.roots, hub, machine, request.path_params["origin"], sizes)
        answer = Roots(hashes=[b64encode(part).decode() for part in found])
        return Response(answer.to_bytes(), media_type="application/json")

    endpoints = {
        HELLO: hello,
        ENTRIES_SENT: take,
        ENTRIES: give,
        CHECKPOINT: checkpoint,
        CONSISTENCY: consistency,
        ROOTS: roots,
        KEY: key,
    }
    guarded = [declared.to(_authenticated(hub, alarms, answer)) for declared, answer in endpoints.items()]
    return [ENROLMENT.to(_enrolling(hub, alarms)), *guarded]


def _authenticated(hub: HubNode, alarms: RejectionAlarms, answer: Answer) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint that authenticates the plant before it reads the body, and answers every Problem."""

    async def served(request: Request) -> Response:
        machine = None
        try:
            machine = await run_in_threadpool(hub.recognise, _assertion(request))
            _check_protocol(request)
            said = await answer(request, machine)
            await run_in_threadpool(alarms.accepted, machine.origin)
        except NotRecognised as failure:
            LOG.warning("a plant was not recognised: %s", failure.failure)
            # The time shows a plant that its clock is wrong. It is no secret.
            problem = Problem(401, "NOT_RECOGNISED", clock=format_instant(hub.clock.now()))
            await run_in_threadpool(alarms.rejected, problem, failure.origin)
            return _problem_response(problem)
        except Problem as problem:
            origin = problem.content.get("origin") if machine is None else machine.origin
            await run_in_threadpool(alarms.rejected, problem, None if origin is None else str(origin))
            return _problem_response(problem)
        return said

    return _unless_store_fails(served)


def _unless_store_fails(answer: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint that asks for a retry when the body was cut off or the store does not answer."""

    async def endpoint(request: Request) -> Response:
        try:
            return await answer(request)
        except ClientDisconnect:
            return _problem_response(Problem(400, "BODY_CUT"))
        except (DBAPIError, psycopg.OperationalError) as error:
            # The plant stores the reason, so that its operators see why the hub accepts nothing.
            fault = store_fault(error)
            LOG.error("the store did not answer: %s", fault, exc_info=None if fault else error)  # noqa: TRY400 -- a trace of bugs alone.
            return _problem_response(
                Problem(503, "STORE_UNAVAILABLE", retry_seconds=RETRY_SECONDS, fault=fault and fault.value)
            )

    return endpoint


def _enrolling(hub: HubNode, alarms: RejectionAlarms) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint for a plant that is not enrolled yet and has a one-time code."""
    wrong = WrongCodes()

    async def enrol(request: Request) -> Response:
        try:
            body = await _body(request, BODY_BYTES_MAX)
            note = await run_in_threadpool(enrolment.answer_request, hub, wrong, body)
        except Problem as problem:
            await run_in_threadpool(alarms.rejected, problem, None)
            return _problem_response(problem)
        return Response(note, media_type="text/plain; charset=utf-8")

    return _unless_store_fails(enrol)


def _assertion(request: Request) -> str:
    authorization = request.headers.get("Authorization", "")
    if not authorization.startswith(BEARER):
        raise Problem(401, "NOT_RECOGNISED")
    return authorization.removeprefix(BEARER)


def _check_protocol(request: Request) -> None:
    spoken = request.headers.get(PROTOCOL_HEADER, "0")
    if not spoken.isascii() or not spoken.isdigit() or int(spoken[:9]) < PROTOCOL:
        raise Problem(426, "PROTOCOL_TOO_OLD", min_protocol=PROTOCOL)


def _problem_response(problem: Problem) -> Response:
    headers = {} if problem.retry_seconds is None else {"Retry-After": str(problem.retry_seconds)}
    if problem.status == 401:  # noqa: PLR2004 -- unauthorized, in HTTP.
        headers["WWW-Authenticate"] = "Bearer"
    content = json.dumps({"code": problem.code, **problem.content}, ensure_ascii=False, default=str)
    return Response(content, problem.status, headers, media_type="application/problem+json")


async def _body(request: Request, limit: int) -> bytes:
    """Return the body; raises Problem 413 as soon as it exceeds the limit, 408 when it stalls."""
    claimed = request.headers.get("Content-Length", "0")
    if claimed.isascii() and claimed.isdigit() and (len(claimed) > len(str(SIZE_MAX)) or int(claimed) > limit):
        raise Problem(413, "BODY_TOO_LARGE", limit=limit)
    content = bytearray()
    async with aclosing(request.stream()) as pieces:
        while True:
            try:
                # A plant that vanished must not hold its slot for ever.
                async with timeout(STILL_SECONDS_MAX):
                    content += await anext(pieces)
            except StopAsyncIteration:
                return bytes(content)
            except TimeoutError as error:
                raise Problem(408, "BODY_STALLED") from error
            if len(content) > limit:
                raise Problem(413, "BODY_TOO_LARGE", limit=limit)


def _numbers(request: Request, name: str) -> list[int]:
    """Return positions in the query, separated by commas; raises Problem 422 for anything but a few plain numbers."""
    texts = request.query_params.get(name, "").split(",", ROOTS_MAX)
    if len(texts) > ROOTS_MAX or not all(_is_number(text) for text in texts):
        raise Problem(422, "POSITION_INVALID", parameter=name)
    return [int(text) for text in texts]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= len(str(SIZE_MAX)) and int(text) <= SIZE_MAX


def _number(request: Request, name: str) -> int:
    """Return a position in the query; raises Problem 422 for anything but a plain number."""
    text = request.query_params.get(name, "")
    if not _is_number(text):
        raise Problem(422, "POSITION_INVALID", parameter=name)
    return int(text)
