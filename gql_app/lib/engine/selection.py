"""What an operation asks of a field's answer, so that nothing else is read."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    GraphQLResolveInfo,
    InlineFragmentNode,
    SelectionNode,
    get_named_type,
)
from strawberry.schema.schema_converter import GraphQLCoreConverter

from gql_app.schema.context import Context, Info

MOST: Final = 32
"""What is remembered of one document; by its directives it can ask for 2^20 things."""
_T = TypeVar("_T")


def once(info: Info, work: Callable[[Info], _T]) -> _T:
    """Work out what depends on nothing but the field's selections; once for a document."""
    raw = info._raw_info  # noqa: SLF001 — its nodes are nowhere else
    key = (work, *map(id, raw.field_nodes))
    memo = raw.context.memo
    if key not in memo:
        if len(memo) >= MOST:
            memo.clear()
        memo[key] = work(info)
    found: _T = memo[key]
    return found


def asked(info: Info, *path: str) -> frozenset[str]:
    """Name the fields that are asked for at the end of a path below this field.

    Names are Python's. What a directive may leave out counts as asked.
    """
    return frozenset(_names(info._raw_info, path))  # noqa: SLF001 — as above


def _names(raw: GraphQLResolveInfo[Context], path: tuple[str, ...]) -> Iterator[str]:
    kind: object = get_named_type(raw.return_type)
    nodes = list(raw.field_nodes)
    for step in path:
        below = [node for node in _fields(raw, nodes) if _python_name(kind, node) == step]
        if not below:
            return
        kind, nodes = _kind(kind, below[0]), below
    for node in _fields(raw, nodes):
        name = _python_name(kind, node)
        if name:
            yield name


def _fields(raw: GraphQLResolveInfo[Context], nodes: Iterable[FieldNode]) -> Iterator[FieldNode]:
    """Find the fields right below some, through fragments."""
    waiting: list[SelectionNode] = []
    for node in nodes:
        waiting += node.selection_set.selections if node.selection_set else ()
    while waiting:
        found = waiting.pop()
        if isinstance(found, FieldNode):
            yield found
        elif isinstance(found, FragmentSpreadNode):
            waiting += raw.fragments[found.name.value].selection_set.selections
        elif isinstance(found, InlineFragmentNode):
            waiting += found.selection_set.selections


def _python_name(kind: object, node: FieldNode) -> str | None:
    """Name a field as Python does; there is none for __typename."""
    field = kind.fields.get(node.name.value) if isinstance(kind, GraphQLObjectType) else None
    if field is None:
        return None
    name: str = field.extensions[GraphQLCoreConverter.DEFINITION_BACKREF].python_name
    return name


def _kind(kind: object, node: FieldNode) -> object:
    fields = kind.fields if isinstance(kind, GraphQLObjectType) else {}
    return get_named_type(fields[node.name.value].type)
