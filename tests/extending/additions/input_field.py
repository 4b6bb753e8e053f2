"""A field of an input, checked and saved with ours."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import strawberry

from gql_app import Feature, Refused, Transaction, UpdateMeInput, extend


@extend(UpdateMeInput)
class Motto:
    """What somebody says of themself."""

    motto: str | None = strawberry.UNSET

    @staticmethod
    def check_motto(value: str | None) -> str | None:
        """Return the motto without blanks around it. Raises Refused."""
        if value == "":
            raise Refused("REQUIRED", "Say something, or nothing.")
        return value and value.strip()

    @staticmethod
    async def save(tx: Transaction, customer_id: UUID, values: Mapping[str, Any]) -> None:
        """Record that it was changed; a real one has a table."""
        await tx.audit(f"motto:{values['motto']}", customer_id=customer_id, fields=["motto"])


feature = Feature("mottos", extensions=[Motto], actions=["motto:onwards"])
