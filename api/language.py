"""The language of the terminal, and texts in it."""

import os

from rich.markup import escape

from infra.messages import SOURCE, Language, Worded, find_language, translate, word


def language() -> Language:
    """Return the language of the terminal, from the variables that every program reads."""
    chosen = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "")
    return find_language(chosen) or SOURCE


def _(text: str, /, **data: object) -> str:
    """Return an English text in the language of the terminal, with its `{name}` placeholders filled.

    A datum that is a message is worded in the same language.
    """
    chosen = language()
    said = {name: word(one, chosen) if isinstance(one, Worded) else one for name, one in data.items()}
    return translate(text, chosen).format_map(said)


def marked(text: str, /, **data: object) -> str:
    """Return the text as `_` does, for a console: rich markup counts in the text, and brackets in a datum are shown."""
    chosen = language()
    said = {name: word(one, chosen) if isinstance(one, Worded) else one for name, one in data.items()}
    shown = {name: one if isinstance(one, int | float) else escape(str(one)) for name, one in said.items()}
    return translate(text, chosen).format_map(shown)
