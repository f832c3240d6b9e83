"""Downloads: links to files that are made while they are fetched, and the tickets in those links."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import jwt

from auth.permissions import Permission
from infra.clock import Clock
from infra.database import ReadSession
from plants.rules.values.scope import PlantScope
from schema.engine.fields import described, object_type
from schema.engine.scalars import Url

DOWNLOAD_SECONDS: Final = 300
"""The life of a link. A fetch that began in time is finished."""

DOWNLOADS_PATH: Final = "/downloads"
TICKET_CHARACTERS_MAX: Final = 2_000
ALGORITHM: Final = "HS256"
CLAIMS: Final = ("sub", "iat", "exp", "export", "arguments")

Arguments = Mapping[str, Any]
Piece = tuple[bytes, Arguments | None]
"""A part of a file, and the arguments for the next part. None after the last one."""


@object_type
class Download:
    """A file to fetch with GET. The link works without a token, for its holder alone: do not pass it on."""

    url: Url = described("Address of the file, relative to this server.")
    media_type: str = described("Media type of the file.")
    expires_at: datetime = described("Time after which the link no longer works.")


@dataclass(frozen=True, slots=True)
class Export:
    """A kind of file: its permission, its media type, and the function that reads it piece by piece."""

    permission: Permission
    media_type: str
    read: Callable[[ReadSession, PlantScope, Arguments], Piece]


EXPORTS: Final[dict[str, Export]] = {}
"""Every declared kind of file, by name."""


def export(
    name: str, *, permission: Permission, media_type: str
) -> Callable[[Callable[[ReadSession, PlantScope, Arguments], Piece]], Export]:
    """Declare a kind of file. Each call of the function has a read transaction of its own."""

    def declare(read: Callable[[ReadSession, PlantScope, Arguments], Piece]) -> Export:
        made = EXPORTS[name] = Export(permission, media_type, read)
        return made

    return declare


class TicketInvalid(Exception):
    """A ticket that this node did not issue, or whose time is over."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """The content of a valid ticket: the person, the time of issue, and what to fetch."""

    person: str
    issued_s: int
    export: str
    arguments: Arguments


class Tickets:
    """Issues and verifies the tickets in links. A ticket holds an employee number and grants no permission."""

    def __init__(self, secret: bytes, clock: Clock) -> None:
        self._secret = secret
        self._clock = clock

    def link(self, person: str, name: str, arguments: Arguments) -> Download:
        """Return a link by which this person fetches a file."""
        issued = self._clock.now()
        expires = issued + timedelta(seconds=DOWNLOAD_SECONDS)
        claims = {
            "sub": person,
            "iat": int(issued.timestamp()),
            "exp": int(expires.timestamp()),
            "export": name,
            "arguments": dict(arguments),
        }
        ticket = jwt.encode(claims, self._secret, algorithm=ALGORITHM)
        return Download(
            url=Url(f"{DOWNLOADS_PATH}/{ticket}"),
            media_type=EXPORTS[name].media_type,
            expires_at=expires,
        )

    def read(self, text: str) -> Ticket:
        """Return the content of a ticket. Raises TicketInvalid for any other text and after its time."""
        if len(text) > TICKET_CHARACTERS_MAX:
            raise TicketInvalid
        # PyJWT would read the machine's clock.
        options: Any = {"require": list(CLAIMS), "verify_exp": False, "verify_iat": False, "verify_nbf": False}
        try:
            claims = jwt.decode(text, self._secret, algorithms=[ALGORITHM], options=options)
        except jwt.InvalidTokenError as error:
            raise TicketInvalid from error
        if claims["exp"] <= self._clock.now().timestamp() or claims["export"] not in EXPORTS:
            raise TicketInvalid
        return Ticket(claims["sub"], claims["iat"], claims["export"], claims["arguments"])
