"""Rules of the GraphQL contract that a program can check. Each yields the places that break it."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    NullValueNode,
    ValuesOfCorrectTypeRule,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    parse,
    print_ast,
    validate,
)

from tests.house.sources import ROOT

Rule = Callable[[GraphQLSchema], Iterator[str]]
MARKERS: Final = ("Recorded", "Refusal")
"""The interfaces of the members of a mutation's result."""
UNMARKED: Final = ("Validated", "JobAccepted")
"""The members without such an interface: nothing was written, or the job says what was."""
SUBMIT: Final = "submit"
"""The mutation that runs the commands of the others. It answers a list."""


def own_types(schema: GraphQLSchema) -> Iterator[GraphQLNamedType]:
    """Yield the types of the contract, without those of introspection and of federation."""
    yield from (one for name, one in schema.type_map.items() if not name.startswith("_"))


def clashing_members(schema: GraphQLSchema) -> Iterator[str]:
    """Members of a union give one name one type, so that a document can select all of them without aliases."""
    for union in own_types(schema):
        if isinstance(union, GraphQLUnionType):
            types: dict[str, set[str]] = defaultdict(set)
            for member in union.types:
                for name, field in member.fields.items():
                    types[name].add(_shape(field))
            yield from (
                f"{union.name}.{name}: {', '.join(sorted(found))}" for name, found in types.items() if len(found) > 1
            )


def _shape(field: GraphQLField) -> str:
    """Return a field's type; of an object the lists and nulls alone, because its own fields are selected in turn."""
    text = str(field.type)
    return text if is_leaf_type(get_named_type(field.type)) else "".join(sign for sign in text if sign in "[]!") + "{}"


def null_defaults(schema: GraphQLSchema) -> Iterator[str]:
    """No input field and no argument has the default null: absent leaves a value as it is, null clears it."""
    for one in own_types(schema):
        if isinstance(one, GraphQLInputObjectType):
            yield from (f"{one.name}.{name}" for name, field in one.fields.items() if _is_null(field))
        elif isinstance(one, GraphQLObjectType | GraphQLInterfaceType):
            for name, output in one.fields.items():
                yield from (f"{one.name}.{name}({given})" for given, value in output.args.items() if _is_null(value))


def _is_null(value: GraphQLInputField | GraphQLArgument) -> bool:
    return value.ast_node is not None and isinstance(value.ast_node.default_value, NullValueNode)


def unmarked_members(schema: GraphQLSchema) -> Iterator[str]:
    """Each member of a mutation's result is `Recorded`, a `Refusal`, `Validated` or `JobAccepted`, and no other."""
    for name, _, result in results(schema):
        for member in result.types:
            if member.name not in UNMARKED and not {one.name for one in member.interfaces} & set(MARKERS):
                yield f"{name}: {member.name}"


def bare_names_in_refusals(schema: GraphQLSchema) -> Iterator[str]:
    """A datum of a refusal that names a thing ends in Code, Id or Index; the bare noun is the object."""
    things = {one.name[0].lower() + one.name[1:] for one in own_types(schema) if isinstance(one, GraphQLObjectType)}
    for one in own_types(schema):
        if isinstance(one, GraphQLObjectType) and "Refusal" in {each.name for each in one.interfaces}:
            for name, field in one.fields.items():
                if name in things and is_leaf_type(get_named_type(field.type)):
                    yield f"{one.name}.{name}"


def missing_validations(schema: GraphQLSchema) -> Iterator[str]:
    """Each mutation can be validated: it has `validateOnly: Boolean! = false`, and returns `Validated` or a job."""
    for name, field, result in results(schema):
        given = field.args.get("validateOnly")
        written = "" if given is None or given.ast_node is None else print_ast(given.ast_node)
        if not written.endswith("validateOnly: Boolean! = false"):
            yield f"{name}(validateOnly)"
        if not {one.name for one in result.types} & set(UNMARKED):
            yield f"{name}: {result.name}"


def unplaced_refusals(schema: GraphQLSchema) -> Iterator[str]:
    """Each refusal says its place in the input and the further refusals of the request."""
    for one in own_types(schema):
        if isinstance(one, GraphQLObjectType) and "Refusal" in {each.name for each in one.interfaces}:
            for name, kind in (("path", "[String!]"), ("furtherRefusals", "[Refusal!]!")):
                if name not in one.fields or str(one.fields[name].type) != kind:
                    yield f"{one.name}.{name}"


EXAMPLE: Final = re.compile(r"\bExample[^`]*`([\[{].*?[\]}])`")
"""An example of the input of a mutation, in its description."""


def unexampled_mutations(schema: GraphQLSchema) -> Iterator[str]:
    """The description of a mutation has an example: its input without `requestId`, or the commands of `submit`."""
    assert schema.mutation_type is not None
    for name, field in schema.mutation_type.fields.items():
        argument = "commands" if name == SUBMIT else "input"
        kind, found = get_named_type(field.args[argument].type), EXAMPLE.search(field.description or "")
        text = "{}" if found is None else found[1]
        if isinstance(kind, GraphQLInputObjectType) and "requestId" in kind.fields:
            text = text.replace("{", '{ requestId: "…", ', 1)
        document = parse(f"mutation {{ {name}({argument}: {text}) {{ __typename }} }}")
        if validate(schema, document, [ValuesOfCorrectTypeRule]):
            yield name


GLOSSARY: Final = (ROOT / "docs/glossary.md").read_text("utf-8")


def unexplained_nodes(schema: GraphQLSchema) -> Iterator[str]:
    """The glossary has each kind of node: a row for its words, or its name where a row explains it."""
    for one in own_types(schema):
        if isinstance(one, GraphQLObjectType) and "Node" in {each.name for each in one.interfaces}:
            words = re.sub(r"(?<=.)(?=[A-Z])", " ", one.name).lower()
            if f"| {words} |" not in GLOSSARY and f"`{one.name}`" not in GLOSSARY:
                yield one.name


VERBS: Final = frozenset(re.findall(r"^\| `(\w+)` \|", GLOSSARY, re.MULTILINE))
"""The verbs of mutations, from the table in the glossary."""


def unlisted_verbs(schema: GraphQLSchema) -> Iterator[str]:
    """The name of a mutation begins with a verb of the glossary."""
    assert schema.mutation_type is not None
    yield from (name for name in schema.mutation_type.fields if re.split(r"(?=[A-Z])", name)[0] not in VERBS)


def nodeless_lists(schema: GraphQLSchema) -> Iterator[str]:
    """Each thing in a connection is a Node. The parts of a trace are exempt: no store keeps a trace yet."""
    for one in own_types(schema):
        if isinstance(one, GraphQLObjectType) and one.name.endswith("Connection"):
            node = get_named_type(one.fields["nodes"].type)
            for member in node.types if isinstance(node, GraphQLUnionType) else (node,):
                assert isinstance(member, GraphQLObjectType), one.name
                if "Node" not in {each.name for each in member.interfaces} and not member.name.startswith("Trace"):
                    yield f"{one.name}: {member.name}"


def odd_pages(schema: GraphQLSchema) -> Iterator[str]:
    """A connection is paged by `first: Int = 50` and `after: String`, and its total is a nullable `Int`."""
    for place, field in fields_of(schema):
        kind = get_named_type(field.type)
        if isinstance(kind, GraphQLObjectType) and kind.name.endswith("Connection"):
            given = {name: f"{one.type} = {default_of(one)}" for name, one in field.args.items()}
            if (given.get("first"), given.get("after")) != ("Int = 50", "String = None"):
                yield place
            if str(kind.fields["totalCount"].type) != "Int":
                yield f"{kind.name}.totalCount"


def odd_orders(schema: GraphQLSchema) -> Iterator[str]:
    """An order is `orderBy: {field: <Noun>OrderField!, direction: OrderDirection! = ASCENDING}`, of a connection."""
    for place, field in fields_of(schema):
        for name, given in field.args.items():
            kind = get_named_type(given.type)
            if (name == "orderBy") is not kind.name.endswith("Order"):
                yield f"{place}({name})"
            elif name == "orderBy":
                parts = kind.fields if isinstance(kind, GraphQLInputObjectType) else {}
                shape = {key: (str(one.type), default_of(one)) for key, one in parts.items()}
                by, direction = shape.get("field", ("", None)), shape.get("direction")
                if (
                    not by[0].endswith("OrderField!")
                    or direction != ("OrderDirection!", "ASCENDING")
                    or len(shape) != 2
                ):
                    yield f"{place}({name})"


ORDERED: Final = re.compile(r"\b(in the order|by|first)\b")
"""The words of a description that say the order of a list."""


def unordered_lists(schema: GraphQLSchema) -> Iterator[str]:
    """A connection of Query takes `orderBy`. One below an object takes it, or its description says its order."""
    assert schema.query_type is not None
    for place, field in fields_of(schema):
        if get_named_type(field.type).name.endswith("Connection") and "orderBy" not in field.args:
            is_root = place.startswith(f"{schema.query_type.name}.")
            if is_root or not ORDERED.search(field.description or ""):
                yield place


def empty_defaults(schema: GraphQLSchema) -> Iterator[str]:
    """No input field and no argument has the default "": an absent text is null."""
    inputs = (one for one in own_types(schema) if isinstance(one, GraphQLInputObjectType))
    given = ((f"{one.name}.{name}", field) for one in inputs for name, field in one.fields.items())
    arguments = ((f"{place}({name})", one) for place, field in fields_of(schema) for name, one in field.args.items())
    for place, value in (*given, *arguments):
        if default_of(value) == '""':
            yield place


def misnamed_ids(schema: GraphQLSchema) -> Iterator[str]:
    """An `ID` is `id`, `ids`, or ends in Id or Ids. A field so named is an `ID` or a `UUID`, and no text or number."""
    tests = {"IdFilter", "UuidFilter"}
    inputs = (one for one in own_types(schema) if isinstance(one, GraphQLInputObjectType) and one.name not in tests)
    given = ((f"{one.name}.{name}", name, field.type) for one in inputs for name, field in one.fields.items())
    arguments = (
        (f"{place}({name})", name, one.type) for place, field in fields_of(schema) for name, one in field.args.items()
    )
    shown = ((place, place.rpartition(".")[2], field.type) for place, field in fields_of(schema))
    for place, name, kind in (*given, *arguments, *shown):
        named = name in {"id", "ids"} or name.endswith(("Id", "Ids"))
        type_name = get_named_type(kind).name
        if (type_name == "ID" and not named) or (named and type_name not in {"ID", "UUID", *tests}):
            yield place


def fields_of(schema: GraphQLSchema) -> Iterator[tuple[str, GraphQLField]]:
    """Yield each field of an object or interface with its place."""
    for one in own_types(schema):
        if isinstance(one, GraphQLObjectType | GraphQLInterfaceType):
            yield from ((f"{one.name}.{name}", field) for name, field in one.fields.items())


def default_of(given: GraphQLArgument | GraphQLInputField) -> str | None:
    """Return the default of an argument or input field as the SDL writes it, or None without one."""
    written = None if given.ast_node is None else given.ast_node.default_value
    return None if written is None else print_ast(written)


def results(schema: GraphQLSchema) -> Iterator[tuple[str, GraphQLField, GraphQLUnionType]]:
    """Yield the mutations that answer one command, each with the union of its results."""
    assert schema.mutation_type is not None
    for name, field in schema.mutation_type.fields.items():
        result = get_named_type(field.type)
        if name != SUBMIT:
            assert isinstance(result, GraphQLUnionType), name
            yield name, field, result


TESTS: Final[Mapping[frozenset[str], frozenset[str]]] = {
    frozenset({"eq", "in", "beginsWith"}): frozenset(
        {"String", "BatchCode", "PlantCode", "Code", "EventType", "AlarmKind"}
    ),
    frozenset({"eq", "in"}): frozenset({"ID", "UUID"}),
    frozenset({"eq", "in", "notIn"}): frozenset(),
    frozenset({"from", "before"}): frozenset({"Int", "Date", "DateTime"}),
}
"""The fields of an input that tests one value, and the types of the values. That of enums names its enum."""
SEARCHES: Final[Mapping[str, str]] = {
    "text": "it searches in code and name",
    "ReplicationStatusFilter.state": "the state is shown deeper, in `replication` of the plant",
}
"""The fields of filters that mirror no field of a node, with the reason."""


def unmirrored_filters(schema: GraphQLSchema) -> Iterator[str]:
    """A field of a filter has the name and the type of a field of the listed node, its goods or its lines.

    A field `<name>Code` or `<name>Id` tests the object `<name>`.
    """
    for place, field in fields_of(schema):
        given = field.args.get("filter")
        if given is not None:
            kind = get_named_type(given.type)
            assert isinstance(kind, GraphQLInputObjectType), place
            yield from _unmirrored(place, kind, _shown_of(field))


def _shown_of(field: GraphQLField) -> dict[str, GraphQLField]:
    """Return the fields of the nodes of a list. Those of an event or of an object that has the list are joined."""
    kind = get_named_type(field.type)
    if not isinstance(kind, GraphQLObjectType):
        return {}
    if "nodes" not in kind.fields:
        parts = [one for one in kind.fields.values() if isinstance(get_named_type(one.type), GraphQLObjectType)]
        return {name: one for part in parts for name, one in _node_of(part).items()} | dict(kind.fields)
    return _node_of(field)


def _node_of(field: GraphQLField) -> dict[str, GraphQLField]:
    """Return the fields of an object, or of the nodes of a connection, with those of its goods at a plant.

    Those of its lines are with them: `batchCode` tests the batch of a line.
    """
    kind = get_named_type(field.type)
    assert isinstance(kind, GraphQLObjectType)
    node = get_named_type(kind.fields["nodes"].type) if "nodes" in kind.fields else kind
    shown = dict(node.fields) if isinstance(node, GraphQLObjectType) else {}
    there = _node_of(shown["atPlants"]) if "atPlants" in shown else {}
    lines = [one for one in shown.values() if get_named_type(one.type).name.endswith("LineConnection")]
    return {name: one for line in lines for name, one in _node_of(line).items()} | there | shown


def _unmirrored(place: str, given: GraphQLInputObjectType, shown: Mapping[str, GraphQLField]) -> Iterator[str]:
    for name, field in given.fields.items():
        test, here = get_named_type(field.type), f"{place}({given.name}.{name})"
        tested = shown.get(name)
        if {name, f"{given.name}.{name}"} & SEARCHES.keys():
            continue
        if isinstance(test, GraphQLInputObjectType) and frozenset(test.fields) not in TESTS:
            yield from [here] if tested is None else _unmirrored(place, test, _node_of(tested))
        elif tested is None:
            owner = shown.get(re.sub(r"(Code|Id)$", "", name))
            if owner is None or is_leaf_type(get_named_type(owner.type)):
                yield here
        elif not _tests(test, get_named_type(tested.type)):
            yield here


def _tests(test: GraphQLNamedType, value: GraphQLNamedType) -> bool:
    """Return whether an input of a filter tests values of this type."""
    if not isinstance(test, GraphQLInputObjectType):
        return test is value and test.name == "Boolean"
    if "notIn" in test.fields:
        return get_named_type(test.fields["eq"].type) is value
    if "from" in test.fields:
        return get_named_type(test.fields["from"].type) is value
    return value.name in TESTS[frozenset(test.fields)]


MAXIMUM: Final = re.compile(r"\b(at most|fewer than) (\d[\d,]*|[a-z]+)\b|\bone for each\b", re.IGNORECASE)


def unbounded_lists(schema: GraphQLSchema) -> Iterator[str]:
    """A list that is no page of a connection says how long it can be: "at most 20", or "one for each plant"."""
    for place, field in fields_of(schema):
        owner, _, name = place.partition(".")
        paged = owner.endswith("Connection") and name in {"edges", "nodes"}
        plain = not paged and isinstance(get_nullable_type(field.type), GraphQLList)
        if plain and not MAXIMUM.search(field.description or ""):
            yield place


NAMES: Final = frozenset({"String", "ID", "Int", "BatchCode", "PlantCode", "Code"})
"""The scalars that can name a thing."""
NAMED_OTHERWISE: Final[Mapping[str, str]] = {
    "EntryCause.origin": "the line that names a ledger in its signed notes",
    "Quantity.unit": "a code of UN/ECE Recommendation 20, which the trade calls a unit",
    "QuantityInput.unit": "a code of UN/ECE Recommendation 20, which the trade calls a unit",
    "Replication.directives": "a number of things",
    "TraceInput.aliases": "an alias is a text and has no code",
}
"""The scalars that share the name of an object, with the reason."""


def bare_names(schema: GraphQLSchema) -> Iterator[str]:
    """A scalar that names a thing ends in Code, Id or Index: the bare noun is the object wherever it is shown."""
    shown = [(place, place.rpartition(".")[2], field.type) for place, field in fields_of(schema)]
    objects = {name for _, name, kind in shown if isinstance(get_nullable_type(kind), GraphQLObjectType)}
    inputs = (one for one in own_types(schema) if isinstance(one, GraphQLInputObjectType))
    given = [(f"{one.name}.{name}", name, field.type) for one in inputs for name, field in one.fields.items()]
    arguments = [
        (f"{place}({name})", name, one.type) for place, field in fields_of(schema) for name, one in field.args.items()
    ]
    for place, name, kind in (*shown, *given, *arguments):
        if name in objects and get_named_type(kind).name in NAMES and place not in NAMED_OTHERWISE:
            yield place
