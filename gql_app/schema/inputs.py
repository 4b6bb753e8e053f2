"""Inputs: what mutations are given of a customer, and what features add to it."""

from collections.abc import Awaitable, Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

import strawberry

from gql_app.lib.database import Transaction
from gql_app.schema.context import Context

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Input:
    """What the input types that features may extend have in common: of these, nobody has."""

    def provided(self) -> dict[str, Any]:
        """Return what an input provides by the field's name; null is a value, too."""
        return {name: value for name, value in vars(self).items() if value is not strawberry.UNSET}

    async def checked(self, check: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what a check of our fields returns. Raises Rejected, with every fault at once."""
        return check(*args, **kwargs)

    def saving(
        self, _context: Context, rule: Callable[Concatenate[Transaction, P], Awaitable[R]]
    ) -> Callable[Concatenate[Transaction, P], Awaitable[R]]:
        """Return a rule that does the same, and then saves what features have added."""
        return rule
