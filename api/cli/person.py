"""`batchloom person`: the people of a node, their roles and passwords. No password is an argument."""

import secrets
import sys
from typing import Annotated, Final

import typer
from rich.markup import escape
from rich.panel import Panel

from api.cli.nodes import Home, console_actor, opened
from api.cli.output import CONSOLE
from api.language import _
from api.node.node import Node
from auth.actors import GROUP, Grant, Role
from auth.passwords import PASSWORD_CHARACTERS_MOST, HashedPassword, hash_password
from auth.people import (
    PERSON_ROLES,
    add_person,
    disable_person,
    enable_person,
    grant_role,
    revoke_role,
    set_password,
)
from auth.store import number_of_plant
from infra.database import Session
from infra.messages import Failure, languages, message

app = typer.Typer(help=_("People who can sign in at a node."), no_args_is_help=True)

# Letters and digits that are not mistaken for one another.
ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"
GROUPS, GROUP_CHARACTERS = 4, 5
WHOLE_GROUP: Final = "group"

Person = Annotated[str, typer.Argument(metavar="ID", help="Employee number, unique in the whole group.")]


def _role(given: str) -> Role:
    """Return the role of this name; raises BadParameter for an unknown name and for the role of machines."""
    if given not in PERSON_ROLES:
        roles = ", ".join(PERSON_ROLES)
        raise typer.BadParameter(_("“{given}” is no role of people. Give one of: {roles}", given=given, roles=roles))
    return Role(given)


RoleName = Annotated[
    Role,
    typer.Option(
        "--role", parser=_role, metavar="ROLE", help=f"One of: {', '.join(PERSON_ROLES)}.", show_default=False
    ),
]
At = Annotated[
    str | None,
    typer.Option(
        "--plant",
        help=f"Code of the plant for which it counts, or “{WHOLE_GROUP}”. Default: this plant; at the hub, the group.",
    ),
]
FromFile = Annotated[
    typer.FileText | None,
    typer.Option("--password-file", help="File with the password in its first line; - reads standard input."),
]
Generate = Annotated[bool, typer.Option("--generate-password", help="Generate a password and show it once.")]


@app.command()
def add(
    *,
    home: Home,
    person: Person,
    name: Annotated[str, typer.Option(help="Name that is printed next to signatures.")],
    role: Annotated[
        list[Role] | None,
        typer.Option(parser=_role, metavar="ROLE", help=f"One of: {', '.join(PERSON_ROLES)}; may be repeated."),
    ] = None,
    plant: At = None,
    language: Annotated[str, typer.Option(help=f"Language of answers: {' or '.join(languages())}.")] = "en",
    password_file: FromFile = None,
    generate_password: Generate = False,
) -> None:
    """Add an employee with roles. The command asks for the password, unless a file holds it or it is generated.

    Example:  batchloom person add --home sh1 li.wei --name "Li Wei" --role operator --generate-password
    """
    if language not in languages():
        raise typer.BadParameter(", ".join(languages()), param_hint="--language")
    with opened(home) as node:
        number = _plant_number(node, plant)
        password = _new_password(person, password_file, generate=generate_password)
        actor, now = console_actor(Role.ADMINISTRATOR), node.clock.now()

        def write(session: Session) -> None:
            add_person(
                session,
                actor=actor,
                person_id=person,
                printed_name=name,
                plant_number=number,
                language=language,
                at=now,
            )
            for one in role or ():
                grant_role(session, actor=actor, person_id=person, grant=Grant(number, one), at=now)
            set_password(session, actor=actor, person_id=person, password=password[0], at=now)

        node.writer.write(write)
    _done(_("{person} can sign in.", person=person), password[1])


@app.command()
def grant(home: Home, person: Person, role: RoleName, plant: At = None) -> None:
    """Give an employee a role at a plant or in the whole group, from the next request on. See also: revoke.

    Example:  batchloom person grant --home hub chen.jing --role auditor
    """
    with opened(home) as node:
        given = Grant(_plant_number(node, plant), role)
        actor, now = console_actor(Role.ADMINISTRATOR), node.clock.now()

        def write(session: Session) -> None:
            grant_role(session, actor=actor, person_id=person, grant=given, at=now)

        node.writer.write(write)
    _done(_("{person} has the role {role} now.", person=person, role=role), None)


@app.command()
def revoke(home: Home, person: Person, role: RoleName, plant: At = None) -> None:
    """Take a role from an employee, at a plant or in the whole group.

    The employee stays signed in with the other roles. The next request without the permission is refused. A
    subscription without it ends. A download without it ends at its next piece. Entries of the employee stay.

    Example:  batchloom person revoke --home hub chen.jing --role auditor
    """
    with opened(home) as node:
        taken, actor = Grant(_plant_number(node, plant), role), console_actor(Role.ADMINISTRATOR)
        node.writer.write(lambda session: revoke_role(session, actor=actor, person_id=person, grant=taken))
    _done(_("{person} no longer has the role {role}.", person=person, role=role), None)


@app.command()
def disable(home: Home, person: Person) -> None:
    """Disable an employee, who can then neither sign in nor ask anything. The roles are kept.

    Tokens that were given out are refused from the next request on. Open WebSocket connections close. Use it when
    somebody leaves. An employee number is never given to another person. Undo it with: enable.

    Example:  batchloom person disable --home sh1 li.wei
    """
    with opened(home) as node:
        actor, now = console_actor(Role.ADMINISTRATOR), node.clock.now()
        node.writer.write(lambda session: disable_person(session, actor=actor, person_id=person, at=now))
    _done(_("{person} is disabled.", person=person), None)


@app.command()
def enable(home: Home, person: Person) -> None:
    """Enable a disabled employee, with the same password and roles. This also ends a lock-out.

    Example:  batchloom person enable --home sh1 li.wei
    """
    with opened(home) as node:
        actor = console_actor(Role.ADMINISTRATOR)
        node.writer.write(lambda session: enable_person(session, actor=actor, person_id=person))
    _done(_("{person} can sign in again.", person=person), None)


@app.command()
def password(home: Home, person: Person, password_file: FromFile = None, generate_password: Generate = False) -> None:
    """Set an employee's password. This ends a lock-out and every earlier sign-in.

    Use it when a password was forgotten or seen by others.

    Example:  batchloom person password --home sh1 li.wei --generate-password
    """
    with opened(home) as node:
        hashed, shown = _new_password(person, password_file, generate=generate_password)
        actor, now = console_actor(Role.ADMINISTRATOR), node.clock.now()

        def write(session: Session) -> None:
            set_password(session, actor=actor, person_id=person, password=hashed, at=now)

        node.writer.write(write)
    _done(_("{person} has a new password.", person=person), shown)


def generate_password_text() -> str:
    """Return a new password of random letters and digits that can be read out and typed."""
    words = ("".join(secrets.choice(ALPHABET) for _ in range(GROUP_CHARACTERS)) for _ in range(GROUPS))
    return "-".join(words)


def _new_password(person: str, file: typer.FileText | None, *, generate: bool) -> tuple[HashedPassword, str | None]:
    """Return the hash of the password that was made, read or typed, and the password itself if it was made."""
    if generate:
        made = generate_password_text()
        return hash_password(made, person_id=person), made
    if file is not None:
        typed = file.readline(4 * PASSWORD_CHARACTERS_MOST).rstrip("\r\n")
    elif sys.stdin.isatty():
        ask = _("Password")
        typed = typer.prompt(ask, hide_input=True, confirmation_prompt=_("Repeat the password"))
    else:
        raise Failure(
            message(
                "PASSWORD_NOT_GIVEN",
                "The password cannot be asked for without a terminal. Use --password-file or --generate-password.",
            )
        )
    return hash_password(typed, person_id=person), None


def _plant_number(node: Node, plant: str | None) -> int:
    """Return the number of a plant by its code, 0 for the group; raises Failure for an unknown code."""
    if plant is None:
        return node.settings.plant_number
    if plant == WHOLE_GROUP:
        return GROUP
    if plant == node.settings.plant_code:
        return node.settings.plant_number
    with node.store.reading() as reads:
        number = number_of_plant(reads, plant)
    if number is None:
        raise Failure(message("PLANT_UNKNOWN", "Plant {plant} is not known at this node. Check the code."), plant=plant)
    return number


def _done(text: str, made: str | None) -> None:
    CONSOLE.print(f"[green]✓[/] {escape(text)}", soft_wrap=True)
    if made is not None:
        title = _("Password, shown only now")
        CONSOLE.print(Panel.fit(f"[bold]{made}[/]", title=title, border_style="yellow"))
