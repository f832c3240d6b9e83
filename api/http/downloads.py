"""Downloads: files that are made while they are fetched, by the ticket in a link."""

from collections.abc import Iterator
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from api.http.authentication import language_of
from api.node.node import Node
from auth.actors import Actor, NotAuthenticated
from auth.people import actor_since
from auth.scope import plants_for
from infra.database import ReadSession
from infra.messages import SOURCE, message, word
from plants.rules.identification.codes import HUB
from plants.rules.values.scope import PlantScope
from plants.store.materials.plants import known_plants
from schema.engine.downloads import EXPORTS, Arguments, Ticket, TicketInvalid, Tickets

LINK_INVALID: Final = message("LINK_INVALID", "This link is not valid, or its time is over. Ask for a new one.")


class Downloads:
    """Answers GET /downloads/{ticket}. The person of the ticket needs the permission at the time of each piece."""

    def __init__(self, node: Node, tickets: Tickets) -> None:
        self._node = node
        self._tickets = tickets

    async def answer(self, request: Request) -> Response:
        """Answer one request."""
        try:
            ticket = self._tickets.read(request.path_params["ticket"])
            actor = await run_in_threadpool(self._person, ticket)
        except (TicketInvalid, NotAuthenticated):
            text = word(LINK_INVALID(), language_of(request.headers) or SOURCE)
            return JSONResponse({"message": text}, 404, headers={"Cache-Control": "no-store"})
        request.state.actor = actor.actor_id
        export = EXPORTS[ticket.export]
        headers = {"Cache-Control": "no-store", "Content-Disposition": f'attachment; filename="{ticket.export}"'}
        return StreamingResponse(self._pieces(ticket), media_type=export.media_type, headers=headers)

    def _person(self, ticket: Ticket) -> Actor:
        with self._node.store.reading() as reads:
            return actor_since(reads, ticket.person, ticket.issued_s)

    def _pieces(self, ticket: Ticket) -> Iterator[bytes]:
        arguments: Arguments | None = ticket.arguments
        while arguments is not None:
            with self._node.store.reading() as reads:
                actor = actor_since(reads, ticket.person, ticket.issued_s)
                piece, arguments = EXPORTS[ticket.export].read(reads, self._scope(reads, actor, ticket), arguments)
            yield piece

    def _scope(self, reads: ReadSession, actor: Actor, ticket: Ticket) -> PlantScope:
        return plants_for(actor, EXPORTS[ticket.export].permission, {HUB, *known_plants(reads)})
