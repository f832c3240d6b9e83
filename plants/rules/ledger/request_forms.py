"""The canonical form of a command's order: the JSON that a request's digest is computed over.

The form holds declared names only, so renaming a class, function or module changes no digest. It leaves out fields at
their default, so a new field with a default changes no digest either. A default is therefore part of the contract.

None and booleans are JSON literals. Texts, integers, decimals, fractions, days, instants and UUIDs are JSON strings.
Sequences, sets and mappings are arrays. A declared dataclass is an object with its name as the only key. Keys are
ASCII, so the bytes are RFC 8785 canonical JSON.
"""

import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import Any, Final, Literal, TypeVar, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from plants.rules.ledger.events import canonical
from plants.rules.values.instants import format_instant

T = TypeVar("T")
SIMPLE: Final[Mapping[type, str]] = {
    types.NoneType: "null",
    bool: "boolean",
    **dict.fromkeys((str, int, Decimal, Fraction, date, datetime, UUID), "text"),
}
ARRAYS: Final = frozenset({tuple, list, set, frozenset, dict, Sequence, AbstractSet, Mapping})


@dataclass(frozen=True, slots=True)
class Member:
    """A field of a declared dataclass: its name in the code, its stable name and the form of its default."""

    attribute: str
    name: str
    default: Any  # MISSING for a required field


@dataclass(frozen=True, slots=True)
class Declaration:
    """The stable name of a dataclass and its fields, in the order of the class."""

    name: str
    members: tuple[Member, ...]


_DECLARED: Final[dict[type, Declaration]] = {}


def stable_name(name: str, **renamed: str) -> Callable[[type[T]], type[T]]:
    """Declare the name that a dataclass keeps in canonical forms when the class is renamed.

    `renamed` maps the name of a field in the code to its stable name, where the two differ. Raises TypeError for what
    is no dataclass, for a name that is no ASCII identifier, for an unknown field and for two fields of one name.
    """

    def declare(kind: type[T]) -> type[T]:
        if not is_dataclass(kind):
            raise TypeError(f"{kind.__qualname__} is no dataclass")
        members = tuple(Member(one.name, renamed.get(one.name, one.name), _default(one)) for one in fields(kind))
        names = {one.name for one in members}
        if len(names) < len(members) or renamed.keys() - {one.attribute for one in members}:
            raise TypeError(f"{kind.__qualname__}: stable names of fields are unknown or not unique")
        if not all(one.isascii() and one.isidentifier() for one in (name, *names)):
            raise TypeError(f"{kind.__qualname__}: a stable name is an ASCII identifier")
        _DECLARED[kind] = Declaration(name, members)
        return kind

    return declare


def declaration_of(kind: type) -> Declaration:
    """Return how a dataclass was declared; raises TypeError for any other class, subclasses included."""
    try:
        return _DECLARED[kind]
    except KeyError:
        raise TypeError(f"{kind.__qualname__} has no canonical form: declare a stable name") from None


def check_declared(kind: Any) -> None:
    """Raise TypeError unless every value of a type has a canonical form of its own."""
    _shapes(kind, ())


def canonical_form(value: object) -> bytes:
    """Return the canonical JSON of a value; raises TypeError for a value that has none."""
    return _bytes(json_form(value))


def json_form(value: object) -> Any:
    """Return the JSON value of a value in an order; raises TypeError for a value that has none."""
    write = _FORMS.get(type(value))
    if write is not None:
        return write(value)
    if isinstance(value, Enum):
        return json_form(value.value)
    if isinstance(value, Mapping):
        return _mapping(value)
    declared = declaration_of(type(value))
    content = {}
    for member in declared.members:
        form = json_form(getattr(value, member.attribute))
        if member.default is MISSING or form != member.default:
            content[member.name] = form
    return {declared.name: content}


def _bytes(form: Any) -> bytes:
    # A lone surrogate in a text is the command's to refuse.
    return canonical(form, "surrogatepass")


def _default(one: Field[Any]) -> Any:
    if one.default is not MISSING:
        return json_form(one.default)
    return MISSING if one.default_factory is MISSING else json_form(one.default_factory())


def _decimal(value: Decimal) -> str:
    """Return a decimal as coefficient and exponent, without trailing zeros: equal decimals have equal texts."""
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        raise TypeError(f"{value} is no number")
    text = "".join(map(str, digits)).lstrip("0")
    kept = text.rstrip("0")
    return f"{'-' * sign}{kept}E{exponent + len(text) - len(kept)}" if kept else "0"


def _instant(value: datetime) -> str:
    if value.tzinfo is None:
        raise TypeError(f"{value} has no time zone")
    return format_instant(value)


def _sequence(value: Sequence[object]) -> list[Any]:
    return [json_form(one) for one in value]


def _unordered(value: AbstractSet[object]) -> list[Any]:
    return sorted(_sequence([*value]), key=_bytes)


def _mapping(value: Mapping[Any, Any]) -> list[Any]:
    """Return a mapping as pairs in the order of their keys' forms."""
    pairs = [[json_form(key), json_form(one)] for key, one in value.items()]
    return sorted(pairs, key=lambda pair: _bytes(pair[0]))


_FORMS: Final[Mapping[type, Callable[[Any], Any]]] = {
    types.NoneType: lambda value: value,
    bool: lambda value: value,
    str: lambda value: value,
    int: str,  # JSON numbers are exact below 2**53 only; ids are larger.
    Decimal: _decimal,
    Fraction: lambda value: f"{value.numerator}/{value.denominator}",
    date: date.isoformat,
    datetime: _instant,
    UUID: str,
    tuple: _sequence,
    list: _sequence,
    set: _unordered,
    frozenset: _unordered,
    dict: _mapping,
}


def _shapes(kind: Any, within: tuple[Any, ...]) -> frozenset[str]:
    """Return the JSON shapes of a type's values; raises TypeError where two members of a union share one."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in {Union, types.UnionType}:
        return _union([_shapes(one, within) for one in arguments], kind)
    if origin is Literal:
        return _either(type(one) for one in arguments)
    if origin in ARRAYS:
        for one in arguments:
            if one is not Ellipsis:
                _shapes(one, within)
        return frozenset({"array"})
    if not isinstance(kind, type):
        raise TypeError(f"{kind} has no canonical form")
    if issubclass(kind, Enum):
        return _either(type(one.value) for one in kind)
    return frozenset({SIMPLE.get(kind) or _object(kind, within)})


def _either(kinds: Iterable[type]) -> frozenset[str]:
    return frozenset(shape for kind in kinds for shape in _shapes(kind, ()))


def _union(shapes: Sequence[frozenset[str]], kind: Any) -> frozenset[str]:
    together = frozenset[str]().union(*shapes)
    if sum(map(len, shapes)) > len(together):
        raise TypeError(f"members of {kind} have the same canonical form")
    return together


def _object(kind: type, within: tuple[Any, ...]) -> str:
    declared = declaration_of(kind)
    if kind not in within:
        hints = get_type_hints(kind)
        for member in declared.members:
            _shapes(hints[member.attribute], (*within, kind))
    return f"object {declared.name}"
