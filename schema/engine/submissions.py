"""The mutation `submit`: many commands in one request, such as the scans that a device kept while it was offline.

CommandInput has a member for each mutation of the role, bulk mutations left out. The member of a mutation with more
arguments than its input is an input of all of them.
"""

from collections.abc import Iterable, Mapping
from inspect import Parameter, signature
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
from schema.engine.malformed_commands import Malformed, aside_of
from schema.engine.operations import MUTATION_WEIGHT, Operation, OperationKind, derived, register
from schema.engine.refusals import RefusalAnswer, refused
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

    request_id: RequestId | None = described("Request id of the command. Null if it cannot be read.")
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
    return one.kind is OperationKind.MUTATION and not one.bulk and "input" in _arguments(one)


def _arguments(one: Operation) -> Mapping[str, Parameter]:
    """Return the arguments of a mutation by name, without `validateOnly`."""
    return {name: given for name, given in signature(one.declared).parameters.items() if name != "info"}


def _declare(role: Role, members: Mapping[str, Operation]) -> None:
    command: Any = _command_input(members)

    async def submit(
        info: Info,
        commands: Annotated[
            list[command], argument(f"Commands in the order of their execution, at most {COMMANDS_MAX}.")
        ],
    ) -> list[SubmittedCommand]:
        malformed, well_formed = aside_of(info, "commands"), iter(commands)
        count = len(commands) + len(malformed)
        if count > COMMANDS_MAX:
            raise exceeded(COMMANDS_MAX, COMMANDS_TOO_MANY(most=COMMANDS_MAX, count=count))
        info.context.spend(count)
        return [
            _refused(info, malformed[place])
            if place in malformed
            else await _submitted(info, members, next(well_formed))
            for place in range(count)
        ]

    access = access_of(None)
    made: Any = strawberry.mutation(
        resolver=submit,
        description="Run commands in order, each as its own mutation does. A refused command does not stop the others. "
        "Nor does a malformed command in a variable: it is refused as ValueInvalid in its place. "
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
    """Return the type of a mutation's input, or of all its arguments where it has others."""
    arguments = _arguments(one)
    if arguments.keys() == {"input"}:
        return get_args(one.declared.__annotations__["input"])[0]

    def fill(namespace: dict[str, Any]) -> None:
        namespace["__annotations__"] = {}
        namespace["__module__"] = one.declared.__module__
        for name, given in arguments.items():
            kind, said = get_args(one.declared.__annotations__[name])[:2]
            namespace["__annotations__"][name] = kind
            default = {} if given.default is Parameter.empty else {"default": given.default}
            namespace[name] = strawberry.field(description=said.description, **default)

    named = f"{one.name[0].upper()}{one.name[1:]}CommandInput"
    return strawberry.input(new_class(named, (), {}, fill), description=f"The arguments of `{one.name}`.")


def _refused(info: Info, malformed: Malformed) -> SubmittedCommand:
    refusal = refused(malformed.refusal, info.context.language)
    return SubmittedCommand(request_id=malformed.request_id, recorded=None, refusal=refusal)


async def _submitted(info: Info, members: Mapping[str, Operation], command: object) -> SubmittedCommand:
    """Run one command under the access of its own mutation."""
    name, given = next((name, value) for name, value in vars(command).items() if value is not strawberry.UNSET)
    one = members[name]
    names = _arguments(one).keys()
    arguments = {"input": given} if names == {"input"} else {each: getattr(given, each) for each in names}
    result = await one.resolve(info=Info(info._raw_info, one.field), **arguments)  # noqa: SLF001 -- Strawberry makes an info of these two alone.
    is_refused = isinstance(result, RefusalAnswer)
    return SubmittedCommand(
        request_id=arguments["input"].request_id,
        recorded=None if is_refused else result,
        refusal=result if is_refused else None,
    )
