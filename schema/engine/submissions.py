"""The mutation `submit`: many commands in one request, such as the scans that a device kept while it was offline.

CommandInput has a member for each mutation of the role whose only argument is its input, bulk mutations left out.
"""

from collections.abc import Iterable, Mapping
from inspect import signature
from types import new_class
from typing import Annotated, Any, Final, get_args

import strawberry

from infra.messages import message
from infra.roles import Role
from schema.engine.access import METADATA_KEY, access_of
from schema.engine.context import Info
from schema.engine.entries import Recorded
from schema.engine.fields import argument, described, object_type
from schema.engine.limits import COMMANDS_MAX, exceeded
from schema.engine.operations import MUTATION_WEIGHT, Operation, OperationKind, derived, register
from schema.engine.refusals import RefusalAnswer
from schema.engine.scalars import RequestId

COMMANDS_TOO_MANY: Final = message("COMMANDS_TOO_MANY", "`commands` holds at most {most} commands, not {count}.")


EXAMPLES: Final = {
    Role.PLANT: '[{ closeProcess: { requestId: "5f0c7d1e-5d0b-4b7e-9a53-0d2f6f3c8a41", processId: "cHJvY2Vzcy83" } }]',
    Role.HUB: '[{ liftHold: { requestId: "5f0c7d1e-5d0b-4b7e-9a53-0d2f6f3c8a41", '
    'holdId: "ZGlyZWN0ZWQtaG9sZC9IUS03", reason: "Test passed" } }]',
}
"""An example of commands for each role."""


@object_type(weight=MUTATION_WEIGHT)
class SubmittedCommand:
    """The result of one command of `submit`. Either `recorded` or `refusal` is null."""

    request_id: RequestId = described("Request id of the command.")
    recorded: Recorded | None = described("Success of the command, as its own mutation answers it.")
    refusal: RefusalAnswer | None = described("Refusal of the command. Its `path` begins below the command's input.")


@derived
def declare_submit(found: Iterable[Operation]) -> None:
    """Declare `submit` for each role."""
    found = tuple(found)
    for role in Role:
        members = {one.field.python_name: one for one in found if role in one.roles and _can_be_submitted(one)}
        _declare(role, dict(sorted(members.items())))


def _can_be_submitted(one: Operation) -> bool:
    given = signature(one.declared).parameters.keys() - {"info"}
    return one.kind is OperationKind.MUTATION and not one.bulk and given == {"input"}


def _declare(role: Role, members: Mapping[str, Operation]) -> None:
    command: Any = _command_input(members)

    async def submit(
        info: Info,
        commands: Annotated[
            list[command], argument(f"Commands in the order of their execution, at most {COMMANDS_MAX}.")
        ],
    ) -> list[SubmittedCommand]:
        if len(commands) > COMMANDS_MAX:
            raise exceeded(COMMANDS_MAX, COMMANDS_TOO_MANY(most=COMMANDS_MAX, count=len(commands)))
        info.context.spend(len(commands))
        return [await _submitted(info, members, one) for one in commands]

    access = access_of(None)
    made: Any = strawberry.mutation(
        resolver=submit,
        description="Run commands in order, each as its own mutation does. A refused command does not stop the others. "
        "After an interruption, send the same commands again: each request id is recorded once. "
        f"Returns one result for each command, at most {COMMANDS_MAX}. Example: `{EXAMPLES[role]}`.",
        metadata={METADATA_KEY: access},
    )
    register(OperationKind.MUTATION, submit, made, roles=frozenset({role}), access=access)


def _command_input(members: Mapping[str, Operation]) -> type:
    """Return the input type with one optional field for each mutation."""

    def fill(namespace: dict[str, Any]) -> None:
        namespace["__annotations__"] = {name: _input_of(one) | None for name, one in members.items()}
        namespace["__module__"] = __name__
        for name, one in members.items():
            namespace[name] = strawberry.field(description=f"Input of `{one.name}`.", default=strawberry.UNSET)

    return strawberry.input(
        new_class("CommandInput", (), {}, fill),
        one_of=True,
        description="A command: the input of exactly one mutation.",
    )


def _input_of(one: Operation) -> Any:
    """Return the type of a mutation's input, without its description."""
    return get_args(one.declared.__annotations__["input"])[0]


async def _submitted(info: Info, members: Mapping[str, Operation], command: object) -> SubmittedCommand:
    """Run one command under the access of its own mutation."""
    name, given = next((name, value) for name, value in vars(command).items() if value is not strawberry.UNSET)
    one = members[name]
    result = await one.resolve(info=Info(info._raw_info, one.field), input=given)  # noqa: SLF001 -- Strawberry makes an info of these two alone.
    refused = isinstance(result, RefusalAnswer)
    return SubmittedCommand(
        request_id=given.request_id, recorded=None if refused else result, refusal=result if refused else None
    )
