"""Payloads: the answers of mutations, with a status, and errors that the caller can correct."""

from collections.abc import Awaitable, Callable
from enum import StrEnum
from functools import wraps
from typing import Any, Self, TypeAlias, TypeVar

import strawberry
from graphql.pyutils import snake_to_camel

from gql_app.accounts.audit import Action
from gql_app.accounts.throttling import REFUSAL_ACTIONS
from gql_app.errors import Rejected, TooManyAttempts, UndeclaredCode, UserErrorCode
from gql_app.schema.context import Context, Info
from gql_app.schema.permissions import Permission, requiring

P = TypeVar("P", bound="Payload")
Mutation: TypeAlias = Callable[..., Awaitable[P | None]]
"""The resolver of a mutation."""
strawberry.enum(UserErrorCode)


@strawberry.enum
class Status(StrEnum):
    """Whether a mutation did what it was asked to."""

    SUCCESS = "SUCCESS"
    ERROR = "ERROR"


@strawberry.type
class UserError:
    """One error that the caller can correct."""

    code: UserErrorCode
    field: str | None
    message: str


@strawberry.interface
class Payload:
    """The answer of every mutation."""

    status: Status
    message: str
    errors: list[UserError] = strawberry.field(default_factory=list)
    retry_after: int | None = None

    @classmethod
    def success(cls, message: str, **answered: Any) -> Self:  # noqa: ANN401 — the payload's own
        """Return a payload of SUCCESS, with further fields of its type."""
        return cls(status=Status.SUCCESS, message=message, **answered)

    @classmethod
    def rejected(cls, context: Context, why: Rejected) -> Self:
        """Return a payload of ERROR with the faults, noted for the log, the metrics and the audit.

        Raises UndeclaredCode.
        """
        check_codes(why, context)
        context.refusals |= why.codes
        retry_after = None
        if isinstance(why, TooManyAttempts):
            retry_after = why.retry_after
            context.resources.metrics.throttled[why.limit].inc()
            if action := REFUSAL_ACTIONS.get(why.limit):
                proof = action is Action.PROOF_THROTTLED
                context.note_guess(action, context.caller_id if proof else None)
        return cls(
            status=Status.ERROR,
            message=str(why),
            errors=[
                UserError(
                    code=fault.code,  # type: ignore[arg-type]  # a feature's own is text
                    field=fault.field and snake_to_camel(fault.field, upper=False),
                    message=fault.message,
                )
                for fault in why.faults
            ],
            retry_after=retry_after,
        )


def check_codes(why: Rejected, context: Context) -> None:
    """Raise UndeclaredCode if the schema lacks the code of a fault."""
    for fault in why.faults:
        if fault.code not in {*UserErrorCode, *context.resources.extensions.error_codes}:
            raise UndeclaredCode(fault.code) from why


@strawberry.type
class StatusPayload(Payload):
    """A payload of the status and errors alone."""


def mutation(
    payload: type[P], *permissions: Permission, description: str | None = None
) -> Callable[[Mutation[P]], Any]:
    """Return the decorator of a mutation, whose payload has the faults if it is rejected."""

    def decorate(resolve: Mutation[P]) -> Any:  # noqa: ANN401 — as Strawberry has it
        @wraps(resolve)
        async def answer(self: object, info: Info, **arguments: Any) -> P | None:  # noqa: ANN401 — the resolver's own
            try:
                return await resolve(self, info, **arguments)
            except Rejected as why:
                return payload.rejected(info.context, why)

        asked = requiring(*permissions)
        return strawberry.mutation(answer, description=description, extensions=asked)

    return decorate
