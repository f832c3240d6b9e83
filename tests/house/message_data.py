"""Finds texts in the data of messages that no catalogue can translate."""

import ast
import re
from collections.abc import Collection, Iterator

Term = tuple[str, str]
"""The kind and the text of a declared term."""

ENGLISH = re.compile(r"[A-Za-z]{2,}[,;:]? [\w{]")
"""A word before another word or a datum. Codes, paths and names have no spaces."""
DECLARING = frozenset({"Field", "message", "refusal"})
"""Functions whose keyword arguments are no data of a message."""
UNWORDED = frozenset({"Problem"})
"""Exceptions of the wire: their data are for programs."""


def untranslated(tree: ast.Module, terms: Collection[Term]) -> Iterator[tuple[int, str, str]]:
    """Yield line, datum and text of each literal that a call of a message or refusal has as a datum.

    A literal that is a term of the datum's name is translated.
    """
    for scope in ast.walk(tree):
        if isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef | ast.Module):
            assigned = _assigned(scope)
            for call in _own(scope):
                if isinstance(call, ast.Call) and _is_message(call):
                    for datum in call.keywords:
                        for text in _literals(datum.value, assigned):
                            if (datum.arg, text) not in terms and ENGLISH.search(text):
                                yield call.lineno, str(datum.arg), text


def _own(scope: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a scope without those of the functions in it."""
    for child in ast.iter_child_nodes(scope):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield child
            yield from _own(child)


def _assigned(scope: ast.AST) -> dict[str, list[ast.expr]]:
    found: dict[str, list[ast.expr]] = {}
    for node in _own(scope):
        match node:
            case (
                ast.Assign(targets=[ast.Name(name)], value=value)
                | ast.AnnAssign(target=ast.Name(name), value=ast.expr() as value)
            ):
                found.setdefault(name, []).append(value)
    return found


def _is_message(call: ast.Call) -> bool:
    """Tell whether a call fills a declared message, or raises an exception with one."""
    names = [_name(call.func), *(_name(one) for one in call.args[:1])]
    return any(name.isupper() for name in names) and _name(call.func) not in DECLARING | UNWORDED


def _name(node: ast.expr) -> str:
    match node:
        case ast.Name(name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def _literals(node: ast.expr, assigned: dict[str, list[ast.expr]], names: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the texts that an expression may be."""
    match node:
        case ast.Constant(str(text)):
            yield text
        case ast.JoinedStr(parts):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in parts)
        case ast.Name(name):
            for value in () if name in names else assigned.get(name, ()):
                yield from _literals(value, assigned, (*names, name))
        case _:
            for one in _parts(node):
                yield from _literals(one, assigned, names)


def _parts(node: ast.expr) -> list[ast.expr]:
    """Return the expressions of which an expression is one, or is joined."""
    match node:
        case ast.IfExp(body=first, orelse=second) | ast.BinOp(left=first, right=second):
            return [first, second]
        case ast.BoolOp(values=several) | ast.List(several) | ast.Tuple(several):
            return several
        case ast.Call(func=ast.Name("str") | ast.Attribute(attr="join"), args=[one]):
            return [one]
        case ast.Subscript(value=one) | ast.GeneratorExp(elt=one) | ast.ListComp(elt=one):
            return [one]
        case _:
            return []
