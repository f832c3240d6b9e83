"""Messages for people: declared in English with a code, filled with data, and worded in the reader's language.

English is the source text, written where the message belongs. Each other language is one gettext file,
`locale/<language>/LC_MESSAGES/batchloom.po`. A file is read when its language is first asked for.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from gettext import GNUTranslations
from io import BytesIO
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

Language = str
"""A language as `languages` names it: `en`, `zh`."""

SOURCE: Final = "en"
DOMAIN: Final = "batchloom"
DATUM_LENGTH_MAX: Final = 500  # characters of one stored datum
LIST_LENGTH_MAX: Final = 20  # stored items of a list
ELLIPSIS: Final = "…"
LOCALES: Final = Path(__file__).parent / "locale"


@runtime_checkable
class Worded(Protocol):
    """Anything that can be worded: a code, the English text with `{name}` placeholders, and their data."""

    @property
    def code(self) -> str:
        """The code, which is the context of the translation."""

    @property
    def text(self) -> str:
        """The English text with its placeholders."""

    @property
    def data(self) -> Mapping[str, object]:
        """The data that the placeholders name."""


@dataclass(frozen=True, slots=True)
class Message:
    """A declared message: its code, which is never renamed or reused, and its English text."""

    code: str
    text: str

    def __call__(self, **data: object) -> "Notice":
        """Return the message filled with data."""
        return Notice(self.code, self.text, data)


def message(code: str, text: str) -> Message:
    """Declare a message. `make messages` finds the calls, so both arguments are literals."""
    return Message(code, text)


SEPARATOR: Final = message("LIST_SEPARATOR", "; ")
"""Separates the items of a list."""


def term(kind: str, text: str) -> str:
    """Declare a word or phrase that data of the name `kind` may hold, so that it is translated. Returns the text."""
    del kind
    return text


@dataclass(frozen=True, slots=True)
class Notice:
    """A message with its data. A datum may be a notice or a list, whose items are worded with it."""

    code: str
    text: str
    data: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return the notice in English."""
        return word(self, SOURCE)


class Failure(Exception):
    """An expected failure that its caller can act on, with its message and data."""

    def __init__(self, said: Message, /, **data: object) -> None:
        self.code = said.code
        self.text = said.text
        self.data: Mapping[str, object] = data
        super().__init__(word(self, SOURCE))


def word(said: Worded, language: Language) -> str:
    """Return a message in a language, or in English where that language lacks it."""
    template = translate(said.text, language, context=said.code)
    return template.format_map({name: _word_datum(name, value, language) for name, value in said.data.items()})


def word_list(said: Iterable[Worded], language: Language) -> str:
    """Return messages as one text in a language."""
    return _joined((word(one, language) for one in said), language)


def translate(text: str, language: Language, *, context: str = "") -> str:
    """Return an English text in a language; the context is a message's code or a term's kind."""
    chosen = find_language(language)
    if chosen is None or chosen == SOURCE:
        return text
    translations = _translations(chosen)
    return translations.pgettext(context, text) if context else translations.gettext(text)


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message as a store keeps it: the English text, and code and data to word it in another language.

    Without code and data it is a text of a program that kept texts only.
    """

    text: str
    code: str | None = None
    data: Mapping[str, Any] | None = None

    def word(self, language: Language) -> str:
        """Return the message in a language, or in English where that language has no message of that code and data."""
        if self.code is None or self.data is None:
            return self.text
        return _word_stored(self.code, self.data, self.text, language)


def store(said: Worded, *, length_max: int) -> StoredMessage:
    """Return a message as it is to be stored.

    The English text has at most `length_max` characters, each datum DATUM_LENGTH_MAX and each list LIST_LENGTH_MAX
    items. An ellipsis replaces the rest.
    """
    return StoredMessage(_cut(word(said, SOURCE), length_max), said.code, _plain(said.data))


def _cut(text: str, length_max: int) -> str:
    return text if len(text) <= length_max else text[: length_max - len(ELLIPSIS)] + ELLIPSIS


def languages() -> list[Language]:
    """Return English and the tag of each language that has a catalogue."""
    return [SOURCE, *_folders()]


@lru_cache(maxsize=64)
def find_language(tag: str) -> Language | None:
    """Return the language that a tag such as `zh-CN` or `zh_CN.UTF-8` selects, or None where there is none of it."""
    name = tag.partition(".")[0].replace("-", "_").lower()
    full = {folder.lower(): language for language, folder in _folders().items()}
    primary = {_primary(folder): language for language, folder in _folders().items()}
    return full.get(name) or ({SOURCE: SOURCE} | primary).get(_primary(name))


def catalogue_file(language: Language) -> Path:
    """Return the path of a language's catalogue."""
    return LOCALES / _folders()[language] / "LC_MESSAGES" / f"{DOMAIN}.po"


@cache
def _folders() -> Mapping[Language, str]:
    """Return the folder of each language: `zh` for `zh_Hans`, or `zh-Hans` once there is another script of it."""
    folders = sorted(one.parent.parent.name for one in LOCALES.glob(f"*/LC_MESSAGES/{DOMAIN}.po"))
    several = Counter(map(_primary, folders))
    return {one.replace("_", "-") if several[_primary(one)] > 1 else _primary(one): one for one in folders}


def _primary(tag: str) -> str:
    return tag.partition("_")[0].lower()


@cache
def _translations(language: Language) -> GNUTranslations:
    from babel.messages.mofile import write_mo  # noqa: PLC0415 -- English, the usual language, needs no Babel.

    compiled = BytesIO()
    write_mo(compiled, _catalogue(language))
    compiled.seek(0)
    return GNUTranslations(compiled)


@cache
def _texts_by_code(language: Language) -> Mapping[str, str]:
    return {str(one.context): str(one.string) for one in _catalogue(language) if one.context}


@cache
def _catalogue(language: Language) -> Any:
    from babel.messages.pofile import read_po  # noqa: PLC0415 -- as in _translations.

    with catalogue_file(language).open("rb") as file:
        return read_po(file, locale=_folders()[language], domain=DOMAIN)


def _word_datum(name: str, value: object, language: Language) -> str:
    """Return a datum as text: a message worded, a term of the datum's name translated, anything else as it is."""
    match value:
        case StoredMessage():
            return value.word(language)
        case Worded():
            return word(value, language)
        case list() | tuple():
            return _joined((_word_datum(name, one, language) for one in value), language)
        case _:
            return translate(str(value), language, context=name)


def _joined(texts: Iterable[str], language: Language) -> str:
    return translate(SEPARATOR.text, language, context=SEPARATOR.code).join(texts)


def _word_stored(code: str, data: Mapping[str, Any], text: str, language: Language) -> str:
    chosen = find_language(language)
    if chosen is None or chosen == SOURCE:
        return text
    template = _texts_by_code(chosen).get(code)
    if template is None:
        return text
    try:
        return template.format_map({name: _word_stored_datum(name, value, language) for name, value in data.items()})
    except KeyError:
        return text


def _word_stored_datum(name: str, value: object, language: Language) -> str:
    match value:
        case {"code": code, "data": data, "text": text}:
            return _word_stored(code, data, text, language)
        case list():
            return _joined((_word_stored_datum(name, one, language) for one in value), language)
        case _:
            return translate(str(value), language, context=name)


def _plain(data: Mapping[str, object]) -> dict[str, object]:
    return {name: _plain_datum(value) for name, value in data.items()}


def _plain_datum(value: object) -> object:
    match value:
        case StoredMessage(text, None, _) | StoredMessage(text, _, None):
            return _cut(text, DATUM_LENGTH_MAX)
        case StoredMessage(text, code, data):
            return {"code": code, "text": _cut(text, DATUM_LENGTH_MAX), "data": data}
        case Worded():
            text = _cut(word(value, SOURCE), DATUM_LENGTH_MAX)
            return {"code": value.code, "text": text, "data": _plain(value.data)}
        case list() | tuple():
            kept = [_plain_datum(one) for one in value[:LIST_LENGTH_MAX]]
            return kept if len(value) <= LIST_LENGTH_MAX else [*kept, ELLIPSIS]
        case _:
            return _cut(str(value), DATUM_LENGTH_MAX)
