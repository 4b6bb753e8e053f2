"""Extensions of our types: a feature's fields on Customer, RegisterInput and others.

Strawberry stores a type's fields on its class, which all schemas share. So our classes stay
unchanged: each schema is given the fields that features add to a type.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from inspect import Parameter
from types import MappingProxyType
from typing import Any, Final, TypeVar

import strawberry
from strawberry.types.base import StrawberryOptional, get_object_definition
from strawberry.types.field import StrawberryField
from strawberry.types.fields.resolver import StrawberryResolver

from gql_app.errors import EnrolmentRequired
from gql_app.extending.comparisons import NAMES
from gql_app.extending.connections import connection_of
from gql_app.extending.context import Info
from gql_app.extending.inputs import INPUTS, extended_input
from gql_app.extending.nested import if_private
from gql_app.lib.composition import shown_fields
from gql_app.schema.authentication import LoginPayload
from gql_app.schema.permissions import PRIVATE

T = TypeVar("T")
_MARK: Final = "__extension__"
_name: Final = NAMES.get_graphql_name


@dataclass(frozen=True, slots=True)
class Extension:
    """The types that a class decorated with extend() adds fields to."""

    targets: Sequence[type]
    private: bool

    @property
    def of_input(self) -> bool:
        """Whether any of them is an input."""
        return any(each in INPUTS for each in self.targets)


def extend(*targets: type, private: bool = False) -> Callable[[type[T]], type[T]]:
    """Return the decorator of a class whose fields are added to our types.

        @extend(Customer, private=True)
        class CustomerOrders(Customer):
            @strawberry.field
            async def orders(self, info: Info) -> list[Order] | None:
                return await info.context.load(orders_of, self.id)

    The class goes into `Feature.extensions`; only schemas with that feature have its fields.

    On an object type, such as Customer, Session, AuditEvent or a payload, the fields have
    resolvers. `self` is the object, with its fields and, for a Customer, `caller`; derive the class
    from the type so that type checkers know this. `private` fields are null for callers that may
    not read the customer's private fields, such as the e-mail address; their types are nullable.

    On RegisterInput, CreateCustomerInput, InviteCustomerInput, UpdateCustomerInput and
    UpdateMeInput the fields only have types. One class may extend several of them:

        @extend(RegisterInput, UpdateMeInput)
        class Company:
            company: str | None = strawberry.UNSET

            @staticmethod
            def check_company(value: str | None) -> str | None: ...

            @staticmethod
            async def save(
                tx: Transaction, customer_id: UUID, values: Mapping[str, Any]
            ) -> None: ...

    `check_<field>` returns the value to save, or raises Refused, which is reported together with
    all other faults of the input; it may be asynchronous. `save` runs in the transaction that
    registers or changes the customer, after the change, with the values that the client has given
    or that have a default; it is skipped if there are none. Its `tx.caller` is None in a
    registration. If a registration waits for its address to be verified, the checks' results are
    stored until then, so they must be values of the fields' types.
    """

    def decorate(cls: type[T]) -> type[T]:
        if _MARK in vars(cls):
            message = f"{cls.__name__} extends twice: give extend() all types at once."
            raise TypeError(message)
        own = vars(cls).get("__strawberry_definition__")
        extension = Extension(targets, private)
        kind = strawberry.input if extension.of_input else strawberry.type
        made: type[T] = cls if own else kind(cls)
        setattr(made, _MARK, extension)
        return made

    return decorate


class Extended:
    """The fields that features' extensions add to our types, and the faults of those extensions."""

    def __init__(self, classes: Sequence[type]) -> None:
        """Take classes that extend() decorated."""
        self.faults: Final[list[str]] = []
        self.fields: Final[dict[type, list[StrawberryField]]] = {}
        """The added fields of object types."""
        self.inputs: Final[dict[type, type]] = {}
        """The types that replace our input types."""
        sources: dict[type, list[type]] = {}
        for cls in classes:
            extension = vars(cls).get(_MARK)
            if not isinstance(extension, Extension):
                self.faults.append(f"{cls.__name__} extends nothing: decorate it with extend().")
                continue
            if extension.of_input:
                self._check_input(cls, extension)
            for target in extension.targets:
                if target in INPUTS:
                    sources.setdefault(target, []).append(cls)
                else:
                    self._extend(target, cls, extension)
        for target, classes_of_it in sources.items():
            self._extend_input(target, classes_of_it)

    def _extend(self, target: type, cls: type, extension: Extension) -> None:
        definition = get_object_definition(target)
        if definition is None or definition.is_input or definition.is_interface:
            what = getattr(target, "__name__", target)
            self.faults.append(f"{cls.__name__} extends {what}, which takes no further fields.")
            return
        if extension.private and not hasattr(target, "shows_private"):
            self.faults.append(
                f"{cls.__name__}: private is for Customer. A {definition.name} is only shown "
                "to whom it concerns."
            )
            return
        known = {_name(each) for each in definition.fields}
        known |= {_name(each) for each in self.fields.get(target, ())}
        for field in own_fields(cls, target):
            where = f"{cls.__name__}.{field.python_name}"
            fault = _fault(field, extension, taken=_name(field) in known)
            if fault:
                self.faults.append(f"{where} {fault}")
                continue
            added = copy.copy(field)
            assert added.base_resolver is not None  # noqa: S101 — for mypy: _fault() asks
            shown = _shown(
                added.base_resolver, private=extension.private, is_extended=bool(added.extensions)
            )
            added.base_resolver = StrawberryResolver(shown)
            if extension.private:
                added.metadata = if_private(MappingProxyType({**field.metadata, **PRIVATE}))
            self.fields.setdefault(target, []).append(added)
            known.add(_name(field))

    def _check_input(self, cls: type, extension: Extension) -> None:
        if extension.private:
            self.faults.append(f"{cls.__name__}: private is for Customer, and not for inputs.")
        if getattr(cls, "save", None) is None:
            self.faults.append(f"{cls.__name__} has no save(tx, customer_id, values).")

    def _extend_input(self, target: type, sources: Sequence[type]) -> None:
        definition = get_object_definition(target, strict=True)
        known = {_name(each): target.__name__ for each in definition.fields}
        further: dict[type, list[str]] = {}
        for source in sources:
            for field in own_fields(source, target):
                if other := known.get(_name(field)):
                    self.faults.append(
                        f"{source.__name__}.{field.python_name} is a field of {other} already."
                    )
                known[_name(field)] = source.__name__
                further.setdefault(source, []).append(field.python_name)
        if not self.faults:
            self.inputs[target] = extended_input(target, further)


def extends_input(cls: type) -> bool:
    """Return whether extend() decorated a class for an input."""
    extension = vars(cls).get(_MARK)
    return isinstance(extension, Extension) and extension.of_input


def own_fields(cls: type, target: type) -> list[StrawberryField]:
    """Return the fields of an extension, without those inherited from the extended type."""
    inherited = get_object_definition(target, strict=True).fields
    names = {each.python_name for each in inherited} - vars(cls).get("__annotations__", {}).keys()
    return [
        each
        for each in shown_fields(get_object_definition(cls, strict=True).fields)
        if all(each is not other for other in inherited)
        and not (each.base_resolver is None and issubclass(cls, target) and each.name in names)
    ]


def _fault(field: StrawberryField, extension: Extension, *, taken: bool) -> str | None:
    """Return the fault of a field that is added to an object type, None if it has none."""
    if taken:
        return "is there already: give it another name."
    if field.base_resolver is None:
        return "has no resolver: write a function with @strawberry.field."
    if connection_of(field):
        return "is a connection, of a whole table: read a few rows by a loader instead."
    if field.base_resolver.self_parameter is None:
        return "takes no self, which is the object that it is a field of."
    if extension.private and not isinstance(field.type, StrawberryOptional):
        return "is private, so it may be null: add `| None` to its type."
    return None


def _shown(
    resolver: StrawberryResolver[Any], *, private: bool, is_extended: bool
) -> Callable[..., Any]:
    """Wrap a resolver's function to raise EnrolmentRequired if the caller must enrol a factor.

    A `private` one returns None if the caller may not read the private fields. The wrapper is
    asynchronous only if the field has extensions, so that None is not awaited.
    """
    resolve: Any = resolver.wrapped_func
    asks = resolver.info_parameter
    name = asks.name if asks else "__info__"

    def is_shown(source: Any, named: dict[str, Any]) -> bool:
        info: Info = named[name] if asks else named.pop(name)
        must_enrol = info.context.held
        if isinstance(source, LoginPayload) and source.who:
            _, customer = source.who
            must_enrol = info.context.resources.proofs.must_enrol(customer)
        if must_enrol:
            raise EnrolmentRequired
        return not private or bool(source.shows_private())

    @wraps(resolve)
    async def shown_later(self: object, *args: Any, **named: Any) -> Any:
        return await resolve(self, *args, **named) if is_shown(self, named) else None

    @wraps(resolve)
    def shown(self: object, *args: Any, **named: Any) -> Any:
        return resolve(self, *args, **named) if is_shown(self, named) else None

    made: Any = shown_later if resolver.is_async and is_extended else shown
    if not asks:
        known = resolver.signature
        info = Parameter(name, Parameter.KEYWORD_ONLY, annotation=Info)
        made.__signature__ = known.replace(parameters=[*known.parameters.values(), info])
    shows: Callable[..., Any] = made
    return shows
