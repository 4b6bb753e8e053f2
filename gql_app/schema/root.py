"""The schema: Query, Mutation and how both are executed."""

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import strawberry
from strawberry.schema.config import StrawberryConfig

from gql_app.schema.administration import AdministrationMutation
from gql_app.schema.audit import AuditQuery
from gql_app.schema.credentials import CredentialMutation
from gql_app.schema.customers import CustomerQuery
from gql_app.schema.faults import Faults
from gql_app.schema.limits import Limited, Limits
from gql_app.schema.profile import ProfileMutation
from gql_app.schema.resets import ResetMutation
from gql_app.schema.scalars import DATE_TIME
from gql_app.schema.sessions import SessionMutation
from gql_app.schema.tokens import TokenQuery

if TYPE_CHECKING:
    from graphql import GraphQLError
    from strawberry.types.execution import ExecutionContext


@strawberry.type
class Query(AuditQuery, CustomerQuery, TokenQuery):
    """Everything that can be asked."""


@strawberry.type
class Mutation(
    AdministrationMutation,
    ResetMutation,
    ProfileMutation,
    SessionMutation,
    CredentialMutation,
):
    """Everything that can be done."""


class Schema(strawberry.Schema):
    """Strawberry's schema, which leaves the logging of errors to Faults."""

    def process_errors(
        self,
        errors: "list[GraphQLError]",
        execution_context: "ExecutionContext | None" = None,
    ) -> None:
        """Log nothing: the stock one writes a traceback, with passwords, for each refusal."""

    def _extend_introspection(self) -> None:
        """Leave isOneOf to graphql-core: the stock one fails on every list and non-null type."""

    def _get_custom_context_kwargs(
        self, operation_extensions: dict[str, Any] | None = None, *, sync: bool = False
    ) -> dict[str, Any]:
        """Have what is told of variables hide suggestions as well."""
        stock = super()._get_custom_context_kwargs(operation_extensions, sync=sync)
        return {**stock, "hide_suggestions": self.config.disable_field_suggestions}


def build_schema(*, introspection: bool = True, limits: Limits | None = None) -> Schema:
    """Build the schema, open to introspection or not, with the default limits or others."""
    chosen = limits or Limits.default()
    return Schema(
        query=Query,
        mutation=Mutation,
        extensions=[partial(Limited, chosen, introspection=introspection), Faults],
        config=StrawberryConfig(
            scalar_map={datetime: DATE_TIME}, disable_field_suggestions=not introspection
        ),
    )
