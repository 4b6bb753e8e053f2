"""Planning: what an operation selects of each type, worked out once and kept."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final

from graphql import (
    DirectiveNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLDeferDirective,
    GraphQLError,
    GraphQLField,
    GraphQLIncludeDirective,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    GraphQLSkipDirective,
    GraphQLStreamDirective,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    TypeNameMetaFieldDef,
    VariableNode,
    default_field_resolver,
    get_directive_values,
    get_nullable_type,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)

from gql_app.lib.engine.completion import Abstract, Leaf, Lists, Objects, Selection
from gql_app.lib.engine.complexity import Fragments
from gql_app.lib.engine.execution import Complete, Execution, Operation, Value
from gql_app.lib.engine.fields import Field, Position

TOO_DEEP: Final = "Selections are nested too deeply. Execution aborted."
_CONDITIONAL: Final = {GraphQLSkipDirective.name, GraphQLIncludeDirective.name}
_INCREMENTAL: Final = {GraphQLDeferDirective.name, GraphQLStreamDirective.name}

Resolver = Callable[..., Value]
Simplify = Callable[[GraphQLField], tuple[str | None, Resolver | None]]
"""Returns the attribute that a field's resolver does nothing but read, or a resolver that does
the same in less time; None for neither."""
Selected = SelectionNode | FragmentDefinitionNode
IsSelected = Callable[[Selected], bool]
"""Returns whether a selection, or a fragment that is spread, is part of the answer."""


class PlannedOperation(Operation):
    """An operation that is planned when it is first executed."""

    def __init__(
        self,
        schema: GraphQLSchema,
        node: OperationDefinitionNode,
        fragments: dict[str, FragmentDefinitionNode],
        simplify: Simplify,
    ) -> None:
        directives = list(_directives([node, *fragments.values()]))
        conditions = {
            argument.value.name.value
            for directive in directives
            if directive.name.value in _CONDITIONAL
            for argument in directive.arguments or ()
            if isinstance(argument.value, VariableNode)
        }
        super().__init__(schema, node, fragments, sorted(conditions))
        self.simplify: Final = simplify
        self.is_incremental: Final = any(each.name.value in _INCREMENTAL for each in directives)
        """Whether anything is to be delivered later than the rest."""
        self.size = 0
        """The fields that were planned so far."""

    def plan(self, execution: Execution, *, as_written: bool) -> list[Field]:
        """Return the root's fields; `as_written` if no resolver is the caller's.

        Raises GraphQLError.
        """
        schema, node = self.schema, self.node
        root = schema.get_root_type(node.operation)
        if root is None:
            message = f"Schema is not configured to execute {node.operation.value} operation."
            raise GraphQLError(message, node)
        with suppress(RecursionError):  # as an error's context it would keep all of its frames
            return Plan(self, as_written=as_written).selection(root, [node]).begun(execution)
        raise GraphQLError(TOO_DEEP, node)


class Plan:
    """How an operation is executed with one combination of its conditions.

    What is selected of an object is planned when the first one is there, and once for each type
    and the nodes that select it: no document makes a plan that is larger than its data.
    """

    def __init__(self, operation: PlannedOperation, *, as_written: bool) -> None:
        self._operation = operation
        self._as_written = as_written
        self._selections: dict[Hashable, Selection] = {}

    def fields(self, selection: Selection, execution: Execution) -> list[Field]:
        """Return the fields that are selected of an object type. Raises GraphQLError."""
        is_selected = partial(_is_selected, selection.kind, execution)
        fields = collect_fields(selection.nodes, self._operation.fragments, is_selected)
        planned = [self._field(selection.kind, *each) for each in fields.items()]
        known = [field for field in planned if field]
        self._operation.size += len(known)
        return known

    def _field(self, parent: GraphQLObjectType, name: str, nodes: list[FieldNode]) -> Field | None:
        """Plan a field; None if the type has none of this name."""
        definition = self._operation.schema.get_field(parent, nodes[0].name.value)
        if definition is None:
            return None
        field = Field(name, nodes, definition, parent)
        self._complete_as(definition.type, field, field)
        field.run = field.call
        if self._as_written:
            self._simplify(field)
        return field

    def _simplify(self, field: Field) -> None:
        """Leave out the resolver of what is nothing but an attribute."""
        definition = field.definition
        if definition is TypeNameMetaFieldDef:
            field.run = field.constant
        elif definition.args or field.nodes[0].arguments:
            _, field.resolve = self._operation.simplify(definition)
        elif definition.resolve in {None, default_field_resolver}:
            field.attribute = field.nodes[0].name.value
            field.run = field.read
        else:
            attribute, field.resolve = self._operation.simplify(definition)
            if attribute is not None:
                field.attribute, field.strict, field.run = attribute, True, field.read

    def _complete_as(self, kind: GraphQLOutputType, position: Position, field: Field) -> None:
        """Plan how a position's values are completed, from the outside in."""
        position.nullable = not is_non_null_type(kind)
        inner = kind.of_type if is_non_null_type(kind) else kind
        position.complete, position.exact = self._complete(inner, field)

    def _complete(self, kind: Value, field: Field) -> tuple[Complete, type | None]:
        """Return what completes a nullable type, and what is complete as it is."""
        if is_leaf_type(kind):
            leaf = Leaf(kind)
            return leaf.complete, leaf.exact
        if is_list_type(kind):
            item = Position(field.nodes, field.label)
            self._complete_as(kind.of_type, item, field)
            named = get_nullable_type(kind.of_type)
            certain = is_object_type(named) and not named.is_type_of
            selection = self.selection(named, field.nodes) if certain else None
            return Lists(item, selection, field).complete, None
        if is_abstract_type(kind):
            return Abstract(kind, field, lambda kind: self._objects(kind, field)).complete, None
        return self._objects(kind, field).complete, None

    def _objects(self, kind: GraphQLObjectType, field: Field) -> Objects:
        return Objects(self.selection(kind, field.nodes), field)

    def selection(
        self, kind: GraphQLObjectType, nodes: Sequence[OperationDefinitionNode | FieldNode]
    ) -> Selection:
        """Return what some nodes select of a type."""
        key = (kind.name, *map(id, nodes))
        if key not in self._selections:
            self._selections[key] = Selection(self.fields, kind, nodes)
        return self._selections[key]


def collect_fields(
    nodes: Iterable[Any], fragments: Fragments, is_selected: IsSelected
) -> dict[str, list[FieldNode]]:
    """Return the fields that are selected of any of the nodes, by their names in the answer.

    It is GraphQL section 6.3.2, CollectFields, with each selection and each fragment that is
    spread judged by `is_selected`.
    """
    fields: dict[str, list[FieldNode]] = {}
    spread: set[str] = set()

    def visit(selections: SelectionSetNode | None) -> None:
        for node in selections.selections if selections else ():
            if not is_selected(node):
                continue
            if isinstance(node, FieldNode):
                fields.setdefault((node.alias or node.name).value, []).append(node)
            elif isinstance(node, InlineFragmentNode):
                visit(node.selection_set)
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in spread:
                fragment = fragments.get(node.name.value)
                if fragment and is_selected(fragment):
                    spread.add(node.name.value)
                    visit(fragment.selection_set)

    for node in nodes:
        visit(node.selection_set)
    return fields


def _is_selected(kind: GraphQLObjectType, execution: Execution, node: Selected) -> bool:
    """Return whether directives and a type condition let a node be selected of a type."""
    if node.directives and not isinstance(node, FragmentDefinitionNode):
        variables, hidden = execution.variables, execution.hide_suggestions
        skip = get_directive_values(GraphQLSkipDirective, node, variables, None, hidden)
        if skip and skip["if"]:
            return False
        include = get_directive_values(GraphQLIncludeDirective, node, variables, None, hidden)
        if include and not include["if"]:
            return False
    condition = getattr(node, "type_condition", None)
    if condition is None:
        return True
    named = execution.schema.get_type(condition.name.value)
    return named is kind or (is_abstract_type(named) and execution.schema.is_sub_type(named, kind))


def _directives(nodes: Iterable[Any]) -> Iterator[DirectiveNode]:
    """Return the directives of all that is selected, and not of an operation itself."""
    waiting = [each for node in nodes for each in node.selection_set.selections]
    while waiting:
        node = waiting.pop()
        yield from node.directives or ()
        if selections := getattr(node, "selection_set", None):
            waiting += selections.selections
