"""Selection: what an operation selects below a field, so that nothing else is read."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import strawberry
from graphql import (
    FieldNode,
    GraphQLNamedType,
    InlineFragmentNode,
    OperationDefinitionNode,
    get_named_type,
    is_object_type,
)

from gql_app.lib.engine.complexity import Fragments
from gql_app.lib.engine.documents import ExecutionContext
from gql_app.lib.engine.schema import Schema

C = TypeVar("C", bound=ExecutionContext)


def selected_fields(info: strawberry.Info[C, Any], *path: str) -> frozenset[str]:
    """Return Python's names of the fields selected at the end of a path below this field.

    The path is of Python's names, too. What a directive may leave out counts as selected.
    """
    schema, fragments = info.schema, info.context.document.fragments
    assert isinstance(schema, Schema)  # noqa: S101 — for mypy: the engine executes by no other
    kind: GraphQLNamedType | None = schema.core.get_root_type(info.operation.operation)
    nodes: Sequence[OperationDefinitionNode | FieldNode] = [info.operation]
    answered = [key for key in info.path.as_list() if isinstance(key, str)]
    for depth, step in enumerate((*answered, *path, None)):
        if not is_object_type(kind):
            break
        fields = _collect_fields(nodes, fragments)
        if depth >= len(answered):
            fields = _by_python_name(schema, kind.name, fields)
        if step is None:
            return frozenset(fields)
        nodes = selected = fields.get(step, [])
        definition = schema.core.get_field(kind, selected[0].name.value) if selected else None
        kind = get_named_type(definition.type) if definition else None
    return frozenset()


def _by_python_name(
    schema: Schema, type_name: str, fields: Mapping[str, list[FieldNode]]
) -> dict[str, list[FieldNode]]:
    """Return fields by Python's names; __typename has none."""
    named: dict[str, list[FieldNode]] = {}
    for nodes in fields.values():
        if field := schema.field(type_name, nodes[0].name.value):
            named.setdefault(field.python_name, []).extend(nodes)
    return named


def _collect_fields(
    nodes: Iterable[OperationDefinitionNode | FieldNode], fragments: Fragments
) -> dict[str, list[FieldNode]]:
    """Return the fields selected of any of the nodes, by their names in the answer.

    A valid document has no type condition on an object type that doesn't hold.
    """
    fields: dict[str, list[FieldNode]] = {}
    spread: set[str] = set()
    waiting: list[Any] = list(nodes)
    while waiting:
        selected = waiting.pop().selection_set
        for node in selected.selections if selected else ():
            if isinstance(node, FieldNode):
                fields.setdefault((node.alias or node.name).value, []).append(node)
            elif isinstance(node, InlineFragmentNode):
                waiting.append(node)
            elif node.name.value in fragments and node.name.value not in spread:
                spread.add(node.name.value)
                waiting.append(fragments[node.name.value])
    return fields
