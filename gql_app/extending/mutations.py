"""Mutations that return a payload, as ours do."""

import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, get_origin

from strawberry.types.base import get_object_definition

from gql_app.extending.functions import check_function, function_name
from gql_app.extending.permissions import declared_permissions
from gql_app.schema import payloads
from gql_app.schema.payloads import Payload
from gql_app.schema.permissions import Permission

P = TypeVar("P", bound=Payload)


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

    With a permission its type must be nullable, for the field is null when it is refused. Raises
    TypeError unless the payload is a Strawberry type derived from Payload whose further fields have
    defaults, and the decorator does unless the function is asynchronous.
    """
    kind: Any = get_origin(payload) or payload  # of a generic one with its types
    made = get_object_definition(kind)
    is_own = made is not None and made.origin is kind and not made.is_interface
    if not is_own or not issubclass(kind, Payload):
        name = function_name(payload)
        message = f"mutation(): {name} is no payload: derive a @strawberry.type from Payload."
        raise TypeError(message)

    own = {each.name for each in dataclasses.fields(Payload)}
    for each in dataclasses.fields(kind):
        has_default = each.default is not each.default_factory  # both are MISSING
        if each.init and each.name not in own and not has_default:
            message = (
                f"mutation(): {kind.__name__}.{each.name} has no default, which a payload with "
                "errors needs."
            )
            raise TypeError(message)

    def decorate(resolve: payloads.Mutation[P]) -> Any:  # noqa: ANN401 — as Strawberry has it
        check_function("mutation()", resolve, None, is_async=True)
        taker = f"mutation(): {function_name(resolve)}"
        required = declared_permissions(taker, permissions)
        return payloads.mutation(payload, *required, description=description)(resolve)

    return decorate
