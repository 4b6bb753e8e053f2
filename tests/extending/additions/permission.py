"""A permission, which a field requires and one of our roles gets."""

import strawberry

from gql_app import Feature, HasPermission, Role


@strawberry.type
class Stock:
    """The query of the stock."""

    @strawberry.field(permission_classes=[HasPermission("stock:read")])
    def stock(self) -> int | None:
        """Return the number of items."""
        return 7


feature = Feature(
    "store", queries=[Stock], roles=[Role.extend("support", permissions={"stock:read"})]
)
