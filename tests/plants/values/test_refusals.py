"""Refusals: each is declared once, in its area, with its data; texts in another language come from the catalogue."""

import ast
import string
import subprocess
import sys
from typing import Final

import pytest

import plants.rules
from infra.discovery import modules_named
from infra.messages import word
from plants.rules.materials.refusals import NOT_DEFINED
from plants.rules.quality.refusals import BATCH_EXPIRED, BATCH_ON_HOLD, BATCH_RESTRICTED, HEADQUARTERS, QUALITY
from plants.rules.values.refusals import (
    NOTHING_CHANGES,
    RULE_PRINTABLE,
    TEXT_INVALID,
    UNIT_UNKNOWN,
    Refusal,
    RefusalCode,
)
from plants.store.refusals import declared_refusals
from tests.house.sources import sources

TERMS: Final = {term for area in modules_named(plants.rules, "refusals") for term in getattr(area, "TERMS", ())}
"""The words of all areas."""


@pytest.mark.parametrize("code", declared_refusals().values(), ids=str)
def test_a_refusal_describes_the_data_of_its_text(code: RefusalCode) -> None:
    shown = [name for _, name, _, _ in string.Formatter().parse(code.text) if name]
    assert list(dict.fromkeys(shown)) == list(code.data)[: len(set(shown))]
    assert all(one.description.endswith(".") for one in code.data.values())


@pytest.mark.parametrize("area", ["values", "quality", "epcis"])
def test_the_set_is_complete_whichever_area_is_imported_first(area: str) -> None:
    code = f"import plants.rules.{area}.refusals, plants.store.refusals as all_; print(*all_.declared_refusals())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == list(declared_refusals())
    assert "TRANSFER_RECEIVED" in declared_refusals()


def test_a_refusal_is_raised_with_the_data_that_it_declares() -> None:
    raised = 0
    for source in sources("auth", "plants", "schema", "sync_jobs"):
        for node in ast.walk(source.tree):
            match node:
                case ast.Call(
                    func=ast.Name("Refusal"), args=[ast.Name(code) | ast.Attribute(attr=code)], keywords=data
                ) if code in declared_refusals() and all(one.arg for one in data):
                    raised += 1
                    assert {one.arg for one in data} == set(declared_refusals()[code].data), source.name
    assert raised > 100


def test_a_field_or_thing_of_a_refusal_is_a_term_that_is_translated() -> None:
    for source in sources("auth", "plants", "schema", "sync_jobs"):
        for node in ast.walk(source.tree):
            match node:
                case ast.Call(func=ast.Name("Refusal"), keywords=data):
                    named = [text for one in data if one.arg in {"field", "thing"} for text in texts(one.value)]
                case ast.Call(func=ast.Name("check_text"), args=[ast.Constant(str(field)), *_]):
                    named = [field]
                case _:
                    named = []
            assert set(named) <= TERMS, source.name


def texts(node: ast.expr) -> list[str]:
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


def test_a_refusal_kept_by_an_earlier_program_then_worded_with_defaults() -> None:
    held = Refusal.kept(BATCH_ON_HOLD, {"batch": "B1", "hold": "1", "kind": "QUALITY", "reason": "smell"})
    unknown = Refusal.kept(UNIT_UNKNOWN, {"unit": "SACK"})
    changed = Refusal.kept(NOTHING_CHANGES, {"why": "A1 = 5 KGM"})

    assert str(held) == "Batch B1 is on hold (QUALITY: smell). Ask quality to release it."
    assert word(held, "zh") == "批次 B1 已被冻结（质量：smell），请联系质量部门放行。"
    assert word(unknown, "zh").startswith("SACK 不是此处已知的单位。请使用 KGM")
    assert word(changed, "zh").endswith("A1 = 5 KGM。")


def test_a_datum_that_must_be_a_phrase_is_not_a_literal() -> None:
    with pytest.raises(TypeError, match="rule is not a phrase"):
        Refusal(TEXT_INVALID, field="name", rule="1-200")


def test_a_refusal_is_a_sentence_in_the_language_asked_for() -> None:
    refusal = Refusal(BATCH_EXPIRED, batch="SH1-261122-0001P", expires_on="2026-11-01")

    assert "expired at the end of 2026-11-01" in str(refusal)
    assert word(refusal, "en") == str(refusal)
    assert word(refusal, "zh") == "批次 SH1-261122-0001P 已于 2026-11-01 日终过期，不能使用。"


def test_a_refusal_in_chinese_then_the_terms_in_it_are_chinese_too() -> None:
    unknown = Refusal(NOT_DEFINED, thing="location", code="Z9")
    empty = Refusal(TEXT_INVALID, field="supplier lot", rule=RULE_PRINTABLE(length_max=200))
    held = Refusal(BATCH_ON_HOLD, batch="B1", hold=1, kind="QUALITY", reason="smell", lifter=QUALITY)
    directed = Refusal(BATCH_ON_HOLD, batch="B1", hold=1, kind="QUALITY", reason="smell", lifter=HEADQUARTERS)
    restricted = Refusal(BATCH_RESTRICTED, batch="B1", disposition="IN_PROCESS")

    assert word(unknown, "zh") == "此处未定义代码为 Z9 的库位，请先定义。"
    assert word(empty, "zh") == "供应商批号必须为：1-200 个可打印字符。"
    assert word(held, "zh") == "批次 B1 已被冻结（质量：smell），请联系质量部门放行。"
    assert word(directed, "zh") == "批次 B1 已被冻结（质量：smell），请联系总部放行。"
    assert str(directed) == "Batch B1 is on hold (QUALITY: smell). Ask headquarters to release it."
    assert "IN_PROCESS" not in word(restricted, "zh")
    assert (unknown.data["thing"], empty.data["field"]) == ("location", "supplier lot")
    assert empty.data["rule"] == "1-200 characters, printable"
    assert "location" in str(unknown)
