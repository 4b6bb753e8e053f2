"""The schema: Query and Mutation, what features add to them, and the errors that are shown."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Final

import strawberry
from graphql import GraphQLError
from strawberry.schema.config import StrawberryConfig
from strawberry.types.field import StrawberryField

from gql_app.errors import Refusal, Rejected, UndeclaredCode, UserErrorCode
from gql_app.lib.database import Unavailable
from gql_app.lib.engine import DATE_TIME, Replacements, Schema, client_errors, merged_type
from gql_app.lib.faults import DependencyFailed
from gql_app.lib.pagination import InvalidArgument
from gql_app.lib.telemetry import get_logger
from gql_app.schema.administration import AdministrationMutation
from gql_app.schema.audit import AuditQuery
from gql_app.schema.authentication import AuthenticationMutation
from gql_app.schema.context import Context
from gql_app.schema.customers import CustomerQuery
from gql_app.schema.payloads import CODES, check_codes
from gql_app.schema.profile import PasswordResetMutation, ProfileMutation
from gql_app.schema.sessions import SessionMutation, TokenQuery

QUERIES: Final = (AuditQuery, CustomerQuery, TokenQuery)
MUTATIONS: Final = (
    AdministrationMutation,
    PasswordResetMutation,
    ProfileMutation,
    SessionMutation,
    AuthenticationMutation,
)
SCHEMAS: Final = 8
"""Schemas that are kept, each of an application with other features."""
_log: Final = get_logger(__name__)


@dataclass(frozen=True, eq=False)
class Additions:
    """What features add to the schema, checked; nothing of it changes another schema."""

    queries: Sequence[type] = ()
    mutations: Sequence[type] = ()
    types: Sequence[type] = ()
    """Types that no field names."""
    fields: Mapping[type, Sequence[StrawberryField]] = field(default_factory=dict)
    """Further fields of our object types."""
    inputs: Mapping[type, type] = field(default_factory=dict)
    """What takes the place of our input types: types with more fields."""
    error_codes: Sequence[str] = ()


NOTHING: Final = Additions()


def build_schema(additions: Additions = NOTHING) -> Schema:
    """Return the schema with what features add, built once. Raises what Strawberry raises."""
    return _built(additions if any(vars(additions).values()) else NOTHING)


@lru_cache(SCHEMAS)
def _built(additions: Additions) -> Schema:
    enums: dict[type, type] = {}
    if additions.error_codes:
        codes = [(code, code) for code in (*UserErrorCode, *additions.error_codes)]
        made: type[StrEnum] = StrEnum("UserErrorCode", codes)  # type: ignore[misc]  # known now
        enums[UserErrorCode] = strawberry.enum(made, description=CODES)
    replacements = Replacements(additions.fields, additions.inputs, enums)
    return Schema(
        query=merged_type("Query", [*QUERIES, *additions.queries]),
        mutation=merged_type("Mutation", [*MUTATIONS, *additions.mutations]),
        types=additions.types,
        config=StrawberryConfig(scalar_map={datetime: DATE_TIME}),
        fields_of=replacements.fields_of,
    )


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
        list(_declared(errors, context)),
        context.request_id,
        executed=executed,
        shown=(Refusal, Rejected, Unavailable, InvalidArgument),
        may_be_done=context.writes,
    )


def _declared(errors: Iterable[GraphQLError], context: Context) -> Iterable[GraphQLError]:
    """Return errors, with a fault of the server's for what has a code that the schema lacks."""
    for error in errors:
        try:
            if isinstance(error.original_error, Rejected):
                check_codes(error.original_error, context)
            yield error
        except UndeclaredCode as why:
            message, path = str(why), error.path
            yield GraphQLError(message, error.nodes, path=path, original_error=why)
