"""What each role may do, and the two questions asked of it: may this actor, and else refuse."""

from enum import StrEnum
from types import MappingProxyType
from typing import Final

from auth.actors import Actor, Role
from plants.rules.values.refusals import Refusal, RefusalCode


class Permission(StrEnum):
    """Everything that can be allowed; a mutation, a query or a command line verb declares exactly one."""

    BATCH_READ = "batch:read"
    BATCH_RECEIVE = "batch:receive"
    BATCH_QUARANTINE = "batch:quarantine"
    CHANGE_REQUEST = "change:request"
    CHANGE_DECIDE = "change:decide"
    DIRECTIVE_SEND = "directive:send"
    DISPUTE_SETTLE = "dispute:settle"
    ENTRY_CORRECT = "entry:correct"
    IMPORT_RUN = "import:run"
    LEDGER_READ = "ledger:read"
    MACHINE_ENROL = "machine:enrol"
    MASTERDATA_DEFINE = "masterdata:define"
    PARKED_DECIDE = "parked:decide"
    PERSON_ADMINISTER = "person:administer"
    PROCESS_RUN = "process:run"
    REPLICATION_READ = "replication:read"
    SCHEMA_READ = "schema:read"
    SHIPMENT_RUN = "shipment:run"
    STOCK_ADJUST = "stock:adjust"
    STOCK_MOVE = "stock:move"
    TRACE_READ = "trace:read"
    TRANSFER_RUN = "transfer:run"


_P = Permission

READ_PERMISSIONS: Final = frozenset(
    {_P.BATCH_READ, _P.LEDGER_READ, _P.REPLICATION_READ, _P.SCHEMA_READ, _P.TRACE_READ},
)
"""The permissions that change nothing, anywhere."""

_SHOP_FLOOR: Final = frozenset(
    {
        _P.BATCH_READ,
        _P.BATCH_RECEIVE,
        _P.BATCH_QUARANTINE,
        _P.CHANGE_REQUEST,
        _P.PROCESS_RUN,
        _P.SHIPMENT_RUN,
        _P.STOCK_MOVE,
        _P.TRACE_READ,
        _P.TRANSFER_RUN,
    },
)

_QUALITY: Final = frozenset(
    {
        _P.BATCH_READ,
        _P.BATCH_QUARANTINE,
        _P.CHANGE_REQUEST,
        _P.CHANGE_DECIDE,
        _P.DISPUTE_SETTLE,
        _P.ENTRY_CORRECT,
        _P.LEDGER_READ,
        _P.TRACE_READ,
    },
)

ROLE_PERMISSIONS: Final = MappingProxyType(
    {
        Role.OPERATOR: _SHOP_FLOOR,
        Role.QUALITY: _QUALITY,
        Role.MANAGER: _SHOP_FLOOR
        | _QUALITY
        | READ_PERMISSIONS
        | {_P.IMPORT_RUN, _P.MASTERDATA_DEFINE, _P.STOCK_ADJUST},
        Role.HEADQUARTERS: READ_PERMISSIONS
        | {_P.BATCH_QUARANTINE, _P.CHANGE_REQUEST, _P.CHANGE_DECIDE, _P.DIRECTIVE_SEND, _P.MASTERDATA_DEFINE},
        Role.AUDITOR: READ_PERMISSIONS,
        Role.ADMINISTRATOR: frozenset(
            {_P.MACHINE_ENROL, _P.PARKED_DECIDE, _P.PERSON_ADMINISTER, _P.REPLICATION_READ, _P.SCHEMA_READ},
        ),
        Role.IMPORTER: _SHOP_FLOOR | {_P.IMPORT_RUN, _P.MASTERDATA_DEFINE},
        Role.PLANT_NODE: frozenset(),  # Replication checks the machine itself.
    },
)
"""What each role may do. Whoever gives out roles touches no batch, and whoever audits changes nothing."""


class NotPermitted(Refusal):
    """The actor may not do this at this plant; it carries no data, so it tells nothing about what exists."""

    def __init__(self, actor: Actor, permission: Permission, plant_number: int) -> None:
        super().__init__(RefusalCode.NOT_PERMITTED)
        self.actor_id = actor.actor_id
        self.permission = permission
        self.plant_number = plant_number

    def log_line(self) -> str:
        """Return who was refused what and where, for the node's own log alone."""
        return f"{self.actor_id} may not {self.permission} at plant {self.plant_number}"


def may(actor: Actor, permission: Permission, plant_number: int) -> bool:
    """Say whether a role of the actor, at this plant or in the group, carries the permission.

    Asked of plant number 0, only a grant for the group counts.
    """
    return any(permission in ROLE_PERMISSIONS[role] for role in actor.roles_at(plant_number))


def require(actor: Actor, permission: Permission, plant_number: int) -> None:
    """Return in silence when the actor may; raise NotPermitted when not."""
    if not may(actor, permission, plant_number):
        raise NotPermitted(actor, permission, plant_number)
