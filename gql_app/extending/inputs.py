"""Inputs with features' fields: validated together with ours, saved in the same transaction."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from inspect import isawaitable
from typing import Any, ClassVar, Concatenate, Final, ParamSpec, TypeVar
from uuid import UUID

import strawberry
from strawberry.types.base import get_object_definition

from gql_app.accounts.mail.links import SPENT
from gql_app.accounts.sessions import Opened
from gql_app.accounts.validation import Changes
from gql_app.errors import Fault, Rejected, UserErrorCode
from gql_app.extending.transaction import transaction
from gql_app.lib import database
from gql_app.lib.engine import dump_inputs, load_inputs
from gql_app.lib.text import InvalidLine
from gql_app.schema.administration import CreateCustomerInput, UpdateCustomerInput
from gql_app.schema.authentication import RegisterInput
from gql_app.schema.context import Context, Info
from gql_app.schema.inputs import Input
from gql_app.schema.mail.invitations import InviteCustomerInput
from gql_app.schema.profile import UpdateMeInput

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
INPUTS: Final = (
    RegisterInput,
    CreateCustomerInput,
    InviteCustomerInput,
    UpdateCustomerInput,
    UpdateMeInput,
)
"""The input types that extend() can add fields to."""


class ExtendedInput(Input):
    """One of our inputs with the fields of features added."""

    further: ClassVar[Mapping[type, Sequence[str]]] = {}
    """The names of the fields that each extension adds."""
    given: dict[type, dict[str, Any]]
    """The values to save, by extension."""

    def provided(self) -> dict[str, Any]:
        """Return the values that the input provides of our own fields."""
        theirs = {name for names in self.further.values() for name in names}
        return {name: v for name, v in super().provided().items() if name not in {*theirs, "given"}}

    async def checked(self, check: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the result of our check, once the features' checks have accepted their fields.

        Raises Rejected with the faults of both.
        """
        faults: list[Fault] = []
        self.given = await self._checked(faults)
        try:
            result = check(*args, **kwargs)
        except Rejected as why:
            raise Rejected(*why.faults, *faults) from None
        if faults:
            raise Rejected(*faults)
        return result

    def saving(
        self, context: Context, rule: Callable[Concatenate[database.Transaction, P], Awaitable[R]]
    ) -> Callable[Concatenate[database.Transaction, P], Awaitable[R]]:
        """Wrap a rule so that it also saves the given values of features' fields.

        The fields are named among the rule's Changes, so that they are reported with its own.
        """
        names = [name for values in self.given.values() for name in values]

        def noted(argument: Any) -> Any:
            is_change = isinstance(argument, Changes)
            return replace(argument, further=names) if is_change else argument

        async def saved(db: database.Transaction, /, *args: P.args, **kwargs: P.kwargs) -> R:
            result = await rule(db, *map(noted, args), **kwargs)
            customer: Any = result.customer if isinstance(result, Opened) else result
            await _save(context, db, customer.id, self.given)
            return result

        return saved

    def stored(self, info: Info) -> dict[str, Any]:
        """Return the values of features' fields as JSON, to be saved later.

        Raises TypeError if a check returned a value that is not of its field's type.
        """
        values = {name: value for given in self.given.values() for name, value in given.items()}
        return dump_inputs(info, _name(type(self)), values)

    @classmethod
    async def save_stored(
        cls, info: Info, db: database.Transaction, customer_id: UUID, stored: Mapping[str, Any]
    ) -> None:
        """Save a customer's values of features' fields that stored() has returned.

        Raises Rejected if a field no longer takes its value: the application has changed since.
        """
        try:
            values = load_inputs(info, _name(cls), stored)
        except ValueError:
            raise Rejected(SPENT) from None
        given = {
            source: {name: values[name] for name in names if name in values}
            for source, names in cls.further.items()
        }
        await _save(info.context, db, customer_id, given)

    async def _checked(self, faults: list[Fault]) -> dict[type, dict[str, Any]]:
        """Return the values to save, by extension; append a fault for each refused value."""
        given, accepted = super().provided(), {}
        for source, names in self.further.items():
            values = accepted[source] = {name: given[name] for name in names if name in given}
            for name, value in values.items():
                check: Callable[[Any], Any] | None = getattr(source, f"check_{name}", None)
                if check is None:
                    continue
                try:
                    saved = check(value)
                    values[name] = await saved if isawaitable(saved) else saved
                except InvalidLine as why:
                    faults.append(Fault(UserErrorCode(why.reason), why.message, name))
                except Rejected as why:
                    faults += (replace(each, field=each.field or name) for each in why.faults)
        return accepted


async def _save(
    context: Context,
    db: database.Transaction,
    customer_id: UUID,
    given: Mapping[type, Mapping[str, Any]],
) -> None:
    """Call save() of each extension that has values."""
    tx = transaction(db, context.resources, context.origin)
    for source, values in given.items():
        if values:
            save: Any = source
            await save.save(tx, customer_id, dict(values))


def _name(kind: type) -> str:
    return get_object_definition(kind, strict=True).name


def extended_input(target: type, further: Mapping[type, Sequence[str]]) -> type:
    """Return one of our input types with the extensions' fields added, of the same name."""
    definition = get_object_definition(target, strict=True)
    bases = (ExtendedInput, *further, target)
    made: type = type(target.__name__, bases, {"further": further, "__annotations__": {}})
    made = strawberry.input(made, name=definition.name, description=definition.description)
    ours = [each.python_name for each in definition.fields]
    fields = get_object_definition(made, strict=True).fields
    fields.sort(key=lambda each: each.python_name not in ours)  # ours come first, as they were
    return made
