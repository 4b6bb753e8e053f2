"""Strawberry's schema, with what the engine reads of it."""

import strawberry
from graphql import GraphQLSchema, introspection_types, is_object_type
from strawberry.schema.config import StrawberryConfig
from strawberry.types.field import StrawberryField


class Schema(strawberry.Schema):
    """A schema that the engine executes documents by."""

    def __init__(
        self,
        *,
        query: type,
        mutation: type | None = None,
        config: StrawberryConfig | None = None,
    ) -> None:
        """Build a schema of its root types."""
        # Strawberry replaces the resolver of isOneOf, and its own fails on lists and non-null
        # types (0.341). graphql-core's is right.
        introspected = introspection_types["__Type"]
        assert is_object_type(introspected)  # noqa: S101 — for mypy: GraphQL section 4.2
        is_one_of = introspected.fields["isOneOf"]
        super().__init__(query=query, mutation=mutation, config=config)
        introspected.fields["isOneOf"] = is_one_of
        self._known_fields: dict[tuple[str, str], StrawberryField | None] = {}

    @property
    def core(self) -> GraphQLSchema:
        """The schema that graphql-core validates and executes by."""
        return self._schema

    def field(self, type_name: str, name: str) -> StrawberryField | None:
        """Return Strawberry's definition of a field that the schema has; None for introspection's.

        Each is remembered: Strawberry spells the names of a type's fields anew for each look.
        """
        known, key = self._known_fields, (type_name, name)
        if key not in known:
            known[key] = self.get_field_for_type(name, type_name)
        return known[key]
