"""Messages about invalid settings, by the type of the error in pydantic."""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from infra.messages import Message, Notice, message, term

SETTING_WRONG: Final = message("SETTING_WRONG", "{name}: {why}")
SETTING_NOT_OFFERED: Final = message("SETTING_NOT_OFFERED", "must be one of: {options}")
SETTING_FORM: Final = message("SETTING_FORM", "must be {form}")
SETTING_INVALID: Final = message("SETTING_INVALID", "is not accepted. It is described so: {description}")
WORDS: Final[Mapping[str, Message]] = {
    "missing": message("SETTING_MISSING", "must be given"),
    "extra_forbidden": message("SETTING_UNKNOWN", "there is no such setting"),
    "greater_than": message("SETTING_NOT_ABOVE", "must be more than {gt}"),
    "greater_than_equal": message("SETTING_TOO_SMALL", "must be at least {ge}"),
    "less_than_equal": message("SETTING_TOO_LARGE", "must be at most {le}"),
    **dict.fromkeys(
        ("int_parsing", "int_type", "int_from_float"), message("SETTING_NOT_WHOLE", "must be a whole number")
    ),
    **dict.fromkeys(("float_parsing", "float_type"), message("SETTING_NOT_A_NUMBER", "must be a number")),
    **dict.fromkeys(("bool_parsing", "bool_type"), message("SETTING_NOT_BOOLEAN", "must be true or false")),
    **dict.fromkeys(("string_type", "path_type"), message("SETTING_NOT_A_TEXT", "must be a text")),
}
"""The words of an error type; their data are those of pydantic's error."""

FORMS: Final[Mapping[str, str]] = {
    "group": term("form", "a domain name of at most 100 characters a-z, 0-9, dot and hyphen"),
    "plant_code": term("form", "2 to 4 characters A-Z and 0-9"),
}
"""The words of each setting with a pattern."""


def problems_of(error: ValidationError, settings: type[BaseModel]) -> list[Notice]:
    """Return what is wrong with each setting, without its value, which may be a secret."""
    return [
        SETTING_WRONG(
            name=".".join(map(str, at["loc"])) or "settings",
            why=_why(at["type"], at["loc"], at.get("ctx", {}), settings.model_fields),
        )
        for at in error.errors(include_input=False)
    ]


def _why(
    kind: str, place: tuple[int | str, ...], data: Mapping[str, Any], fields: Mapping[str, FieldInfo]
) -> Notice | str:
    if "error" in data:
        return str(data["error"])  # of a validator of the settings, which is a declared term
    if kind in WORDS:
        return WORDS[kind](**{name: f"{one:g}" if isinstance(one, float) else one for name, one in data.items()})
    name = str(place[0])
    field = fields[name]
    if options := _options(field):
        return SETTING_NOT_OFFERED(options=", ".join(options))
    if name in FORMS:
        return SETTING_FORM(form=FORMS[name])
    return SETTING_INVALID(description=field.description)


def _options(field: FieldInfo) -> Sequence[str]:
    """Return the values of an enumeration or a Literal."""
    kind = field.annotation
    if isinstance(kind, type) and issubclass(kind, Enum):
        return [str(one.value) for one in kind]
    return [one for one in get_args(kind) if isinstance(one, str)]
