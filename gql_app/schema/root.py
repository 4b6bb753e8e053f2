"""The schema: Query and Mutation."""

from datetime import datetime
from functools import cache

import strawberry
from strawberry.schema.config import StrawberryConfig

from gql_app.lib.engine import Schema
from gql_app.schema.administration import AdministrationMutation
from gql_app.schema.audit import AuditQuery
from gql_app.schema.authentication import CredentialMutation
from gql_app.schema.customer_lists import CustomerListQuery
from gql_app.schema.customers import CustomerQuery
from gql_app.schema.password_reset import ResetMutation
from gql_app.schema.profile import ProfileMutation
from gql_app.schema.scalars import DATE_TIME
from gql_app.schema.sessions import SessionMutation
from gql_app.schema.token_report import TokenQuery


@strawberry.type
class Query(AuditQuery, CustomerQuery, CustomerListQuery, TokenQuery):
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


@cache
def build_schema() -> Schema:
    """Build the schema, once for all, as nothing changes it."""
    return Schema(
        query=Query,
        mutation=Mutation,
        config=StrawberryConfig(scalar_map={datetime: DATE_TIME}),
    )
