"""Claims of features: further claims of access tokens, of all features together."""

from collections.abc import Sequence
from inspect import isawaitable

from gql_app.accounts.records import CustomerRecord
from gql_app.lib.database import Reader
from gql_app.lib.faults import CancellationsAsFaults
from gql_app.lib.keyring import check_claims
from gql_app.resources import ClaimsOf
from gql_app.security.tokens import RESERVED_CLAIMS


async def claims_of(
    functions: Sequence[ClaimsOf], db: Reader, customer: CustomerRecord
) -> dict[str, object]:
    """Return the claims of features. Raises ValueError for claims that no token may have."""
    added: dict[str, object] = {}
    for function in functions:
        with CancellationsAsFaults():
            claims = function(db, customer)
            more = await claims if isawaitable(claims) else claims
        more = check_claims(more, RESERVED_CLAIMS)
        if twice := sorted(added.keys() & more):
            message = f"{', '.join(twice)}: another feature has a claim of this name"
            raise ValueError(message)
        added = check_claims(added | more, RESERVED_CLAIMS)
    return added
