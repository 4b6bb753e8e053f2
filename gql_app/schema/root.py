"""The schema: Query and Mutation, the one scalar of our own, and the errors that are shown."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Final

import strawberry
import structlog
from graphql import GraphQLError
from strawberry.schema.config import StrawberryConfig

from gql_app.errors import Refusal, Unavailable
from gql_app.lib.clock import rfc3339
from gql_app.lib.engine import Schema, UnreadableValue, client_errors
from gql_app.lib.pagination import InvalidArgument
from gql_app.schema.administration import AdministrationMutation
from gql_app.schema.audit import AuditQuery
from gql_app.schema.authentication import AuthenticationMutation
from gql_app.schema.context import Context
from gql_app.schema.customers import CustomerListQuery, CustomerQuery
from gql_app.schema.profile import PasswordResetMutation, ProfileMutation
from gql_app.schema.sessions import SessionMutation, TokenQuery

_log: Final = structlog.stdlib.get_logger(__name__)
_DATE_TIME: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:[0-5]\d)", re.ASCII
)


def parse_datetime(value: object) -> datetime:
    """Return in UTC what RFC 3339 section 5.6 writes, with its offset. Raises UnreadableValue."""
    if not isinstance(value, str) or not _DATE_TIME.fullmatch(value):
        message = "a DateTime is written as RFC 3339 has it, such as 2030-01-31T12:00:00Z"
        raise UnreadableValue(message)
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        message = "there is no such moment"
        raise UnreadableValue(message) from None


DATE_TIME: Final = strawberry.scalar(
    name="DateTime",
    description="A moment as RFC 3339 writes it, always in UTC.",
    specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
    serialize=rfc3339,
    parse_value=parse_datetime,
)


@strawberry.type
class Query(AuditQuery, CustomerQuery, CustomerListQuery, TokenQuery):
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


def map_errors(
    errors: Sequence[GraphQLError], context: Context, *, executed: bool
) -> list[GraphQLError]:
    """Return the errors that a client is shown; why the database is unavailable is logged."""
    whys = [error.original_error for error in errors]
    causes = dict.fromkeys(why.cause for why in whys if isinstance(why, Unavailable))
    if causes:
        _log.warning("The database is unavailable", causes=list(causes))
    return client_errors(
        errors,
        context.request_id,
        executed=executed,
        shown=(Refusal, Unavailable, InvalidArgument),
        may_be_done=context.writes,
    )
