"""Counts the words and sentence forms that are not plain English; the baseline holds a count for each file.

python -m tests.house.language --by-room               counts for each room
python -m tests.house.language --file F                each hit in a file, with its line
python -m tests.house.language --shrink                lower the baseline; refuses to raise a count
python -m tests.house.language --shrink --rename-map M the same after moves; M is JSON, {"old": "new"}
python -m tests.house.language --write                 for moves that split a file: refuses to raise the total
"""

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.house.prose import Passage, prose

BASELINE: Final = Path(__file__).with_name("language_baseline.json")
SENTENCE_WORDS_MAX: Final = 20

# A hyphen makes another word: `long-standing`, `stand-in`. `no more than` is a bound, `in so many words` an idiom.
WORDS: Final = {
    "beside": r"beside",
    "stands": r"stands?|standing|stood",
    "amiss": r"amiss",
    "heard": r"heard",
    "told": r"told",
    "so many": r"(?<!\bin )so many",
    "no more": r"no more(?! than)",
    "a person": r"a person",
    "it is that": r"it is that",
    # Up to date, not the level of a log, a tree or an approval: after a verb or an object, or before what it equals.
    "level": (
        r"(?:is|are|was|were|be|been|come|comes|came|until|them|it|all)(?: (?:not|all|both))? level(?! \d)"
        r"|(?:bring|brings|make|makes)\b[^.:;]{1,40}\blevel"
        r"|(?<!\ba )(?<!same )level(?= (?:with|yet)\b)"
    ),
}
BANNED: Final = {
    name: re.compile(rf"(?<![\w-])(?:{pattern})(?![\w-])", re.IGNORECASE) for name, pattern in WORDS.items()
}

# The words that begin a clause as subject, or a clause alone. `How to enrol` has no finite verb and is fine. `which`,
# `whose` and `that` begin relative clauses where they are not capitalised. `When` mostly begins an adverbial clause and
# is not looked for.
CLAUSE: Final = re.compile(
    r"[*_(\[]*(?:(?i:(?:and |but |or |so |yet )?(?:what|whoever|who|why|whether|how))|Which|Whose"
    r"|That(?= (?:which|what|the|an?|it|they|this|these|no|every|each|all|nothing|nobody)\b)) (?!to\b|not\b)\w"
)
# Behind a colon or semicolon `that` is mostly a pronoun.
LATER_CLAUSE: Final = re.compile(r"\(?(?:what|whoever|who|whose|which|why|whether|how) (?!to\b|not\b)\w")
# These also begin adverbial clauses. There a comma ends the clause, and a main clause follows.
PLACE_CLAUSE: Final = re.compile(r"[*_(\[]*(?:where|whatever) (?!to\b)\w", re.IGNORECASE)
MAIN_CLAUSE: Final = re.compile(r", (?!(?:and|or|but|nor|as|by|in|so|for|to|until|unless|where|when|which|who)\b)")
BRACKETS: Final = re.compile(r"\([^)]*\)")
PART_END: Final = re.compile(r"(?<=[:;])\s+")


@dataclass(frozen=True)
class Hit:
    """One banned word or form in a sentence. `where` is a line number, or the command of a help text."""

    where: int | str
    form: str
    sentence: str


def clauses(sentence: str) -> int:
    """Return how many parts of a sentence have a clause as their subject, or consist of one. A question has none."""
    if sentence.rstrip("*)]_").endswith("?"):
        return 0
    first, *later = PART_END.split(sentence)
    found = bool(CLAUSE.match(first)) + sum(bool(LATER_CLAUSE.match(part)) for part in later)
    behind_colons = [part for before, part in zip([first, *later], later, strict=False) if before.endswith(":")]
    return found + sum(
        bool(PLACE_CLAUSE.match(part) and not MAIN_CLAUSE.search(BRACKETS.sub("", part)))
        for part in (first, *behind_colons)
    )


def hits(passages: Iterable[Passage]) -> Iterator[Hit]:
    """Yield what is banned. A heading is a label: its words count, its form does not (`What it guarantees`)."""
    for passage in passages:
        for sentence in passage.sentences():
            text = " ".join(sentence.text.split())
            for name, pattern in BANNED.items():
                yield from (Hit(sentence.where, name, text) for _ in pattern.finditer(text))
            if not passage.is_heading:
                yield from (Hit(sentence.where, "clause", text) for _ in range(clauses(text)))


def is_example(passage: Passage) -> bool:
    """Tell whether a passage of a command's help is a command line to copy, not a sentence."""
    return passage.text.startswith("Example:  ")


def long_sentences(passages: Iterable[Passage]) -> int:
    """Return how many sentences have more than SENTENCE_WORDS_MAX words: for information, no part of the count."""
    sentences = (sentence.text for passage in passages if not is_example(passage) for sentence in passage.sentences())
    return sum(len(re.findall(r"[\w'’-]+", text)) > SENTENCE_WORDS_MAX for text in sentences)


def counts(texts: Mapping[str, Iterable[Passage]]) -> dict[str, int]:
    """Return the number of hits of each file that has any."""
    found = {name: sum(1 for _ in hits(passages)) for name, passages in texts.items()}
    return {name: count for name, count in sorted(found.items()) if count}


def load(path: Path) -> dict[str, int]:
    found: dict[str, int] = json.loads(path.read_text(encoding="utf-8"))
    return found


def shrink(path: Path, counted: Mapping[str, int], renames: Mapping[str, str]) -> None:
    """Write the counts over a baseline whose files were renamed; raises ValueError where a count would rise."""
    allowed: Counter[str] = Counter()
    for name, count in load(path).items():
        allowed[renames.get(name, name)] += count
    raised = [f"{name}: {count}, was {allowed[name]}" for name, count in counted.items() if count > allowed[name]]
    if raised:
        raise ValueError("\n".join(raised))
    save(path, counted)


def write(path: Path, counted: Mapping[str, int]) -> None:
    """Write the counts over a baseline with other files; raises ValueError where the total would rise."""
    before, now = (sum(load(path).values()) if path.exists() else None), sum(counted.values())
    if before is not None and now > before:
        message = f"total: {now}, was {before}"
        raise ValueError(message)
    save(path, counted)


def save(path: Path, counted: Mapping[str, int]) -> None:
    path.write_text(json.dumps(counted, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def room(name: str) -> str:
    """Return the room of a file. The SDL, help and README are rooms of their own."""
    return name.split(":", maxsplit=1)[0].split("/", maxsplit=1)[0]


def by_room(texts: Mapping[str, list[Passage]]) -> Iterator[str]:
    """Yield the lines of a table: room, hits, and sentences that are too long."""
    banned, long = Counter[str](), Counter[str]()
    for name, passages in texts.items():
        banned[room(name)] += sum(1 for _ in hits(passages))
        long[room(name)] += long_sentences(passages)
    yield f"{'room':<12}{'banned':>8}{'long':>8}"
    yield from (f"{name:<12}{banned[name]:>8}{long[name]:>8}" for name in sorted(banned))
    yield f"{'total':<12}{banned.total():>8}{long.total():>8}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Count words and sentence forms that are not plain English.")
    actions = parser.add_mutually_exclusive_group(required=True)
    actions.add_argument("--by-room", action="store_true", help="Print the counts of each room.")
    actions.add_argument("--file", help="Print each hit in a file; also help, sdl:plant.graphql, sdl:hub.graphql.")
    actions.add_argument("--shrink", action="store_true", help="Lower the baseline. Refuses to raise a count.")
    actions.add_argument(
        "--write", action="store_true", help="Only after moves that split a file. Refuses a higher total."
    )
    parser.add_argument("--rename-map", type=Path, help='With --shrink: a JSON file, {"old name": "new name"}.')
    given = parser.parse_args()
    texts = prose()
    if given.file and given.file not in texts:
        parser.error(f"no such file: {given.file}")
    try:
        if given.shrink:
            shrink(BASELINE, counts(texts), json.loads(given.rename_map.read_text()) if given.rename_map else {})
        elif given.write:
            write(BASELINE, counts(texts))
    except ValueError as refused:
        sys.exit(f"Refused. These counts would rise:\n{refused}")
    lines = (
        by_room(texts) if not given.file else (f"{x.where}: {x.form}: {x.sentence}" for x in hits(texts[given.file]))
    )
    sys.stdout.writelines(f"{line}\n" for line in lines)


if __name__ == "__main__":
    main()
