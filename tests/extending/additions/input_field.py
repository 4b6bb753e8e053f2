"""A field of an input, validated and saved with ours."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import strawberry

from gql_app import Feature, Refused, Transaction, UpdateMeInput, extend


@extend(UpdateMeInput)
class Motto:
    """The motto of a customer."""

    motto: str | None = strawberry.UNSET

    @staticmethod
    def check_motto(value: str | None) -> str | None:
        """Return the motto without blanks around it. Raises Refused."""
        if value == "":
            raise Refused("REQUIRED", "Say something, or nothing.")
        return value and value.strip()

    @staticmethod
    async def save(tx: Transaction, customer_id: UUID, values: Mapping[str, Any]) -> None:
        """Record the change; a real feature would write to its table."""
        await tx.audit(f"motto:{values['motto']}", customer_id=customer_id, fields=["motto"])


feature = Feature("mottos", extensions=[Motto], actions=["motto:onwards"])
