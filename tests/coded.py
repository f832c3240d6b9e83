"""The rule that every error of a GraphQL answer has a declared code. All clients of the tests check it."""

from typing import Any

from plants.store.refusals import declared_refusals
from schema.engine.error_codes import ERROR_CODES


def check_codes(answer: Any) -> list[Any]:
    """Return the errors of an answer or message, after a check that each has a declared code and a message."""
    payload = answer.get("payload")
    errors: list[Any] = payload if isinstance(payload, list) else (payload or answer).get("errors", [])
    declared = ERROR_CODES.keys() | declared_refusals().keys()
    for error in errors:
        assert error["message"], error
        assert error.get("extensions", {}).get("code") in declared, error
    return errors
