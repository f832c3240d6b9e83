"""Messages: one declaration, filled with data, worded in the reader's language, now or when stored."""

import subprocess
import sys
from pathlib import Path

import pytest

from infra.messages import (
    DATUM_LENGTH_MAX,
    LIST_LENGTH_MAX,
    Failure,
    Notice,
    StoredMessage,
    find_language,
    languages,
    message,
    store,
    word,
)
from infra.settings import HOME_NEEDED, SETTINGS_WRONG
from infra.settings_errors import SETTING_WRONG

NO_HOME = HOME_NEEDED(variable="BATCHLOOM_HOME")
TWO_WRONG = SETTINGS_WRONG(
    file="a.toml",
    prefix="B_",
    problems=[
        SETTING_WRONG(name="port", why="no number"),
        SETTING_WRONG(name="tls_key", why="tls_certificate and tls_key belong together"),
    ],
)


def test_a_message_is_worded_in_the_language_asked_for() -> None:
    assert word(NO_HOME, "en") == str(NO_HOME) == "No home is given: use --home DIR or BATCHLOOM_HOME."
    assert word(NO_HOME, "zh") == "请用 --home 或 BATCHLOOM_HOME 指定节点目录。"


def test_a_language_without_the_text_gets_english() -> None:
    unknown = message("NEVER_TRANSLATED", "It is {what}.")(what="new")
    assert word(unknown, "zh") == "It is new."
    assert word(NO_HOME, "fr") == str(NO_HOME)


def test_data_that_are_messages_terms_or_lists_are_worded_too() -> None:
    assert str(TWO_WRONG).endswith("(B_*): port: no number; tls_key: tls_certificate and tls_key belong together")
    assert word(TWO_WRONG, "zh").endswith("：port：no number；tls_key：tls_certificate 和 tls_key 须同时设置")


@pytest.mark.parametrize("notice", [NO_HOME, TWO_WRONG])
@pytest.mark.parametrize("language", languages())
def test_a_stored_message_is_worded_as_it_would_have_been(notice: Notice, language: str) -> None:
    kept = store(notice, length_max=1000)
    assert StoredMessage(kept.text, kept.code, kept.data).word(language) == word(notice, language)


def test_a_stored_message_is_a_datum_that_keeps_its_languages() -> None:
    kept = store(TWO_WRONG, length_max=1000)
    around = SETTING_WRONG(name="port", why=kept)
    again = store(around, length_max=1000)
    for language in languages():
        assert word(around, language) == again.word(language)
        assert word(around, language).endswith(word(TWO_WRONG, language))
    older = StoredMessage("It is 1. / 这是 1。")
    assert word(Notice("", "{alarm}", {"alarm": older}), "zh") == older.text
    assert store(Notice("", "{alarm}", {"alarm": older}), length_max=99).text == older.text


def test_stored_text_and_data_are_cut_with_an_ellipsis() -> None:
    long = "x" * 100_000
    kept = store(SETTING_WRONG(name="port", why=long), length_max=60)
    assert (len(kept.text), kept.text[-2:]) == (60, "x…")
    assert kept.word("zh") == f"port：{long[: DATUM_LENGTH_MAX - 1]}…"

    nested = SETTINGS_WRONG(file="a", prefix="B_", problems=[SETTING_WRONG(name="port", why=long)] * 1000)
    kept = store(nested, length_max=60)
    assert kept.data is not None
    assert len(str(kept.data)) < (LIST_LENGTH_MAX + 1) * 3 * DATUM_LENGTH_MAX
    assert kept.word("zh").endswith("…；…")


def test_stored_text_and_data_at_their_limits_are_whole() -> None:
    whole = SETTING_WRONG(name="port", why="x" * DATUM_LENGTH_MAX)
    assert store(whole, length_max=len(str(whole))).text == str(whole)
    assert store(whole, length_max=60).word("zh") == word(whole, "zh")


def test_a_stored_message_that_this_program_does_not_know_is_shown_as_it_was_stored() -> None:
    assert StoredMessage("It is 1.", "OF_A_NEWER_PROGRAM", {"one": "1"}).word("zh") == "It is 1."
    assert StoredMessage("It is 1.", NO_HOME.code, {"other": "1"}).word("zh") == "It is 1."
    assert StoredMessage("It is 1. / 这是 1。").word("zh") == "It is 1. / 这是 1。"


@pytest.mark.parametrize(
    "tag, language",
    [
        ("en", "en"),
        ("en_GB.UTF-8", "en"),
        ("zh", "zh"),
        ("zh-CN", "zh"),
        ("zh_CN.UTF-8", "zh"),
        ("ZH-hans", "zh"),
        ("fr", None),
        ("C.UTF-8", None),
        ("", None),
    ],
)
def test_a_tag_selects_the_language_it_names(tag: str, language: str | None) -> None:
    assert find_language(tag) == language


def test_a_failure_has_code_data_and_both_texts() -> None:
    failure = Failure(HOME_NEEDED, variable="X")
    assert (failure.code, failure.data) == ("HOME_NEEDED", {"variable": "X"})
    assert (str(failure), word(failure, "zh")) == (word(failure, "en"), "请用 --home 或 X 指定节点目录。")


def test_english_then_babel_is_not_loaded() -> None:
    code = "import sys; from tests.infra.test_messages import NO_HOME; str(NO_HOME); print('babel' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


GERMAN = """
msgid ""
msgstr "Language: de\\nContent-Type: text/plain; charset=utf-8\\n"

msgctxt "HOME_NEEDED"
msgid "No home is given: use --home DIR or {variable}."
msgstr "Es fehlt der Ordner: --home ORDNER oder {variable}."
"""
IN_GERMAN = """
import sys
from pathlib import Path
from pathlib import Path
from infra import messages
messages.LOCALES = Path(sys.argv[1])
from starlette.datastructures import Headers
from api.http.authentication import language_of
from infra.settings import HOME_NEEDED
language = language_of(Headers({"accept-language": "de-AT,en;q=0.5"}))
print(language, messages.languages(), messages.word(HOME_NEEDED(variable="X"), language))
"""


def test_a_third_language_is_one_more_file(tmp_path: Path) -> None:
    file = tmp_path / "de" / "LC_MESSAGES" / "batchloom.po"
    file.parent.mkdir(parents=True)
    file.write_text(GERMAN.lstrip(), encoding="utf-8")
    done = subprocess.run([sys.executable, "-c", IN_GERMAN, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout == "de ['en', 'de'] Es fehlt der Ordner: --home ORDNER oder X.\n"
