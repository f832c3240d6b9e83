"""The HTTP routes of a node: path, methods, roles and the callers that each accepts."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from infra.roles import BOTH_ROLES, Role
from schema.engine.downloads import DOWNLOADS_PATH
from sync_jobs.protocol.enrolment import PATH as ENROLMENT_PATH

HUB_ONLY: Final = frozenset({Role.HUB})


class Caller(StrEnum):
    """The callers that a route accepts, as the reference page names them."""

    ANYONE = "anyone"
    METRICS = "as the setting `metrics` says"
    USER = "a signed-in user; the operation declares the permission"
    TICKET = "the holder of a download link, with the permissions of the user who asked for it"
    INVITED = "a plant with an invitation"
    MACHINE = "the machine of an enrolled plant"


@dataclass(frozen=True, slots=True)
class DeclaredRoute:
    """One route. Applications are built from these, and so is the reference page."""

    path: str
    methods: tuple[str, ...]
    caller: Caller
    roles: frozenset[Role] = BOTH_ROLES

    def to(self, endpoint: Callable[[Request], Awaitable[Response]]) -> Route:
        """Return the Starlette route to an endpoint."""
        return Route(self.path, endpoint, methods=list(self.methods))


ROUTES: Final[list[DeclaredRoute]] = []
"""Every declared route, in the order of the declarations."""


def declare(path: str, *methods: str, caller: Caller, roles: frozenset[Role] = BOTH_ROLES) -> DeclaredRoute:
    """Declare a route."""
    declared = DeclaredRoute(path, methods, caller, roles)
    ROUTES.append(declared)
    return declared


def _replicated(path: str, method: str, caller: Caller = Caller.MACHINE) -> DeclaredRoute:
    return declare(path, method, caller=caller, roles=HUB_ONLY)


TOKEN: Final = declare("/auth/token", "POST", caller=Caller.ANYONE)
GRAPHQL: Final = declare("/graphql", "GET", "POST", caller=Caller.USER)
GRAPHIQL: Final = declare("/graphiql", "GET", caller=Caller.ANYONE)
DOWNLOAD: Final = declare(DOWNLOADS_PATH + "/{ticket}", "GET", caller=Caller.TICKET)
HEALTHZ: Final = declare("/healthz", "GET", caller=Caller.ANYONE)
READYZ: Final = declare("/readyz", "GET", caller=Caller.ANYONE)
METRICS: Final = declare("/metrics", "GET", caller=Caller.METRICS)
ENROLMENT: Final = _replicated(ENROLMENT_PATH, "POST", Caller.INVITED)
HELLO: Final = _replicated("/sync/v1/hello", "POST")
ENTRIES_SENT: Final = _replicated("/sync/v1/logs/{origin:path}/entries", "POST")
ENTRIES: Final = _replicated("/sync/v1/logs/{origin:path}/entries", "GET")
CHECKPOINT: Final = _replicated("/sync/v1/logs/{origin:path}/checkpoint", "GET")
CONSISTENCY: Final = _replicated("/sync/v1/logs/{origin:path}/consistency", "GET")
ROOTS: Final = _replicated("/sync/v1/logs/{origin:path}/roots", "GET")
KEY: Final = _replicated("/sync/v1/logs/{origin:path}/key", "POST")
