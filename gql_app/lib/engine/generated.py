"""Generated code: one function for each selection that many objects are completed with.

Python runs it several times as fast as a loop over fields. Its source has no name of the schema's,
and none that a client sends: those go into it as constants.
"""

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from graphql import (
    GRAPHQL_MAX_INT,
    GRAPHQL_MIN_INT,
    GraphQLFloat,
    GraphQLInt,
    get_nullable_type,
    is_leaf_type,
)

from gql_app.lib.engine.execution import Complete, Pending, Value
from gql_app.lib.engine.waiting import FAILURES

Field: TypeAlias = Any
"""A Field of fields.py."""
MAX_FLOAT: Final = 1.7976931348623157e308
_BOUNDS: Final[Mapping[Callable[[Value], Value], tuple[type, float, float]]] = {
    GraphQLInt.coerce_output_value: (int, GRAPHQL_MIN_INT, GRAPHQL_MAX_INT),
    GraphQLFloat.coerce_output_value: (float, -MAX_FLOAT, MAX_FLOAT),
}
"""By coercing function, the type and the bounds of the values that it returns unchanged."""


def object_function(fields: Sequence[Field]) -> Complete:
    """Return the function that completes an object."""
    lines: list[str] = []
    names: dict[str, Any] = {"Pending": Pending, "FAILURES": FAILURES, "bind": _bind}
    constants: dict[str, str] = {}
    items: list[str] = []
    for number, field in enumerate(fields):
        told = {"N": field.name, "T": field.typename, "A": field.attribute}
        constants |= {f"{letter}{number}": name for letter, name in told.items()}
        if field.run == field.constant:
            items.append(f"N{number}: T{number}")
            continue
        value = f"v{number}"
        items.append(f"N{number}: {value}")
        condition = "True"
        if field.run == field.read:
            names[f"fail{number}"], names[f"settle{number}"] = field.fail, field.settle
            condition, here = _unless_complete(field, value), f"(path, N{number}, T{number})"
            failed = f"fail{number}(execution, error, {here})"
            lines += [
                f"try: {value} = source.A{number}",
                f"except FAILURES as error: {value} = {failed}",
            ]
            call = f"settle{number}(execution, {value}, {here})"
        else:
            names[f"run{number}"] = field.run
            call = f"run{number}(execution, source, path)"
        lines += [
            f"if {condition}:",
            f" {value} = {call}",
            f" if type({value}) is Pending: waits = True",
        ]
    body = "\n ".join(lines)
    run: Complete = function_of(
        f"def run(execution, source, path):\n waits = False\n {body}\n"
        f" answer = {{{', '.join(items)}}}\n if waits: bind(answer)\n return answer",
        names,
        constants,
    )
    return run


def _unless_complete(field: Field, value: str) -> str:
    """Return the condition under which a value has yet to be completed."""
    kind = get_nullable_type(field.definition.type)
    conditions = [f"{value} is not None"] if field.nullable else []
    if field.exact:
        conditions.append(f"type({value}) is not {field.exact.__name__}")
    elif is_leaf_type(kind) and kind.coerce_output_value in _BOUNDS:
        exact, least, most = _BOUNDS[kind.coerce_output_value]
        conditions.append(
            f"(type({value}) is not {exact.__name__} or not {least!r} <= {value} <= {most!r})"
        )
    return " and ".join(conditions) or "True"


def _bind(answer: dict[str, Value]) -> None:
    """Set the place of each pending value in an object's answer."""
    for name, value in answer.items():
        if type(value) is Pending:
            value.container, value.key = answer, name


class _Constants(ast.NodeTransformer):
    """Replaces names with constants."""

    def __init__(self, constants: Mapping[str, str]) -> None:
        self._constants = constants

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """Return the constant of a name, or the name if it has none."""
        if node.id in self._constants:
            return ast.copy_location(ast.Constant(self._constants[node.id]), node)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """Return the node with the attribute that its name stands for, which may be a keyword."""
        node.attr = self._constants.get(node.attr, node.attr)
        return self.generic_visit(node)


def function_of(source: str, names: dict[str, Any], constants: Mapping[str, str]) -> Value:
    """Return the function `run` of a source, with some names replaced by constants."""
    tree = _Constants(constants).visit(ast.parse(source))
    exec(compile(tree, "<selection>", "exec"), names)  # noqa: S102 — of the tree above
    return names["run"]
