"""The command line as its users have it: a process of its own, with its words, its exit status and what it leaves."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest

from infra.database import Store
from infra.postgres import EmbeddedPostgres
from tests.api.cli.commands import SECONDS_MAX, Commands, Said, batchloom, environment, make_plant
from tests.databases import fresh_database
from tests.patience import patient, wait_until
from tests.plants.epcis.documents import content, event, some
from tests.sync_jobs.group import free_port

pytestmark = [pytest.mark.timeout(300), pytest.mark.usefixtures("commands")]

BATCHLOOM: Final = Path(sys.executable).with_name("batchloom")
"""The one that runs the commands of this module."""
PASSWORD: Final = "seven geese over the lake"
GROUP: Final = "acme.example"


@pytest.fixture(scope="module")
def mills(
    commands: Commands,  # noqa: ARG001 -- it runs make_plant.
    tmp_path_factory: pytest.TempPathFactory,
) -> Mapping[str, Path]:
    """Two plants made by the command line, with a chain over both imported."""
    folder = tmp_path_factory.mktemp("mills")
    homes = {"MILL": folder / "mill", "BAKE": folder / "bake"}
    for number, (code, home) in enumerate(homes.items(), 1):
        make_plant(home, code, number, "--group", GROUP)
    document = folder / "chain.json"
    document.write_bytes(content(*CHAIN))
    said = batchloom("import", "epcis", document, *both(homes), *MAPPED)
    assert said.status == 0, said.err
    return homes


CHAIN: Final = (
    event(0, action="ADD", bizStep="commissioning", quantityList=[some("flour.1", 100)]),
    event(1, bizStep="shipping", quantityList=[some("flour.1", 60)]),
    event(2, "bakery", bizStep="receiving", quantityList=[some("flour.1", 60)]),
    event(
        3,
        "bakery",
        type="TransformationEvent",
        bizStep="assembling",
        inputQuantityList=[some("flour.1", 50)],
        outputQuantityList=[some("bread.1", 48.5)],
    ),
)
MAPPED: Final = ("--map", "urn:example:loc:mill=MILL", "--map", "urn:example:loc:bakery=BAKE")


def both(homes: Mapping[str, Path]) -> list[str]:
    return [word for home in homes.values() for word in ("--home", str(home))]


def size(home: Path) -> int:
    """Return how many entries a plant's ledger has."""
    with closing(Store(f"sqlite:///{home / 'plant.db'}")) as store, store.transaction() as session:
        row = session.row("SELECT size FROM logs WHERE log_id > 0")
    assert row is not None
    return int(row[0])


def test_help_then_each_command_teaches_with_an_example() -> None:
    said = batchloom("--help")
    started = subprocess.run([BATCHLOOM, "--help"], env=environment(), capture_output=True, text=True, check=True)
    assert said == Said(0, started.stdout, started.stderr)
    for name in ("hub", "plant", "person", "import", "trace", "rebuild", "verify", "sdl"):
        assert f" {name} " in said.out
    for words in (("trace",), ("import", "epcis")):
        assert "Example" in batchloom(*words, "--help").out, words


@pytest.mark.parametrize(
    "words",
    [
        ("no-such-command",),
        ("trace", "X", "--home", "a", "--url", "http://localhost:1"),
        ("plant", "init", "--home", "x", "--number", "1", "--code", "A1", "--name", "n"),
        ("person", "add", "--home", "x", "li", "--name", "Li", "--role", "emperor"),
    ],
)
def test_wrong_usage_then_status_2_and_nothing_made(words: tuple[str, ...], tmp_path: Path) -> None:
    said = batchloom(*(str(tmp_path / word) if word in ("x", "a") else word for word in words))
    assert said.status == 2, said.out
    assert said.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [("add", "--name", "Li"), ("grant",)])
def test_role_is_of_no_person_then_refused_with_those_that_are(words: tuple[str, ...], tmp_path: Path) -> None:
    for role in ("boss", "plant-node"):
        said = batchloom("person", *words, "--home", tmp_path / "x", "li", "--role", role, LC_ALL="zh_CN.UTF-8")
        shown = "".join(said.err.split()).replace("│", "")
        assert said.status == 2
        assert f"“{role}”不是人员的角色。请给出以下之一：operator,quality,manager," in shown
        assert "plant-node" not in shown.replace(f"“{role}”", "")
    assert "plant-node" not in batchloom("person", words[0], "--help").out
    assert list(tmp_path.iterdir()) == []


def test_no_home_there_then_plain_words_in_both_languages(tmp_path: Path) -> None:
    for words in (("verify",), ("plant", "run")):
        said = batchloom(*words, "--home", tmp_path / "nowhere")
        assert said.status == 1
        assert "is not yet the home of a node" in said.err
        chinese = batchloom(*words, "--home", tmp_path / "nowhere", LC_ALL="zh_CN.UTF-8")
        assert chinese.status == 1
        assert "nowhere 尚未初始化" in chinese.err
    chinese = batchloom("trace", "X1", "--home", tmp_path, LC_ALL="zh_CN.UTF-8")
    assert chinese.err.startswith("错误")


def test_home_is_taken_then_refused_and_kept(mills: Mapping[str, Path]) -> None:
    settings = (mills["MILL"] / "batchloom.toml").read_text()
    said = batchloom(
        "plant", "init", "--home", mills["MILL"], "--code", "ZZ", "--number", "9", "--name", "Z", "--group", "b.example"
    )
    assert said.status == 1
    assert "is the home of a node already" in said.err
    assert (mills["MILL"] / "batchloom.toml").read_text() == settings


def test_hub_made_and_plant_enrolled_then_each_knows_the_other(postgres_18: EmbeddedPostgres, tmp_path: Path) -> None:
    url = fresh_database(postgres_18)
    hub, plant = tmp_path / "hub", tmp_path / "sh1"
    there = {"BATCHLOOM_DATABASE_URL": url}
    assert batchloom("hub", "init", "--home", hub, "--group", GROUP, **there).status == 0
    assert url not in (hub / "batchloom.toml").read_text()
    hub_card, plant_card = tmp_path / "hub.json", tmp_path / "sh1.json"
    hub_card.write_text(batchloom("hub", "card", "--home", hub, **there).out)
    make_plant(plant, "SH1", 1, "--hub-card", hub_card, "--hub-url", "http://127.0.0.1:8700")
    plant_card.write_text(batchloom("plant", "card", "--home", plant).out)
    shown = json.loads(plant_card.read_text())
    assert (shown["number"], shown["code"], shown["name"], shown["group"]) == (1, "SH1", "Plant SH1", GROUP)
    assert "PRIVATE" not in plant_card.read_text() + hub_card.read_text()
    assert batchloom("hub", "enrol", "--home", hub, plant_card, **there).status == 0
    again = batchloom("hub", "enrol", "--home", hub, plant_card, **there)
    assert again.status == 1
    assert "already used for another plant" in again.err
    wrong = batchloom("hub", "enrol", "--home", hub, hub_card, **there)
    assert wrong.status == 1
    assert "is not the card of a plant" in wrong.err
    with closing(Store(url)) as store, store.transaction() as session:
        assert session.rows("SELECT plant_number, code, ledger_vkey FROM machines") == [(1, "SH1", shown["ledgerKey"])]
        assert session.rows("SELECT type FROM entries ORDER BY idx") == [("HubOpened",), ("PlantEnrolled",)]


def test_person_added_then_the_password_is_shown_once_and_kept_nowhere(mills: Mapping[str, Path]) -> None:
    home = mills["MILL"]
    made = batchloom(
        "person", "add", "--home", home, "wang.fang", "--name", "Wang Fang", "--role", "operator", "--generate-password"
    )
    assert made.status == 0, made.err
    password = next(word for word in made.out.split() if word.count("-") == 3)
    typed = batchloom(
        "person", "add", "--home", home, "li.lei", "--name", "Li Lei", "--password-file", "-", given=PASSWORD + "\n"
    )
    assert typed.status == 0, typed.err
    assert PASSWORD not in typed.out
    kept = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert password.encode() not in kept
    assert PASSWORD.encode() not in kept
    taken = batchloom("person", "add", "--home", home, "li.lei", "--name", "Another", "--generate-password")
    assert (taken.status, taken.err.startswith("Error: The code li.lei is already used")) == (1, True)
    weak = batchloom("person", "password", "--home", home, "li.lei", "--password-file", "-", given="short\n")
    assert weak.status == 1
    nobody = batchloom("person", "password", "--home", home, "li.lei")
    assert "--password-file or --generate-password" in nobody.err
    assert batchloom("person", "grant", "--home", home, "li.lei", "--role", "quality").status == 0
    twice = batchloom("person", "grant", "--home", home, "li.lei", "--role", "quality")
    assert (twice.status, "change nothing" in twice.err) == (1, True)


def test_proposal_then_sites_with_codes_and_nothing_written(mills: Mapping[str, Path], tmp_path: Path) -> None:
    document = tmp_path / "chain.json"
    document.write_bytes(content(*CHAIN))
    before = {code: size(home) for code, home in mills.items()}
    shown = batchloom("import", "epcis", document, "--propose", "--json").json()
    assert shown == {
        "sites": [
            {"site": "urn:example:loc:bakery", "plant": "BAKE"},
            {"site": "urn:example:loc:mill", "plant": "MILL"},
        ]
    }
    assert {code: size(home) for code, home in mills.items()} == before


def test_imported_again_then_every_event_is_reported_and_nothing_is_new(
    mills: Mapping[str, Path], tmp_path: Path
) -> None:
    document = tmp_path / "chain.json"
    document.write_bytes(content(*CHAIN))
    before = {code: size(home) for code, home in mills.items()}
    shown = batchloom("import", "epcis", document, *both(mills), "--json").json()
    assert shown["written"]
    assert [(one["event"], one["outcome"]) for one in shown["events"]] == [
        (1, "DONE"),
        (2, "DONE"),
        (3, "DONE"),
        (4, "DONE"),
    ]
    assert sum(step["new"] for one in shown["events"] for step in one["steps"]) == 0
    assert {code: size(home) for code, home in mills.items()} == before


def test_plant_of_a_site_not_given_then_refused_before_anything(mills: Mapping[str, Path], tmp_path: Path) -> None:
    document = tmp_path / "chain.json"
    document.write_bytes(content(*CHAIN, event(9, "harbour", action="ADD", quantityList=[some("salt.1", 3)])))
    before = {code: size(home) for code, home in mills.items()}
    said = batchloom("import", "epcis", document, *both(mills))
    assert said.status == 1
    assert "urn:example:loc:harbour=HARB" in said.err
    assert {code: size(home) for code, home in mills.items()} == before


EXPIRED: Final = {"cbvmda:itemExpirationDate": "2026-03-13"}
CONTEXT: Final = ["https://ref.gs1.org/standards/epcis/epcis-context.jsonld", {"cbvmda": "urn:epcglobal:cbv:mda:"}]


def test_event_refused_then_nothing_is_written_unless_asked(mills: Mapping[str, Path], tmp_path: Path) -> None:
    document = tmp_path / "expired.json"
    use: dict[str, Any] = {"inputQuantityList": [some("yeast.1", 1)], "outputQuantityList": [some("dough.1", 2)]}
    document.write_bytes(
        content(
            event(20, action="ADD", quantityList=[some("yeast.1", 5)], ilmd=EXPIRED),
            event(21, type="TransformationEvent", **use),
            event(22, action="ADD", quantityList=[some("salt.1", 5)]),
            **{"@context": CONTEXT},
        )
    )
    before = size(mills["MILL"])
    said = batchloom("import", "epcis", document, "--home", mills["MILL"])
    assert said.status == 1
    assert "expired at the end of 2026-03-13" in " ".join(said.out.replace("│", " ").split())
    assert "Nothing was written." in said.out
    assert size(mills["MILL"]) == before
    partly = batchloom("import", "epcis", document, "--home", mills["MILL"], "--partly", "--json")
    shown = json.loads(partly.out)
    assert partly.status == 1
    assert [one["outcome"] for one in shown["events"]] == ["DONE", "REFUSED", "DONE"]
    assert shown["events"][1]["steps"][-1]["refusal"]["code"] == "BATCH_EXPIRED"
    assert size(mills["MILL"]) > before


BAD: Final = {
    "half a document": content(*CHAIN)[:900],
    "not JSON": b"To whom it may concern",
    "brackets": b"[" * 10_000_000,
    "a future time": content(
        {**event(0, action="ADD", quantityList=[some("x.1", 1)]), "eventTime": "2999-01-01T00:00:00Z"}
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_document_then_a_clear_refusal_and_nothing_written(
    name: str, mills: Mapping[str, Path], tmp_path: Path
) -> None:
    document = tmp_path / "bad.json"
    document.write_bytes(BAD[name])
    before = {code: size(home) for code, home in mills.items()}
    began = time.monotonic()
    said = batchloom("import", "epcis", document, *both(mills), "--json")
    assert time.monotonic() - began < patient(30)
    assert said.status == 1
    assert said.out == ""
    error = json.loads(said.err)["error"]
    assert error["code"] == "DOCUMENT_INVALID"
    assert error["message"].startswith("The document cannot be read (")
    assert {code: size(home) for code, home in mills.items()} == before


def test_trace_then_the_tree_and_what_is_missing(mills: Mapping[str, Path]) -> None:
    made_on = f"{datetime(2026, 3, 14, tzinfo=UTC):%y%m%d}"
    said = batchloom("trace", "urn:example:product:lot:class:bread.1", "--backward", "--home", mills["BAKE"])
    assert said.status == 0, said.err
    lines = [line.rstrip() for line in said.out.splitlines() if line.strip()]
    flour, bread = f"MILL-{made_on}-0001", f"BAKE-{made_on}-0001"
    drawn = [line.replace(line.split("-0001", 1)[1][:1], "?", 1) if "-0001" in line else line for line in lines]
    assert len(drawn) == len(lines)
    assert lines[1].startswith(bread)
    assert lines[1].endswith("made 48.5 kg at BAKE")
    assert lines[2] == "└── production assembling at BAKE  2026-03-14 00:03  → 48.5 kg"
    assert lines[3].startswith(f"    └── 50 kg  {flour}")
    assert lines[4] == "        └── ⇢ received, dispatch not reported MILL → BAKE  60 kg  2026-03-14 00:02"
    assert "! Not complete:" in said.out
    assert f"continues at MILL, which this answer does not cover: {flour}" in said.out


def test_trace_for_a_program_then_every_edge_with_its_exact_amount(mills: Mapping[str, Path]) -> None:
    shown = batchloom("trace", "urn:example:product:lot:class:bread.1", "--home", mills["BAKE"], "--json").json()
    assert shown.keys() == {"backward", "forward"}
    names = {one["id"]: one["material"] for one in shown["backward"]["batches"]}
    names |= {one["id"]: one["kind"] for one in shown["backward"]["processes"]}
    edges = {(names[one["source"]], names[one["target"]], one["amount"]) for one in shown["backward"]["edges"]}
    flour, bread = sorted({name for name in names.values() if "example" in name}, reverse=True)
    assert edges == {(flour, "PRODUCTION", "50"), ("PRODUCTION", bread, "48.5"), ("TRANSFER", flour, "60")}
    assert not shown["backward"]["completeness"]["complete"]
    assert shown["forward"]["edges"] == []


def test_trace_of_nothing_then_plain_words(mills: Mapping[str, Path]) -> None:
    said = batchloom("trace", "NO-SUCH", "--home", mills["BAKE"])
    assert said.status == 1
    assert said.err.startswith("Error: This node knows no batch NO-SUCH")


def test_rebuilt_then_equal_and_verified_then_whole(mills: Mapping[str, Path]) -> None:
    shown = batchloom("rebuild", *both(mills), "--json").json()
    assert [one["equal"] for one in shown] == [True, True]
    assert [one["digestBefore"] == one["digestAfter"] for one in shown] == [True, True]
    assert [one["entries"] for one in shown] == [size(home) for home in mills.values()]
    whole = batchloom("verify", *both(mills), "--json").json()
    assert [(one["origin"], one["ok"], one["size"]) for one in whole] == [
        (f"{GROUP}/plant/{code}/i1", True, size(home)) for code, home in mills.items()
    ]


@pytest.fixture
def copy(mills: Mapping[str, Path], tmp_path: Path) -> Iterator[tuple[Path, Store]]:
    """A copy of a plant's home, and its store for an attacker."""
    home = tmp_path / "copy"
    subprocess.run(["/bin/cp", "-rp", mills["BAKE"], home], check=True)
    with closing(Store(f"sqlite:///{home / 'plant.db'}")) as store:
        yield home, store


def test_byte_flipped_then_verify_names_the_position(copy: tuple[Path, Store]) -> None:
    home, store = copy
    with store.transaction() as session:
        changed = "CAST(replace(CAST(body AS TEXT), '48.5', '49.5') AS BLOB)"
        session.run(f"UPDATE entries SET body = {changed} WHERE CAST(body AS TEXT) LIKE '%48.5%'")
        ((index,),) = session.rows("SELECT idx FROM entries WHERE CAST(body AS TEXT) LIKE '%49.5%'")
    said = batchloom("verify", "--home", home)
    assert said.status == 1
    assert f"Entry {index} was altered" in said.out
    shown = json.loads(batchloom("verify", "--home", home, "--json").out)
    assert [(one["ok"], one["kind"], one["position"]) for one in shown] == [(False, "ALTERED", index)]


def test_row_dropped_then_verify_names_the_position(copy: tuple[Path, Store]) -> None:
    home, store = copy
    with store.transaction() as session:
        session.run("DELETE FROM entries WHERE idx = 3")
    said = batchloom("verify", "--home", home, LC_ALL="zh_CN.UTF-8")
    assert said.status == 1
    assert "第 3 个条目缺失" in said.out


def test_table_changed_past_the_ledger_then_rebuild_says_which_and_mends_it(copy: tuple[Path, Store]) -> None:
    home, store = copy
    with store.transaction() as session:
        session.run("UPDATE stock SET quantity = quantity + 1")
    said = batchloom("rebuild", "--home", home)
    assert said.status == 1
    assert "different from before: stock" in " ".join(said.out.split())
    assert batchloom("rebuild", "--home", home).status == 0


def test_plant_run_then_it_serves_until_told_to_end(tmp_path: Path) -> None:
    port = free_port()
    make_plant(tmp_path / "sh1", "SH1", 1, "--group", GROUP, "--port", str(port))
    with running(tmp_path / "sh1", port) as process:
        busy = batchloom("plant", "run", "--home", tmp_path / "sh1")
        assert (busy.status, "Another process serves" in busy.err) == (1, True)
        process.send_signal(signal.SIGINT)
        assert process.wait(patient(30)) == 0
    assert not _answers(port)


def test_address_is_printed_then_the_node_answers_there(tmp_path: Path) -> None:
    port = free_port()
    make_plant(tmp_path / "sh1", "SH1", 1, "--group", GROUP, "--port", str(port))
    with subprocess.Popen(
        [sys.executable, "-m", "api", "plant", "run", "--home", str(tmp_path / "sh1")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment(PYTHONUNBUFFERED="1"),
    ) as process:
        try:
            assert process.stdout is not None
            assert f"Plant SH1 is at http://127.0.0.1:{port}" in process.stdout.readline()
            assert _answers(port)
        finally:
            process.kill()


@contextmanager
def running(home: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    """Run a plant until the block ends."""
    with subprocess.Popen(
        [sys.executable, "-m", "api", "plant", "run", "--home", str(home)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(BATCHLOOM_PORT=str(port)),
    ) as process:
        try:
            wait_until(lambda: _answers(port) or process.poll() is not None, "the plant answers", SECONDS_MAX)
            assert process.poll() is None
            yield process
        finally:
            process.kill()


def names_and_edges(shown: dict[str, Any]) -> set[tuple[str, str, str, str, str]]:
    """Return the edges of a trace by what their ends are called: ids differ between a home and an answer over HTTP."""
    names = {one["id"]: one["code"] for one in shown["batches"]}
    names |= {one["id"]: f"{one['kind']} {one['about']} {one['at']}" for one in shown["processes"]}
    return {
        (names[one["source"]], names[one["target"]], one["amount"], one["use"], one["at"]) for one in shown["edges"]
    }


def test_traced_over_http_then_the_same_as_at_home(copy: tuple[Path, Store]) -> None:
    home, _ = copy
    said = batchloom(
        "person", "add", "--home", home, "zhou.min", "--name", "Zhou Min", "--role", "manager", "--password-file", "-",
        given=PASSWORD + "\n",
    )  # fmt: skip
    assert said.status == 0, said.err
    bread, port = "urn:example:product:lot:class:bread.1", free_port()
    at_home = batchloom("trace", bread, "--home", home, "--json").json()
    asked = ("trace", bread, "--url", f"http://127.0.0.1:{port}", "--person", "zhou.min", "--password-file", "-")
    with running(home, port):
        over_http = batchloom(*asked, "--json", given=PASSWORD + "\n").json()
        wrong = batchloom(*asked, given="another password\n")
        unknown = batchloom(*("NO-SUCH" if word == bread else word for word in asked), given=PASSWORD + "\n")
    for side in ("backward", "forward"):
        assert names_and_edges(over_http[side]) == names_and_edges(at_home[side])
        assert over_http[side]["depth"] == at_home[side]["depth"]
        gaps = [
            [(gap["kind"], gap["plant"]) for gap in one[side]["completeness"]["gaps"]] for one in (over_http, at_home)
        ]
        assert len(gaps[0]) == len(gaps[1])
    assert (wrong.status, "Sign-in failed" in wrong.err) == (1, True)
    assert (unknown.status, "knows no batch NO-SUCH" in unknown.err) == (1, True)
    gone = batchloom(*asked, given=PASSWORD + "\n")
    assert (gone.status, "The node does not answer" in gone.err) == (1, True)


def test_password_in_the_open_then_refused_before_it_is_sent() -> None:
    asked = ("trace", "X", "--url", "http://hub.example", "--person", "zhou.min", "--password-file", "-")
    said = batchloom(*asked, given=PASSWORD + "\n")
    assert (said.status, "would send the password unencrypted" in said.err) == (1, True)


def test_parent_gone_then_the_node_ends_by_itself(tmp_path: Path) -> None:
    make_plant(tmp_path / "sh1", "SH1", 1, "--group", GROUP, "--port", str(free_port()))
    said = batchloom("plant", "run", "--home", tmp_path / "sh1", "--until-input-ends", given="")
    assert said.status == 0


def _answers(port: int) -> bool:
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/readyz", timeout=5, trust_env=False).status_code == 200
    except httpx2.HTTPError:
        return False
