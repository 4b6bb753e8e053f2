"""The schema: Query and Mutation."""

from datetime import datetime
from functools import cache

import strawberry
from strawberry.schema.config import StrawberryConfig

from gql_app.lib.engine import Schema
from gql_app.schema.administration import AdministrationMutation
from gql_app.schema.audit import AuditQuery
from gql_app.schema.authentication import AuthenticationMutation
from gql_app.schema.customers import CustomerQuery
from gql_app.schema.profile import PasswordResetMutation, ProfileMutation
from gql_app.schema.sessions import SessionMutation, TokenQuery
from gql_app.schema.types import DATE_TIME


@strawberry.type
class Query(AuditQuery, CustomerQuery, TokenQuery):
    """Everything that can be asked."""


@strawberry.type
class Mutation(
    AdministrationMutation,
    PasswordResetMutation,
    ProfileMutation,
    SessionMutation,
    AuthenticationMutation,
):
    """Everything that can be done."""


@cache
def build_schema() -> Schema:
    """Return the schema, built once, as nothing changes it."""
    return Schema(
        query=Query,
        mutation=Mutation,
        config=StrawberryConfig(scalar_map={datetime: DATE_TIME}),
    )
