"""Values that can't be written as JSON: each is an error at its field, and the others remain."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)

Write: TypeAlias = Callable[[object], object]
"""Writes a value as JSON. Raises TypeError if that can't be done."""
Value: TypeAlias = Any
"""A value of the data, or its type."""
_Selected: TypeAlias = Sequence[tuple[Any, Any]]
"""Nodes with selections, each with the type that it selects of."""


class _NullError(Exception):
    """A value became null that may not be."""


class Unwritable:
    """The values of an operation's data that can't be written."""

    def __init__(
        self, schema: GraphQLSchema, fragments: Mapping[str, FragmentDefinitionNode], write: Write
    ) -> None:
        self._schema: Final[Any] = schema
        self._fragments: Final = fragments
        self._write: Final = write
        self.errors: Final[list[GraphQLError]] = []
        """An error for each."""

    def left_out(
        self, operation: OperationDefinitionNode, data: dict[str, Any]
    ) -> dict[str, Any] | None:
        """Return the data with null in place of each, or of what may be null around it."""
        try:
            root = self._schema.get_root_type(operation.operation)
            return self._object(data, [(root, operation)], ())
        except _NullError:
            return None

    def _object(
        self, data: dict[str, Any], selected: _Selected, path: tuple[Any, ...]
    ) -> dict[str, Any]:
        fields: dict[str, list[tuple[Any, FieldNode]]] = {}
        for kind, node in self._fields(selected):
            fields.setdefault((node.alias or node.name).value, []).append((kind, node))
        answer = {}
        for key, value in data.items():
            # all fields of one key have types of one shape, whichever of them was executed
            kinds = [
                (self._schema.get_field(kind, node.name.value).type, node)
                for kind, node in fields[key]
            ]
            answer[key] = self._value(value, kinds, (*path, key))
        return answer

    def _value(self, value: Value, selected: _Selected, path: tuple[Any, ...]) -> Value:
        kind, node = selected[0]
        if is_non_null_type(kind):
            done = self._value(value, [(each.of_type, n) for each, n in selected], path)
            if done is None:
                raise _NullError
            return done
        if value is None:
            return None
        try:
            if is_list_type(kind):
                items = [(each.of_type, n) for each, n in selected]
                return [self._value(each, items, (*path, n)) for n, each in enumerate(value)]
            if not is_leaf_type(kind):
                return self._object(value, selected, path)
        except _NullError:
            return None
        return value if self._is_written(value, [node], [*path]) else None

    def is_told(self, error: GraphQLError) -> bool:
        """Return whether an error can be written; add one that says so if it can't."""
        return self._is_written(error.formatted, error.nodes, error.path)

    def _is_written(self, value: object, nodes: Value, path: Value) -> bool:
        try:
            self._write(value)
        except TypeError as why:
            self.errors.append(GraphQLError(str(why), nodes, path=path, original_error=why))
            return False
        return True

    def _fields(self, selected: _Selected) -> Iterator[tuple[Any, FieldNode]]:
        """Yield the fields that are selected, directly or in fragments, with their types."""
        for kind, node in selected:
            for each in node.selection_set.selections:
                if isinstance(each, FieldNode):
                    yield kind, each
                    continue
                inner = each
                if not isinstance(each, InlineFragmentNode):
                    inner = self._fragments[each.name.value]
                on = inner.type_condition
                found = self._schema.get_type(on.name.value) if on else kind
                yield from self._fields([(found, inner)])
