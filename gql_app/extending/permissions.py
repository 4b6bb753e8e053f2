"""Permissions of features' fields, and the mutations that ask for them."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeAlias, TypeVar

from strawberry.permission import BasePermission, PermissionExtension

from gql_app.extending.functions import check_function
from gql_app.schema import payloads
from gql_app.schema.payloads import Payload

P = TypeVar("P", bound=Payload)

Permission: TypeAlias = BasePermission | type[BasePermission]
"""IsAuthenticated, HasPermission("orders:read"), or one of a feature's own."""


def permission(given: Permission) -> BasePermission:
    """Return a permission, which may be given as its class, as an object."""
    return given() if isinstance(given, type) else given


def extensions(permissions: Iterable[Permission]) -> Sequence[PermissionExtension]:
    """Return the field extension that checks all these permissions; none without permissions."""
    asked = [permission(each) for each in permissions]
    return [PermissionExtension(permissions=asked)] if asked else []


def mutation(
    payload: type[P], description: str, *permissions: Permission
) -> Callable[[Callable[..., Awaitable[P | None]]], Any]:
    """Return the decorator of a mutation that reports Refused among its payload's errors.

        @strawberry.type
        class OrderPayload(Payload):
            order: Order | None = None

        @strawberry.type
        class Ordering:
            @mutation(OrderPayload, "Cancels an order.", IsAuthenticated)
            async def cancel_order(self, info: Info, id: strawberry.ID) -> OrderPayload | None:
                order = await info.context.write(rules.cancel, id)
                return OrderPayload.success("The order is cancelled.", order=order)

    With a permission its type must be nullable, for the field is null when it is refused. The
    decorator raises TypeError unless the function is asynchronous.
    """

    def decorate(resolve: payloads.Mutation[P]) -> Any:  # noqa: ANN401 — as Strawberry has it
        check_function("mutation()", resolve, None, is_async=True)
        asked = extensions(permissions)
        return payloads.mutation(payload, *asked, description=description)(resolve)

    return decorate
