"""The refusals that a command can raise, from a call graph of the source."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from plants.commands.directives.directives import GroupCommand
from plants.commands.execution import Command
from plants.rules.values.refusals import RefusalCode
from plants.store.refusals import declared_refusals
from tests.house.sources import Function, Source, sources


@dataclass(frozen=True)
class Module:
    """A module of plants with its functions and imports by name."""

    functions: dict[str, Function]
    imports: dict[str, str] = field(default_factory=dict)


@cache
def modules() -> dict[str, Module]:
    return {source.name.removesuffix(".py").replace("/", "."): _module(source) for source in sources("plants")}


@cache
def methods() -> dict[str, list[tuple[str, Function]]]:
    """Return the methods of all classes of plants by name. The class of an object is not resolved."""
    found: dict[str, list[tuple[str, Function]]] = {}
    for source in sources("plants"):
        name = source.name.removesuffix(".py").replace("/", ".")
        for node in ast.walk(source.tree):
            if isinstance(node, ast.ClassDef):
                for part in node.body:
                    if isinstance(part, ast.FunctionDef):
                        found.setdefault(part.name, []).append((name, part))
    return found


def _module(source: Source) -> Module:
    functions: dict[str, Function] = {node.name: node for node in source.tree.body if isinstance(node, ast.FunctionDef)}
    imports = {}
    for node in source.tree.body:
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                imports[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return Module(functions, imports)


@dataclass(frozen=True)
class Orders:
    """The types of order that one command takes, and the one that is sent."""

    sent: str
    others: frozenset[str]

    @classmethod
    def of(cls, sent: type | None, all_of_them: Iterable[type]) -> "Orders":
        names = frozenset(one.__name__ for one in all_of_them)
        return cls("" if sent is None else sent.__name__, names if sent is None else names - {sent.__name__})


def codes_of(command: Command[Any] | GroupCommand[Any], orders: Orders) -> set[RefusalCode]:
    """Return the refusals that a command can raise for one type of order, those of every command included."""
    perform = command._perform  # noqa: SLF001 -- the function in the source is what is read.
    start = [(perform.__module__, modules()[perform.__module__].functions[perform.__name__])]
    start += methods()["__call__"]
    codes: set[RefusalCode] = set()
    seen: set[int] = set()
    while start:
        module, function = start.pop()
        if id(function) in seen:
            continue
        seen.add(id(function))
        for node in _raising(function, orders):
            codes |= _refused(node)
            if isinstance(node, ast.Call):
                start += _called(module, node.func)
                start += [one for given in node.args for one in _handed(module, node.func, given)]
    return codes


def _refused(node: ast.AST) -> set[RefusalCode]:
    """Return the code of a call of Refusal: its first argument, a name or an attribute of a module of refusals."""
    match node:
        case ast.Call(func=ast.Name("Refusal"), args=[ast.Name(name) | ast.Attribute(attr=name)]):
            return {declared_refusals()[name]}
        case _:
            return set()


def _raising(node: ast.AST, orders: Orders) -> Iterator[ast.AST]:
    """Yield the parts of a function, without a `try` that catches refusals and branches for other types of order."""
    yield node
    if isinstance(node, ast.Try) and any("Refusal" in ast.dump(one.type) for one in node.handlers if one.type):
        for part in (*node.handlers, *node.orelse, *node.finalbody):
            yield from _raising(part, orders)
        return
    for name, value in ast.iter_fields(node):
        parts = [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, ast.AST)]
        for part in _reached(parts, orders) if name in {"body", "orelse"} else parts:
            yield from _raising(part, orders)


def _reached(statements: Iterable[ast.AST], orders: Orders) -> Iterator[ast.AST]:
    """Yield the statements that run for the order that is sent."""
    for one in statements:
        kinds = _tested_orders(one)
        if isinstance(one, ast.If) and orders.sent in kinds:
            yield from _reached(one.body, orders)
            if _returns(one.body[-1]):
                return
        elif isinstance(one, ast.If) and kinds and kinds <= orders.others:
            yield from _reached(one.orelse, orders)
        else:
            yield one


def _returns(statement: ast.stmt) -> bool:
    """Return whether a statement always returns: `return`, or a `with` that ends in one."""
    return isinstance(statement, ast.Return) or (isinstance(statement, ast.With) and _returns(statement.body[-1]))


def _tested_orders(statement: ast.AST) -> frozenset[str]:
    """Return the types in `if isinstance(order, Type):` or `if isinstance(order, One | Other):`."""
    test = statement.test if isinstance(statement, ast.If) else None
    match test:
        case ast.Call(func=ast.Name("isinstance"), args=[_, kinds]):
            return frozenset(_names(kinds))
        case _:
            return frozenset()


def _names(kinds: ast.expr) -> Iterator[str]:
    match kinds:
        case ast.Name(name):
            yield name
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            yield from _names(left)
            yield from _names(right)


def _handed(module: str, called: ast.expr, given: ast.expr) -> list[tuple[str, Function]]:
    """Return the function that is given to another one to call: `writer.batch`, and `read` in `refusals.value(read)`.

    A name that is given to other calls is taken for a value.
    """
    match called, given:
        case (_, ast.Attribute(value=ast.Name("writer"))) | (ast.Attribute(attr="value"), ast.Name()):
            return _called(module, given)
        case _:
            return []


def _called(module: str, called: ast.expr) -> list[tuple[str, Function]]:
    if isinstance(called, ast.Name):
        return _function(module, called.id)
    if isinstance(called, ast.Attribute):
        if isinstance(called.value, ast.Name):
            imported = modules()[module].imports.get(called.value.id, "")
            if imported in modules():
                return _function(imported, called.attr)
            if imported and imported.partition(".")[0] not in {name.partition(".")[0] for name in modules()}:
                return []  # of a library, such as `func.count()`
        return methods().get(called.attr, [])
    return []


def _function(module: str, name: str) -> list[tuple[str, Function]]:
    known = modules()[module]
    if name in known.functions:
        return [(module, known.functions[name])]
    home, _, imported = known.imports.get(name, "").rpartition(".")
    return _function(home, imported) if home in modules() else []
