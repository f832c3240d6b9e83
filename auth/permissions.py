"""Permissions, the permissions of each role, and the checks `may` and `require`."""

from enum import StrEnum
from types import MappingProxyType
from typing import Final, Self

from auth.actors import Actor, Role
from plants.rules.people.refusals import NOT_PERMITTED
from plants.rules.values.refusals import Refusal

_QUALITY: Final = (Role.QUALITY, Role.MANAGER)
_SHOP_FLOOR: Final = (Role.OPERATOR, Role.MANAGER, Role.IMPORTER)
_READERS: Final = (Role.MANAGER, Role.HEADQUARTERS, Role.AUDITOR)


class Permission(StrEnum):
    """A permission: its name, its description, and the roles that have it.

    Each query, mutation and subscription declares one. A plant node has none: replication checks the machine.
    """

    description: str
    roles: frozenset[Role]

    def __new__(cls, value: str, description: str, roles: tuple[Role, ...]) -> Self:
        """Return the member of this name."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.description = description
        member.roles = frozenset(roles)
        return member

    BATCH_READ = (
        "batch:read",
        "Read batches, stock, process records, transfers, change requests and master data.",
        (*_SHOP_FLOOR, *_QUALITY, *_READERS),
    )
    BATCH_RECEIVE = "batch:receive", "Receive goods, and name batches by aliases.", _SHOP_FLOOR
    HOLD_PLACE = (
        "hold:place",
        "Place holds on goods.",
        (*_SHOP_FLOOR, *_QUALITY, Role.HEADQUARTERS),
    )
    CHANGE_REQUEST = (
        "change:request",
        "Request a change that another user must decide.",
        (*_SHOP_FLOOR, *_QUALITY, Role.HEADQUARTERS),
    )
    CHANGE_DECIDE = "change:decide", "Approve or reject change requests.", (*_QUALITY, Role.HEADQUARTERS)
    DIRECTIVE_SEND = "directive:send", "Send directives to plants: master data, holds, recalls.", (Role.HEADQUARTERS,)
    CONFLICT_SETTLE = "conflict:settle", "Settle conflicting entries.", _QUALITY
    ENTRY_CORRECT = "entry:correct", "Correct wrong ledger entries.", _QUALITY
    IMPORT_RUN = "import:run", "Import EPCIS documents.", (Role.MANAGER, Role.IMPORTER)
    LEDGER_READ = "ledger:read", "Read the audit log and conflicting entries.", (*_QUALITY, *_READERS)
    PLANT_ENROL = "plant:enrol", "Invite, approve and revoke plants.", (Role.ADMINISTRATOR,)
    MASTERDATA_SAVE = (
        "masterdata:save",
        "Save materials, units, partners, locations and equipment.",
        (Role.MANAGER, Role.HEADQUARTERS, Role.IMPORTER),
    )
    PARKED_DECIDE = "parked:decide", "Retry or skip parked entries.", (Role.ADMINISTRATOR,)
    PERSON_ADMINISTER = (
        "person:administer",
        "Add, disable and enable users, and grant and revoke their roles.",
        (Role.ADMINISTRATOR,),
    )
    PROCESS_RUN = "process:run", "Open and close process records, and add inputs and outputs to them.", _SHOP_FLOOR
    REPLICATION_READ = (
        "replication:read",
        "Read replication status, alarms and parked entries.",
        (*_READERS, Role.ADMINISTRATOR),
    )
    SCHEMA_READ = "schema:read", "Read the GraphQL schema by introspection.", (*_READERS, Role.ADMINISTRATOR)
    GOODS_SHIP = "goods:ship", "Ship goods to customers.", _SHOP_FLOOR
    STOCK_COUNT = "stock:count", "Count stock, with a difference within the tolerance.", (Role.MANAGER,)
    STOCK_MOVE = "stock:move", "Move, split and merge goods.", _SHOP_FLOOR
    TRACE_READ = "trace:read", "Trace goods.", (*_SHOP_FLOOR, *_QUALITY, *_READERS)
    TRANSFER_RUN = "transfer:run", "Dispatch and receive transfers between plants.", _SHOP_FLOOR


READ_PERMISSIONS: Final = frozenset(one for one in Permission if one.endswith(":read"))
"""The read-only permissions."""

ROLE_PERMISSIONS: Final = MappingProxyType(
    {role: frozenset(one for one in Permission if role in one.roles) for role in Role}
)
"""The permissions of each role. Administrators cannot change batches; auditors can change nothing."""


class NotPermitted(Refusal):
    """The actor lacks the permission at this plant. The refusal has no data, so it does not reveal what exists."""

    def __init__(self, actor: Actor, permission: Permission, plant_number: int) -> None:
        super().__init__(NOT_PERMITTED)
        self.actor_id = actor.actor_id
        self.permission = permission
        self.plant_number = plant_number

    def log_line(self) -> str:
        """Return the actor, permission and plant, for the node's log only."""
        return f"{self.actor_id} may not {self.permission} at plant {self.plant_number}"


def may(actor: Actor, permission: Permission, plant_number: int) -> bool:
    """Return whether a role of the actor, at this plant or in the group, has the permission.

    For plant number 0, only grants for the group apply.
    """
    return any(permission in ROLE_PERMISSIONS[role] for role in actor.roles_at(plant_number))


def require(actor: Actor, permission: Permission, plant_number: int) -> None:
    """Raise NotPermitted unless the actor has the permission."""
    if not may(actor, permission, plant_number):
        raise NotPermitted(actor, permission, plant_number)
