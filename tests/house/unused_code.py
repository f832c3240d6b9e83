"""Finds code that nothing uses: `make check` runs it, and it exits with status 1 when there is any.

The rooms are read without the tests, so that code only tests call is found too. Names count wherever they occur:
a method with a common name, such as `add`, is not found.
"""

import ast
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from vulture import Vulture

from infra.catalogue import ROOMS
from tests.house.sources import ROOT, Source, dotted, sources

CONFIDENCE_MIN: Final = 60  # percent; the lowest at which vulture reports functions, classes and variables
TESTS: Final = ("tests", "benchmarks")
REGISTERING: Final = (
    "@*.callback", "@*.command", "@*.fixture", "@*.hookimpl", "@*.listens_for", "@*field", "@compiles", "@derived",
    "@export",
    "@findable", "@job", "@judged", "@model_validator", "@mutation", "@positions_of", "@query", "@subscription",
)  # fmt: skip
"""Decorators that hand a function to a library or a registry, which calls it."""
DECLARING_BASES: Final = frozenset({"BaseModel", "SQLModel", "TypeDecorator", "TypedDict"})
DECLARING_DECORATORS: Final = frozenset(
    {"enum_type", "input_type", "interface_type", "object_type"}
    | {f"strawberry.{kind}" for kind in ("input", "interface", "type")}
)
"""Classes whose members a library reads: columns and their types, members of JSON and of GraphQL."""

ALLOWED: Final = {
    "DISPOSITION_MOVE_INVALID": "the contract keeps the code until release needs it",
    "FixedClock": "the clock of tests: it stands still, where SystemClock reads the machine's",
    "GuardedTransport": "Kombu imports it by the alias of its module",
    "IMPORT_RUN": "awaits its mutation: the command line imports as the operator of the machine",
    "TABLES": "importing the modules declares their tables to SQLModel",
    "TERMS": "the catalogue of messages collects its terms",
    "__signature__": "inspect reads it of a function",
    "_get_pre_execution_close_reason": "Strawberry calls it for a refused subscription",
    "_heap": "the scheduler of Celery keeps its order in it",
    "_value_": "enum reads it of a member",
    "branch_labels": "Alembic reads it of a revision",
    "broker_transport_options": "Celery reads its settings",
    "cancel_timeout": "pytest-timeout calls it",
    "carrier": "the digest of a request reads every field of an order",
    "change_password": "awaits its command and mutation",
    "decode_json": "Strawberry calls it for each WebSocket message",
    "deliver_all": "delivers in the tests of the model; the simulation delivers each message alone",
    "depends_on": "Alembic reads it of a revision",
    "do_POST": "http.server calls it for each POST",
    "down_revision": "Alembic reads it of a revision",
    "downgrade": "Alembic calls it of a revision",
    "enter_float_value": "graphql-core calls it for each decimal number of a document",
    "enter_int_value": "graphql-core calls it for each whole number of a document",
    "enter_string_value": "graphql-core calls it for each string of a document",
    "force_exit": "uvicorn reads it while it ends",
    "get_results": "Strawberry calls it for the extensions of an answer",
    "graphql_transport_ws_handler_class": "Strawberry makes the handler of a WebSocket of it",
    "hypothesis_seed": "Hypothesis reads this option of pytest",
    "inherit_cache": "SQLAlchemy reads whether a statement with the element may be cached",
    "isolation_level": "psycopg reads it when a transaction begins",
    "log_message": "http.server calls it for each request",
    "nowfun": "a schedule of Celery reads the time by it",
    "on_decode_error": "Celery calls it for a message that it cannot read",
    "on_execute": "Strawberry calls it around execution",
    "on_invalid_task": "Celery calls it for a message that is no task",
    "on_parse": "Strawberry calls it around parsing",
    "on_stream_result": "Strawberry calls it for each result of a subscription",
    "on_validate": "Strawberry calls it around validation",
    "on_ws_connect": "Strawberry calls it for each WebSocket",
    "process_errors": "Strawberry calls it with the errors of an operation",
    "pytest_report_header": "pytest calls it",
    "pytestmark": "pytest reads it of a module",
    "rejected_messages": "a remote-control command, called by its name",
    "require_one_slicing_argument": "Strawberry prints it in the SDL",
    "retained_until": "asks for tests until when an archive keeps a name",
    "seals": "the digest of a request reads every field of an order",
    "section": "names the part of the issue that a deviation awaits",
    "sections": "pytest prints them with a failure",
    "tempdir": "tempfile keeps its directory in it",
    "urgent": "the digest of a request reads every field of an order",
}
"""Names that no code of ours uses, with the reason that they stay."""


def declared(house: Sequence[Source]) -> set[tuple[str, int]]:
    """Return file and line of what is used as a declaration: tables, GraphQL enums, their members."""
    classes = [(one, node) for one in house for node in ast.walk(one.tree) if isinstance(node, ast.ClassDef)]
    declaring = {node.name for _, node in classes if _declares(node)} | DECLARING_BASES | _graphql_enums(house)
    while found := {node.name for _, node in classes if _names(node.bases) & declaring} - declaring:
        declaring |= found
    lines: set[tuple[str, int]] = set()
    for source, node in classes:
        if node.name in declaring:
            lines |= {(source.name, member.lineno) for member in node.body}
        if any(keyword.arg == "table" for keyword in node.keywords):
            lines |= {(source.name, line) for line in (node.lineno, *(one.lineno for one in node.decorator_list))}
    return lines


def cast_names(house: Sequence[Source]) -> set[str]:
    """Return the types that `cast` names in quotes."""
    return {
        str(node.args[0].value)
        for one in house
        for node in ast.walk(one.tree)
        if isinstance(node, ast.Call) and dotted(node.func) == "cast" and isinstance(node.args[0], ast.Constant)
    }


def unused(house: Sequence[Source], root: Path, *, within: tuple[str, ...]) -> Iterator[tuple[str, int, str, str]]:
    """Yield file, line, kind and name of unused code in these folders, as far as the given files show."""
    vulture = Vulture(ignore_decorators=list(REGISTERING))
    vulture.scavenge([root / one.name for one in house])
    vulture.used_names.update(cast_names(house))
    exempt = declared(house)
    for item in vulture.get_unused_code(min_confidence=CONFIDENCE_MIN):
        name = Path(item.filename).resolve().relative_to(root).as_posix()
        if name.startswith(within) and (name, item.first_lineno) not in exempt:
            yield name, item.first_lineno, str(item.typ), str(item.name)


def _declares(node: ast.ClassDef) -> bool:
    marks = (mark.func if isinstance(mark, ast.Call) else mark for mark in node.decorator_list)
    return any(dotted(mark) in DECLARING_DECORATORS for mark in marks)


def _names(bases: Sequence[ast.expr]) -> set[str]:
    plain = (base.value if isinstance(base, ast.Subscript) else base for base in bases)
    return {dotted(base) for base in plain}


def _graphql_enums(house: Sequence[Source]) -> set[str]:
    """Return the enums of other rooms that become enums of GraphQL: `enum_type(Y, …)` as a statement."""
    calls = (
        node.value
        for one in house
        for node in one.tree.body
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    )
    return {dotted(call.args[0]) for call in calls if dotted(call.func) == "enum_type"}


def main() -> int:
    """Print what is unused, and what is allowed though it is used; return the exit status."""
    rooms = sources(*ROOMS)
    found = [*unused(rooms, ROOT, within=ROOMS), *unused([*rooms, *sources(*TESTS)], ROOT, within=TESTS)]
    wrong = [f"{file}:{line}: unused {kind} {name}" for file, line, kind, name in found if name not in ALLOWED]
    stale = [f"ALLOWED: {name} is used" for name in sorted(ALLOWED.keys() - {name for *_, name in found})]
    sys.stdout.writelines(f"{text}\n" for text in wrong + stale)
    return 1 if wrong or stale else 0


if __name__ == "__main__":
    sys.exit(main())
