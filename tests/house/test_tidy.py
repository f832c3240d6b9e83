"""House rules that a reader would otherwise have to remember."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import PurePosixPath

import pytest

from tests.house.sources import ROOMS, Function, Source, dotted, read, sources

MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
RESOLVER_LINES_MAX = 15

VAGUE_NAMES = {
    "base", "common", "core", "data", "helper", "helpers", "info", "manager", "managers", "misc",
    "service", "services", "util", "utils",
}  # fmt: skip

# Calls that are allowed in one place only: the call, the place, and the alternative elsewhere.
HOMES = (
    (r"(datetime|date)\.(now|utcnow|today)", r"infra/clock\.py", "a clock that is handed in"),
    (r"time\.(time|time_ns|localtime|gmtime)", r"infra/clock\.py", "a clock that is handed in"),
    (r"(\w*\.)?uuid[1-8]", r"infra/ids\.py", "infra.ids"),
    (r"\w*\.commit", r"infra/database\.py", "infra.database.transaction"),
    (r"PlantScope", r"auth/scope\.py", "the scope that auth made"),
    (r"float", r"infra/.*", "exact quantities"),
    (r"print", r"api/cli.*", "a log event"),
)

# Of the standard library, what reaches outside the process or depends on when it is asked.
IMPURE = {
    "asyncio", "ctypes", "glob", "http", "importlib", "io", "logging", "multiprocessing", "os", "pathlib",
    "random", "secrets", "select", "shutil", "signal", "socket", "sqlite3", "subprocess", "sys", "tempfile",
    "threading", "time", "urllib.error", "urllib.request",
}  # fmt: skip

HOUSE = sources(*ROOMS, "tests", "benchmarks")
IN_ROOMS = [source for source in HOUSE if source.name.startswith(ROOMS)]
IN_RULES = [source for source in HOUSE if source.name.startswith("plants/rules/")]


def names(chosen: list[Source]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("source", chosen, ids=lambda source: source.name)


def lines(function: Function) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def home_broken(source: Source) -> list[str]:
    return [
        f"line {line}: {call}() belongs in {home.replace(chr(92), '')}; use {instead}"
        for line, call in source.calls()
        for pattern, home, instead in HOMES
        if re.fullmatch(pattern, call) and not re.fullmatch(home, source.name)
    ]


def rules_impure(source: Source) -> list[str]:
    found = []
    for line, name in source.imports():
        top = name.split(".")[0]
        ours = name.startswith("plants.rules")
        outside = top not in sys.stdlib_module_names or top in IMPURE or name.rpartition(".")[0] in IMPURE
        if not ours and outside:
            found.append(f"line {line}: {name}")
    return found


def resolvers(source: Source) -> list[Function]:
    kinds = ("field", "mutation", "subscription")
    marks = {f"{home}{kind}" for home in ("", "fields.", "strawberry.") for kind in kinds}
    return [
        function
        for function in source.functions()
        if any(dotted(mark.func if isinstance(mark, ast.Call) else mark) in marks for mark in function.decorator_list)
    ]


def returning(source: Source) -> list[str]:
    """Return the tests that have a return of their own, not one of a function inside them."""
    return [
        f"line {node.lineno}: {function.name}"
        for function in source.functions()
        if function.name.startswith("test_")
        for node in own_nodes(function)
        if isinstance(node, ast.Return)
    ]


def own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, Function | ast.Lambda | ast.ClassDef):
            yield child
            yield from own_nodes(child)


@names(HOUSE)
def test_module_then_it_is_named_and_introduced(source: Source) -> None:
    assert PurePosixPath(source.name).stem not in VAGUE_NAMES, "name the module after a noun of the domain"
    if not (source.is_package_front and source.name.startswith("tests/")):
        assert ast.get_docstring(source.tree), "say in one sentence what this module is for"


@names([source for source in HOUSE if not source.name.startswith(("tests/", "migrations/versions/"))])
def test_module_then_it_fits_in_the_head(source: Source) -> None:
    length = source.text.count("\n")
    assert length <= MODULE_LINES_MAX


@names([source for source in HOUSE if not source.name.startswith("migrations/versions/")])
def test_functions_then_each_fits_on_a_screen(source: Source) -> None:
    long = {function.name: lines(function) for function in source.functions() if lines(function) > FUNCTION_LINES_MAX}
    assert long == {}


@names(IN_ROOMS)
def test_calls_with_a_home_then_nobody_else_makes_them(source: Source) -> None:
    assert home_broken(source) == []


@names([source for source in IN_ROOMS if source.name != "infra/database.py"])
def test_statements_then_none_commits(source: Source) -> None:
    texts = [node for node in ast.walk(source.tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    found = [text.lineno for text in texts if re.match(r"\s*(COMMIT|END)\s*(;|WORK|TRANSACTION|$)", str(text.value))]
    assert found == [], "only infra.database commits"


@names(IN_ROOMS)
def test_rows_and_graphql_types_then_never_in_one_file(source: Source) -> None:
    tops = {name.split(".")[0] for _, name in source.imports()}
    assert not {"sqlmodel", "strawberry"} <= tops


@names(IN_RULES)
def test_rules_then_they_need_only_the_pure_part_of_the_standard_library(source: Source) -> None:
    assert rules_impure(source) == []


@names(sources("schema"))
def test_resolvers_then_they_only_pass_on(source: Source) -> None:
    long = {one.name: lines(one) for one in resolvers(source) if lines(one) > RESOLVER_LINES_MAX}
    assert long == {}


@names(sources("sync_jobs"))
def test_jobs_then_none_is_async(source: Source) -> None:
    wrong = [
        function.name
        for function in source.functions()
        if isinstance(function, ast.AsyncFunctionDef)
        for mark in function.decorator_list
        if dotted(mark.func if isinstance(mark, ast.Call) else mark).endswith("task")
    ]
    assert wrong == [], "Celery reports an async job as done without running it"


@names([source for source in sources("tests") if PurePosixPath(source.name).name.startswith("test_")])
def test_tests_then_none_returns_before_its_end(source: Source) -> None:
    assert returning(source) == [], "a test that returns early reads as passed: parametrise it, or skip with a reason"


@names(sources("tests"))
def test_tests_then_they_mock_nothing(source: Source) -> None:
    assert [line for line, name in source.imports() if name.startswith(("unittest.mock", "mock."))] == []


def test_planted_breaches_then_each_is_found() -> None:
    breaches = (
        "datetime.now(UTC)", "datetime.datetime.now(UTC)", "date.today()", "time.time()", "uuid4()",
        "uuid.uuid7()", "session.commit()", "self.session.commit()", "PlantScope({1})",
        "float('0.1')", "print('done')",
    )  # fmt: skip
    missed = [text for text in breaches if len(home_broken(read("plants/store/x.py", text))) != 1]
    assert missed == []
    assert home_broken(read("infra/clock.py", "datetime.now(UTC)")) == []
    assert home_broken(read("plants/store/x.py", "clock.now()")) == []
    impure = "import os\nfrom pathlib import Path\nimport orjson\nfrom plants.store import rows\nimport datetime"
    assert [found.split()[1] for found in rules_impure(read("plants/rules/x.py", impure))] == [
        "1:", "2:", "3:", "4:",
    ]  # fmt: skip
    early = "def test_one():\n    if x:\n        return\n    assert y"
    within = "def test_two():\n    def answer():\n        return 1\n    assert answer()"
    assert returning(read("tests/test_x.py", f"{early}\n{within}")) == ["line 3: test_one"]
    resolver = "@field('x')\ndef batch(): ...\n@strawberry.mutation\ndef ship(): ..."
    assert [one.name for one in resolvers(read("schema/x.py", resolver))] == ["batch", "ship"]
