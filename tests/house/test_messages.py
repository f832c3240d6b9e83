"""Messages: every text is translated into every language, with the same data, and each code has one text."""

import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages import Catalog
from babel.messages.catalog import Message

from infra.catalogue import LANGUAGES, ROOMS, collect, read, update
from infra.messages import Language, catalogue_file
from tests.house.sources import sources

CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture(scope="module")
def texts() -> Catalog:
    return collect()


def faults(texts: Catalog, language: Language, catalogue: Catalog) -> Iterator[str]:
    """Yield what is wrong with a catalogue."""
    for text in texts:
        if text.id:
            yield from _faults_of(text, language, catalogue.get(text.id, text.context))
    for text in (*catalogue, *catalogue.obsolete.values()):
        if text.id and texts.get(text.id, text.context) is None:
            yield f"{language}: nothing says “{text.id}” ({text.context}) any longer"


def _faults_of(text: Message, language: Language, found: Message | None) -> Iterator[str]:
    if found is None or not found.string:
        yield f"{language}: “{text.id}” ({text.context}) is not translated"
    elif found.fuzzy:
        yield f"{language}: the translation of “{text.id}” ({text.context}) is fuzzy: check it and remove the mark"
    elif placeholders(str(found.string)) != placeholders(str(text.id)):
        yield f"{language}: “{found.string}” ({text.context}) has other placeholders than “{text.id}”"


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_translated_with_its_placeholders(texts: Catalog, language: Language) -> None:
    assert len(texts) > 10
    assert list(faults(texts, language, read(language))) == [], "run make messages and translate"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_committed_catalogue_is_as_make_messages_writes_it(texts: Catalog, language: Language) -> None:
    assert update(read(language), texts) == catalogue_file(language).read_bytes(), "run make messages"


def test_rooms_then_their_texts_are_in_one_language() -> None:
    found = [source.name for source in sources(*ROOMS) if CHINESE.search(source.text)]
    assert [name for name in found if not name.startswith(("api/demo/", "simulation/"))] == [], (
        "names of its goods alone"
    )


def test_a_code_has_one_text(texts: Catalog) -> None:
    codes = [text.context for text in texts if text.context and text.context.isupper()]
    assert sorted(codes) == sorted(set(codes))


def test_a_fault_of_each_kind_is_found(tmp_path: Path) -> None:
    room = tmp_path / "plants"
    room.mkdir()
    (room / "source.py").write_text(
        'A = message("A_CODE", "first {one}")\nB = _("second")\nC = _("third " "part")\nD = term("kind", "fourth")\n'
    )
    texts = collect(tmp_path)
    catalogue = Catalog(locale="zh_Hans")
    catalogue.add("first {one}", "一 {two}", context="A_CODE")
    catalogue.add("second", "二", flags={"fuzzy"})
    catalogue.add("fourth", "四", context="other")

    assert list(faults(texts, "zh", catalogue)) == [
        "zh: “一 {two}” (A_CODE) has other placeholders than “first {one}”",
        "zh: the translation of “second” (None) is fuzzy: check it and remove the mark",
        "zh: “third part” (None) is not translated",
        "zh: “fourth” (kind) is not translated",
        "zh: nothing says “fourth” (other) any longer",
    ]
