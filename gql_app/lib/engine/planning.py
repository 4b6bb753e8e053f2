"""Planning: what an operation selects of each type, worked out once and kept."""

from collections.abc import Callable, Coroutine, Hashable, Iterable, Iterator, Sequence
from typing import Any, Final

from graphql import (
    DirectiveNode,
    ExecutionResult,
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
    OperationType,
    SelectionNode,
    SelectionSetNode,
    TypeNameMetaFieldDef,
    Undefined,
    VariableNode,
    VariableValues,
    default_field_resolver,
    get_directive_values,
    get_variable_values,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)

from gql_app.lib.engine.completion import EXACT, abstract_of, leaf, list_of, non_null, object_of
from gql_app.lib.engine.execution import (
    Complete,
    Execution,
    Field,
    Planner,
    Position,
    Selection,
    Value,
    execute,
)
from gql_app.lib.engine.generated import object_function

MAX_COMBINATIONS: Final = 8
"""Combinations of what @skip and @include depend on for which an operation has plans."""
MAX_VARIABLE_ERRORS: Final = 50
"""Errors of variables that are answered, as graphql-core has it."""
MAX_CACHED_VARIABLES: Final = 8
"""Coerced variables that are kept of an operation."""
_SMALL_TYPES: Final = frozenset({int, bool, type(None), type(Undefined)})
"""Types of variables that take next to no memory."""
_ABSENT: Final = object()
_CONDITIONAL: Final = {GraphQLSkipDirective.name, GraphQLIncludeDirective.name}
_INCREMENTAL: Final = {GraphQLDeferDirective.name, GraphQLStreamDirective.name}

Resolver = Callable[..., Value]
Simplify = Callable[[GraphQLField], tuple[str | None, Resolver | None]]
"""Returns the attribute that a field's resolver does nothing but read, or a resolver that does
the same in less time; None for neither."""
Variables = tuple[VariableValues, dict[Field, dict[str, Value]]]
"""Variables as their types have them, and the arguments made of them so far."""
Fragments = dict[str, FragmentDefinitionNode]


class Operation:
    """An operation of a document, and its plans for whatever its directives depend on."""

    def __init__(
        self,
        schema: GraphQLSchema,
        node: OperationDefinitionNode,
        fragments: Fragments,
        simplify: Simplify,
    ) -> None:
        self.schema: Final = schema
        self.node: Final = node
        self.fragments: Final = fragments
        self.simplify: Final = simplify
        directives = list(_directives([node, *fragments.values()]))
        self.is_incremental: Final = any(each.name.value in _INCREMENTAL for each in directives)
        """Whether anything is to be delivered later than the rest."""
        self._conditions = sorted(set(_variables(directives)))
        self._plans: dict[Hashable, Plan] = {}
        self._variables: dict[Hashable, Variables] = {}

    @property
    def size(self) -> int:
        """The fields that are planned so far."""
        return sum(plan.size for plan in self._plans.values())

    def execute(
        self, variables: dict[str, Value], context: object, *, hide_suggestions: bool
    ) -> ExecutionResult | Coroutine[Any, Any, ExecutionResult]:
        """Return the result of the operation, or what is to be awaited for it."""
        coerced = self._coerced(variables, hide_suggestions=hide_suggestions)
        if isinstance(coerced, list):
            return ExecutionResult(None, coerced)
        values, arguments = coerced
        execution = Execution(
            self.schema,
            self.node,
            self.fragments,
            values,
            context,
            arguments=arguments,
            hide_suggestions=hide_suggestions,
        )
        serially = self.node.operation is OperationType.MUTATION
        return execute(execution, self.root(execution), serially=serially)

    def _coerced(
        self, variables: dict[str, Value], *, hide_suggestions: bool
    ) -> Variables | list[GraphQLError]:
        """Return the variables coerced, or what is wrong with them (GraphQL section 6.1.2).

        The same small values are coerced once. Without that a page of 50 takes 1.06 to 1.10 times
        as long.
        """
        definitions = self.node.variable_definitions or ()
        values = [variables.get(each.variable.name.value, Undefined) for each in definitions]
        types = list(map(type, values))
        key = (*values, *types) if _SMALL_TYPES.issuperset(types) else None  # for True is 1
        if key in self._variables:
            return self._variables[key]
        coerced = get_variable_values(
            self.schema, definitions, variables, MAX_VARIABLE_ERRORS, hide_suggestions
        )
        if isinstance(coerced, list):
            return coerced
        if key is None:
            return coerced, {}
        if len(self._variables) >= MAX_CACHED_VARIABLES:
            self._variables.clear()
        self._variables[key] = coerced, {}
        return self._variables[key]

    def root(self, execution: Execution) -> Selection:
        """Return what is selected at the root. Raises GraphQLError if there is no such root."""
        coerced = execution.variables.coerced
        as_written = (
            execution.middleware is None and execution.field_resolver is default_field_resolver
        )
        key = (as_written, *[coerced.get(name, _ABSENT) for name in self._conditions])
        try:
            plan = self._plans.get(key)
        except TypeError:  # no condition is a list, but the document may not be valid
            return Plan(self, as_written=as_written).root
        if plan is None:
            if len(self._plans) >= MAX_COMBINATIONS:
                self._plans.clear()
            plan = self._plans[key] = Plan(self, as_written=as_written)
        return plan.root


class Plan(Planner):
    """How an operation is executed with one combination of its conditions.

    What is selected of an object is planned when the first one is there, and once for each type
    and the nodes that select it: no document makes a plan that is larger than its data.
    """

    def __init__(self, operation: Operation, *, as_written: bool) -> None:
        """Plan the root alone; `as_written` says that no resolver of the caller's is called."""
        node, schema = operation.node, operation.schema
        self._operation = operation
        self._as_written = as_written
        self._selections: dict[Hashable, Selection] = {}
        self.size = 0
        """The fields that are planned so far."""
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
        self.size += len(fields)
        return fields

    def generate(self, fields: Sequence[Field], *, keyed: bool) -> Complete:
        """Return what makes the answer of an object with attributes, or of a dictionary."""
        return object_function(fields, keyed=keyed)

    def _field(self, parent: GraphQLObjectType, name: str, nodes: list[FieldNode]) -> Field | None:
        """Plan a field; None if the type has none of this name."""
        definition = self._operation.schema.get_field(parent, nodes[0].name.value)
        if definition is None:
            return None
        field = Field(name, nodes, definition, parent)
        position = self._position(definition.type, field)
        field.complete, field.exact = position.complete, position.exact
        field.nullable = position.nullable
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
            field.attribute, field.resolve = self._operation.simplify(definition)
            if field.attribute is not None:
                field.strict = True
                field.run = field.read

    def _position(self, kind: GraphQLOutputType, field: Field) -> Position:
        """Plan how values of a type are completed, from the outside in."""
        nullable = not is_non_null_type(kind)
        inner = kind.of_type if is_non_null_type(kind) else kind
        complete, exact = self._complete(inner, field)
        if not nullable:
            complete = non_null(complete, _name(field))
        return Position(field.nodes, complete, exact=exact, nullable=nullable)

    def _complete(self, kind: Any, field: Field) -> tuple[Complete, type | None]:
        """Return what completes a nullable type, and what is complete as it is."""
        if is_leaf_type(kind):
            return leaf(kind), EXACT.get(kind.coerce_output_value)
        if is_list_type(kind):
            item = self._position(kind.of_type, field)
            named = kind.of_type.of_type if is_non_null_type(kind.of_type) else kind.of_type
            certain = is_object_type(named) and not named.is_type_of
            selection = self.selection(named, field.nodes) if certain else None
            return list_of(item, selection, _name(field)), None
        if is_abstract_type(kind):
            return abstract_of(kind, field, lambda kind: self._object(kind, field)), None
        return self._object(kind, field), None

    def _object(self, kind: GraphQLObjectType, field: Field) -> Complete:
        return object_of(self.selection(kind, field.nodes), field)

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


def _name(field: Field) -> str:
    return f"{field.parent}.{field.nodes[0].name.value}"
