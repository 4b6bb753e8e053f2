"""Selection: what an operation selects below a field, so that nothing else is read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol, TypeVar, cast

import strawberry
from graphql import FieldNode, GraphQLNamedType, SelectionSetNode, get_named_type, is_object_type

from gql_app.lib.engine.documents import Document
from gql_app.lib.engine.field_collection import Fragments, collect_fields
from gql_app.lib.engine.schema import Schema

MAX_CACHED: Final = 32
"""Results that are kept of one document, which may have more fields than that."""


class ExecutionContext(Protocol):
    """What the engine asks of an application's context, which every resolver is given.

    The engine sets these before anything of a request is executed.
    """

    operation: str
    """The operation's name; empty if it has none."""
    kind: str
    """Whether it is a query or a mutation."""
    document: Document
    """The document that the operation is of."""


C = TypeVar("C", bound=ExecutionContext)
T = TypeVar("T")


def cached_per_document(
    info: strawberry.Info[C, Any], work: Callable[[strawberry.Info[C, Any]], T]
) -> T:
    """Return what `work` makes of a root field's selections, worked out once for each document.

    It may depend on nothing else: the result is kept with the document, whoever sends it.
    Without it a page of 50 takes 1.09 to 1.13 times as long.
    """
    key = (work, id(info.operation), info.path)
    cache = info.context.document.selections
    if key not in cache:
        if len(cache) >= MAX_CACHED:
            cache.clear()
        cache[key] = work(info)
    return cast("T", cache[key])


def selected_fields(info: strawberry.Info[C, Any], *path: str) -> frozenset[str]:
    """Return Python's names of the fields selected at the end of a path below this field.

    The path is of Python's names, too. What a directive may leave out counts as selected.
    """
    schema, operation = info.schema, info.operation
    assert isinstance(schema, Schema)  # noqa: S101 — for mypy: the engine executes by no other
    root = schema.core.get_root_type(operation.operation)
    level = _Level(schema, info.context.document.fragments, root, [operation.selection_set])
    for name in _response_names(info):
        level = level.below([each for each in level.fields() if each.response_name == name])
    for step in path:
        level = level.below([each for each in level.fields() if each.python_name == step])
    return frozenset(each.python_name for each in level.fields() if each.python_name)


class _Selected(NamedTuple):
    """A field that is selected."""

    response_name: str
    python_name: str | None
    """None for __typename."""
    kind: GraphQLNamedType
    """The type of its value, or of the items of its lists."""
    nodes: list[FieldNode]


@dataclass(frozen=True, slots=True)
class _Level:
    """Selection sets of one type; of none, where nothing is selected."""

    schema: Schema
    fragments: Fragments
    kind: GraphQLNamedType | None
    selection_sets: list[SelectionSetNode]

    def fields(self) -> list[_Selected]:
        """Return the fields that are selected here."""
        if not is_object_type(self.kind):
            return []
        selected = []
        for name, nodes in collect_fields(self.selection_sets, self.fragments).items():
            definition = self.schema.core.get_field(self.kind, nodes[0].name.value)
            assert definition is not None  # noqa: S101 — for mypy: the document is valid
            field = self.schema.field(self.kind.name, nodes[0].name.value)
            python_name = field.python_name if field else None
            kind = get_named_type(definition.type)
            selected.append(_Selected(name, python_name, kind, nodes))
        return selected

    def below(self, fields: Sequence[_Selected]) -> "_Level":
        """Return what is selected of some fields of one type."""
        kind = fields[0].kind if fields else None
        nodes = [node for each in fields for node in each.nodes]
        sets = [node.selection_set for node in nodes if node.selection_set]
        return _Level(self.schema, self.fragments, kind, sets)


def _response_names(info: strawberry.Info[C, Any]) -> list[str]:
    """Return where a field stands in the answer, whichever item of a list it belongs to."""
    return [key for key in info.path.as_list() if isinstance(key, str)]
