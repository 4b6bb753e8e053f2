"""The schema: Query and Mutation, and the errors that are shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Final

import strawberry
from graphql import GraphQLError
from strawberry.schema.config import StrawberryConfig

from gql_app.errors import Refusal
from gql_app.lib.database import Unavailable
from gql_app.lib.engine import DATE_TIME, Schema, client_errors
from gql_app.lib.faults import DependencyFailed
from gql_app.lib.pagination import InvalidArgument
from gql_app.lib.telemetry import get_logger
from gql_app.schema.administration import AdministrationMutation
from gql_app.schema.audit import AuditQuery
from gql_app.schema.authentication import AuthenticationMutation
from gql_app.schema.context import Context
from gql_app.schema.customers import CustomerQuery
from gql_app.schema.profile import PasswordResetMutation, ProfileMutation
from gql_app.schema.sessions import SessionMutation, TokenQuery

_log: Final = get_logger(__name__)


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


@dataclass(frozen=True, slots=True)
class Additions:
    """What features add to the schema."""

    queries: tuple[type, ...] = ()
    """Strawberry types whose fields Query has besides its own."""
    mutations: tuple[type, ...] = ()
    """Strawberry types whose fields Mutation has besides its own."""
    types: tuple[type, ...] = ()
    """Types that no field names, such as those of an interface."""


@cache
def build_schema(additions: Additions = Additions()) -> Schema:
    """Return the schema with what features add to it, built once, as nothing changes it."""
    return Schema(
        query=_with(Query, additions.queries),
        mutation=_with(Mutation, additions.mutations),
        types=additions.types,
        config=StrawberryConfig(scalar_map={datetime: DATE_TIME}),
    )


def _with(root: type, added: tuple[type, ...]) -> type:
    """Return a root type that has the fields of other types as well."""
    if not added:
        return root
    return strawberry.type(type(root.__name__, (root, *added), {"__doc__": root.__doc__}))


def map_errors(
    errors: Sequence[GraphQLError], context: Context, *, executed: bool
) -> list[GraphQLError]:
    """Return the errors that a client is shown; why the database is unavailable is logged."""
    whys = [error.original_error for error in errors]
    database = [why for why in whys if isinstance(why, Unavailable)]
    causes = dict.fromkeys(why.cause for why in database if not isinstance(why, DependencyFailed))
    if causes:
        _log.warning("The database is unavailable", causes=list(causes))
    return client_errors(
        errors,
        context.request_id,
        executed=executed,
        shown=(Refusal, Unavailable, InvalidArgument),
        may_be_done=context.writes,
    )
