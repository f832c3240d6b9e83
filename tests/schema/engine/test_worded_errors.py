"""Errors of requests: worded in the caller's language, and in English as the schema's tools know them."""

from typing import Any

import pytest

from tests.schema.asking import DIRECTOR, Served

LISTED = "query($first: Int, $after: String) { batches(first: $first, after: $after) { totalCount } }"


@pytest.mark.parametrize(
    "given, code, english, chinese",
    [
        ({"first": 501}, "LIMIT_EXCEEDED", "`first` is between 0 and 500, not 501.",
         "`first` 应在 0 到 500 之间，当前为 501。"),
        ({"after": "x"}, "CURSOR_INVALID", "The cursor is not one of this list. Begin again without it.",
         "该游标不属于此列表。请去掉游标，从头查询。"),
    ],
)  # fmt: skip
async def test_page_or_cursor_wrong_then_the_error_is_in_the_callers_language(
    hub: Served, given: dict[str, Any], code: str, english: str, chinese: str
) -> None:
    for language, text in (("en", english), ("zh", chinese)):
        (error,) = (await hub.answer(DIRECTOR, LISTED, language, **given))["errors"]
        assert (error["message"], error["extensions"]["code"]) == (text, code)


@pytest.mark.parametrize(
    "document, text",
    [
        ('{ batches(filter: { expiresOn: { before: "soon" } }) { totalCount } }',
         "Date 的值不能是 'soon'：请使用 ISO 8601，例如 2026-03-14。"),
        ('{ batches(filter: { code: { beginsWith: "\\u0000" } }) { totalCount } }', "文本不能包含字符 U+0000。"),
        ("{ batches(first: " + "9" * 5_000 + ") { totalCount } }", "数字最多 40 个字符。"),
        ("{ " + " ".join(f"a{n}: batches {{ totalCount }}" for n in range(200)) + " }", "个别名，上限为"),
    ],
)  # fmt: skip
async def test_document_wrong_then_a_chinese_reader_is_told_in_chinese(hub: Served, document: str, text: str) -> None:
    errors = (await hub.answer(DIRECTOR, document, "zh"))["errors"]
    assert any(text in error["message"] for error in errors), errors


async def test_more_ids_than_allowed_then_a_chinese_reader_is_told_in_chinese(hub: Served) -> None:
    document = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }"
    (error,) = (await hub.answer(DIRECTOR, document, "zh", ids=["x"] * 101))["errors"]
    assert (error["message"], error["extensions"]["code"]) == (
        "`ids` 最多包含 100 个标识，而不是 101 个。",
        "LIMIT_EXCEEDED",
    )
