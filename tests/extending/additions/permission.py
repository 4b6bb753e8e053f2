"""A permission, which a field asks for and a role of ours gets."""

import strawberry

from gql_app import Feature, HasPermission, Role


@strawberry.type
class Stock:
    """What is in store."""

    @strawberry.field(permission_classes=[HasPermission("stock:read")])
    def stock(self) -> int | None:
        """Return how much there is."""
        return 7


feature = Feature(
    "store", queries=[Stock], roles=[Role.extend("support", permissions={"stock:read"})]
)
