"""`batchloom person`: who can sign in at a node, with which roles; passwords never stand on the command line."""

import secrets
import sys
from typing import Annotated, Final

import typer
from rich.panel import Panel

from api.cli.nodes import Home, console_actor, opened
from api.cli.output import CONSOLE, CannotDo, pick
from api.node.node import Node
from auth.actors import GROUP, Grant, Role
from auth.passwords import PASSWORD_CHARACTERS_MOST, HashedPassword, hash_password
from auth.people import PERSON_ROLES, add_person, grant_role, set_password
from infra.database import Session
from infra.messages import Language

app = typer.Typer(help="People who can sign in at a node.\n\n可登录节点的人员。", no_args_is_help=True)

# Letters and digits that nobody takes for one another.
ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"
GROUPS, GROUP_CHARACTERS = 4, 5
WHOLE_GROUP: Final = "group"

Person = Annotated[str, typer.Argument(metavar="ID", help="Employee number, the same in the whole group.")]
RoleName = Annotated[Role, typer.Option("--role", help=f"One of: {', '.join(PERSON_ROLES)}.", show_default=False)]
At = Annotated[
    str | None,
    typer.Option(
        "--plant",
        help=f"Code of the plant where this counts, or “{WHOLE_GROUP}”. Unset: this plant; at the hub, the group.",
    ),
]
FromFile = Annotated[
    typer.FileText | None,
    typer.Option("--password-file", help="File whose first line is the password; - reads standard input."),
]
Generate = Annotated[bool, typer.Option("--generate-password", help="Make a password and show it once.")]


@app.command()
def add(
    *,
    home: Home,
    person: Person,
    name: Annotated[str, typer.Option(help="Name as it is printed beside signatures.")],
    role: Annotated[
        list[Role] | None, typer.Option(help=f"One of: {', '.join(PERSON_ROLES)}; may be repeated.")
    ] = None,
    plant: At = None,
    language: Annotated[str, typer.Option(help="Language of answers: en or zh.")] = "en",
    password_file: FromFile = None,
    generate_password: Generate = False,
) -> None:
    """Add a person, with roles. The password is asked for unless it comes from a file or is made.

    Example:  batchloom person add --home sh1 li.wei --name "Li Wei" --role operator --generate-password
    """
    if language not in ("en", "zh"):
        raise typer.BadParameter("en, zh", param_hint="--language")
    speaks: Language = "zh" if language == "zh" else "en"
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
                language=speaks,
                at=now,
            )
            for one in role or ():
                grant_role(session, actor=actor, person_id=person, grant=Grant(number, one), at=now)
            set_password(session, actor=actor, person_id=person, password=password[0], at=now)

        node.writer.write(write)
    _done(pick(f"{person} can sign in.", f"{person} 可以登录。"), password[1])


@app.command()
def grant(home: Home, person: Person, role: RoleName, plant: At = None) -> None:
    """Give a person a role at a plant or in the group; it counts from the next request on.

    Example:  batchloom person grant --home hub chen.jing --role auditor
    """
    with opened(home) as node:
        given = Grant(_plant_number(node, plant), role)
        actor, now = console_actor(Role.ADMINISTRATOR), node.clock.now()

        def write(session: Session) -> None:
            grant_role(session, actor=actor, person_id=person, grant=given, at=now)

        node.writer.write(write)
    _done(pick(f"{person} is {role} now.", f"{person} 已获得角色 {role}。"), None)


@app.command()
def password(home: Home, person: Person, password_file: FromFile = None, generate_password: Generate = False) -> None:
    """Set a person's password; it ends a lock-out and every sign-in made before.

    Example:  batchloom person password --home sh1 li.wei --generate-password
    """
    with opened(home) as node:
        hashed, shown = _new_password(person, password_file, generate=generate_password)
        actor, now = console_actor(Role.ADMINISTRATOR), node.clock.now()

        def write(session: Session) -> None:
            set_password(session, actor=actor, person_id=person, password=hashed, at=now)

        node.writer.write(write)
    _done(pick(f"{person} has a new password.", f"{person} 的密码已更新。"), shown)


def made_password() -> str:
    """Return a new password of random letters and digits that can be read out and typed."""
    words = ("".join(secrets.choice(ALPHABET) for _ in range(GROUP_CHARACTERS)) for _ in range(GROUPS))
    return "-".join(words)


def _new_password(person: str, file: typer.FileText | None, *, generate: bool) -> tuple[HashedPassword, str | None]:
    """Return the hash of the password that was made, read or typed, and the password itself if it was made."""
    if generate:
        made = made_password()
        return hash_password(made, person_id=person), made
    if file is not None:
        typed = file.readline(4 * PASSWORD_CHARACTERS_MOST).rstrip("\r\n")
    elif sys.stdin.isatty():
        ask = pick("Password", "密码")
        typed = typer.prompt(ask, hide_input=True, confirmation_prompt=pick("Once more", "再次输入"))
    else:
        raise CannotDo(
            "Nobody is at the terminal to type a password: use --password-file or --generate-password.",
            "无人在终端输入密码，请使用 --password-file 或 --generate-password。",
        )
    return hash_password(typed, person_id=person), None


def _plant_number(node: Node, plant: str | None) -> int:
    """Return the number behind a plant's code as this node knows it; 0 is the group."""
    if plant is None:
        return node.settings.plant_number
    if plant == WHOLE_GROUP:
        return GROUP
    if plant == node.settings.plant_code:
        return node.settings.plant_number

    def find(session: Session) -> int | None:
        row = session.row(
            "SELECT plant_number FROM machines WHERE code = :code ORDER BY revoked_us IS NOT NULL", {"code": plant}
        )
        return None if row is None else int(row[0])

    number = node.writer.write(find)
    if number is None:
        raise CannotDo(f"No plant {plant} is known here.", f"此处没有工厂 {plant}。")
    return number


def _done(text: str, made: str | None) -> None:
    CONSOLE.print(f"[green]✓[/] {text}", soft_wrap=True)
    if made is not None:
        title = pick("Password, shown this once", "密码，仅显示一次")
        CONSOLE.print(Panel.fit(f"[bold]{made}[/]", title=title, border_style="yellow"))
