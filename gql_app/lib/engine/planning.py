"""Planning: what an operation selects of each type, worked out once and kept."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
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
    NamedTypeNode,
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

from gql_app.lib.engine.completion import Abstract, Leaf, Lists, Objects
from gql_app.lib.engine.execution import Complete, Execution, Operation, Value
from gql_app.lib.engine.fields import Field, Position, Selection, WriteRows
from gql_app.lib.engine.generated import object_function, row_writer

_CONDITIONAL: Final = {GraphQLSkipDirective.name, GraphQLIncludeDirective.name}
_INCREMENTAL: Final = {GraphQLDeferDirective.name, GraphQLStreamDirective.name}

Resolver = Callable[..., Value]
Simplify = Callable[[GraphQLField], tuple[str | None, Resolver | None]]
"""Returns the attribute that a field's resolver does nothing but read, or a resolver that does
the same in less time; None for neither."""
Fragments = dict[str, FragmentDefinitionNode]


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
        super().__init__(schema, node, fragments, sorted(set(_variables(directives))))
        self.simplify: Final = simplify
        self.is_incremental: Final = any(each.name.value in _INCREMENTAL for each in directives)
        """Whether anything is to be delivered later than the rest."""
        self.size = 0
        """The fields that were planned so far."""

    def plan(self, *, as_written: bool) -> Selection:
        """Return what is selected at the root. Raises GraphQLError if there is no such root."""
        return Plan(self, as_written=as_written).root


class Plan:
    """How an operation is executed with one combination of its conditions.

    What is selected of an object is planned when the first one is there, and once for each type
    and the nodes that select it: no document makes a plan that is larger than its data.
    """

    def __init__(self, operation: PlannedOperation, *, as_written: bool) -> None:
        """Plan the root alone; `as_written` says that no resolver of the caller's is called."""
        node, schema = operation.node, operation.schema
        self._operation = operation
        self._as_written = as_written
        self._selections: dict[Hashable, Selection] = {}
        root = schema.get_root_type(node.operation)
        if root is None:
            message = f"Schema is not configured to execute {node.operation.value} operation."
            raise GraphQLError(message, node)
        self.root: Final = Selection(self, root, [node])

    def fields(self, selection: Selection, execution: Execution) -> list[Field]:
        """Return the fields that are selected of an object type. Raises GraphQLError."""
        collector = _Collector(execution, self._operation.fragments, selection.kind)
        for node in selection.nodes:
            if node.selection_set:
                collector.visit(node.selection_set)
        planned = [self._field(selection.kind, *each) for each in collector.fields.items()]
        fields = [field for field in planned if field]
        self._operation.size += len(fields)
        return fields

    def generate(self, fields: Sequence[Field], *, keyed: bool) -> Complete:
        """Return what makes the answer of an object with attributes, or of a dictionary."""
        return object_function(fields, keyed=keyed)

    def generate_rows(self, fields: Sequence[Field], columns: Sequence[str]) -> WriteRows | None:
        """Return what makes the answer of rows of these columns, if they are all that it takes."""
        return row_writer(fields, columns)

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

    def selection(self, kind: GraphQLObjectType, nodes: list[FieldNode]) -> Selection:
        """Return what some nodes select of a type."""
        key = (kind.name, *map(id, nodes))
        if key not in self._selections:
            self._selections[key] = Selection(self, kind, nodes)
        return self._selections[key]


class _Collector:
    """Collects the fields that are selected of a type (GraphQL section 6.3.2, CollectFields)."""

    def __init__(self, execution: Execution, fragments: Fragments, kind: GraphQLObjectType) -> None:
        self.fields: dict[str, list[FieldNode]] = {}
        self._execution = execution
        self._fragments = fragments
        self._kind = kind
        self._visited: set[str] = set()

    def visit(self, selections: SelectionSetNode) -> None:
        """Add what a selection set selects."""
        for node in selections.selections:
            if node.directives and not self._is_included(node):
                continue
            if isinstance(node, FieldNode):
                name = (node.alias or node.name).value
                self.fields.setdefault(name, []).append(node)
            elif isinstance(node, InlineFragmentNode):
                if self._is_of(node.type_condition):
                    self.visit(node.selection_set)
            elif isinstance(node, FragmentSpreadNode):
                fragment = self._fragments.get(node.name.value)
                if (
                    fragment
                    and node.name.value not in self._visited
                    and self._is_of(fragment.type_condition)
                ):
                    self._visited.add(node.name.value)
                    self.visit(fragment.selection_set)

    def _is_included(self, node: SelectionNode) -> bool:
        variables, hidden = self._execution.variables, self._execution.hide_suggestions
        skip = get_directive_values(GraphQLSkipDirective, node, variables, None, hidden)
        if skip and skip["if"]:
            return False
        include = get_directive_values(GraphQLIncludeDirective, node, variables, None, hidden)
        return not include or bool(include["if"])

    def _is_of(self, condition: NamedTypeNode | None) -> bool:
        if condition is None:
            return True
        schema, kind = self._execution.schema, self._kind
        named = schema.get_type(condition.name.value)
        return named is kind or (is_abstract_type(named) and schema.is_sub_type(named, kind))


def _directives(nodes: Iterable[Any]) -> Iterator[DirectiveNode]:
    """Return the directives of all that is selected, and not of an operation itself."""
    waiting = [each for node in nodes for each in node.selection_set.selections]
    while waiting:
        node = waiting.pop()
        yield from node.directives or ()
        if selections := getattr(node, "selection_set", None):
            waiting += selections.selections


def _variables(directives: Iterable[DirectiveNode]) -> Iterator[str]:
    """Return the variables that any @skip or @include asks for."""
    for directive in directives:
        if directive.name.value in _CONDITIONAL:
            for argument in directive.arguments or ():
                if isinstance(argument.value, VariableNode):
                    yield argument.value.name.value
