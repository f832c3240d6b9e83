"""The language of the terminal, and texts in it."""

import os

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
