"""Actors: the person, plant or program on whose behalf a command or a query runs."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from infra.messages import Failure, Language, message
from plants.rules.identification.codes import HUB, PLANT_NUMBER_MAX
from plants.rules.values.actors import PROGRAM_PREFIX, Author
from plants.rules.values.enums import DescribedEnum

GROUP: Final = HUB
"""The plant number of a grant that is valid at the hub and at every plant of the group."""

DEVICE_CHARACTERS: Final = 120
"""The maximum length of a device text; the rest is cut off."""


class ActorKind(StrEnum):
    """The kind of an actor."""

    PERSON = "person"
    MACHINE = "machine"
    SYSTEM = "system"


class Role(DescribedEnum):
    """Role of a user. Roles are granted at one plant or in the whole group."""

    OPERATOR = "operator", "Works on the shop floor: receives, processes, moves and ships goods, and requests changes."
    QUALITY = "quality", "Places holds, decides change requests, corrects entries and settles conflicting ones."
    MANAGER = "manager", "May do what operators and quality may, and also define master data and adjust stock."
    HEADQUARTERS = (
        "headquarters",
        "Sends directives to plants, decides change requests at the hub and defines master data.",
    )
    AUDITOR = "auditor", "Reads goods, traces, the audit log and replication status, and changes nothing."
    ADMINISTRATOR = "administrator", "Manages users, plants and parked entries, and changes no goods."
    IMPORTER = "importer", "Imports EPCIS documents: records goods and defines master data for another system."
    PLANT_NODE = "plant-node", "Identifies a plant's own node to the hub for replication; people cannot have it."


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """One role at one plant, or in the whole group when the plant number is `GROUP`."""

    plant_number: int
    role: Role

    def __post_init__(self) -> None:
        """Raise ValueError for an invalid plant number."""
        if not GROUP <= self.plant_number <= PLANT_NUMBER_MAX:
            msg = f"{self.plant_number} is not a plant number"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """The principal of a command or a query. Commands record its `author`.

    `actor_id` is an employee number, a plant's ledger origin, or a program's name. An employee number is the same at
    every node, so that the check "not the requester" works between a plant and the hub. `name` is printed with
    signatures. Only machines hold the role of a plant's node, and they hold no other role. So a stolen plant key
    cannot act for people, and a stolen token of theirs cannot act for a plant.
    """

    actor_id: str
    name: str
    kind: ActorKind
    grants: frozenset[Grant] = frozenset()
    device: str = ""
    language: Language = "en"

    def __post_init__(self) -> None:
        """Raise ValueError for an actor without id or name, or with a role that its kind cannot have."""
        if not self.actor_id or not self.name:
            msg = "an actor has an id and a name"
            raise ValueError(msg)
        is_machine = self.kind is ActorKind.MACHINE
        if any((grant.role is Role.PLANT_NODE) is not is_machine for grant in self.grants):
            msg = f"a {self.kind} cannot hold these roles"
            raise ValueError(msg)

    @property
    def author(self) -> Author:
        """The author that ledger entries record for this actor."""
        return Author(person=self.actor_id, printed_name=self.name, device=self.device or None)

    def roles_at(self, plant_number: int) -> frozenset[Role]:
        """Return the roles at a plant: those granted there and those granted for the group."""
        return frozenset(grant.role for grant in self.grants if grant.plant_number in (plant_number, GROUP))


def system_actor(name: str, *roles: Role, device: str = "", language: Language = "en") -> Actor:
    """Return the actor of a job, or of the command line on the node itself.

    It has the given roles in the whole group; without roles it has no permission.
    """
    grants = frozenset(Grant(GROUP, role) for role in roles)
    return Actor(
        actor_id=f"{PROGRAM_PREFIX}{name}",
        name=name,
        kind=ActorKind.SYSTEM,
        grants=grants,
        device=device_text(device),
        language=language,
    )


def device_text(sent: str) -> str:
    """Return a client's device name, sanitised for ledger entries and log lines.

    Unprintable characters (controls, line ends, direction marks) become spaces. Runs of spaces become one space. The
    text is cut after `DEVICE_CHARACTERS`.
    """
    shown = "".join(character if character.isprintable() else " " for character in sent[: 4 * DEVICE_CHARACTERS])
    return " ".join(shown.split())[:DEVICE_CHARACTERS]


class AuthFailure(StrEnum):
    """The reason of a failed authentication; for the node's log, never for the caller."""

    MALFORMED = "malformed"
    WRONG_HEADER = "wrong-header"
    WRONG_TYPE = "wrong-type"
    UNKNOWN_KEY = "unknown-key"
    BAD_SIGNATURE = "bad-signature"
    BAD_CLAIMS = "bad-claims"
    WRONG_ISSUER = "wrong-issuer"
    WRONG_AUDIENCE = "wrong-audience"
    WRONG_SUBJECT = "wrong-subject"
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    LIVES_TOO_LONG = "lives-too-long"
    REPLAYED = "replayed"
    TOO_MANY = "too-many"
    UNKNOWN_PERSON = "unknown-person"
    WRONG_PASSWORD = "wrong-password"  # noqa: S105 -- the name of a failure, not a password.
    LOCKED_OUT = "locked-out"
    DISABLED = "disabled"
    SIGNED_OUT = "signed-out"


SIGN_IN_FAILED: Final = message(
    "SIGN_IN_FAILED",
    "Sign-in failed. Check your employee number and password. After several wrong tries, wait a while.",
)


class NotAuthenticated(Failure):
    """Authentication failed. The caller gets the same message for every reason."""

    def __init__(self, failure: AuthFailure) -> None:
        super().__init__(SIGN_IN_FAILED)
        self.failure = failure
