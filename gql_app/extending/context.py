"""Context: a request as its resolvers see it, in `info.context`, and so do routes."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Concatenate, ParamSpec, TypeVar

import strawberry
from starlette.requests import Request

from gql_app.accounts.callers import Authority
from gql_app.accounts.sessions import Caller
from gql_app.errors import Unauthenticated
from gql_app.extending.transaction import Transaction, transaction
from gql_app.lib import database
from gql_app.lib.graphql_http import headers_of
from gql_app.schema import context
from gql_app.web.graphql import open_context

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(eq=False, repr=False)
class Context(context.Context):
    """A request as its resolvers see it.

    Features use `db`, `caller()`, `load()`, `write()` and `settings_of()`.
    """

    async def write(
        self,
        rule: Callable[Concatenate[Transaction, P], Awaitable[R]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Run `rule(tx, ...)` in a transaction, and return its result.

        The caller is authorised again in the transaction: the rule runs only if the session is
        open, the account active, and the permissions and the recent sign-in that this operation
        requires are there. `tx.caller` is None without a signed-in caller, which only a field
        without permissions allows, and only if the request has had none before. Afterwards the
        loaders' cache is cleared and hooks run. Raises the rule's errors, those of permissions, and
        Unavailable.
        """
        try:
            me = await self.signed_in()
        except Unauthenticated:
            if self.authenticated or self.permitted:
                raise
            me = None

        async def ruled(db: database.Transaction) -> R:
            return await rule(transaction(db, self.resources, self.origin), *args, **kwargs)

        if me is None:
            return await self.transact(ruled)
        authority = Authority(me, permissions=self.permitted, recent=self.recent)
        return await self.write_as(authority, ruled)

    async def viewer(self) -> Caller | None:
        """Return the caller, without a query if a list proved them; None if not signed in."""
        try:
            return self.proven or await self.caller()
        except Unauthenticated:
            return None


Info = strawberry.Info[Context, None]
"""The type of a resolver's `info`, whose `context` is the request's Context."""


async def context_of(request: Request) -> Context:
    """Return the context of a request to a feature's route: the same as a resolver's info.context.

    It reads and writes as in a resolver, and `await context.caller()` returns the caller or raises
    Unauthenticated, which is answered with 401 and the reason unless the route catches it.
    """
    state = request.scope["state"]
    if "context" not in state:
        headers = headers_of(request.scope)
        state["context"] = await open_context(request.scope, headers, Context)
    context: Context = state["context"]
    return context
