"""Inputs of mutations that write customers, and the fields that features add to them."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Concatenate, ParamSpec, TypeVar
from uuid import UUID

import strawberry

from gql_app.lib.database import Transaction
from gql_app.schema.context import Context, Info

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Input:
    """The base of input types that features may extend; these methods are without features."""

    def provided(self) -> dict[str, Any]:
        """Return the values that the client provided, by the field's name; null is a value, too."""
        return {name: value for name, value in vars(self).items() if value is not strawberry.UNSET}

    async def checked(self, check: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what a check of built-in fields returns. Raises Rejected, with all faults."""
        return check(*args, **kwargs)

    def saving(
        self, _context: Context, rule: Callable[Concatenate[Transaction, P], Awaitable[R]]
    ) -> Callable[Concatenate[Transaction, P], Awaitable[R]]:
        """Return a rule that does the same, and then saves the fields of features."""
        return rule

    def stored(self, _info: Info) -> dict[str, Any]:
        """Return as JSON the fields of features, to be saved later."""
        return {}

    @classmethod
    async def save_stored(
        cls, _info: Info, db: Transaction, customer_id: UUID, stored: Mapping[str, Any]
    ) -> None:
        """Save with a customer the fields of features that were stored."""
