"""The language of the terminal."""

import ast

import pytest

from api.language import _, language
from infra.messages import Failure
from infra.settings import HOME_NEEDED
from tests.house.sources import Source, sources


@pytest.mark.parametrize(
    "variables,expected",
    [
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LC_ALL": "C.UTF-8", "LANG": "zh_CN.UTF-8"}, "en"),
        ({"LC_MESSAGES": "zh_CN.UTF-8", "LANG": "en_GB.UTF-8"}, "zh"),
        ({}, "en"),
    ],
)
def test_variables_of_the_terminal_then_their_language(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str
) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert language() == expected


def test_text_with_data_then_worded_in_the_language(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert _("{person} can sign in.", person="{li}") == "{li} 可以登录。"
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    assert _("{person} can sign in.", person="{li}") == "{li} can sign in."


def test_datum_that_is_a_message_then_worded_in_the_same_language(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "The settings cannot be used: {error}"
    error = Failure(HOME_NEEDED, variable="BATCHLOOM_HOME")
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert _(text, error=error).endswith("：请用 --home 或 BATCHLOOM_HOME 指定节点目录。")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    assert _(text, error=error) == f"The settings cannot be used: {error}"


def shadowed(source: Source) -> list[int]:
    """Return the lines of functions that bind `_` and call it: the call would not find the translation."""
    functions = [one for one in ast.walk(source.tree) if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [
        one.lineno
        for one in functions
        if {type(name.ctx) for name in ast.walk(one) if isinstance(name, ast.Name) and name.id == "_"}
        >= {ast.Load, ast.Store}
    ]


def test_translated_texts_then_no_function_hides_the_translation() -> None:
    assert {one.name: lines for one in sources("api") if (lines := shadowed(one))} == {}
