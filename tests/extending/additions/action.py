"""An action, which the audit knows by its name."""

import strawberry

from gql_app import Feature, Info, IsAuthenticated, Transaction


async def _wave(tx: Transaction) -> str:
    await tx.audit("hand:wave", customer_id=tx.me.customer_id)
    return "Hello."


@strawberry.type
class Waving:
    """What is recorded."""

    @strawberry.mutation(permission_classes=[IsAuthenticated])
    async def wave(self, info: Info) -> str | None:
        """Wave."""
        return await info.context.write(_wave)


feature = Feature("hands", mutations=[Waving], actions=["hand:wave"])
