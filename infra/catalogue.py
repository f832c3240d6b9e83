"""Collects the texts to translate from the source and updates each language's catalogue: `make messages`."""

import sys
from io import BytesIO
from pathlib import Path
from typing import Final

from babel.messages import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from infra.messages import DOMAIN, SOURCE, Language, catalogue_file, languages

ROOT: Final = Path(__file__).parent.parent
ROOMS: Final = ("api", "auth", "infra", "migrations", "plants", "schema", "simulation", "sync_jobs")
KEYWORDS: Final = {"_": None, "marked": None, "message": ((1, "c"), 2), "refusal": ((1, "c"), 2), "term": ((1, "c"), 2)}
"""The functions whose calls hold texts; the first argument of all but `_` and `marked` is the context."""

LANGUAGES: Final = [language for language in languages() if language != SOURCE]
LINE_LENGTH: Final = 120


def collect(root: Path = ROOT) -> Catalog:
    """Return the texts of the source, without translations."""
    found = Catalog(project="Batchloom", fuzzy=False)
    for room in ROOMS:
        for _, _, text, _, context in extract_from_dir(root / room, keywords=KEYWORDS):
            found.add(text, context=context)
    return found


def read(language: Language) -> Catalog:
    """Return a language's catalogue."""
    with catalogue_file(language).open("rb") as file:
        return read_po(file, domain=DOMAIN)


def update(catalogue: Catalog, texts: Catalog) -> bytes:
    """Return a catalogue as a file, with new texts added and those that are gone removed.

    A text that resembles an older one takes its translation and is marked fuzzy until it is checked.
    """
    made, revised = catalogue.creation_date, catalogue.revision_date
    catalogue.update(texts, update_creation_date=False)
    catalogue.creation_date, catalogue.revision_date = made, revised  # A date that changes would conflict in merges.
    file = BytesIO()
    write_po(file, catalogue, width=LINE_LENGTH, sort_output=True, ignore_obsolete=True, no_location=True)
    return file.getvalue().rstrip() + b"\n"


def main() -> None:
    """Update every catalogue and print how much of each is translated."""
    texts = collect()
    for language in LANGUAGES:
        catalogue = read(language)
        catalogue_file(language).write_bytes(update(catalogue, texts))
        waiting = [one for one in catalogue if one.id and (not one.string or one.fuzzy)]
        sys.stdout.write(f"{language}: {len(catalogue)} texts, {len(waiting)} to translate or check\n")


if __name__ == "__main__":
    main()
