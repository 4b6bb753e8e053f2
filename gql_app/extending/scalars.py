"""Scalars: the custom scalars of features, by the Python types that they stand for."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import strawberry
from strawberry.types.scalar import ScalarDefinition

from gql_app.extending.feature import Feature
from gql_app.lib.faults import sentence
from gql_app.schema.root import SCALARS, Additions, build_schema

_TAKEN: Final[Mapping[object, str]] = {
    int: "Int",
    float: "Float",
    str: "String",
    bool: "Boolean",
    strawberry.ID: "ID",
    **{kind: scalar.name for kind, scalar in SCALARS.items()},
}
"""The names of the scalars of built-in fields, by the Python types that they stand for."""


def scalar_forms(scalars: object) -> Iterator[str]:
    """Yield what is wrong if the scalars of a feature have another form."""
    if not isinstance(scalars, Mapping) or not all(
        isinstance(each, ScalarDefinition) for each in scalars.values()
    ):
        yield "scalars must map Python types to what strawberry.scalar(name=...) returns"


def scalars_of(features: Sequence[Feature], found: list[str]) -> Mapping[object, ScalarDefinition]:
    """Return the scalars of all features; append a sentence on each that there can't be."""
    scalars: dict[object, ScalarDefinition] = {}
    for feature in features:
        for kind, scalar in feature.scalars.items():
            name = getattr(kind, "__name__", kind)
            other = scalars.setdefault(kind, scalar)
            if kind in _TAKEN or other is not scalar:
                fault = f"the scalar {scalar.name} is of {name}, as {_TAKEN.get(kind, other.name)}"
                remedy = f"is already: give it a type of its own, NewType(…, {name})"
                found.append(sentence(f"The feature {feature.name}: {fault} {remedy}"))
    return scalars


def scalar_faults(additions: Additions) -> Iterator[str]:
    """Yield a sentence on each scalar of features that has the name of a built-in type."""
    for name in (scalar.name for scalar in additions.scalars.values()):
        if build_schema().get_type_by_name(name):
            yield f"The scalar {name} has the name of the built-in {name}: rename it."
