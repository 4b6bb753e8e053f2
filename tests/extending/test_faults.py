"""Faults of features: told in sentences when the application is made, all at once."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import fields
from functools import cache, partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Annotated, Any, Final, Generic, NewType, TypeVar, cast

import pytest
import strawberry
import typer
from sqlalchemy.orm import aliased
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route

from gql_app import (
    Feature,
    FeatureSettings,
    HasPermission,
    Info,
    IsAuthenticated,
    Letter,
    Payload,
    Refused,
    RegisterInput,
    Role,
    UpdateMeInput,
    connection,
    create_app,
    extend,
    loader,
    mutation,
    nested,
    node,
    owned_by,
)
from gql_app.accounts.permissions import OURS
from gql_app.extending import faults
from gql_app.lib.faults import CannotStart
from gql_app.settings import VARIABLES, Settings
from tests.extending.graph import graph
from tests.extending.odd import LastingRow
from tests.extending.shop import OrderRow
from tests.extending.test_node_kinds import Line, LineRow
from tests.processes import run_main

ELSEWHERE: Final[Sequence[tuple[Any, str]]] = [
    (column, "which is no column of LineRow")
    for column in (
        OrderRow.customer_id,
        OrderRow.__table__.c.customer_id,
        aliased(LineRow).customer_id,
        "customer_id",
    )
]
"""Columns that the table of lines lacks, and why none of them is taken."""


class OfMail(FeatureSettings):
    """Settings whose variables are there already."""

    from_: str = "x"
    origin_days: int = 1


async def page(*_: object) -> Response:
    """Answer nothing."""
    return Response()


def end_sessions() -> None:
    """Have the name of a command of ours."""


def Check() -> None:  # noqa: N802 — as Typer spells it in small letters
    """Have the name of a command of ours, but for its capital."""


class OfOperator(FeatureSettings):
    """A setting that the command create-admin reads."""

    password: str = "x"


class Signer:
    """Sign nothing."""


SETTINGS = cache(partial(Settings, playground=False))
"""The settings, read only once, as it takes milliseconds."""


def told(*features: Feature) -> tuple[str, ...]:
    """Return what is said of features."""
    with pytest.raises(CannotStart) as caught:
        create_app(SETTINGS(), features=features)
    return caught.value.faults


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        ({"name": "Shop"}, "its name must be 1 to 20 small letters and digits, a letter first"),
        ({"name": "2nd"}, "its name must be 1 to 20 small letters and digits, a letter first"),
        ({"name": "a_b"}, "its name must be 1 to 20 small letters and digits, a letter first"),
        ({"name": ""}, "its name must be 1 to 20 small letters and digits, a letter first"),
        ({"routes": [Route("/graphql", page)]}, "the path /graphql is served already"),
        ({"routes": [Route("/metrics", page)]}, "the path /metrics is served already"),
        ({"routes": [Mount("/playground", Starlette())]}, "the path /playground is served already"),
        ({"routes": [Route("/playground/x", page)]}, "the path /playground/x is served already"),
        ({"routes": ["/x"]}, "'/x' is neither a Route nor a Mount of Starlette's"),
        ({"migrations": "shop"}, "migrations must be package:folder, not shop"),
        (
            {"migrations": "no_such_shop:migrations"},
            "there is no folder migrations in a package no_such_shop for its migrations",
        ),
        (
            {"migrations": "tests.extending.market:nowhere"},
            "there is no folder nowhere in a package tests.extending.market for its migrations",
        ),
        ({"settings": dict}, "settings must be a subclass of gql_app.FeatureSettings"),
        ({"settings": {}}, "settings must be a subclass of gql_app.FeatureSettings"),
        (
            {"name": "audit", "settings": OfMail},
            "the variable GQL_APP_AUDIT_ORIGIN_DAYS is read already; rename the field",
        ),
        ({"commands": [end_sessions]}, "there is a command end-sessions already"),
        ({"commands": [Check]}, "there is a command check already"),
        ({"commands": [typer.Typer(name="keys")]}, "there is a command keys already"),
        (
            {"commands": [typer.Typer(name="make-migration")]},
            "there is a command make-migration already",
        ),
        (
            {"commands": [typer.Typer(name="end-sessions")]},
            "there is a command end-sessions already",
        ),
    ],
)
def test_fault_of_a_feature_is_told(parts: Mapping[str, Any], sentence: str) -> None:
    feature = Feature(**{"name": "shop", **parts})
    assert told(feature) == (f"The feature {feature.name}: {sentence}.",)


def odd_settings(fields: Sequence[str]) -> type[FeatureSettings]:
    """Return settings with these fields."""
    values: dict[str, Any] = dict.fromkeys(fields, "x")
    return type(
        "Odd", (FeatureSettings,), {"__annotations__": dict.fromkeys(fields, str), **values}
    )


def test_no_setting_of_a_feature_is_a_variable_that_the_program_reads() -> None:
    parts = [name.removeprefix("GQL_APP_").lower().partition("_") for name in sorted(VARIABLES)]
    tried = {f"GQL_APP_{name}_{field}".upper() for name, _, field in parts if field}
    assert {"GQL_APP_ADMIN_PASSWORD", "GQL_APP_LOG_LEVEL"} <= tried
    features = [
        Feature(name, settings=odd_settings([field for _, _, field in fields]))
        for name, fields in groupby((each for each in parts if each[2]), itemgetter(0))
    ]
    faults = told(*features)
    for taken in tried:
        name = taken.split("_")[2].lower()
        fault = f"the variable {taken} is read already; rename the field"
        assert f"The feature {name}: {fault}." in faults
    with pytest.raises(CannotStart, match="the variable GQL_APP_ADMIN_PASSWORD is read already"):
        create_app(features=[Feature("admin", settings=OfOperator)])


async def one(a: object) -> None:
    """Take one argument."""


async def two(a: object, b: object) -> None:
    """Take two arguments."""


async def three(a: object, b: object, *, c: object) -> None:
    """Take three arguments, one of them by its name."""


def in_time(db: object, scheme: object, credentials: object) -> None:
    """Take what an authenticator does, and is none."""


WRONG: tuple[Any, ...] = (two, in_time, one)
"""Functions that mypy refuses where they are given."""


class Authenticator:
    """An authenticator that is an object."""

    async def __call__(self, db: object, scheme: str, credentials: str) -> None:
        """Let nobody in."""


class LocalSigner:
    """A signer that signs in the same process."""

    def sign(self, data: bytes) -> bytes:
        """Return no signature."""
        return data


@extend(RegisterInput, UpdateMeInput)
class SavedInTime:
    """An input whose value nobody waits to be saved."""

    motto: str | None = strawberry.UNSET

    @staticmethod
    def save(tx: object, customer_id: object, values: object) -> None:
        """Save nothing."""


@extend(UpdateMeInput)
class CheckedWithMore:
    """An input whose check takes more than the value."""

    motto: str | None = strawberry.UNSET

    @staticmethod
    async def check_motto(value: object, customer: object) -> None:
        """Check nothing."""

    @staticmethod
    async def save(tx: object, customer_id: object, values: object) -> None:
        """Save nothing."""


@extend(UpdateMeInput)
class Misspelt:
    """An input with a check of a field that is not there."""

    motto: str | None = strawberry.UNSET
    check_digit: str | None = strawberry.UNSET

    @staticmethod
    async def check_motto(value: object) -> object:
        """Check nothing."""
        return value

    @classmethod
    def check_moto(cls, value: object) -> object:
        """Check nothing."""
        return value

    @staticmethod
    async def save(tx: object, customer_id: object, values: object) -> None:
        """Save nothing."""


@strawberry.type
class Done(Payload):
    """A payload."""


@strawberry.interface
class Abstract(Payload):
    """A payload that no value has as its type."""


@strawberry.type
class Bare(Payload):
    """A payload that has no value for its field where it has errors."""

    kind: str
    shown: int = strawberry.field(default=0)


class Undecorated(Payload):
    """A payload that is no type of the schema."""


def tools(add: Callable[[typer.Typer], object]) -> typer.Typer:
    """Return a command that has commands of its own."""
    made = typer.Typer(name="tools")
    add(made)
    return made


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        ({"claims": one}, "the claims one must take db, customer"),
        ({"claims": {}}, "the claims {} is no function"),
        ({"authenticators": [two]}, "the authenticator two must take db, scheme, credentials"),
        (
            {"authenticators": [three]},
            "the authenticator three must take db, scheme, credentials",
        ),
        (
            {"authenticators": [in_time]},
            "the authenticator in_time is no asynchronous function",
        ),
        ({"password_rules": [None]}, "the password rule None is no function"),
        ({"on": {"email:changed": None}}, "the hook of email:changed is no function"),
        ({"password_rules": [three]}, "the password rule three must take password, person"),
        (
            {"signer": LocalSigner()},
            "the method LocalSigner.sign is no asynchronous function",
        ),
        (
            {"letters": [Letter("shop_hello", WRONG[0])]},
            "the letter shop_hello is an asynchronous function",
        ),
        ({"commands": [one]}, "the command one is an asynchronous function"),
        (
            {"commands": [tools(lambda made: made.command()(one))]},
            "the command one is an asynchronous function",
        ),
        (
            {"commands": [tools(lambda made: made.callback()(one))]},
            "the command one is an asynchronous function",
        ),
        (
            {"commands": [tools(lambda made: made.add_typer(typer.Typer(), callback=one))]},
            "the command one is an asynchronous function",
        ),
        (
            {
                "commands": [
                    tools(lambda made: made.add_typer(tools(lambda inner: inner.command()(one))))
                ]
            },
            "the command one is an asynchronous function",
        ),
        (
            {"extensions": [SavedInTime]},
            "the method SavedInTime.save is no asynchronous function",
        ),
        (
            {"extensions": [CheckedWithMore]},
            "the method CheckedWithMore.check_motto must take value",
        ),
        (
            {"extensions": [Misspelt]},
            "the method Misspelt.check_moto checks no field: there is no moto",
        ),
        (
            {"within": {"email:changed": end_sessions}},
            "the hook of email:changed is no asynchronous function",
        ),
        ({"on": {"email:changed": two}}, "the hook of email:changed must take event"),
        ({"within": {"email:changed": one}}, "the hook of email:changed must take tx, event"),
    ],
)
def test_function_that_can_not_be_called_as_it_will_be_is_told(
    parts: Mapping[str, Any], sentence: str
) -> None:
    assert told(Feature("shop", **parts)) == (f"The feature shop: {sentence}.",)


def test_function_that_is_declared_by_itself_is_told_at_once() -> None:
    of_payload, permission_of = cast(Any, mutation), cast(Any, HasPermission)
    declared: list[tuple[Callable[[], object], str]] = [
        (lambda: loader(WRONG[1]), "loader(): in_time is no asynchronous function."),
        (lambda: loader(WRONG[2]), "loader(): one must take db, keys."),
        (
            lambda: mutation(Done, "Does nothing.")(WRONG[1]),
            "mutation(): in_time is no asynchronous function.",
        ),
        *(
            (
                partial(of_payload, payload, "Does nothing."),
                f"mutation(): {name} is no payload: derive a @strawberry.type from Payload.",
            )
            for payload, name in (
                (Payload, "Payload"),
                (Abstract, "Abstract"),
                (Undecorated, "Undecorated"),
                (Line, "Line"),
                (5, "5"),
            )
        ),
        *(
            (partial(declare, name), f"has a permission {name}, {why}.")
            for declare in (permission_of, lambda name: owned_by(LineRow.customer_id, unless=name))
            for name, why in (
                ("NoColon", "which must be written noun:verb, in small letters"),
                (5, "which must be written noun:verb, in small letters"),
                (
                    "customers:fly",
                    f"which is none of ours: {', '.join(sorted(OURS))}",
                ),
            )
        ),
        *(
            (partial(declare, visible=visible), f"visible {fault}.")
            for declare in (
                partial(connection, Line, LineRow, order_by=["id"]),
                partial(node, Line, LineRow),
            )
            for visible, fault in (
                (one, "is an asynchronous function"),
                (in_time, "must take caller"),
                (True, "is no function"),
            )
        ),
        *(
            (partial(declare, visible=owned_by(column)), f"owned_by() names {column}, {fault}.")
            for declare in (
                partial(connection, Line, LineRow, order_by=["id"]),
                partial(node, Line, LineRow),
            )
            for column, fault in (*ELSEWHERE, (LineRow.text, "whose type can't be compared"))
        ),
        *(
            (
                partial(nested, Line, LineRow, by=column, order_by="id", limit=1),
                f"by names {column}, {fault}.",
            )
            for column, fault in (
                *ELSEWHERE,
                (LineRow.data, "whose type can't be compared"),
                (LineRow.seal, "whose type can't be compared"),
            )
        ),
    ]
    for declare, fault in declared:
        with pytest.raises(TypeError) as caught:
            declare()
        assert str(caught.value).endswith(fault)


def test_argument_of_another_form_is_told_by_its_name() -> None:
    lists: Any = partial(connection, Line, LineRow, order_by=["id"])
    rows: Any = partial(nested, Line, LineRow, by=LineRow.customer_id, order_by="id", limit=1)
    found: Any = partial(node, Line, LineRow)
    of_payload: Any = mutation
    for declare, fault in (
        (partial(lists, order_by="id"), "connection(Line, LineRow): order_by must be a list, not"),
        (partial(lists, filters="id"), "connection(Line, LineRow): filters must be a list, not 'i"),
        (partial(rows, order_by=["id"]), "nested(Line, LineRow): order_by must be a text, not ['"),
        *(
            (partial(takes, permissions=IsAuthenticated), f"{what} permissions must be a list, not")
            for takes, what in ((lists, "connec"), (rows, "nested("), (found, "node(L"))
        ),
        *(
            (partial(takes, permissions=[given]), f"{what} permissions has {named}, which is no p")
            for takes, what in ((lists, "connec"), (rows, "nested("), (found, "node(L"))
            for given, named in (("a:b", "'a:b'"), (int, "int"), (HasPermission, "HasPermission"))
        ),
        (
            partial(of_payload(Done, "Does nothing.", "a:b"), one),
            "mutation(): one: permissions has 'a:b', which is no permission: take IsAuthenticated",
        ),
        (
            partial(of_payload, Bare, "Does nothing."),
            "mutation(): Bare.kind has no default, which a payload with errors needs.",
        ),
    ):
        with pytest.raises(TypeError) as caught:
            declare()
        beginning, _, end = fault.partition(" ")
        assert str(caught.value).startswith(beginning)
        assert end in str(caught.value)


Kind = TypeVar("Kind")


@strawberry.type
class Result(Payload, Generic[Kind]):
    """A payload of any type."""

    kind: Kind | None = None


@strawberry.type
class Several(Generic[Kind]):
    """Some of any type."""

    several: list[Kind]


@strawberry.type
class Weighing:
    """A mutation whose payload is generic."""

    @mutation(Result[int], "Weighs.")
    async def weigh(self, info: Info, light: bool) -> Result[int]:  # noqa: ARG002, FBT001 — as GraphQL passes them
        """Return a weight."""
        if light:
            code = "INVALID"
            raise Refused(code, "It is too light.", "light")
        return Result[int].success("It is heavy.", kind=5)


@pytest.mark.filterwarnings("ignore:Passing a class to strawberry.scalar")
async def test_payload_may_be_generic_and_types_may_be_so_or_scalars(settings: Settings) -> None:
    weight: Any = strawberry.scalar(NewType("Weight", str), serialize=str, parse_value=str)
    feature = Feature("shop", mutations=[Weighing], types=[cast(Any, Several[int]), weight])
    asked = "mutation { a: weigh(light: false) { kind } b: weigh(light: true) { errors { code } } }"
    async with graph(settings, [feature]) as shop:
        assert await shop.data(asked) == {
            "a": {"kind": 5},
            "b": {"errors": [{"code": "INVALID"}]},
        }
        schema = (await shop.data("{ __schema { types { name } } }"))["__schema"]
    assert {"Weight", "IntSeveral"} <= {each["name"] for each in schema["types"]}


def test_functions_may_be_objects_and_written_in_c() -> None:
    parts: dict[str, Any] = {"password_rules": [two, max], "claims": two}
    feature = Feature("shop", authenticators=[Authenticator()], **parts)
    assert create_app(SETTINGS(), features=[feature]).merged.features == (feature,)


@pytest.mark.parametrize(
    "command",
    [
        typer.Typer(),
        lambda: None,
        *(typer.Typer(name=name) for name in ("", "--tools", "two words")),
    ],
)
def test_command_without_a_name_is_a_fault(command: Callable[[], None]) -> None:
    [fault] = told(Feature("shop", commands=[command]))
    assert fault.endswith("has no name as a command: make it a function, or name the Typer.")


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        ({"error_codes": "ABC"}, "error_codes must be a list, not 'ABC'"),
        ({"actions": "shop:open"}, "actions must be a list, not 'shop:open'"),
        ({"queries": Done}, f"queries must be a list, not {Done!r}"),
        ({"roles": None}, "roles must be a list, not None"),
        ({"queries": [1]}, "queries has 1, which is no class"),
        ({"mutations": ["Orders"]}, "mutations has 'Orders', which is no class"),
        ({"types": [1]}, "types has 1, which is no class"),
        ({"extensions": [1]}, "extensions has 1, which is no class"),
        ({"on": [one]}, "on must map the names of events to hooks"),
        ({"within": [one]}, "within must map the names of events to hooks"),
        ({"on": {5: one}}, "on must map the names of events to hooks"),
        ({"error_codes": {"SOLD_OUT": 5}}, "error_codes has 5, which is no text"),
        ({"migrations": 5}, "migrations must be a text, not 5"),
        (
            {"roles": ["clerk"]},
            "roles has 'clerk', which is no proper Role",
        ),
        (
            {"roles": [Role("clerk", "x:y")]},
            (
                "roles has Role(name='clerk', permissions='x:y', extends=False), which is no "
                "proper Role"
            ),
        ),
    ],
)
def test_value_of_another_form_is_told(parts: Mapping[str, Any], sentence: str) -> None:
    assert told(Feature("shop", **parts)) == (f"The feature shop: {sentence}.",)


@pytest.mark.parametrize(
    "wrong", [5, None, [5], {"a": 5}, "two words", object()], ids=lambda each: type(each).__name__
)
@pytest.mark.parametrize("name", [each.name for each in fields(Feature) if each.default == ()])
def test_wrong_thing_in_any_list_is_told_with_the_others(name: str, wrong: object) -> None:
    parts: dict[str, Any] = {name: [wrong, wrong]}
    found = told(Feature("shop", **parts), Feature("other", **parts))
    assert {each.partition(":")[0] for each in found} >= {"The feature shop", "The feature other"}


@pytest.mark.parametrize("wrong", [5, None, [5], "two words"])
def test_wrong_name_is_told(wrong: object) -> None:
    name = cast(Any, wrong)
    features = [
        Feature("letter", letters=[Letter(name, cast(Any, end_sessions))]),
        Feature("role", roles=[Role(name, {"x:y"})]),
        Feature("permission", roles=[Role("clerk", [name, "x:y"])]),
        Feature("code", error_codes=[name]),
        Feature("action", actions=[name]),
        Feature("event", on={str(name): one}),
    ]
    for feature in features:
        [fault, *_] = told(feature)
        assert fault.startswith(f"The feature {feature.name}: ")
        assert str(wrong) in fault


def test_name_that_graphql_does_not_allow_is_told() -> None:
    for name in ("my orders", "1st", "größe", 5):
        with pytest.raises(TypeError, match=r" x, which is no.*name is .*, which can't be a part"):
            connection(Line, LineRow, order_by=["x"], name=cast(Any, name))

    @strawberry.type
    class Odd:
        @strawberry.field(name="my orders")
        def orders(self) -> int:
            return 5

    missing = Feature("other", migrations="no_such_shop:migrations")
    schema, other = told(Feature("shop", queries=[Odd]), missing)[::-1]
    assert schema.startswith("The schema can't be built: ")
    assert "'my orders'" in schema
    assert other.startswith("The feature other: there is no folder")


def test_union_that_has_the_name_of_another_type_is_told() -> None:
    def named(name: str) -> type:
        union = Annotated[Line | Done, strawberry.union(name)]

        @strawberry.type
        class Odd:
            @strawberry.field
            def either(self) -> list[union] | None:
                return None

        return Odd

    @strawberry.type
    class Other:
        @strawberry.field
        def other(self) -> Annotated[Line | Bare, strawberry.union("Odds")]:
            return Bare(status="SUCCESS", message="", kind="")  # type: ignore[arg-type]

    for name, place in (
        *((each, f"the built-in {each}") for each in ("Customer", "Session", "UserErrorCode")),
        ("DateTime", "the built-in DateTime"),
        ("Line", "the type tests.extending.test_node_kinds.Line"),
    ):
        [fault] = told(Feature("shop", queries=[named(name)]))
        assert fault == f"The union {name} of Odd.either has the name of {place}: rename it."
    [fault] = told(Feature("shop", queries=[named("Odds"), Other]))
    assert (
        fault == "The union Odds of Odd.either has the name of the union of Other.other: rename it."
    )
    create_app(SETTINGS(), features=[Feature("shop", queries=[named("Odds")])])


def test_connection_of_another_type_than_a_query_is_told() -> None:
    @strawberry.type
    class Owner:
        id: strawberry.ID
        lines = connection(Line, LineRow, order_by=["id"])

    @strawberry.type
    class Owners:
        @strawberry.field
        def owner(self) -> Owner | None:
            return None

    assert told(Feature("shop", queries=[Owners])) == (
        (
            "Owner.lines is a connection, of a whole table, whatever object it is a field of: take "
            "nested(), or put it into a type of Feature.queries."
        ),
    )


def test_subscription_is_told() -> None:
    @strawberry.type
    class Ticking:
        @strawberry.subscription
        async def ticks(self) -> AsyncIterator[int]:
            yield 1

    for root in ("queries", "mutations"):
        parts: dict[str, Any] = {root: [Ticking]}
        assert told(Feature("shop", **parts)) == (
            "Ticking.ticks is a subscription, which there are none of: take @strawberry.field.",
        )


def test_iterator_which_can_be_read_once_is_no_list() -> None:
    once: Any = iter([Done])
    [sentence] = told(Feature("shop", mutations=once))
    assert sentence == f"The feature shop: mutations must be a list, not {once!r}."


def test_what_is_no_feature_is_told() -> None:
    wrong: Any = "x"
    assert told(wrong, Feature("shop", error_codes="A")) == (
        "'x' is no Feature.",
        "The feature shop: error_codes must be a list, not 'A'.",
    )
    for features in (Feature("shop"), "shop", None, iter([Feature("shop")])):
        with pytest.raises(CannotStart, match="features must be a list of them, not"):
            create_app(SETTINGS(), features=cast(Any, features))


@pytest.mark.parametrize(
    ("role", "sentence"),
    [
        (Role("admin", set()), "admin is there already; add to it with Role.extend()"),
        (Role("support", set()), "support is there already; add to it with Role.extend()"),
        (Role.extend("admin", permissions={"x:y"}), "admin has every permission already"),
        (Role.extend("clerk", permissions={"x:y"}), "clerk is nowhere to be extended"),
        (
            Role("a clerk", set()),
            "a clerk must have a name of small letters, digits and _, 40 at most",
        ),
        (
            Role(41 * "x", set()),
            f"{41 * 'x'} must have a name of small letters, digits and _, 40 at most",
        ),
        (
            Role("clerk", {"refund"}),
            "clerk has a permission refund, which must be written noun:verb, in small letters",
        ),
        (
            Role("clerk", {"customers:read"}),
            (
                "clerk has a permission customers:read, which is none of ours: "
                "audit:read, customers:read_private, customers:write, sessions:end"
            ),
        ),
    ],
)
def test_role_that_can_not_be_is_told(role: Role, sentence: str) -> None:
    assert told(Feature("shop", roles=[role])) == (f"The feature shop: the role {sentence}.",)


def test_what_two_features_name_alike_is_told() -> None:
    def stock() -> None:
        """Count."""

    both: dict[str, Any] = {
        "roles": [Role("clerk", {"stock:count"})],
        "error_codes": ["SOLD_OUT"],
        "actions": ["stock:count"],
        "commands": [stock],
        "routes": [Route("/stock", page, methods=["GET", "POST"])],
        "signer": Signer(),
    }
    assert told(Feature("one", **both), Feature("other", **both)) == (
        "The feature one: the role clerk is there twice; add to it with Role.extend().",
        "The feature other: the role clerk is there twice; add to it with Role.extend().",
        "2 commands are named stock.",
        "2 routes answer GET /stock.",
        "2 routes answer POST /stock.",
        "Several features have a signer; one key signs.",
        "The feature other: the code SOLD_OUT is that of another feature already.",
        "The feature other: the action stock:count is that of another feature already.",
    )
    assert told(Feature("one"), Feature("one")) == ("2 features are named one.",)
    stocks = [Feature(name, commands=[typer.Typer(name="stock")]) for name in ("one", "other")]
    assert told(*stocks) == ("2 commands are named stock.",)
    limits = [Feature(name, settings=OfMail) for name in ("one", "other")]
    assert told(*limits) == ("2 features have the settings OfMail.",)
    places = ("tests.extending.market:migrations", "tests.extending.market:letters")
    owners = [Feature(name, migrations=place) for name, place in zip("ab", places, strict=True)]
    assert told(*owners) == ("2 features own the tables in the package tests.extending.market.",)


@pytest.mark.parametrize(
    ("one", "other", "sentence"),
    [
        (Route("/a/{x}", page), Route("/a/{y:str}", page), "2 routes answer GET /a/{}."),
        (Route("/a/{x:int}", page), Route("/a/{y:int}", page), "2 routes answer GET /a/{:int}."),
        (Route("/a", HTTPEndpoint), Route("/a", HTTPEndpoint), "2 routes answer /a."),
        (Mount("/a/{x}", Starlette()), Mount("/a/{y}", Starlette()), "2 routes answer /a/{}."),
    ],
)
def test_routes_of_one_pattern_are_told(one: BaseRoute, other: BaseRoute, sentence: str) -> None:
    assert told(Feature("one", routes=[one]), Feature("other", routes=[other])) == (sentence,)


def test_routes_of_other_patterns_or_methods_are_no_fault() -> None:
    paths = ("/a", "/a/{x:int}", "/a/{x}", "/a/{x}/b", "/a/{x}/c")
    routes = [*(Route(path, page) for path in paths), Route("/a", page, methods=["POST"])]
    assert create_app(SETTINGS(), features=[Feature("one", routes=routes)])


def test_role_of_one_feature_is_extended_by_another() -> None:
    clerk = Role("clerk", {"stock:count"})
    more = Role.extend("clerk", permissions={"stock:burn", "customers:read_private"})
    features = [Feature("other", roles=[more]), Feature("one", roles=[clerk])]
    app = create_app(SETTINGS(), features=features)
    assert app.merged.extensions.roles["clerk"] == {
        "stock:count",
        "stock:burn",
        "customers:read_private",
    }


def test_faults_of_features_and_settings_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    class Limits(FeatureSettings):
        most: int

    monkeypatch.setenv("GQL_APP_LOG_LEVEL", "LOUD")
    with pytest.raises(CannotStart) as caught:
        create_app(features=[Feature("shop", actions=["x"], error_codes=["y"])])
    assert caught.value.faults == (
        "The feature shop: the code y isn't [A-Z][A-Z0-9_]*, of at most 40 characters.",
        (
            "The feature shop: the action x isn't "
            "[a-z][a-z0-9_]*:[a-z][a-z0-9_]*, of at most 40 characters."
        ),
        "GQL_APP_LOG_LEVEL: should be 'DEBUG', 'INFO', 'WARNING', 'ERROR' or 'CRITICAL'",
    )
    with pytest.raises(CannotStart) as caught:
        create_app(features=[Feature("shop", settings=Limits)])
    assert caught.value.faults == (
        "GQL_APP_LOG_LEVEL: should be 'DEBUG', 'INFO', 'WARNING', 'ERROR' or 'CRITICAL'",
        "GQL_APP_SHOP_MOST: is required",
    )


def test_settings_as_a_whole_may_be_at_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    from pydantic import model_validator  # noqa: PLC0415 — this test's own

    class Range(FeatureSettings):
        low: int = 0
        high: int = 0

        @model_validator(mode="after")
        def _ordered(self) -> "Range":
            if self.low > self.high:
                message = "LOW must not be above HIGH"
                raise ValueError(message)
            return self

    monkeypatch.setenv("GQL_APP_SHOP_LOW", "7")
    assert told(Feature("shop", settings=Range)) == ("GQL_APP_SHOP_*: LOW must not be above HIGH",)


def test_tables_that_can_not_be_are_told() -> None:
    assert LastingRow.__module__ == "tests.extending.odd"
    missing, *told_of = told(Feature("odd", migrations="tests.extending.odd:migrations"))
    assert missing.startswith("The feature odd: there is no folder migrations")
    for fault, sentence in zip(
        told_of,
        [
            "the table letters is there already; give yours another name",
            "the table letters: letters.id has a default that is no plain value",
            "the table odd_computed: odd_computed.id has a default that is no plain value",
            "the table odd_computed: odd_computed.price has a default that is no plain value",
            "the table odd_computed: odd_computed.price: The type Numeric is not known for sqlite.",
            "the table odd_computed: odd_computed.at: The type Time is not known for sqlite. ",
            "the table odd_lasting: odd_lasting.lasts: The type Interval is not known for sqlite. ",
        ],
        strict=True,
    ):
        assert fault.startswith(f"The feature odd: {sentence}")
        assert (fault.endswith("."), fault.endswith("..")) == (True, False)


KEYED = """
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from gql_app import Feature, Table, create_app


def declare(name: str, *keys: str, package: str = "keyed", **more: Any) -> None:
    columns = {f"k{n}": mapped_column(ForeignKey(key)) for n, key in enumerate(keys)}
    kinds = {each: Mapped[UUID] for each in ("id", *columns)}
    of_class = {"__module__": package, "__tablename__": name, "__annotations__": kinds, **more}
    type(name, (Table,), {**of_class, "id": mapped_column(primary_key=True), **columns})


declare("good", "customers.id", "good.id", "more.id", package="keyed.part")
declare("more", package="more.part")
declare("left", package="left_out")
declare("apart", __table_args__={"schema": "other"})
declare("bad", "sessions.id", "customers.email", "no.id", "no", "left.id", "other.apart.id")
features = [Feature(name, migrations=f"{name}:migrations") for name in ("keyed", "more")]
app = create_app(features=features)
"""


def test_tables_that_refer_to_what_they_may_not_or_have_a_schema_are_told(tmp_path: Path) -> None:
    for name, code in (("keyed", KEYED), ("more", "")):
        (tmp_path / name / "migrations").mkdir(parents=True)
        (tmp_path / name / "__init__.py").write_text(code, encoding="utf-8")
    done = run_main("--app", "keyed:app", "make-migration", "Make keys", folder=tmp_path)
    wrong = ("customers.email", "left.id", "no.id", "no.k3", "other.apart.id", "sessions.id")
    assert (done.returncode, done.stderr.splitlines()) == (
        2,
        [
            *(
                f"The feature keyed: the table bad refers to {each}, which is neither "
                "customers.id nor a column of these features' tables."
                for each in wrong
            ),
            "The feature keyed: the table other.apart has a schema: leave it out.",
        ],
    )


def test_every_path_of_ours_is_known_as_taken() -> None:
    served = {route.path for route in create_app(Settings()).routes if isinstance(route, Route)}
    assert served == {*faults.PATHS, "/playground/{name}", "/"}  # a feature's own / comes first
