"""GraphQL errors as clients see them: which exceptions they can act on."""

from typing import Final

from gql_app.errors import Refusal, Rejected
from gql_app.lib.database import Unavailable
from gql_app.lib.engine import ErrorMapper
from gql_app.lib.pagination import InvalidArgument
from gql_app.schema.context import Context
from gql_app.schema.payloads import check_codes
from gql_app.schema.types import UnreadableValue

map_errors: Final = ErrorMapper[Context](
    shown=(Refusal, Rejected, Unavailable, InvalidArgument),
    readable=UnreadableValue,
    checked=Rejected,
    check=check_codes,
)
