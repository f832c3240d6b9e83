"""Reference pages that are generated from the declarations: one function for each page.

`batchloom reference --write` writes them; a house test compares the committed pages with the generated ones.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from babel import Locale
from pydantic.fields import FieldInfo

from api.http.routes import ROUTES
from api.http.serve import CONCURRENT_MAX
from auth.actors import Role
from auth.permissions import Permission
from infra.messages import languages, translate
from infra.roles import Role as NodeRole
from infra.settings import Settings
from plants.rules.ledger.events import LedgerKind
from plants.rules.replication.conflict_kinds import ConflictKind
from plants.store.monitoring.alarms import AlarmKind
from plants.store.projection.registry import EVENTS
from plants.store.refusals import declared_refusals
from schema.engine import limits
from schema.engine.error_codes import ERROR_CODES
from schema.engine.operations import Operation, OperationKind, operations
from schema.engine.refusals import described_fields, type_name

FOLDER: Final = Path(__file__).parents[1] / "docs" / "reference"

PERMISSIONS: Final = """# Permissions

A role is granted at one plant or in the whole group. A user may do something at a plant if one of the roles there has
the permission. `batchloom reference --write` generates this page from the declarations.

## Without a permission

- A mutation is refused with `NOT_PERMITTED`. At the hub, mutations need a role in the group.
- A list, a page, a trace, an export or a subscription returns the plants at which the caller has the permission. If
  there is none, it ends with an error `NOT_PERMITTED` with its path. It is never empty for want of a permission.
- A field that looks one thing up, by an id or a code, returns null. So a thing that is not permitted and one that does
  not exist look the same. `node` returns each kind of thing under the permission of that kind.

## People

Only the command line of a node adds and changes people: `batchloom person add`, `grant`, `revoke`, `disable`, `enable`
and `password`. It needs no sign-in, because its user can read the private keys of the node anyway.

People and roles belong to one node. They are in its store, not in a ledger, and are never replicated. The store holds
who granted a role, and when. A revoked grant is deleted. To take a role in the whole group, revoke it at each node.

| | role revoked | person disabled |
| --- | --- | --- |
| sign-in | as before, with the other roles | refused |
| tokens that were issued | valid; each request reads the roles again | refused from the next request on |
| WebSocket connections | stay open; a subscription without permission ends | closed with 4401 within seconds |
| downloads | the link is refused without permission; a file that is being sent breaks off | the link is refused |
| saves of many rows that are in progress | stop without permission | stop |
| recorded entries, requests and decisions | stay | stay |
"""
SECTIONS: Final = {
    OperationKind.QUERY: "## Queries",
    OperationKind.MUTATION: "## Mutations",
    OperationKind.SUBSCRIPTION: "## Subscriptions",
}


def permissions() -> str:
    """Return the page of roles, permissions, operations and HTTP routes."""
    roles = [role for role in Role if any(role in one.roles for one in Permission)]
    matrix = _table(
        ["permission", "allows", *(role.value for role in roles)],
        ([f"`{one}`", one.description, *("✓" if role in one.roles else "" for role in roles)] for one in Permission),
    )
    found = list(operations())
    parts = [PERMISSIONS, "## Roles", matrix]
    for kind, heading in SECTIONS.items():
        parts += [heading, _operations([one for one in found if one.kind is kind], roles)]
    routes = (
        [f"`{one.path}`", ", ".join(one.methods), _nodes(one.roles), one.caller.value]
        for one in sorted(ROUTES, key=lambda one: (one.path, one.methods))
    )
    parts += ["## HTTP routes", _table(["route", "methods", "nodes", "callers"], routes)]
    return _page(*parts)


REFUSALS: Final = """# Refusals

A refusal says that an action was not done, and why. Its code is never renamed or reused. In GraphQL each refusal is a
type that implements `Refusal { code message path }` and has its data as fields. The name of the type is the code in
PascalCase. It ends in `Refusal` where a ledger event has that name. `batchloom reference --write` generates this page
from the declarations and the message catalogues.
"""


def refusals() -> str:
    """Return the page of refusals: code, data, and the text in each language."""
    tongues = [(language, Locale.parse(language).get_display_name() or language) for language in languages()]
    rows = (
        [
            f"`{code}`",
            f"`{type_name(code)}`",
            *(translate(code.text, language, context=code) for language, _ in tongues),
            "<br>".join(f"`{name}`: {text}" for name, text in described_fields(code).items()) or "—",
        ]
        for code in declared_refusals().values()
    )
    return _page(REFUSALS, _table(["code", "type", *(name for _, name in tongues), "data"], rows))


ERRORS: Final = """# Errors

Every error of a GraphQL answer has a code in `extensions.code`. It is one of this page, or that of a
[refusal](refusals.md) in a query. A code is never renamed or reused. The `message` is in the language of
`Accept-Language`, or else of the user. Many errors have a more exact message than this page.
`batchloom reference --write` generates this page from the declarations and the message catalogues.

- `extensions.detail` is the sentence of a GraphQL library, in English, where `message` replaces it.
- `LIMIT_EXCEEDED` has the name of the [limit](limits.md) in `limitName` and its number in `limit`.
- `INTROSPECTION_NOT_PERMITTED` has the missing permission in `permission`, `INCIDENT` the id of the line in the log in
  `incident`, and `STORE_UNAVAILABLE` the kind of the failure in `fault`.
"""
STATUSES: Final = """## Status

The answers follow [GraphQL over HTTP](https://graphql.github.io/graphql-over-http/draft/). They are
`application/graphql-response+json` if `Accept` prefers it, and `application/json` otherwise, with the same status.

- An operation that was executed has the status 200 and `data`, even if fields have errors. `path` names the field.
- A request that was not executed has no `data`. Its status is that of its code; errors of several statuses have 400.
- `LIMIT_EXCEEDED` has the status 429 and `Retry-After` if the same request can be sent again. A body that is too
  large has 413, and one that is too slow 408.
- A body that is not `application/json`, or is compressed, has the status 415.
- 401 also has `WWW-Authenticate: Bearer`.

## WebSocket

A subscription that is refused before it begins gets an `error` message with the same errors: for its document, its
cost or its number. A field that refuses without the permission, also after a role was revoked, answers `next` with
`data: null` and the errors, then `complete`. The connection stays. It is closed with one of these codes:

| code | meaning | what to do |
| --- | --- | --- |
| 1009 | A message is longer than `BODY_BYTES_MAX`. | Send a shorter one. |
| 4400 | A message is not one of graphql-transport-ws. | Correct the client. |
| 4401 | The token has expired, or the user may no longer sign in. | Sign in, connect, resume after the last `cursor`. |
| 4401 | `subscribe` came before `connection_ack`. | Wait for `connection_ack`. |
| 4403 | The token in `connection_init` is missing or not valid. | Sign in again. |
| 4408 | `connection_init` did not come in time. | Connect again. |
| 4409 | The id of a subscription is in use. | Use another id. |
| 4429 | The user has `CONNECTIONS_PER_PERSON_MAX` connections. | Close one or wait. Do not sign in again. |
| 4429 | `connection_init` came twice. | Send it once. |
"""


def errors() -> str:
    """Return the page of the codes of errors: status, and the text in each language."""
    tongues = [(language, Locale.parse(language).get_display_name() or language) for language in languages()]
    rows = (
        [
            f"`{one.code}`",
            str(int(one.status)),
            *(translate(one.said.text, language, context=one.code) for language, _ in tongues),
        ]
        for one in sorted(ERROR_CODES.values(), key=lambda one: one.code)
    )
    return _page(ERRORS, _table(["code", "status", *(name for _, name in tongues)], rows), STATUSES)


ALARMS: Final = """# Alarms

An alarm is a condition of a node that needs an operator. `batchloom alarms` lists the active ones. A kind is never
renamed. `batchloom reference --write` generates this page from the declarations.
"""


def alarms() -> str:
    """Return the page of the kinds of alarms."""
    return _page(ALARMS, _table(["kind", "meaning"], ([f"`{kind}`", kind.description] for kind in AlarmKind)))


CONFLICTS: Final = """# Conflicts

A plant that was restored writes entries of the other copy again, if they fit. An entry that does not fit is kept as a
conflicting entry. Each of its conflicts has a kind. A kind is never renamed, and a newer program may write new ones.
`batchloom reference --write` generates this page from the declarations.
"""


def conflicts() -> str:
    """Return the page of the kinds of conflicts."""
    return _page(CONFLICTS, _table(["kind", "meaning"], ([f"`{kind}`", kind.description] for kind in ConflictKind)))


EVENTS_PAGE: Final = """# Events

Every ledger entry records one event. Its type says what happened, in the past tense. A type is never renamed. A newer
program may write new types; an older one stores such entries and applies them after its upgrade. A correctable entry
can be taken back by `EntryCorrected`. `batchloom reference --write` generates this page from the declarations.
"""


def events() -> str:
    """Return the page of event types: the ledgers that they occur in, their newest version and their meaning."""
    rows = (
        [
            f"`{one.name}`",
            str(one.version),
            ", ".join(kind.lower() for kind in LedgerKind if kind in one.ledgers),
            "✓" if one.correctable else "",
            one.description,
        ]
        for one in sorted(EVENTS.values(), key=lambda one: one.name)
    )
    kinds = ([kind.lower(), kind.description] for kind in LedgerKind)
    table = _table(["type", "version", "ledgers", "correctable", "meaning"], rows)
    return _page(EVENTS_PAGE, table, "## Ledgers", _table(["ledger", "contents"], kinds))


LIMITS: Final = """# Limits of GraphQL requests

A request above a limit is refused with the code `LIMIT_EXCEEDED` and does nothing. The error has the name of the limit
in `extensions.limitName` and its number in `extensions.limit`. [Errors](errors.md) has the codes with which a WebSocket
connection above a limit is closed. `server { limits }` returns the most important limits.
`batchloom reference --write` generates this page from the declarations.
"""
COSTS: Final = f"""## Cost

The cost of an operation is known before it is executed. It follows the
[GraphQL cost specification](https://ibm.github.io/graphql-specs/cost-spec.html): the type cost of the answer, plus the
weights of the selected fields that have `@cost`. The schema prints both directives.

- An object that the answer can contain costs 1. Scalars, enums, connections, edges and `PageInfo` cost nothing.
- A list counts with its size in `@listSize`. A page counts with its `first`. A slicing argument that is a list counts
  with its length. Any other list counts with its assumed size.
- An object inside a list costs 1 for each element of the outer list.
- A field with `@cost` adds its weight each time it is resolved: a mutation, a trace, `totalCount`.
- In the input of a mutation, each element of each list adds 1, or the weight of the list's `@cost`: the lines of a
  shipment, the rows of `saveMaterials`, the lines of each command of `submit`.
- A field that `@skip` or `@include` leaves out costs nothing. Of fragments on different types, the dearest counts.
- A subscription costs one event, once, when it begins.

Every answer has `extensions.cost`: `requested` is the cost of this operation, `spent` and `left` are the caller's
budget, and `resetAt` is the time at which the budget is full again.

An operation above `COST_MAX` is refused: ask for smaller pages, or for fewer lists inside lists. An operation above the
rest of the budget is refused with status 429 and `Retry-After`, and can be sent again then. Neither of them costs
anything, and nor does an operation with wrong variables. An operation that a field refuses keeps its cost, such as a
page above `PAGE_MAX`. The budget is counted in the memory of each process. Several processes of one node, behind a load
balancer, each grant the whole budget. A restart begins a new minute.

## Connections

A node with {CONCURRENT_MAX:,} connections and requests answers 503. Idle connections count too. Put a reverse proxy
before it that limits the connections of an address and closes idle ones.
"""


def limits_page() -> str:
    """Return the page of the limits of GraphQL requests, and of their cost."""
    rows = ([f"`{name}`", f"{one:,}", one.description] for name, one in limits.LIMITS.items())
    return _page(LIMITS, _table(["limit", "value", "what it limits"], rows), COSTS)


SETTINGS: Final = """# Settings

A node reads its settings once, when it starts: from `batchloom.toml` in its home directory and from the environment,
which takes precedence. `hub_url` in the file is `BATCHLOOM_HUB_URL` in the environment. An unknown name is an error.
Secrets (`database_url`, `broker_url`) belong in the environment and have no defaults. `batchloom reference --write`
generates this page from the declarations.
"""


def settings() -> str:
    """Return the page of settings: name, description and default."""
    rows = ([f"`{name}`", one.description or "", _default(one)] for name, one in Settings.model_fields.items())
    return _page(SETTINGS, _table(["setting", "description", "default"], rows))


def _default(setting: FieldInfo) -> str:
    if setting.is_required():
        return "required"
    return "—" if setting.default in {None, ""} else f"`{setting.default}`"


PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "alarms.md": alarms,
    "conflicts.md": conflicts,
    "errors.md": errors,
    "events.md": events,
    "limits.md": limits_page,
    "permissions.md": permissions,
    "refusals.md": refusals,
    "settings.md": settings,
}
"""The generated pages by file name in docs/reference."""


def _operations(found: Iterable[Operation], roles: Iterable[Role]) -> str:
    return _table(
        ["operation", "nodes", "permission", "roles"],
        (
            [
                f"`{one.name}`",
                _nodes(one.roles),
                " or ".join(f"`{permission}`" for permission in one.permissions) or "—",
                ", ".join(role.value for role in roles if _may(role, one)),
            ]
            for one in sorted(found, key=lambda one: one.name)
        ),
    )


def _may(role: Role, operation: Operation) -> bool:
    """Return True if the role has a permission that the operation asks for."""
    return not operation.permissions or any(role in one.roles for one in operation.permissions)


def _nodes(roles: Iterable[NodeRole]) -> str:
    return ", ".join(role.value for role in NodeRole if role in roles)


def _page(*parts: str) -> str:
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _table(heads: list[str], rows: Iterable[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [heads, ["---"] * len(heads), *rows])
