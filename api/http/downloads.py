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
            actor = await run_in_threadpool(self._reader, ticket)
        except (TicketInvalid, NotAuthenticated):
            text = word(LINK_INVALID(), language_of(request.headers) or SOURCE)
            return JSONResponse({"message": text}, 404, headers={"Cache-Control": "no-store"})
        request.state.actor = actor.actor_id
        export = EXPORTS[ticket.export]
        headers = {"Cache-Control": "no-store", "Content-Disposition": f'attachment; filename="{ticket.export}"'}
        return StreamingResponse(self._pieces(ticket), media_type=export.media_type, headers=headers)

    def _reader(self, ticket: Ticket) -> Actor:
        with self._node.store.reading() as reads:
            actor, _ = self._allowed(reads, ticket)
            return actor

    def _pieces(self, ticket: Ticket) -> Iterator[bytes]:
        arguments: Arguments | None = ticket.arguments
        while arguments is not None:
            with self._node.store.reading() as reads:
                _, scope = self._allowed(reads, ticket)
                piece, arguments = EXPORTS[ticket.export].read(reads, scope, arguments)
            yield piece

    def _allowed(self, reads: ReadSession, ticket: Ticket) -> tuple[Actor, PlantScope]:
        """Return the person of the ticket and the plants they may read, or raise TicketInvalid where none is left.

        Raised between two pieces, it breaks the connection, so that a part is not taken for the whole.
        """
        actor = actor_since(reads, ticket.person, ticket.issued_s)
        scope = plants_for(actor, EXPORTS[ticket.export].permission, {HUB, *known_plants(reads)})
        if not scope:
            raise TicketInvalid
        return actor, scope
