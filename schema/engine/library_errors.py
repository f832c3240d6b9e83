"""Errors of the GraphQL libraries: their codes, their limits, and their texts in the caller's language.

A library knows English alone. Its sentence is kept as `extensions.detail` where the message replaces it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from graphql import GraphQLError, GraphQLSyntaxError

from auth.permissions import Permission
from infra.messages import Message, Notice, message
from schema.engine.error_codes import (
    BAD_USER_INPUT,
    ERROR_CODES,
    INTROSPECTION_NOT_PERMITTED,
    LIMIT_EXCEEDED,
    OPERATION_WRONG,
    PARSE_FAILED,
    VALIDATION_FAILED,
    ErrorCode,
)
from schema.engine.errors import notice_of
from schema.engine.limits import ERRORS_MAX, INTROSPECTION_LISTS_MAX, NESTING_MAX, TOKENS_MAX, Limit

TOKENS_TOO_MANY: Final = message("TOKENS_TOO_MANY", "The document has more than {most} tokens.")
VALUE_TOO_DEEP: Final = message("VALUE_TOO_DEEP", "A value is nested deeper than {most} levels.")
ERRORS_TOO_MANY: Final = message(
    "ERRORS_TOO_MANY", "The document has more than {most} errors. Further errors are not listed."
)
INTROSPECTION_TOO_DEEP: Final = message(
    "INTROSPECTION_TOO_DEEP", "The introspection has more than {most} lists inside each other."
)
FIELD_UNKNOWN: Final = message("FIELD_UNKNOWN", "The type {type} has no field `{field}`.")
ARGUMENT_UNKNOWN: Final = message("ARGUMENT_UNKNOWN", "{place} has no argument `{argument}`.")
ARGUMENT_MISSING: Final = message("ARGUMENT_MISSING", "The argument {argument} needs a value.")
SUBFIELDS_MISSING: Final = message(
    "SUBFIELDS_MISSING", "Select fields of `{field}`: it is an object of the type {type}."
)
TYPE_UNKNOWN: Final = message("TYPE_UNKNOWN", "The schema has no type {type}.")
ONE_KEY: Final = message("ONE_KEY", "An input of the type {type} has exactly one key.")
VARIABLE_MISSING: Final = message("VARIABLE_MISSING", "The variable `${variable}` needs a value.")
VARIABLE_WRONG: Final = message("VARIABLE_WRONG", "The value of the variable `${variable}` is wrong.")
VARIABLE_WRONG_AT: Final = message(
    "VARIABLE_WRONG_AT", "The value of the variable `${variable}` is wrong at `{place}`."
)
VARIABLE_FIELD_UNKNOWN: Final = message(
    "VARIABLE_FIELD_UNKNOWN",
    "The value of the variable `${variable}` has the field `{field}`, which the type {type} does not have.",
)
VARIABLE_FIELD_MISSING: Final = message(
    "VARIABLE_FIELD_MISSING", "The value of the variable `${variable}` lacks the field `{field}` of the type {type}."
)
VALUE_WRONG_AT: Final = message("VALUE_WRONG_AT", "{where} {why}")
ANONYMOUS_NOT_ALONE: Final = message(
    "ANONYMOUS_NOT_ALONE", "An operation without a name must be the only one of its document."
)


@dataclass(frozen=True, slots=True)
class LibraryText:
    """A sentence of a library: its pattern, and what it means. Groups of the pattern are data of the message."""

    pattern: re.Pattern[str]
    code: ErrorCode
    said: Message
    limit: Limit | None = None


def _text(pattern: str, code: ErrorCode, said: Message, limit: Limit | None = None) -> LibraryText:
    return LibraryText(re.compile(pattern, re.DOTALL), code, said, limit)


TEXTS: Final = (
    _text(r"Syntax Error: Document contains more than \d+ tokens", LIMIT_EXCEEDED, TOKENS_TOO_MANY, TOKENS_MAX),
    _text(r"Syntax Error: Document is nested too deeply", LIMIT_EXCEEDED, VALUE_TOO_DEEP, NESTING_MAX),
    _text(r"Variable values are nested too deeply", LIMIT_EXCEEDED, VALUE_TOO_DEEP, NESTING_MAX),
    _text(r".*Validation aborted\.", LIMIT_EXCEEDED, ERRORS_TOO_MANY, ERRORS_MAX),
    _text(r"Maximum introspection depth exceeded", LIMIT_EXCEEDED, INTROSPECTION_TOO_DEEP, INTROSPECTION_LISTS_MAX),
    _text(r"GraphQL introspection has been disabled", INTROSPECTION_NOT_PERMITTED, INTROSPECTION_NOT_PERMITTED.said),
    _text(r"Cannot query field '(?P<field>[^']*)' on type '(?P<type>[^']*)'", VALIDATION_FAILED, FIELD_UNKNOWN),
    _text(r"Unknown argument '(?P<argument>[^']*)' on \w+ '(?P<place>[^']*)'", VALIDATION_FAILED, ARGUMENT_UNKNOWN),
    _text(r"Argument '(?P<argument>[^']*)' of type '[^']*' is required", VALIDATION_FAILED, ARGUMENT_MISSING),
    _text(
        r"Field '(?P<field>[^']*)' of type '(?P<type>[^']*)' must have a selection",
        VALIDATION_FAILED,
        SUBFIELDS_MISSING,
    ),
    _text(r"Unknown type '(?P<type>[^']*)'", VALIDATION_FAILED, TYPE_UNKNOWN),
    _text(r"This anonymous operation must be the only", OPERATION_WRONG, ANONYMOUS_NOT_ALONE),
    _text(r".*OneOf Input Object '(?P<type>[^']*)' must specify exactly one", BAD_USER_INPUT, ONE_KEY),
    _text(r"Variable '\$(?P<variable>\w+)' of required type '[^']*' was not", BAD_USER_INPUT, VARIABLE_MISSING),
    _text(
        r"Variable '\$(?P<variable>\w+)' has invalid value[^:]*: Expected value of type '(?P<type>[^']*)'"
        r" not to include unknown field '(?P<field>[^']*)'",
        BAD_USER_INPUT,
        VARIABLE_FIELD_UNKNOWN,
    ),
    _text(
        r"Variable '\$(?P<variable>\w+)' has invalid value[^:]*: Expected value of type '(?P<type>[^']*)'"
        r" to include required field '(?P<field>[^']*)'",
        BAD_USER_INPUT,
        VARIABLE_FIELD_MISSING,
    ),
    _text(r"Variable '\$(?P<variable>\w+)' has invalid value at (?P<place>[^:]*):", BAD_USER_INPUT, VARIABLE_WRONG_AT),
    _text(r"Variable '\$(?P<variable>\w+)' has invalid value", BAD_USER_INPUT, VARIABLE_WRONG),
)
"""Sentences whose meaning is known, the special ones first."""


@dataclass(frozen=True, slots=True)
class Explained:
    """An error in the form for its caller. The notice words it: with `own` in English too."""

    code: str
    notice: Notice
    own: bool
    extensions: Mapping[str, Any]


def explained(error: GraphQLError) -> Explained:
    """Return the code and the wording of an error that GraphQL or a resolver made for the caller."""
    given = error.extensions or {}
    notice = notice_of(error)
    if notice is not None and error.message == str(notice):
        return Explained(given["code"], notice, own=True, extensions=given)
    for one in TEXTS:
        found = one.pattern.match(error.message)
        if found is not None:
            return _known(one, found.groupdict(), notice, given)
    code = given.get("code") or (PARSE_FAILED if isinstance(error, GraphQLSyntaxError) else BAD_USER_INPUT).code
    return Explained(code, notice or ERROR_CODES[code].said(), own=False, extensions=given)


def _known(one: LibraryText, data: Mapping[str, str], why: Notice | None, given: Mapping[str, Any]) -> Explained:
    if one.limit is not None:
        named = {"limitName": one.limit.name, "limit": int(one.limit)}
        return Explained(one.code.code, one.said(most=one.limit), own=True, extensions={**given, **named})
    if one.code is INTROSPECTION_NOT_PERMITTED:
        permission = Permission.SCHEMA_READ
        return Explained(
            one.code.code, one.said(permission=permission), own=True, extensions={**given, "permission": permission}
        )
    said = one.said(**data)
    return Explained(
        one.code.code, said if why is None else VALUE_WRONG_AT(where=said, why=why), own=False, extensions=given
    )
