"""The source files of the house, parsed, for the tests that look at all of them."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    """One Python file: where it is in the house, its text, and its syntax tree."""

    name: str
    text: str = field(repr=False)
    tree: ast.Module = field(repr=False)

    @property
    def is_package_front(self) -> bool:
        return self.name.endswith("__init__.py")

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Every node of the tree, kept because many rules read all of them."""
        return tuple(ast.walk(self.tree))

    def functions(self) -> Iterator[Function]:
        yield from (node for node in self.nodes if isinstance(node, Function))

    def calls(self) -> Iterator[tuple[int, str]]:
        """Yield the line and the last two names of each call: `datetime.now`, `session.commit`, `print`."""
        for node in self.nodes:
            if isinstance(node, ast.Call):
                yield node.lineno, dotted(node.func)

    def imports(self) -> Iterator[tuple[int, str]]:
        """Yield the line and the full name of each module or member imported."""
        for node in self.nodes:
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        owner = node.value
        last = owner.attr if isinstance(owner, ast.Attribute) else owner.id if isinstance(owner, ast.Name) else ""
        return f"{last}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def sources(*folders: str) -> list[Source]:
    """Return the Python files of these folders of the house, in order of their names."""
    paths = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return [read(path.relative_to(ROOT).as_posix(), path.read_text()) for path in paths]


def read(name: str, text: str) -> Source:
    return Source(name, text, ast.parse(text, filename=name))
