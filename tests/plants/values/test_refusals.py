"""Refusals: every code has its text in both languages, with the same data in it, and stands in the docs."""

import re
from pathlib import Path
from string import Formatter

import pytest

from plants.rules.values.refusals import WORDINGS, Refusal, RefusalCode

REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "refusals.md"


def fields(wording: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(wording) if name}


@pytest.mark.parametrize("code", RefusalCode)
def test_both_languages_say_the_same_data(code: RefusalCode) -> None:
    wording = WORDINGS[code]

    assert fields(wording.en) == fields(wording.zh)
    assert re.search(r"[\u4e00-\u9fff]", wording.zh)
    assert not re.search(r"[\u4e00-\u9fff]", wording.en)


def test_a_refusal_says_what_and_in_which_language() -> None:
    refusal = Refusal(RefusalCode.BATCH_EXPIRED, batch="SH1-261122-0001P", expires_on="2026-11-01")

    assert "expired at the end of 2026-11-01" in str(refusal)
    assert refusal.message("zh") == "批次 SH1-261122-0001P 已于 2026-11-01 日终过期，不能使用。"


def test_a_refusal_in_chinese_then_what_it_names_is_chinese_too() -> None:
    unknown = Refusal(RefusalCode.NOT_DEFINED, thing="location", code="Z9")
    empty = Refusal(RefusalCode.TEXT_INVALID, field="supplier lot", rule="1-200")

    assert unknown.message("zh") == "此处未定义代码为 Z9 的库位，请先定义。"
    assert empty.message("zh") == "供应商批号 必须为：1-200。"
    assert (unknown.data["thing"], empty.data["field"]) == ("location", "supplier lot")
    assert "location" in str(unknown)


@pytest.mark.parametrize("code", RefusalCode)
def test_every_code_stands_in_the_reference(code: RefusalCode) -> None:
    assert f"| `{code}` | {WORDINGS[code].en} | {WORDINGS[code].zh} |" in REFERENCE.read_text(encoding="utf-8")
