"""Limits of a GraphQL request, and the rule that enforces them on a document."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any, Final, Self

from graphql import (
    DocumentNode,
    FieldNode,
    FloatValueNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    IntValueNode,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    SelectionNode,
    StringValueNode,
    ValidationContext,
    ValidationRule,
    parse,
    specified_rules,
    validate,
)
from graphql.language.parser import MAX_NESTING_DEPTH
from graphql.validation.rules.max_introspection_depth_rule import MAX_LIST_DEPTH
from strawberry.extensions import SchemaExtension
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from auth.actors import GROUP, Actor
from auth.permissions import Permission, may
from infra.messages import Notice, message, term
from schema.engine.error_codes import BAD_USER_INPUT, LIMIT_EXCEEDED, OPERATION_WRONG, VALIDATION_FAILED
from schema.engine.errors import WordedError


class Limit(int):
    """A limit of requests. Errors and the reference page name it as its constant is named."""

    name: str = ""
    description: str

    def __new__(cls, value: int, description: str) -> Self:
        """Return the limit of this value."""
        made = super().__new__(cls, value)
        made.description = description
        return made


BODY_BYTES_MAX: Final = Limit(4 * 1024 * 1024, "Bytes of a request's body, and of a message on a WebSocket.")
BODY_COMMAS_MAX: Final = Limit(200_000, "Commas in a request's body, and in a message on a WebSocket: its values.")
BODY_SECONDS_MAX: Final = Limit(20, "Seconds in which the body must arrive.")
TOKENS_MAX: Final = Limit(2_000, "Tokens of a document.")
DEPTH_MAX: Final = Limit(15, "Depth of a document.")
DIGITS_MAX: Final = Limit(40, "Characters of a number in a document.")
ALIASES_MAX: Final = Limit(30, "Aliases in a document.")
DIRECTIVES_MAX: Final = Limit(20, "Directives in a document.")
FIELDS_MAX: Final = Limit(3_000, "Fields of a document with all fragments expanded.")
PAGE_DEFAULT: Final = 50
PAGE_MAX: Final = Limit(500, "Nodes of a page.")
ROWS_MAX: Final = Limit(20_000, "Rows of all lists in one answer.")
COST_MAX: Final = Limit(50_000, "Cost of an operation.")
COST_PER_MINUTE: Final = Limit(
    1_000_000, "Cost of all operations of an actor in a minute, in each process of the node."
)
ERRORS_MAX: Final = Limit(10, "Errors that the validation of a document reports.")
SUBSCRIPTIONS_PER_CONNECTION_MAX: Final = Limit(10, "Subscriptions on one WebSocket connection.")
EVENTS_AT_ONCE: Final = 100
STREAM_CURSOR_CHARACTERS_MAX: Final = Limit(64 * 1024, "Characters of a cursor of a subscription.")
CONNECTIONS_PER_PERSON_MAX: Final = Limit(10, "WebSocket connections of a user.")
CONNECTION_INIT_SECONDS_MAX: Final = Limit(10, "Seconds in which `connection_init` must arrive on a WebSocket.")
CACHED_DOCUMENTS: Final = 256
CACHED_DOCUMENT_CHARACTERS_MAX: Final = 8_000
IDS_MAX: Final = Limit(100, "Ids of `nodes`.")
VALUES_MAX: Final = Limit(100, "Values of `in` or `notIn` of a filter.")
COMMANDS_MAX: Final = Limit(500, "Commands of a `submit`.")
TRACE_NAMES_MAX: Final = Limit(1_000, "Names that a trace starts from.")
REPRESENTATIONS_MAX: Final = Limit(1_000, "Representations of `_entities`.")
NESTING_MAX: Final = Limit(MAX_NESTING_DEPTH, "Levels of lists and objects in a value.")
INTROSPECTION_LISTS_MAX: Final = Limit(MAX_LIST_DEPTH, "Lists inside each other in an introspection.")
OPERATIONS_PER_PERSON_MAX: Final = Limit(4, "Operations of a user that run at the same time. Further ones wait.")
OPERATIONS_WAITING_MAX: Final = Limit(100, "Operations of a user that wait.")
OPERATION_WAIT_SECONDS_MAX: Final = Limit(20, "Seconds that an operation waits.")

ANSWER_TOO_LONG: Final = message("ANSWER_TOO_LONG", "The answer has more than {most} rows. Ask for smaller pages.")
DOCUMENT_TOO_DEEP: Final = message("DOCUMENT_TOO_DEEP", "The document is nested deeper than {most} levels.")
DOCUMENT_TOO_WIDE: Final = message("DOCUMENT_TOO_WIDE", "The document has {count} {what}; {most} is the limit.")
NAMES_TOO_MANY: Final = message("NAMES_TOO_MANY", "A trace begins at no more than {most} names.")
NUMBER_TOO_LONG: Final = message("NUMBER_TOO_LONG", "A number has at most {most} characters.")
NO_NUL: Final = message("NO_NUL", "A text cannot hold the character U+0000.")
OPERATION_UNNAMED: Final = message("OPERATION_UNNAMED", "Name the operation: the document has several.")
PAGE_SIZE_WRONG: Final = message("PAGE_SIZE_WRONG", "`first` is between 0 and {most}, not {first}.")

ALIASES: Final = term("what", "aliases")
DIRECTIVES: Final = term("what", "directives")
FIELDS: Final = term("what", "fields")
LEVELS: Final = term("what", "levels")

LIMITS: Final = {name: one for name, one in list(globals().items()) if isinstance(one, Limit)}
"""Every limit, by name."""
for _name, _limit in LIMITS.items():
    _limit.name = _name


def exceeded(
    limit: Limit,
    notice: Notice,
    *,
    most: int | None = None,
    extensions: Mapping[str, Any] | None = None,
    nodes: Any = None,
    retry_after: timedelta | None = None,
) -> WordedError:
    """Return the error for a request above a limit: it names the limit and its number, or `most` in place of that."""
    named = {"limitName": limit.name, "limit": int(limit) if most is None else most}
    return WordedError(
        LIMIT_EXCEEDED, notice, extensions={**named, **(extensions or {})}, nodes=nodes, retry_after=retry_after
    )


@dataclass(frozen=True, slots=True)
class Extent:
    """Size of a selection with all fragments expanded."""

    depth: int = 0
    fields: int = 0
    aliases: int = 0
    directives: int = 0

    def plus(self, other: "Extent") -> "Extent":
        """Return the extent of two sibling selections."""
        return Extent(
            max(self.depth, other.depth),
            self.fields + other.fields,
            self.aliases + other.aliases,
            self.directives + other.directives,
        )


class Measure:
    """Measures selections. Each fragment is measured once."""

    def __init__(self, document: DocumentNode) -> None:
        self._fragments = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        self._measured: dict[str, Extent] = {}

    def of(self, selections: Iterable[SelectionNode]) -> Extent:
        """Return the extent of selections. A cyclic fragment counts as zero; another rule rejects it."""
        total = Extent()
        for node in selections:
            total = total.plus(self._one(node))
        return total

    def _one(self, node: SelectionNode) -> Extent:
        directives = len(node.directives or ())
        if isinstance(node, FragmentSpreadNode):
            return self._spread(node.name.value).plus(Extent(directives=directives))
        inner = getattr(node, "selection_set", None)
        within = Extent() if inner is None else self.of(inner.selections)
        if isinstance(node, FieldNode):
            own = Extent(within.depth + 1, 1, int(node.alias is not None), directives)
            return Extent(0, within.fields, within.aliases, within.directives).plus(own)
        return within.plus(Extent(directives=directives))

    def _spread(self, name: str) -> Extent:
        if name not in self._measured:
            self._measured[name] = Extent()
            fragment = self._fragments.get(name)
            if fragment is not None:
                self._measured[name] = self.of(fragment.selection_set.selections)
        return self._measured[name]


class LimitsRule(ValidationRule):
    """Rejects a document that is too deep or too wide, or that contains U+0000."""

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        measure = Measure(context.document)
        for node in context.document.definitions:
            if isinstance(node, OperationDefinitionNode):
                extent = measure.of(node.selection_set.selections)
                self._check(LEVELS, extent.depth, DEPTH_MAX)
                self._check(FIELDS, extent.fields, FIELDS_MAX)
                self._check(ALIASES, extent.aliases, ALIASES_MAX)
                self._check(DIRECTIVES, extent.directives + len(node.directives or ()), DIRECTIVES_MAX)

    def _check(self, what: str, count: int, most: Limit) -> None:
        if count > most:
            self.report_error(exceeded(most, DOCUMENT_TOO_WIDE(count=count, what=what, most=most)))

    def enter_int_value(self, node: IntValueNode, *_: Any) -> None:
        """Reject a number that no scalar has room for. Python does not read integers of thousands of digits."""
        self._check_digits(node)

    def enter_float_value(self, node: FloatValueNode, *_: Any) -> None:
        """Reject a number that no scalar has room for."""
        self._check_digits(node)

    def _check_digits(self, node: IntValueNode | FloatValueNode) -> None:
        if len(node.value) > DIGITS_MAX:
            self.report_error(exceeded(DIGITS_MAX, NUMBER_TOO_LONG(most=DIGITS_MAX), nodes=[node]))

    def enter_string_value(self, node: StringValueNode, *_: Any) -> None:
        """Reject U+0000, which PostgreSQL cannot store."""
        if "\0" in node.value:
            self.report_error(WordedError(BAD_USER_INPUT, NO_NUL(), nodes=[node]))


OPEN_RULES: Final = (LimitsRule, *specified_rules, MaybeNullValidationRule, OneOfInputValidationRule)
CLOSED_RULES: Final = (*OPEN_RULES, NoSchemaIntrospectionCustomRule)


def _parse(query: str) -> DocumentNode:
    return parse(query, max_tokens=TOKENS_MAX)


def _validate(schema: GraphQLSchema, document: DocumentNode, rules: tuple[Any, ...]) -> tuple[GraphQLError, ...]:
    # The limits come first: a document above them must not cost the time of the other rules.
    errors = validate(schema, document, rules[:1], max_errors=ERRORS_MAX)
    errors = errors or validate(schema, document, rules[1:], max_errors=ERRORS_MAX)
    for error in errors:
        error.extensions = {"code": VALIDATION_FAILED.code, **(error.extensions or {})}
    return tuple(errors)


@dataclass(frozen=True, slots=True, eq=False)
class KeptDocument:
    """A parsed document that is compared by identity. The hash of a syntax tree would visit all of it."""

    node: DocumentNode


def kept_document(query: str | None) -> KeptDocument | None:
    """Return the parsed document of a short text; None for a long one, which is not kept."""
    return _parse_kept(query) if query and len(query) <= CACHED_DOCUMENT_CHARACTERS_MAX else None


@lru_cache(CACHED_DOCUMENTS)
def _parse_kept(query: str) -> KeptDocument:
    return KeptDocument(_parse(query))


@lru_cache(CACHED_DOCUMENTS)
def _validate_kept(schema: GraphQLSchema, kept: KeptDocument, rules: tuple[Any, ...]) -> tuple[GraphQLError, ...]:
    return _validate(schema, kept.node, rules)


class DocumentLimits(SchemaExtension):
    """Parses and validates documents within the limits, and caches the results for short documents.

    Introspection needs the permission to read the schema. Other callers see a schema without introspection.
    """

    def on_parse(self) -> Iterator[None]:
        """Parse at most TOKENS_MAX tokens. Syntax errors are left to the executor."""
        running = self.execution_context
        running.parse_options["max_tokens"] = TOKENS_MAX
        with suppress(GraphQLError, RecursionError):
            kept = kept_document(running.query)
            if kept is not None:
                running.graphql_document = kept.node
        yield

    def on_validate(self) -> Iterator[None]:
        """Validate, with or without introspection, as the caller's permissions allow."""
        running = self.execution_context
        assert running.graphql_document is not None
        rules = OPEN_RULES if sees_schema(running.context.actor) else CLOSED_RULES
        schema, kept = running.schema._schema, kept_document(running.query)  # noqa: SLF001
        try:
            found = (
                _validate(schema, running.graphql_document, rules)
                if kept is None
                else _validate_kept(schema, kept, rules)
            )
            running.pre_execution_errors = list(found)
        except RecursionError:
            running.pre_execution_errors = [too_deep()]
        operations = [one for one in running.graphql_document.definitions if isinstance(one, OperationDefinitionNode)]
        if len(operations) > 1 and running._provided_operation_name is None:  # noqa: SLF001
            running.pre_execution_errors = [WordedError(OPERATION_WRONG, OPERATION_UNNAMED())]
        yield


def too_deep() -> GraphQLError:
    """Return the error for a document that exceeds the interpreter's recursion limit."""
    return exceeded(DEPTH_MAX, DOCUMENT_TOO_DEEP(most=DEPTH_MAX))


def sees_schema(actor: Actor) -> bool:
    """Return True if the actor may read the schema in the group or at any plant."""
    return any(
        may(actor, Permission.SCHEMA_READ, number) for number in {GROUP, *(g.plant_number for g in actor.grants)}
    )
