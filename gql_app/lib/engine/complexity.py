"""Complexity of a document: each fragment is summed up once, however often it is spread."""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from operator import add
from typing import Any, Final, NamedTuple, Self

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
    ListValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_list_type,
    is_object_type,
)

Fragments = Mapping[str, FragmentDefinitionNode]
"""The fragments of a document by their names."""
INTROSPECTION: Final = frozenset({"__schema", "__type"})
"""Fields whose depth doesn't count: clients' introspection queries nest deep, and end soon."""
PAGE_FIELDS: Final = frozenset({"nodes", "edges"})
"""Fields of a connection that hold its rows."""
SIZE_ARGUMENTS: Final = frozenset({"first", "last"})
"""Arguments that say how many rows a page has."""
LIST_ARGUMENTS: Final = SIZE_ARGUMENTS | {"ids"}
"""Those of a list that is not a page; it has an item for each value of `ids`."""
_MAX_DIGITS: Final = 10
"""Characters of a number that are read: with so many it is larger than any page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSizes:
    """The numbers of items that lists are assumed to have."""

    default_page: int
    """Rows of a page without a size argument."""
    max_page: int
    """Rows of the largest page."""
    unpaged: int
    """Items of a list that is not a page, if its limit is not known."""
    limit_of: Callable[[GraphQLField], int | None] = lambda _: None
    """Returns the most items that a field's list has, None if it is not known."""

    def page(self, value: object) -> int | None:
        """Return a page size, or a list's length, within the bounds; None for other values."""
        if isinstance(value, list):
            value = len(value)
        if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
            return max(1, min(int(value), self.max_page))
        return None


class Complexity(NamedTuple):
    """How much a selection set selects, through its fragments."""

    depth: int = 0
    roots: int = 0
    spreads: int = 0
    cost: float = 0.0
    per_row: float = 0.0
    """The cost of each row of the page that the selection set is part of."""

    def plus(self, other: Self) -> "Complexity":
        """Return the complexity of both side by side."""
        sums = map(add, self[1:], other[1:])
        return Complexity(max(self.depth, other.depth), *sums)


class ComplexityCalculator:
    """Calculates the complexity of one document's operations in linear time.

    A field that the schema doesn't have counts as one value: validation refuses it. Raises
    CycleError if fragments spread each other in a cycle.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        list_sizes: ListSizes,
        fragments: Fragments,
        operation: OperationDefinitionNode,
        variables: Mapping[str, object],
    ) -> None:
        self.aliases = 0
        """Aliases met so far, each where it is written."""
        self.size_variables: set[str] = set()
        """Variables met so far that are page sizes: the cost depends on them."""
        self._schema = schema
        self._list_sizes = list_sizes
        self._variables = variables
        self._defaults = {
            definition.variable.name.value: definition.default_value
            for definition in operation.variable_definitions or ()
        }
        self._fragments: dict[str, Complexity] = {}
        graph = {
            name: {
                each.name.value
                for each in selected([fragment])
                if isinstance(each, FragmentSpreadNode) and each.name.value in fragments
            }
            for name, fragment in fragments.items()
        }
        # A fragment comes after those it spreads, so that no chain of them is recursed into.
        for name in TopologicalSorter(graph).static_order():
            kind = schema.get_type(fragments[name].type_condition.name.value)
            self._fragments[name] = self._selections(fragments[name].selection_set, kind)

    def operation(self, operation: OperationDefinitionNode) -> Complexity:
        """Return an operation's complexity; its cost depends on the calculator's variables."""
        root = self._schema.get_root_type(operation.operation)
        return self._selections(operation.selection_set, root)

    def _selections(
        self, selections: SelectionSetNode, parent: GraphQLNamedType | None
    ) -> Complexity:
        total = Complexity()
        for selection in selections.selections:
            if isinstance(selection, FieldNode):
                part = self._field(selection, parent)
            elif isinstance(selection, InlineFragmentNode):
                condition = selection.type_condition
                kind = self._schema.get_type(condition.name.value) if condition else parent
                part = self._selections(selection.selection_set, kind)
            else:
                assert isinstance(selection, FragmentSpreadNode)  # noqa: S101 — for mypy: nothing else can be selected
                part = self._fragments.get(selection.name.value, Complexity())
                part = part._replace(spreads=part.spreads + 1)
            total = total.plus(part)
        return total

    def _field(self, node: FieldNode, parent: GraphQLNamedType | None) -> Complexity:
        self.aliases += node.alias is not None
        name = node.name.value
        field = self._schema.get_field(parent, name) if is_composite_type(parent) else None
        kind = get_named_type(field.type) if field else None
        below = self._selections(node.selection_set, kind) if node.selection_set else Complexity()
        depth = 1 if name in INTROSPECTION else below.depth + 1
        page = below.per_row and self._size_by(SIZE_ARGUMENTS, node, self._list_sizes.default_page)
        cost = 1 + below.cost + page * below.per_row
        if name in PAGE_FIELDS and is_object_type(parent) and "pageInfo" in parent.fields:
            return Complexity(depth, 1, below.spreads, per_row=cost)
        if name in INTROSPECTION or (parent and parent.name.startswith("__")):
            cost *= _introspection_sizes(self._schema).get(name, 1)
        elif field and is_list_type(get_nullable_type(field.type)):
            most = self._list_sizes.limit_of(field) or self._list_sizes.unpaged
            cost *= self._size_by(LIST_ARGUMENTS, node, most)
        return Complexity(depth, 1, below.spreads, cost)

    def _size_by(self, names: Container[str], node: FieldNode, default: int) -> int:
        """Return the most items that a list may have by its arguments of some names.

        A size out of bounds, which is refused later, is clamped.
        """
        arguments = [each for each in node.arguments or () if each.name.value in names]
        sizes = [size for each in arguments if (size := self._size(each.value)) is not None]
        return max(sizes, default=default)

    def _size(self, node: ValueNode | None) -> int | None:
        if isinstance(node, VariableNode):
            name = node.name.value
            self.size_variables.add(name)
            if name in self._variables:
                return self._list_sizes.page(self._variables[name])
            node = self._defaults.get(name)
        if isinstance(node, ListValueNode):
            return self._list_sizes.page([*node.values])
        if not isinstance(node, IntValueNode):
            return None
        return self._list_sizes.page(int(node.value[:_MAX_DIGITS]))


def selected(nodes: Iterable[Any]) -> Iterator[Any]:
    """Return all selections of some nodes, at any depth, but not in the fragments they spread."""
    waiting = [*nodes]
    while waiting:
        selections = getattr(waiting.pop(), "selection_set", None)
        for each in selections.selections if selections else ():
            yield each
            waiting.append(each)


@cache
def _introspection_sizes(schema: GraphQLSchema) -> Mapping[str, float]:
    """Return the mean lengths of introspection's lists by field name, cached for each schema.

    A field that leads into one type has the size of the largest. An `ofType` is most often null,
    so that the seven levels which clients ask for cost little.
    """
    kinds = list(schema.type_map.values())
    outputs = [kind for kind in kinds if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType)]
    fields = [field for kind in outputs for field in kind.fields.values()]
    inputs = [len(kind.fields) for kind in kinds if isinstance(kind, GraphQLInputObjectType)]
    values = [len(kind.values) for kind in kinds if isinstance(kind, GraphQLEnumType)]
    shown = [len(kind.fields) for kind in outputs]
    taken = [sum(len(field.args) for field in kind.fields.values()) for kind in outputs]
    lengths = (shown, taken, inputs, values)
    largest = max(len(kinds) * max(each, default=0) / max(sum(each), 1) for each in lengths)
    return {
        **dict.fromkeys(("__type", "queryType", "mutationType", "subscriptionType"), largest),
        "types": len(kinds),
        "fields": len(fields) / len(kinds),
        "args": sum(len(field.args) for field in fields) / len(fields),
        "inputFields": sum(inputs) / len(kinds),
        "enumValues": sum(values) / len(kinds),
        "directives": len(schema.directives),
        "ofType": 0.5,
    }
