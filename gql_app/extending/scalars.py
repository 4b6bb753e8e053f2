"""Scalars: the custom scalars of features, by the Python types that they stand for."""

from collections.abc import Iterator, Mapping, Sequence

from strawberry.types.scalar import ScalarDefinition

from gql_app.extending.feature import Feature
from gql_app.lib.faults import sentence
from gql_app.schema.root import SCALARS, Additions, build_schema


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
            other = SCALARS.get(kind) or scalars.setdefault(kind, scalar)
            if other is not scalar:
                fault = f"the scalar {scalar.name} is of {name}, as {other.name} is already"
                found.append(sentence(f"The feature {feature.name}: {fault}"))
    return scalars


def scalar_faults(additions: Additions) -> Iterator[str]:
    """Yield a sentence on each scalar of features that has the name of a built-in type."""
    for name in (scalar.name for scalar in additions.scalars.values()):
        if build_schema().get_type_by_name(name):
            yield f"The scalar {name} has the name of the built-in {name}: rename it."
