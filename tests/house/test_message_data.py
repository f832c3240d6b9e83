"""Data of messages: every word in them can be translated."""

import ast

from infra.catalogue import ROOMS, collect
from tests.house.message_data import untranslated
from tests.house.sources import sources

PRODUCT = tuple(room for room in ROOMS if room != "simulation")
"""The rooms whose messages reach users."""

FAULTS = """
def first(count):
    raise Refusal(ONE, why="not enough goods")
def second(count):
    rule = f"from 1 to {count}" if count else "no goods at all"
    raise Failure(TWO, rule=rule)
def third():
    alarm = THREE(why=["as it should be", "too many goods"], about=", ".join(f"the plant {one}" for one in ()))
def fourth(code):
    text = message("SIX", "some text", rule="a b c")
    return Refusal(FOUR, rule=FIVE(limit=1), code=f"{code}/1", about="declared term")
"""


def test_no_text_in_the_data_of_a_message_stays_english() -> None:
    terms = {(str(text.context), str(text.id)) for text in collect()}
    found = [(source.name, *one) for source in sources(*PRODUCT) for one in untranslated(source.tree, terms)]
    assert found == [], "declare a message or a term"


def test_a_literal_of_each_kind_is_found() -> None:
    found = untranslated(ast.parse(FAULTS), {("about", "declared term"), ("why", "as it should be")})
    assert [(datum, text) for _, datum, text in found] == [
        ("why", "not enough goods"),
        ("rule", "from 1 to {}"),
        ("rule", "no goods at all"),
        ("why", "too many goods"),
        ("about", "the plant {}"),
    ]
