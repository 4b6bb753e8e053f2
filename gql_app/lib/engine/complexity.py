"""What a document asks for, summed up: each fragment once, however often it is spread."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from graphlib import TopologicalSorter
from typing import Final, NamedTuple, Self

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    NamedTypeNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_list_type,
)

from gql_app.accounts.sessions import MAX_SESSIONS
from gql_app.lib.pagination import DEFAULT_SIZE, MAX_SIZE

INTROSPECTION: Final = frozenset({"__schema", "__type"})
"""Fields whose depth doesn't count: clients' introspection queries nest deep, and end soon."""
PAGES: Final = frozenset({"nodes", "edges"})
_SIZES: Final = frozenset({"first", "last"})
_DIGITS: Final = 9
"""How long a number may be and still be read; a longer one is no page size."""


class Sum(NamedTuple):
    """What a selection set asks for, through its fragments."""

    depth: int = 0
    roots: int = 0
    spreads: int = 0
    cost: float = 0.0
    per_row: float = 0.0
    """The cost of each row of the page that the selection set is part of."""

    def plus(self, other: Self) -> "Sum":
        """Add what stands beside it."""
        return Sum(
            max(self.depth, other.depth),
            self.roots + other.roots,
            self.spreads + other.spreads,
            self.cost + other.cost,
            self.per_row + other.per_row,
        )


class Sums:
    """Sums up the operations of one document, whose time is linear in its size.

    What the schema doesn't know counts as one value: validation tells it. Raises CycleError
    if fragments spread each other in a circle.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        fragments: Sequence[FragmentDefinitionNode],
        operation: OperationDefinitionNode,
        variables: Mapping[str, object],
    ) -> None:
        self.aliases = 0
        """Aliases met so far, each where it is written."""
        self.sizes: set[str] = set()
        """Variables met so far that say how large a page is: by them the cost may be another."""
        self._schema = schema
        self._variables = variables
        self._defaults = {
            definition.variable.name.value: definition.default_value
            for definition in operation.variable_definitions or ()
        }
        self._fragments: dict[str, Sum] = {}
        named = {fragment.name.value: fragment for fragment in fragments}
        graph = {name: set(_spreads(named[name].selection_set)) & named.keys() for name in named}
        # A fragment comes after those it spreads, so that no chain of them is recursed into.
        for name in TopologicalSorter(graph).static_order():
            fragment = named[name]
            self._fragments[name] = self._within(
                fragment.selection_set, self._type(fragment.type_condition)
            )

    def of(self, operation: OperationDefinitionNode) -> Sum:
        """Sum up one operation; its cost is right for the one whose variables are known."""
        root = self._schema.get_root_type(operation.operation)
        return self._within(operation.selection_set, root)

    def _within(self, selections: SelectionSetNode, parent: GraphQLNamedType | None) -> Sum:
        total = Sum()
        for selection in selections.selections:
            if isinstance(selection, FieldNode):
                part = self._field(selection, parent)
            elif isinstance(selection, InlineFragmentNode):
                condition = selection.type_condition
                kind = self._type(condition) if condition else parent
                part = self._within(selection.selection_set, kind)
            else:
                assert isinstance(selection, FragmentSpreadNode)  # noqa: S101 — for mypy: nothing else can be selected
                part = self._fragments.get(selection.name.value, Sum())
                part = part._replace(spreads=part.spreads + 1)
            total = total.plus(part)
        return total

    def _field(self, node: FieldNode, parent: GraphQLNamedType | None) -> Sum:
        self.aliases += node.alias is not None
        name = node.name.value
        field = self._definition(parent, name)
        kind = get_named_type(field.type) if field else None
        below = self._within(node.selection_set, kind) if node.selection_set else Sum()
        depth = 1 if name in INTROSPECTION else below.depth + 1
        cost = 1 + below.cost + (below.per_row and self._page_size(node) * below.per_row)
        if name in PAGES and _is_connection(parent):
            return Sum(depth, 1, below.spreads, per_row=cost)
        if parent and parent.name.startswith("__"):
            cost *= _usual_sizes(self._schema).get(name, 1)
        elif field and is_list_type(get_nullable_type(field.type)):
            cost *= MAX_SESSIONS
        return Sum(depth, 1, below.spreads, cost)

    def _definition(self, parent: GraphQLNamedType | None, name: str) -> GraphQLField | None:
        if not isinstance(parent, GraphQLObjectType | GraphQLInterfaceType):
            return None
        return self._schema.get_field(parent, name)

    def _type(self, node: NamedTypeNode) -> GraphQLNamedType | None:
        return self._schema.get_type(node.name.value)

    def _page_size(self, node: FieldNode) -> int:
        """Tell how many rows a page may have; a size that is refused later is brought in bounds."""
        given = [self._integer(a.value) for a in node.arguments or () if a.name.value in _SIZES]
        sizes = [size for size in given if size is not None]
        return max(1, min(max(sizes, default=DEFAULT_SIZE), MAX_SIZE))

    def _integer(self, node: ValueNode | None) -> int | None:
        if isinstance(node, VariableNode):
            name = node.name.value
            self.sizes.add(name)
            if name not in self._variables:
                node = self._defaults.get(name)
            else:
                return whole(self._variables[name])
        if not isinstance(node, IntValueNode):
            return None
        return int(node.value) if len(node.value) <= _DIGITS else MAX_SIZE


def whole(value: object) -> int | None:
    """Read a page size that a client sends, in bounds; what is no whole number is none."""
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return max(1, min(int(value), MAX_SIZE))
    return None


def _spreads(selections: SelectionSetNode) -> Iterator[str]:
    """Name the fragments that a selection set spreads, at any depth."""
    waiting = [selections]
    while waiting:
        for selection in waiting.pop().selections:
            if isinstance(selection, FragmentSpreadNode):
                yield selection.name.value
            elif isinstance(selection, FieldNode | InlineFragmentNode) and selection.selection_set:
                waiting.append(selection.selection_set)


def _is_connection(kind: GraphQLNamedType | None) -> bool:
    return isinstance(kind, GraphQLObjectType) and "pageInfo" in kind.fields


@cache
def _usual_sizes(schema: GraphQLSchema) -> Mapping[str, float]:
    """Tell how long introspection's lists are on the average, for each is of a known length.

    An `ofType` is most often null, so that the seven levels which clients ask for cost little.
    """
    kinds = list(schema.type_map.values())
    outputs = [kind for kind in kinds if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType)]
    fields = [field for kind in outputs for field in kind.fields.values()]
    inputs = [len(kind.fields) for kind in kinds if isinstance(kind, GraphQLInputObjectType)]
    values = [len(kind.values) for kind in kinds if isinstance(kind, GraphQLEnumType)]
    return {
        "types": len(kinds),
        "fields": len(fields) / len(kinds),
        "args": sum(len(field.args) for field in fields) / len(fields),
        "inputFields": sum(inputs) / len(kinds),
        "enumValues": sum(values) / len(kinds),
        "directives": len(schema.directives),
        "ofType": 0.5,
    }
