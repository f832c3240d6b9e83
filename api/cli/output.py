"""Output of the command line: consoles, JSON, and expected failures in the language of the terminal."""

import json
import sys
from os import PathLike
from typing import Any, Final

import httpx2
import typer
from rich.console import Console
from rich.markup import escape

from api.language import _, language
from infra.messages import Failure, word
from infra.store_faults import STORE_ERRORS, store_failure, store_fault
from plants.rules.values.refusals import Refusal

CONSOLE: Final = Console(highlight=False)
ERRORS: Final = Console(stderr=True, highlight=False)

EXIT_REFUSED: Final = 1


EXPECTED: Final = (Failure, FileNotFoundError, PermissionError, Refusal, httpx2.HTTPError)


def show_json(value: object) -> None:
    """Print a value as one JSON document, with exact numbers as strings and without colours."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n")


class Application(typer.Typer):
    """The command line. An expected failure prints one sentence, with exit status 1; any other exception is a bug."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command that the arguments name."""
        try:
            return super().__call__(*args, **kwargs)
        except EXPECTED as error:
            _print_error(error)
            raise SystemExit(EXIT_REFUSED) from None
        except STORE_ERRORS as error:
            failure = store_failure(error)
            if failure is None:
                raise
            _print_error(failure)
            raise SystemExit(EXIT_REFUSED) from None
        except OSError as error:
            if store_fault(error) is None:
                raise
            _print_error(error)
            raise SystemExit(EXIT_REFUSED) from None


def _print_error(error: Exception) -> None:
    said = _message(error)
    if "--json" in sys.argv:
        code = str(error.code) if isinstance(error, Failure | Refusal) else type(error).__name__
        sys.stderr.write(json.dumps({"error": {"code": code, "message": said}}, ensure_ascii=False) + "\n")
    else:
        error_word = _("Error:")
        ERRORS.print(f"[bold red]{error_word}[/] {escape(said)}", soft_wrap=True)


def _message(error: Exception) -> str:
    match error:
        case Failure() | Refusal():
            return word(error, language())
        case FileNotFoundError() | PermissionError():
            return _("{filename} cannot be read ({strerror}).", filename=error.filename, strerror=error.strerror)
        case OSError(filename=str() | PathLike()):
            return _("{filename} cannot be written ({strerror}).", filename=error.filename, strerror=error.strerror)
        case httpx2.HTTPError():
            reason = str(error) or type(error).__name__
            return _("The node does not answer: {reason}", reason=reason)
        case _:
            return str(error)
