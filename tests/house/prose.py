"""The prose of the repository: docstrings, comments, SDL descriptions, command-line help and documents."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import typer.main
from graphql import Node, StringValueNode, Visitor, parse, visit
from markdown_it import MarkdownIt
from markdown_it.token import Token
from typer.core import TyperCommand, TyperGroup

from api.cli.tree import app
from infra.catalogue import ROOMS
from tests.house.sources import ROOT, Source, sources

HELP: Final = "help"
MARKDOWN: Final = MarkdownIt("commonmark").enable("table")

# Code elements, then quoted examples and messages, then Chinese.
MASKED: Final = re.compile(
    r"""(?P<mark>(?P<ticks>`+)[^`]+?(?P=ticks)|“[^”]*”|"[^"]+")|[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]+"""
)
DIRECTIVE: Final = re.compile(r"^(?:!/|noqa|type: ignore|fmt:|pragma:|ruff:)(?:(?! -- ).)*(?: -- )?")
ABBREVIATED: Final = r"(?<!\be\.g\.)(?<!\bi\.e\.)(?<!\bvs\.)"
SENTENCE_END: Final = re.compile(rf"(?<=[.!?]){ABBREVIATED}[)\]*]*\s+(?=[^a-z])")
PARAGRAPH_END: Final = re.compile(r"\n[ \t]*\n|\n(?=[ \t]*(?:[-*]|\d+\.) )")
LIST_MARK: Final = re.compile(r"^(?:[-*]|\d+\.) ")
CODE_LINE: Final = re.compile(r"^(?: {4}|>>> ).*$", re.MULTILINE)


@dataclass(frozen=True)
class Passage:
    """One paragraph, comment, table cell or heading. `where` is a line number, or the command of a help text."""

    text: str
    where: int | str
    is_heading: bool = False

    def sentences(self) -> Iterator["Passage"]:
        """Yield the sentences with code and quotations masked. A sentence keeps its line number."""
        for line, sentence in pieces(masked(self.text), SENTENCE_END):
            yield Passage(sentence, self.where if isinstance(self.where, str) else self.where + line, self.is_heading)


def pieces(text: str, between: re.Pattern[str]) -> Iterator[tuple[int, str]]:
    """Yield what lies between the matches and is not blank, stripped, each with the line breaks before it."""
    ends = [(found.start(), found.end()) for found in between.finditer(text)]
    starts = [0, *(end for _, end in ends)]
    for start, stop in zip(starts, [*(begin for begin, _ in ends), len(text)], strict=True):
        piece = text[start:stop].lstrip()
        if piece:
            yield text.count("\n", 0, stop - len(piece)), piece.rstrip()


def masked(text: str) -> str:
    """Return a text with marks for what is neither English nor ours; its line breaks stay."""

    def mark(found: re.Match[str]) -> str:
        return "X" * bool(found["mark"]) + "\n" * found[0].count("\n")

    return MASKED.sub(mark, text)


def paragraphs(text: str, where: int | str) -> Iterator[Passage]:
    """Yield the paragraphs and list items of a text that begins at this line, or belongs to this command."""
    for line, paragraph in pieces(text, PARAGRAPH_END):
        yield Passage(LIST_MARK.sub("", paragraph), where if isinstance(where, str) else where + line)


def docstrings(source: Source) -> Iterator[Passage]:
    """Yield the docstrings without their code, which is indented."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node, clean=False)
            if text:
                first = node.body[0]
                text = text.replace("\n" + " " * first.col_offset, "\n")
                yield from paragraphs(CODE_LINE.sub("", text), first.lineno)


def comments(source: Source) -> Iterator[Passage]:
    """Yield the comments. Comment lines that follow each other in one column are one text."""
    block: list[str] = []
    begins, last = 0, (0, 0)
    for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
        if token.type != tokenize.COMMENT:
            continue
        (line, column), alone = token.start, not token.line[: token.start[1]].strip()
        if not (block and alone and last == (line - 1, column)):
            yield from paragraphs("\n".join(block), begins)
            block, begins = [], line
        block.append(DIRECTIVE.sub("", token.string.lstrip("#: ")))
        last = (line, column) if alone else (0, 0)
    yield from paragraphs("\n".join(block), begins)


class _Descriptions(Visitor):
    """Collects the descriptions of a schema."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Passage] = []

    def enter(self, node: Node, *_: object) -> None:
        description = getattr(node, "description", None)
        if isinstance(description, StringValueNode) and description.loc:
            place = description.loc
            begins_below = place.source.body.startswith('"""\n', place.start)
            self.found += paragraphs(description.value, place.start_token.line + begins_below)


def descriptions(sdl: str) -> list[Passage]:
    collected = _Descriptions()
    visit(parse(sdl), collected)
    return collected.found


def help_texts(command: TyperCommand | TyperGroup, path: str) -> Iterator[Passage]:
    """Yield the help of a command, of its parameters, and of the commands below it."""
    for text in (command.help, command.short_help, command.epilog):
        yield from paragraphs(text or "", path)
    for parameter in command.params:
        yield from paragraphs(getattr(parameter, "help", None) or "", path)
    if isinstance(command, TyperGroup):
        for name, below in command.commands.items():
            assert isinstance(below, TyperCommand | TyperGroup)
            yield from help_texts(below, f"{path} {name}")


def document(text: str) -> Iterator[Passage]:
    """Yield the paragraphs, headings and table cells of a Markdown document, without its code blocks."""
    opened: list[Token] = []
    for token in MARKDOWN.parse(text):
        if token.nesting == 1:
            opened.append(token)
        elif token.nesting == -1:
            opened.pop()
        elif token.type == "inline":
            line = next(one.map[0] for one in (token, *reversed(opened)) if one.map) + 1
            kinds = {one.type for one in opened}
            yield from _with_run_in_heading(
                token.children or [], line, is_heading=bool(kinds & {"heading_open", "th_open"})
            )


def _with_run_in_heading(tokens: list[Token], line: int, *, is_heading: bool) -> Iterator[Passage]:
    """Yield an inline text. Bold words that begin it and end with a period are a heading: `**Why.** Because...`."""
    end = next((index for index, one in enumerate(tokens) if one.type == "strong_close"), 0)
    begins = [one.type for one in tokens if one.type != "text" or one.content][:1]
    lead = "".join(map(_inline, tokens[:end]))
    if begins == ["strong_open"] and lead.endswith("."):
        yield Passage(lead, line, is_heading=True)
        tokens, line = tokens[end:], line + lead.count("\n")
    yield Passage("".join(map(_inline, tokens)), line, is_heading)


def _inline(token: Token) -> str:
    if token.type == "text":
        return token.content
    if token.type in {"softbreak", "hardbreak"}:
        return "\n"
    if token.type == "html_inline":
        return " "
    return "`X`" if token.type == "code_inline" else ""


def prose() -> dict[str, list[Passage]]:
    """Return the passages by file, of the SDL by `sdl:NAME`, of the command line under `help` without repetitions."""
    found = {one.name: [*docstrings(one), *comments(one)] for one in sources(*ROOMS, "tests", "benchmarks")}
    for path in sorted((ROOT / "schema").glob("*.graphql")):
        found[f"sdl:{path.name}"] = descriptions(path.read_text(encoding="utf-8"))
    command = typer.main.get_command(app)
    assert isinstance(command, TyperGroup)
    helps = {one.text: one for one in help_texts(command, "batchloom")}
    found[HELP] = list(helps.values())
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        found[path.relative_to(ROOT).as_posix()] = list(document(path.read_text(encoding="utf-8")))
    return found
