"""An action, which is recorded in the audit log."""

import strawberry

from gql_app import Feature, Info, IsAuthenticated, Transaction


async def _wave(tx: Transaction) -> str:
    await tx.audit("hand:wave", customer_id=tx.me.customer_id)
    return "Hello."


@strawberry.type
class Waving:
    """A mutation that records it."""

    @strawberry.mutation(permission_classes=[IsAuthenticated])
    async def wave(self, info: Info) -> str | None:
        """Wave."""
        return await info.context.write(_wave)


feature = Feature("hands", mutations=[Waving], actions=["hand:wave"])
