"""Walks a served GraphQL schema: every query, with all that it can select and every argument that names something."""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, NamedTuple

import httpx2
from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLSchema,
    build_client_schema,
    get_introspection_query,
    get_named_type,
    get_nullable_type,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_required_argument,
    parse,
)

from infra.roles import Role
from schema.engine.contracts import contract
from schema.engine.costs import operation_cost
from schema.engine.limits import COST_MAX, TOKENS_MAX
from tests.scenarios.processes import HUB, Person

LEVELS: Final = 3
PASSED_OVER: Final = frozenset({"edges", "lagSeconds"})
"""Fields that say again what `nodes` says, and what grows with the clock alone."""
LISTED: Final = 20
"""The size of a page of a list that is read to its end."""
PAGE: Final = 2
"""The size of a page of a list inside another."""
FOUND: Final = 2
"""The size of a page of what a question finds."""
NESTED: Final = f"(first: {PAGE})"
PIECE_COST_MAX: Final = 20_000
"""The largest cost of one document: what costs more is asked in pieces."""
TOKEN: Final = re.compile(r"[\w.]+|\S")
"""A token of a document, or a part of one: there are never more tokens than matches."""
AT_EVERY_LEVEL: Final = frozenset({"nodes", "pageInfo"})
"""Parts of a page, which is no level of its own."""
SPENT: Final = re.compile(r'"spent":\d+,"left":\d+,"resetAt":"[^"]*"')
"""The part of an answer that grows with each request: what was spent so far."""

Tree = dict[str, "Tree"]
"""A selection: each field with its arguments, and what is selected below it."""


class Pair(NamedTuple):
    """A value that names something of another plant, and one like it that names nothing.

    `kind` is the type of the thing, where its type says what can be selected.
    """

    theirs: Any
    nobodys: Any
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """One query with one argument under test: about something of another plant, and about nothing."""

    name: str
    document: str
    theirs: dict[str, Any]
    nobodys: dict[str, Any]
    swapped: tuple[tuple[str, str], ...] = field(default=())

    def answers(self, person: Person) -> tuple[bytes, bytes]:
        """Return both answers, with the names that were asked for made alike."""
        first, second = (without_spent(post(person, self.document, given)) for given in (self.theirs, self.nobodys))
        for theirs, nobodys in self.swapped:
            first, second = first.replace(theirs, "?"), second.replace(nobodys, "?")
        return first.encode(), second.encode()


def post(person: Person, document: str, variables: Mapping[str, Any]) -> httpx2.Response:
    """Send an operation, again after the wait that the node demands of a user who has spent the budget."""
    answer = person.post(document, variables)
    while "Retry-After" in answer.headers:
        time.sleep(int(answer.headers["Retry-After"]))
        answer = person.post(document, variables)
    return answer


Write = Callable[[int, Tree], str]
"""Returns the document with this selection of the answer, for pages of this size."""


def without_spent(answer: httpx2.Response) -> str:
    """Return an answer without what its person has spent so far."""
    return SPENT.sub('"spent":0', answer.text)


@dataclass(frozen=True)
class Walk:
    """The schema as a node describes it to a user. `priced` is the same schema with the costs of its fields."""

    schema: GraphQLSchema
    priced: GraphQLSchema

    @classmethod
    def of(cls, person: Person) -> "Walk":
        """Ask a node for its schema."""
        described = build_client_schema(person.ask(get_introspection_query(descriptions=False)))  # type: ignore[arg-type]
        role = Role.HUB if person.node.code == HUB else Role.PLANT
        return cls(described, contract(role)._schema)  # noqa: SLF001 -- the built schema.

    @property
    def queries(self) -> Mapping[str, GraphQLField]:
        assert self.schema.query_type is not None
        fields: Mapping[str, GraphQLField] = self.schema.query_type.fields
        return fields

    def questions(self, named: Mapping[str, list[Pair]]) -> Iterator[Question]:
        """Yield a question for every query and argument; `named` gives the values by the argument's type or name.

        `unit.code` gives those for the argument `code` of the query `unit` alone.
        """
        documents: dict[Any, list[str]] = {}
        for name, one in self.queries.items():
            trees = self._trees(one, listed=3)
            own = {key.removeprefix(f"{name}."): pairs for key, pairs in named.items() if key.startswith(f"{name}.")}
            for title, whole in _arguments(one, {**named, **own}):
                kinds = trees.keys() & {pair.kind for pair in whole.values()} or trees.keys()
                for kind in kinds:
                    key = name, kind, tuple(whole)
                    if key not in documents:
                        write = partial(_asking, name, one, whole)
                        documents[key] = self._pieces(trees[kind], write, _given(whole))
                    for document in documents[key]:
                        yield _question(f"{name}({title}) {kind}", document, whole)

    def plain(self) -> Iterator[tuple[str, str]]:
        """Yield every query that can be asked without arguments, with its text. That of a list takes `$after`."""
        for name, one in self.queries.items():
            if not any(is_required_argument(argument) for argument in one.args.values()):
                for tree in self._trees(one, listed=2).values():
                    yield from ((name, text) for text in self._pieces(tree, partial(_listing, name, one), {}))

    def read(self, person: Person) -> Iterator[tuple[str, Any]]:
        """Yield the answers to every plain query, a list page by page to its end."""
        for name, text in self.plain():
            given = {"after": None} if "$after" in text else {}
            is_more = True
            while is_more:
                answer = post(person, text, given).json()
                assert "errors" not in answer, (text, answer["errors"])
                yield name, answer["data"]
                is_more = bool(given) and answer["data"][name]["pageInfo"]["hasNextPage"]
                given = {"after": answer["data"][name]["pageInfo"]["endCursor"]} if is_more else given

    def _trees(self, one: GraphQLField, *, listed: int) -> Mapping[str, Tree]:
        """Return what can be selected of a field, by the type that the answer may have."""
        kind = get_named_type(one.type)
        if is_abstract_type(kind):
            possible = self.schema.get_possible_types(kind)
            return {
                each.name: {"__typename": {}, f"... on {each.name}": self._tree(each, LEVELS - 1, listed)}
                for each in possible
            }
        return {kind.name: self._tree(kind, LEVELS, listed)}

    def _tree(self, kind: Any, levels: int, listed: int) -> Tree:
        """Return a selection that deep. A list without pages counts as `listed` levels: it costs its maximum."""
        if is_leaf_type(kind):
            return {}
        tree: Tree = {"__typename": {}}
        if is_abstract_type(kind):
            possible = self.schema.get_possible_types(kind)
            return tree | {f"... on {each.name}": {"id": {}} for each in possible if "id" in each.fields}
        for name, one in kind.fields.items():
            inner = get_named_type(one.type)
            needed = any(is_required_argument(argument) for argument in one.args.values())
            deeper = not is_leaf_type(inner) and levels <= 0 and name not in AT_EVERY_LEVEL
            if not (name in PASSED_OVER or needed or deeper):
                page = NESTED if "first" in one.args else ""
                steps = 0 if name in AT_EVERY_LEVEL else listed if is_list_type(get_nullable_type(one.type)) else 1
                tree[f"{name}{page}"] = self._tree(inner, levels - steps, listed)
        return tree

    def _pieces(self, tree: Tree, write: Write, variables: Mapping[str, Any]) -> list[str]:
        """Return documents that select a tree together, each below the limits, with pages as large as fit.

        Raises StopIteration for a list in lists that is above the limit with pages of one: nobody may ask for it.
        """

        def cost(text: str) -> int:
            return operation_cost(self.priced, parse(text), None, variables)

        def fits(text: str) -> bool:
            return len(TOKEN.findall(text)) <= TOKENS_MAX and cost(text) <= PIECE_COST_MAX

        found = []
        for part in _parts(tree, lambda one: fits(write(LISTED, one))):
            texts = (write(LISTED, part), write(PAGE, part), write(1, part).replace(NESTED, "(first: 1)"))
            found.append(next(text for text in texts if cost(text) <= COST_MAX))
        return found


def _parts(tree: Tree, fits: Callable[[Tree], bool]) -> Iterator[Tree]:
    """Yield parts of a selection that fit, each with the plain fields of its place.

    Plain fields that do not fit by themselves are a part too.
    """
    if fits(tree):
        yield tree
        return
    plain = {name: below for name, below in tree.items() if not below or name == "pageInfo"}
    part, is_new = plain, False
    for name, below in tree.items():
        if name in plain:
            continue
        for within in _parts(below, lambda inner, name=name: fits({**plain, name: inner})):  # type: ignore[misc]
            if is_new and (name in part or not fits({**part, name: within})):
                yield part
                part = plain
            part, is_new = {**part, name: within}, True
    yield part


def _text_of(tree: Tree) -> str:
    parts = (f"{name} {_text_of(below)}" if below else name for name, below in tree.items())
    return f"{{ {' '.join(parts)} }}" if tree else ""


def _listing(name: str, one: GraphQLField, size: int, tree: Tree) -> str:
    if "after" not in one.args:
        return f"{{ {name} {_text_of(tree)} }}"
    return f"query($after: {one.args['after'].type}) {{ {name}(first: {size}, after: $after) {_text_of(tree)} }}"


def _asking(name: str, one: GraphQLField, whole: Mapping[str, Pair], size: int, tree: Tree) -> str:
    variables = ", ".join(f"${key}: {one.args[key].type}" for key in whole)
    page = [f"first: {min(size, FOUND)}"] if "first" in one.args and "first" not in whole else []
    given = ", ".join([*(f"{key}: ${key}" for key in whole), *page])
    return f"query({variables}) {{ {name}({given}) {_text_of(tree)} }}"


def _arguments(one: GraphQLField, named: Mapping[str, list[Pair]]) -> Iterator[tuple[str, dict[str, Pair]]]:
    """Yield each argument under test with the values of all that a question gives."""
    required = {key: arg for key, arg in one.args.items() if is_required_argument(arg)}
    for key, arg in one.args.items():
        for inner, pair in _values(key, arg, named):
            whole = {key: pair}
            for other, needed in required.items():
                if other != key:
                    whole[other] = _values(other, needed, named)[0][1]
            yield f"{key}{inner}", whole


def _values(
    key: str, arg: GraphQLArgument | GraphQLInputField, named: Mapping[str, list[Pair]]
) -> list[tuple[str, Pair]]:
    """Return the pairs for an argument; those for an input object set one of its fields each."""
    kind = get_named_type(arg.type)
    if isinstance(kind, GraphQLInputObjectType):
        return [
            (f".{inner}{more}", Pair({inner: pair.theirs}, {inner: pair.nobodys}))
            for inner, part in kind.fields.items()
            for more, pair in _values(key if kind.name == "CodeFilter" else inner, part, named)
        ]
    pairs = named.get(kind.name) or named.get(key) or []
    if is_list_type(arg.type) or is_list_type(getattr(arg.type, "of_type", None)):
        return [("", Pair([pair.theirs], [pair.nobodys], pair.kind)) for pair in pairs]
    return [("", pair) for pair in pairs]


def _given(whole: Mapping[str, Pair]) -> dict[str, Any]:
    return {key: pair.theirs for key, pair in whole.items()}


def _question(title: str, document: str, whole: Mapping[str, Pair]) -> Question:
    texts = [(_text(pair.theirs), _text(pair.nobodys)) for pair in whole.values()]
    swapped = tuple((theirs, nobodys) for theirs, nobodys in texts if theirs != nobodys)
    return Question(title, document, _given(whole), {key: pair.nobodys for key, pair in whole.items()}, swapped)


def _text(value: Any) -> str:
    """Return the name in a value, as an answer would repeat it."""
    while isinstance(value, dict | list):
        value = next(iter(value.values())) if isinstance(value, dict) else value[0]
    return value if isinstance(value, str) else json.dumps(value)
