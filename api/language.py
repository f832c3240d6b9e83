"""The language of the terminal, and texts in it."""

import os

from infra.messages import SOURCE, Language, find_language, translate


def language() -> Language:
    """Return the language of the terminal, from the variables that every program reads."""
    chosen = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "")
    return find_language(chosen) or SOURCE


def _(text: str, /, **data: object) -> str:
    """Return an English text in the language of the terminal, with its `{name}` placeholders filled."""
    return translate(text, language()).format_map(data)
