"""Plain English: the counts of banned words and forms may only shrink, and the counter finds what it is for."""

from pathlib import Path

import pytest
import typer
import typer.main
from typer.core import TyperGroup

from tests.house.language import BASELINE, Hit, by_room, counts, hits, load, long_sentences, save, shrink, write
from tests.house.prose import Passage, comments, descriptions, docstrings, document, help_texts, prose
from tests.house.sources import read

BANNED_SENTENCES = (
    ("The old key is kept beside the new one.", "beside"),
    ("The entry stands in the ledger.", "stands"),
    ("A clock stood still.", "stands"),
    ("Lists all that is amiss at a node.", "amiss"),
    ("Plants that the hub has not heard from.", "heard"),
    ("Serves until it is told to stop.", "told"),
    ("Lets so many microseconds pass.", "so many"),
    ("An old key signs in no more.", "no more"),
    ("Approval needs a person at the hub.", "a person"),
    ("Shows it is that which changed.", "it is that"),
    ("Waits until both are level.", "level"),
    ("Plant and hub are not level.", "level"),
    ("Bring hub and plant level within one job.", "level"),
    ("Once level with the hub, the store counts as current.", "level"),
    # The column `before` of the rules for writing, where it breaks a form.
    ("Leases: who alone does a piece of work until when, with a token.", "clause"),
    ("Whoever is offered a session may be nobody.", "clause"),
    ("An offer is unconfirmed: what it says of itself counts once it greets.", "clause"),
    ("Why an entry can no longer be applied.", "clause"),
    ("What the door of replication refused, as alarms.", "clause"),
    ("What headquarters sent to plants, the last to each plant first.", "clause"),
    ("Who only sends slowly keeps nobody else from working.", "clause"),
    ("That which reached the archive is not lost.", "clause"),
    ("**That the simulation finds both is not shown**.", "clause"),
    ("How far each ledger is archived.", "clause"),
    ("Whose ledger it is.", "clause"),
    ("Which batches are wanted.", "clause"),
    ("Whether it counts in the whole group.", "clause"),
    ("Where the page begins and ends.", "clause"),
    ("Where ledgers are archived, and for how long.", "clause"),
    ("Whatever this id names, or null.", "clause"),
    ("But what went wrong is logged.", "clause"),
)

GOOD_SENTENCES = (
    # The column `after`.
    "Commit without waiting for the WAL flush (synchronous_commit = off).",
    "A server crash can lose the last commits; use only for idempotent work that is re-derived.",
    "Leases with fencing tokens: one holder per task; a stale holder is detected by its token.",
    "An offered session is unconfirmed; ignore the client's reported state until it uses that session.",
    "Detects conflicts between a rebased entry and the current tables.",
    "Raises rate-limited alarms for rejected replication requests.",
    "List active alarms",
    "Directives, newest first per plant.",
    # Sentences that resemble a banned word or form.
    "Besides, a stand-in outlives a long-standing standard, understandably.",
    "No event says so in so many words. The two differ by no more than the bound.",
    "Logs at level INFO. A tile is level 1. The hub's level is the group's. Checked at plant level again.",
    "How to enrol a plant.",
    "What becomes of a directive that is too new?",
    "Where the bucket has no condition, both writers are kept.",
    "Where the document (one of theirs, not ours) contradicts itself, an alarm is raised.",
    "Whatever the reason, the answer is the same.",
    "Applies the entries. That one counts; that is the rule.",
    "which the hub has not applied yet",
    'Skips `beside` and ``told``; prints “what is amiss” and "so many\nlines".',
    "无论发生什么。what",
)


def forms(text: str, *, is_heading: bool = False) -> list[str]:
    return [hit.form for hit in hits([Passage(text, 1, is_heading)])]


def test_every_file_then_it_has_as_many_hits_as_its_baseline() -> None:
    texts = prose()
    before, now = load(BASELINE), counts(texts)
    more = {name: (before.get(name, 0), count) for name, count in now.items() if count > before.get(name, 0)}
    shown = [f"{name}:{hit.where}: {hit.form}: {hit.sentence}" for name in more for hit in hits(texts[name])]
    assert not more, "\n".join(["write these in plain English, as (before, now) shows:", str(more), *shown])
    fewer = {name: (count, now.get(name, 0)) for name, count in before.items() if now.get(name, 0) < count}
    assert not fewer, f"fewer than before: run `python -m tests.house.language --shrink`; {fewer}"


@pytest.mark.parametrize("text, form", BANNED_SENTENCES)
def test_planted_sentence_then_it_is_found_once(text: str, form: str) -> None:
    assert forms(text) == [form]


@pytest.mark.parametrize("text", GOOD_SENTENCES)
def test_good_sentence_then_nothing_is_found(text: str) -> None:
    assert forms(text) == []


def test_sentence_with_several_hits_then_each_counts() -> None:
    text = "What is amiss is told to a\nperson: what stands\nthere."
    assert forms(text) == ["stands", "amiss", "told", "a person", "clause", "clause"]


def test_heading_then_its_form_is_free_and_its_words_are_not() -> None:
    assert forms("What it guarantees", is_heading=True) == []
    assert forms("What stands where", is_heading=True) == ["stands"]


def test_docstrings_and_comments_then_found_at_their_lines() -> None:
    source = read(
        "plants/rules/x.py",
        '"""One.\n\n- Two is\n  told.\n"""\n\n# It is heard. Then,\n# here, it\n# is amiss.\nx = "told"  # beside\n\n\n'
        'def f():\n    """Good.\n\n        told.code()\n\n    No more.\n    """\n'
        "    return 1  # noqa: PLR2004 -- told so.\n",
    )
    assert [(hit.where, hit.form) for hit in hits(docstrings(source))] == [(3, "told"), (18, "no more")]
    assert [(hit.where, hit.form) for hit in hits(comments(source))] == [
        (7, "heard"), (7, "amiss"), (10, "beside"), (20, "told"),
    ]  # fmt: skip


def test_descriptions_of_a_schema_then_all_kinds_are_read() -> None:
    sdl = (
        '"""It was told."""\ntype Query {\n  """\n  What it is.\n  """\n  a(\n    """Heard."""\n    b: Int\n  ): E\n}\n'
        '"""Good."""\nenum E {\n  """Amiss."""\n  TOLD\n}\n'
    )
    assert list(hits(descriptions(sdl))) == [
        Hit(1, "told", "It was told."),
        Hit(4, "clause", "What it is."),
        Hit(7, "heard", "Heard."),
        Hit(13, "amiss", "Amiss."),
    ]


def test_help_of_a_command_tree_then_groups_commands_and_options_are_read() -> None:
    app, below = typer.Typer(help="All that is amiss."), typer.Typer(help="Told.")
    app.add_typer(below, name="hub")

    @below.command(help="Good.\n\nHeard of it.")
    def one(plant: str = typer.Option("", help="Who asks.")) -> None: ...

    @below.command()
    def two() -> None:
        """Good."""

    command = typer.main.get_command(app)
    assert isinstance(command, TyperGroup)
    found = [(hit.where, hit.form) for hit in hits(help_texts(command, "x"))]
    assert found == [("x", "amiss"), ("x hub", "told"), ("x hub one", "heard"), ("x hub one", "clause")]


def test_document_then_prose_counts_and_code_does_not() -> None:
    text = (
        "# What it shows\n\nA line,\nand one that is told. `told`\n\n    told\n\n```\ntold\n```\n\n"
        "**Why it is so.** Because.\n\n- A list: heard.\n  1. Told again.\n\n"
        "| what it is | b |\n| --- | --- |\n| what it is | [amiss](x.md) `told`<br>`told` |\n"
    )
    found = [(hit.where, hit.form) for hit in hits(document(text))]
    assert found == [(3, "told"), (14, "heard"), (15, "told"), (19, "clause"), (19, "amiss")]


def test_long_sentences_then_counted_apart() -> None:
    passages = [Passage(f"{'word ' * 20}word. {'Word ' * 19}word.", 1)]
    assert long_sentences(passages) == 1
    assert list(hits(passages)) == []
    assert long_sentences([Passage(f"Example:  {'word ' * 21}", 1)]) == 0
    assert long_sentences([Passage(f"Example words: {'word ' * 20}", 1)]) == 1


def test_rooms_then_the_table_adds_up() -> None:
    told, good = Passage("Told.", 1), Passage("Good.", 1)
    table = by_room({"plants/a.py": [told], "plants/b.py": [told, told], "sdl:hub.graphql": [told], "help": [good]})
    assert [line.split() for line in table] == [
        ["room", "banned", "long"], ["help", "0", "0"], ["plants", "3", "0"], ["sdl", "1", "0"], ["total", "4", "0"],
    ]  # fmt: skip


def test_fewer_hits_then_the_baseline_shrinks(tmp_path: Path) -> None:
    save(tmp_path / "b.json", {"a.py": 3, "b.py": 2, "c.py": 1})
    shrink(tmp_path / "b.json", {"a.py": 1, "c.py": 1}, {})
    assert load(tmp_path / "b.json") == {"a.py": 1, "c.py": 1}


@pytest.mark.parametrize("now", [{"a.py": 4}, {"a.py": 1, "b.py": 1}, {"new/a.py": 3}])
def test_a_count_would_rise_then_shrinking_is_refused_and_nothing_changes(tmp_path: Path, now: dict[str, int]) -> None:
    save(tmp_path / "b.json", {"a.py": 3})
    before = (tmp_path / "b.json").read_bytes()
    with pytest.raises(ValueError, match=r"a\.py: 4, was 3|b\.py: 1, was 0|new/a\.py: 3, was 0"):
        shrink(tmp_path / "b.json", now, {})
    assert (tmp_path / "b.json").read_bytes() == before


def test_files_moved_then_their_counts_move_and_join(tmp_path: Path) -> None:
    save(tmp_path / "b.json", {"a.py": 3, "b.py": 2})
    renames = {"a.py": "new/a.py", "b.py": "new/a.py", "unknown.py": "new/b.py"}
    shrink(tmp_path / "b.json", {"new/a.py": 5}, renames)
    assert load(tmp_path / "b.json") == {"new/a.py": 5}
    with pytest.raises(ValueError, match=r"new/a\.py: 6, was 5"):
        shrink(tmp_path / "b.json", {"new/a.py": 6}, renames)
    assert load(tmp_path / "b.json") == {"new/a.py": 5}


def test_file_split_then_written_anew_and_never_with_a_higher_total(tmp_path: Path) -> None:
    write(tmp_path / "b.json", {"a.py": 3})
    write(tmp_path / "b.json", {"new/a.py": 1, "new/b.py": 2})
    assert load(tmp_path / "b.json") == {"new/a.py": 1, "new/b.py": 2}
    with pytest.raises(ValueError, match="total: 4, was 3"):
        write(tmp_path / "b.json", {"new/a.py": 4})
    assert load(tmp_path / "b.json") == {"new/a.py": 1, "new/b.py": 2}
