"""Access of a field: the permissions it reads or writes under, and the commands it may run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from auth.permissions import READ_PERMISSIONS, Permission
from plants.commands.directives.directives import GroupCommand
from plants.commands.execution import Command

METADATA_KEY: Final = "batchloom.access"
"""The key of the declared access in a field's metadata."""

AnyCommand = Command[Any] | GroupCommand[Any]
Permissions = Permission | tuple[Permission, ...] | None


class UndeclaredAccess(Exception):
    """A resolver used a permission or a command that its field does not declare. This is a bug."""


@dataclass(frozen=True, slots=True)
class Access:
    """The declared access of one field."""

    permissions: tuple[Permission, ...] = ()
    commands: tuple[AnyCommand, ...] = ()
    reads: frozenset[Permission] = field(default=READ_PERMISSIONS)

    @property
    def only(self) -> Permission:
        """The declared permission; raises UndeclaredAccess unless there is exactly one."""
        if len(self.permissions) != 1:
            raise UndeclaredAccess(f"{len(self.permissions)} permissions are declared; name one of them")
        return self.permissions[0]

    def check_read(self, permission: Permission) -> Permission:
        """Return the permission; raises UndeclaredAccess where it is not declared."""
        if permission not in self.reads:
            raise UndeclaredAccess(permission)
        return permission

    def check_command(self, command: AnyCommand) -> None:
        """Raise UndeclaredAccess for a command that is not declared."""
        if command not in self.commands:
            raise UndeclaredAccess(command.name)


UNDECLARED: Final = Access()
"""Access of a field that declares no permission: it may load related rows under any read permission."""


def access_of(permission: Permissions, *, commands: tuple[AnyCommand, ...] = ()) -> Access:
    """Return the access of a field. A mutation may also read under the read permissions, for its answer."""
    declared = permission if isinstance(permission, tuple) else () if permission is None else (permission,)
    reads = frozenset(declared)
    return Access(declared, commands, reads | READ_PERMISSIONS if commands or not declared else reads)


def declared_access(metadata: Mapping[Any, Any] | None) -> Access:
    """Return the access in a field's metadata."""
    found = (metadata or {}).get(METADATA_KEY, UNDECLARED)
    assert isinstance(found, Access)
    return found
