"""Data printed on a console of rich is escaped: a bracket in a name or a path is shown, and is no style."""

import ast
from pathlib import Path

import pytest

import api
from api.language import marked

CONSOLES = {"CONSOLE", "ERRORS"}


def unescaped(source: str) -> list[int]:
    """Return the lines on which a console with markup prints a text of `_` that holds data."""
    prints = [
        call
        for call in ast.walk(ast.parse(source))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and (call.func.attr, ast.unparse(call.func.value)) in {("print", name) for name in CONSOLES}
        and not any(one.arg == "markup" for one in call.keywords)
    ]
    texts = [call for one in prints for call in ast.walk(one) if is_call(call, "Text")]  # A Text has no markup.
    plain = {id(one) for text in texts for one in ast.walk(text)}
    return [
        inner.lineno
        for one in prints
        for inner in ast.walk(one)
        if isinstance(inner, ast.Call) and is_call(inner, "_") and inner.keywords and id(inner) not in plain
    ]


def is_call(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == name


def test_command_prints_data_then_its_brackets_are_escaped() -> None:
    files = sorted(Path(api.__file__).parent.rglob("*.py"))
    assert files
    found = {path.name: unescaped(path.read_text(encoding="utf-8")) for path in files}
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_data_printed_as_they_are_then_found() -> None:
    assert unescaped('CONSOLE.print(\n    _("{home}", home=home), soft_wrap=True)') == [2]
    assert unescaped('CONSOLE.print(Text(_("{home}", home=home)))') == []
    assert unescaped('CONSOLE.print(marked("{home}", home=home))\nCONSOLE.print(_("fine"))') == []


def test_brackets_in_text_and_data_then_only_those_of_the_data_are_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    assert marked("[dim]{home}: {size:.1f} MB[/]", home=Path("a[bold]b"), size=1.25) == r"[dim]a\[bold]b: 1.2 MB[/]"
