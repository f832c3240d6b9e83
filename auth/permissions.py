"""Permissions, the permissions of each role, and the checks `may` and `require`."""

from enum import StrEnum
from types import MappingProxyType
from typing import Final

from auth.actors import Actor, Role
from plants.rules.people.refusals import NOT_PERMITTED
from plants.rules.values.refusals import Refusal


class Permission(StrEnum):
    """A permission; each mutation, query and command-line verb declares exactly one."""

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
"""The read-only permissions."""

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
