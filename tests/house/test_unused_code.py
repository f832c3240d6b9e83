"""The check of unused code finds what nothing uses, and leaves alone what a library or a reader of the data uses."""

from pathlib import Path

from tests.house.sources import read
from tests.house.unused_code import unused

PLANTED = """
import strawberry
from sqlmodel import SQLModel
from typing import TypedDict, cast
from plants import thing

LEFT_OVER = 1


def called_by_nobody(): ...


class Nobodys:
    def asked_by_nobody(self): ...


class Row(SQLModel, table=True):
    a_column: int


class Payload(TypedDict):
    a_member: int


class More(Payload):
    another_member: int


class Word(StrEnum):
    SAID = "SAID"


class Own(StrEnum):
    UNSAID = "UNSAID"


enum_type(Word)


@strawberry.type
class Answer:
    a_field: int

    @field("Another field.")
    def other_field(self): ...


print(cast("More", {}), Answer, Nobodys, Own)
"""


def test_unused_code_planted_then_it_alone_is_found(tmp_path: Path) -> None:
    (tmp_path / "plants").mkdir()
    (tmp_path / "plants" / "x.py").write_text(PLANTED)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_x.py").write_text(
        "from plants.x import called_by_nobody\ncalled_by_nobody()\nNOT_ASKED = 1\n"
    )
    product = read("plants/x.py", PLANTED)
    test = read("tests/test_x.py", (tmp_path / "tests" / "test_x.py").read_text())

    assert {(kind, name) for _, _, kind, name in unused([product], tmp_path, within=("plants",))} == {
        ("import", "thing"),
        ("variable", "LEFT_OVER"),
        ("function", "called_by_nobody"),
        ("method", "asked_by_nobody"),
        ("variable", "UNSAID"),
    }
    assert [name for *_, name in unused([product, test], tmp_path, within=("tests",))] == ["NOT_ASKED"]
