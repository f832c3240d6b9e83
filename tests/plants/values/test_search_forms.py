"""Search forms: texts that people take for the same have one form, and a form is its own form."""

import sys
from typing import Final

import pytest

from plants.rules.values.search_forms import search_form

SAME: Final = [
    ("Öl", "ÖL"), ("Öl", "O\u0308l"), ("Мука", "МУКА"), ("ＡＢＣ－１", "abc-1"), ("Straße", "STRASSE"),
    ("L-7", " l-7\t"), ("牛奶", "\u3000牛奶 "), ("École", "éCOLE"), ("ﬁlter", "FILTER"), ("İ", "i\u0307"),
    ("Σίσυφος", "ΣΊΣΥΦΟΣ"), ("①", "1"),
]  # fmt: skip
DIFFERENT: Final = [("Öl", "Ol"), ("L-7", "L 7"), ("牛奶", "牛乳"), ("Мука", "Myka"), ("", "0")]


@pytest.mark.parametrize("one, other", SAME)
def test_same_to_people_then_one_form(one: str, other: str) -> None:
    assert search_form(one) == search_form(other)


@pytest.mark.parametrize("one, other", DIFFERENT)
def test_different_to_people_then_two_forms(one: str, other: str) -> None:
    assert search_form(one) != search_form(other)


def test_every_character_then_its_form_is_its_own_form() -> None:
    for code in range(sys.maxunicode + 1):
        form = search_form(f"x{chr(code)}x")
        assert search_form(form) == form, hex(code)
