"""How the command line speaks: in the caller's language, to people or as JSON, and what an expected "no" looks like."""

import json
import os
import sys
from collections.abc import Mapping
from os import PathLike
from typing import Any, Final

import httpx2
import typer
from rich.console import Console
from rich.markup import escape

from api.node.node import NodeBusy
from auth.actors import NotAuthenticated
from auth.notes import KeyFileError
from infra.backup import BackupUnfit
from infra.database import StoreUnfit
from infra.messages import SOURCE, Failure, Language, find_language, translate, word
from infra.objects import ArchiveFailed, ArchiveUnfit
from infra.postgres import PostgresUnavailable
from infra.store_faults import store_fault
from plants.rules.values.refusals import Refusal
from sync_jobs.archive.recover_hub import ArchiveDamaged
from sync_jobs.archive.recover_plant import LedgerChanged

CONSOLE: Final = Console(highlight=False)
ERRORS: Final = Console(stderr=True, highlight=False)

EXIT_REFUSED: Final = 1


class CannotDo(Exception):
    """An expected "no" of the command line itself, in both languages."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.texts: Mapping[Language, str] = {"en": en, "zh": zh}


EXPECTED: Final = (
    ArchiveDamaged,
    ArchiveFailed,
    ArchiveUnfit,
    BackupUnfit,
    CannotDo,
    Failure,
    FileNotFoundError,
    KeyFileError,
    NodeBusy,
    NotAuthenticated,
    PermissionError,
    PostgresUnavailable,
    Refusal,
    StoreUnfit,
    LedgerChanged,
    httpx2.HTTPError,
)


def language() -> Language:
    """Return the language of the terminal, by the variables that every program goes by."""
    chosen = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "")
    return find_language(chosen) or SOURCE


def _(text: str, /, **data: object) -> str:
    """Return an English text in the language of the terminal, with its `{name}` placeholders filled."""
    return translate(text, language()).format_map(data)


def pick(en: str, zh: str) -> str:
    """Return the text in the language of the terminal."""
    return en if language() == SOURCE else zh


def show_json(value: object) -> None:
    """Print a value as JSON for a program: one document, exact numbers as strings, no colours."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n")


class Application(typer.Typer):
    """The command line: an expected "no" is one plain sentence and exit status 1; anything else is a bug."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command that the arguments name."""
        try:
            return super().__call__(*args, **kwargs)
        except EXPECTED as error:
            _say_no(error)
            raise SystemExit(EXIT_REFUSED) from None
        except OSError as error:
            if store_fault(error) is None:
                raise
            _say_no(error)
            raise SystemExit(EXIT_REFUSED) from None


def _say_no(error: Exception) -> None:
    said = _message(error)
    if "--json" in sys.argv:
        code = str(error.code) if isinstance(error, Failure | Refusal) else type(error).__name__
        sys.stderr.write(json.dumps({"error": {"code": code, "message": said}}, ensure_ascii=False) + "\n")
    else:
        ERRORS.print(f"[bold red]{pick('No', '错误')}:[/] {escape(said)}", soft_wrap=True)


def _message(error: Exception) -> str:
    match error:
        case CannotDo():
            return error.texts["en" if language() == SOURCE else "zh"]
        case Failure() | Refusal():
            return word(error, language())
        case FileNotFoundError() | PermissionError():
            what = pick("cannot be read", "无法读取")
            return f"{error.filename} {what} ({error.strerror})."
        case OSError(filename=str() | PathLike()):
            what = pick("cannot be written", "无法写入")
            return f"{error.filename} {what} ({error.strerror})."
        case httpx2.HTTPError():
            return pick("The node does not answer", "节点无应答") + f": {str(error) or type(error).__name__}"
        case _:
            return str(error)
