"""Inputs: what mutations are given of a customer, and what features add to it."""

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

    def stored(self, _info: Info) -> dict[str, Any]:
        """Return as JSON what is to be saved later of what features have added."""
        return {}

    @classmethod
    async def save_stored(
        cls, _info: Info, db: Transaction, customer_id: UUID, stored: Mapping[str, Any]
    ) -> None:
        """Save with a customer what was stored of what features have added."""
