"""Context: what a resolver is given of a request, as `info.context`."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Concatenate, ParamSpec, TypeVar

import strawberry

from gql_app.accounts.callers import Authority
from gql_app.errors import Unauthenticated
from gql_app.extending.transaction import Transaction, transaction
from gql_app.lib import database
from gql_app.schema import context

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(eq=False, repr=False)
class Context(context.Context):
    """What a resolver is given of a request.

    Of it `db`, `caller()`, `load()`, `write()` and `settings_of()` are for features.
    """

    async def write(
        self,
        rule: Callable[Concatenate[Transaction, P], Awaitable[R]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Return what a rule returns: `rule(tx, ...)` runs in a transaction.

        The caller is judged again in it: their session lives, their account is active, and they
        have the permissions and the recent proof that this operation asked for, or the rule
        doesn't run. Where nobody
        is signed in, which only a field without a permission is called for, `tx.caller` is None.
        What was loaded is forgotten after it, and hooks run. Raises what the rule raises, what a
        permission would, and Unavailable.
        """
        try:
            me = await self.signed_in()
        except Unauthenticated:
            if self.permitted:
                raise
            me = None

        async def ruled(db: database.Transaction) -> R:
            return await rule(transaction(db, self), *args, **kwargs)

        if me is None:
            return await self.transact(ruled)
        authority = Authority(me, permissions=self.permitted, recent=self.recent)
        return await self.write_as(authority, ruled)


Info = strawberry.Info[Context, None]
"""What a resolver takes as `info`: its `context` is the request's."""
