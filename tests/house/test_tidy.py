"""House rules that a reader would otherwise have to remember."""

import ast
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePosixPath

import pytest

from infra.catalogue import ROOMS
from tests.house.sources import Function, Source, dotted, read, sources

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

Rule = Callable[[Source], list[str]]


@pytest.fixture(scope="module")
def house() -> list[Source]:
    """Every Python file of the repository."""
    return sources(*ROOMS, "tests", "benchmarks")


@pytest.fixture(scope="module")
def in_rooms(house: list[Source]) -> list[Source]:
    return [source for source in house if source.name.startswith(ROOMS)]


@pytest.fixture(scope="module")
def in_tests(house: list[Source]) -> list[Source]:
    return below("tests", house)


def below(folder: str, chosen: Iterable[Source]) -> list[Source]:
    return [source for source in chosen if source.name.startswith(f"{folder}/")]


def breaches(rule: Rule, chosen: Iterable[Source]) -> dict[str, list[str]]:
    """Return what breaks a rule, by file; fails where no file is chosen."""
    read_files = list(chosen)
    assert read_files, "a rule over no file proves nothing"
    return {source.name: found for source in read_files if (found := rule(source))}


def check(rule: Rule, chosen: Iterable[Source], instead: str = "") -> None:
    """Fail with every breach of a rule, a line each."""
    found = breaches(rule, chosen)
    assert not found, "\n".join([instead, *(f"{name}: {one}" for name, all_of in found.items() for one in all_of)])


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


def named_vaguely(source: Source) -> list[str]:
    return [stem] if (stem := PurePosixPath(source.name).stem) in VAGUE_NAMES else []


def not_introduced(source: Source) -> list[str]:
    is_free = source.is_package_front and source.name.startswith("tests/")
    return [] if is_free or ast.get_docstring(source.tree) else ["no docstring"]


def too_long(source: Source) -> list[str]:
    length = source.text.count("\n")
    return [f"{length} lines"] if length > MODULE_LINES_MAX else []


def long_functions(source: Source) -> list[str]:
    return longer(source.functions(), FUNCTION_LINES_MAX)


def long_resolvers(source: Source) -> list[str]:
    return longer(resolvers(source), RESOLVER_LINES_MAX)


def longer(functions: Iterable[Function], lines_max: int) -> list[str]:
    return [f"{one.name}: {length} lines" for one in functions if (length := lines(one)) > lines_max]


def committing(source: Source) -> list[str]:
    texts = [node for node in source.nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    found = [text.lineno for text in texts if re.match(r"\s*(COMMIT|END)\s*(;|WORK|TRANSACTION|$)", str(text.value))]
    return [f"line {line}" for line in found]


def rows_with_graphql(source: Source) -> list[str]:
    tops = {name.split(".")[0] for _, name in source.imports()}
    return ["sqlmodel with strawberry"] if {"sqlmodel", "strawberry"} <= tops else []


def async_jobs(source: Source) -> list[str]:
    return [
        function.name
        for function in source.functions()
        if isinstance(function, ast.AsyncFunctionDef)
        for mark in function.decorator_list
        if dotted(mark.func if isinstance(mark, ast.Call) else mark).endswith("task")
    ]


def stray_strings(source: Source) -> list[str]:
    """Return the strings that are statements and no docstrings: mostly the lost second line of a text."""
    alone = (node.value for node in source.nodes if isinstance(node, ast.Expr))
    return [
        f"line {value.lineno}"
        for value in alone
        if isinstance(value, ast.Constant)
        and isinstance(value.value, str)
        and not (ast.get_source_segment(source.text, value) or "").lstrip("rR").startswith('"""')
    ]


def mocking(source: Source) -> list[str]:
    return [f"line {line}: {name}" for line, name in source.imports() if name.startswith(("unittest.mock", "mock."))]


def test_modules_then_each_is_named_after_a_noun_of_the_domain(house: list[Source]) -> None:
    check(named_vaguely, house, "name the module after a noun of the domain")


def test_modules_then_each_says_in_one_sentence_what_it_is_for(house: list[Source]) -> None:
    check(not_introduced, house, "say in one sentence what the module is for")


def test_modules_then_each_fits_in_the_head(house: list[Source]) -> None:
    chosen = [source for source in house if not source.name.startswith(("tests/", "migrations/versions/"))]
    check(too_long, chosen)


def test_functions_then_each_fits_on_a_screen(house: list[Source]) -> None:
    chosen = [source for source in house if not source.name.startswith("migrations/versions/")]
    check(long_functions, chosen)


def test_calls_with_a_home_then_nobody_else_makes_them(in_rooms: list[Source]) -> None:
    check(home_broken, in_rooms)


def test_statements_then_none_commits(in_rooms: list[Source]) -> None:
    chosen = [source for source in in_rooms if source.name != "infra/database.py"]
    check(committing, chosen, "only infra.database commits")


def test_rows_and_graphql_types_then_never_in_one_file(in_rooms: list[Source]) -> None:
    check(rows_with_graphql, in_rooms)


def test_rules_then_they_need_only_the_pure_part_of_the_standard_library(in_rooms: list[Source]) -> None:
    check(rules_impure, below("plants/rules", in_rooms))


def test_resolvers_then_they_only_pass_on(in_rooms: list[Source]) -> None:
    check(long_resolvers, below("schema", in_rooms))


def test_jobs_then_none_is_async(in_rooms: list[Source]) -> None:
    check(async_jobs, below("sync_jobs", in_rooms), "Celery reports an async job as done without running it")


def test_strings_then_none_is_a_statement_of_its_own(house: list[Source]) -> None:
    check(stray_strings, house, "put the parts of the text into brackets")


def test_tests_then_none_returns_before_its_end(in_tests: list[Source]) -> None:
    chosen = [source for source in in_tests if PurePosixPath(source.name).name.startswith("test_")]
    check(returning, chosen, "a test that returns early reads as passed: parametrise it, or skip with a reason")


def test_tests_then_they_mock_nothing(in_tests: list[Source]) -> None:
    check(mocking, in_tests)


def test_planted_breaches_then_each_is_found() -> None:
    calls = (
        "datetime.now(UTC)", "datetime.datetime.now(UTC)", "date.today()", "time.time()", "uuid4()",
        "uuid.uuid7()", "session.commit()", "self.session.commit()", "PlantScope({1})",
        "float('0.1')", "print('done')",
    )  # fmt: skip
    missed = [text for text in calls if len(home_broken(read("plants/store/x.py", text))) != 1]
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
    lost = '"""Texts."""\nTEXT = "one "\n"two"\nMORE = ("one " "two")\n"""About MORE."""'
    assert stray_strings(read("schema/x.py", lost)) == ["line 3"]
    resolver = "@field('x')\ndef batch(): ...\n@strawberry.mutation\ndef ship(): ..."
    assert [one.name for one in resolvers(read("schema/x.py", resolver))] == ["batch", "ship"]


def test_planted_files_then_every_breach_of_every_file_is_named() -> None:
    long = "def one():\n" + "    x()\n" * FUNCTION_LINES_MAX
    job = '"""Jobs."""\n@app.task(name="x")\nasync def send(): ...\n'
    planted = [
        read("plants/store/info.py", f'"""Rows."""\nimport sqlmodel\nimport strawberry\n{long}'),
        read("sync_jobs/hub/sending.py", f"{job}{long}session.run('COMMIT;')"),
        read("schema/quality/holds.py", '"""Holds."""\n@field("x")\ndef batch():\n' + "    x()\n" * RESOLVER_LINES_MAX),
        read("api/http/pages.py", "x()\n" * (MODULE_LINES_MAX + 1)),
        read("tests/test_x.py", "from unittest.mock import Mock"),
        read("tests/__init__.py", ""),
    ]
    found = {
        named_vaguely: {"plants/store/info.py": ["info"]},
        not_introduced: {"api/http/pages.py": ["no docstring"], "tests/test_x.py": ["no docstring"]},
        too_long: {"api/http/pages.py": ["401 lines"]},
        long_functions: {
            "plants/store/info.py": ["one: 71 lines"],
            "sync_jobs/hub/sending.py": ["one: 71 lines"],
        },
        long_resolvers: {"schema/quality/holds.py": ["batch: 16 lines"]},
        committing: {"sync_jobs/hub/sending.py": ["line 75"]},
        rows_with_graphql: {"plants/store/info.py": ["sqlmodel with strawberry"]},
        async_jobs: {"sync_jobs/hub/sending.py": ["send"]},
        mocking: {"tests/test_x.py": ["line 1: unittest.mock.Mock"]},
    }
    assert {rule: breaches(rule, planted) for rule in found} == found
    with pytest.raises(AssertionError, match=r"shorter\n *plants/store/info.py: one: 71 lines\n *sync_jobs"):
        check(long_functions, planted, "shorter")
    with pytest.raises(AssertionError, match="no file"):
        breaches(too_long, [])
