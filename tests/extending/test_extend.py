"""Fields of features on our types."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Annotated

import pytest
import strawberry

from gql_app.app import build_engine
from gql_app.extending.connections import connection
from gql_app.extending.context import Info
from gql_app.extending.extend import extend
from gql_app.extending.feature import Feature
from gql_app.extending.loaders import Loader
from gql_app.extending.merging import parts_of
from gql_app.extending.permissions import HasPermission
from gql_app.lib import clock
from gql_app.lib.clock import new_id
from gql_app.lib.database import Reader, insert_row
from gql_app.schema.authentication import RegisterInput
from gql_app.schema.customers import Customer
from gql_app.schema.root import NOTHING, build_schema
from gql_app.schema.sessions import Session
from gql_app.settings import Settings
from tests.extending.graph import Graph, graph
from tests.extending.shop import SHOP, Order, OrderRow
from tests.laws import ROOT
from tests.people import Person, add_customer, sign_in
from tests.statements import listened

PAGE = "{ customers(first: 50) { nodes { name orders { totalCents createdAt } } } }"


async def place_each(shop: Graph, people: Sequence[Person], count: int) -> None:
    """Place some orders of each person, of 1 cent, 2 cents and so on."""
    async with shop.resources.database.transaction() as db:
        await db.execute_many(
            insert_row(OrderRow),
            [
                {
                    "id": new_id(),
                    "customer_id": person.id,
                    "total_cents": n + 1,
                    "is_gift": False,
                    "status": "placed",
                    "note": None,
                    "created_at": clock.now() + timedelta(seconds=n),
                    "paid_at": None,
                }
                for person in people
                for n in range(count)
            ],
        )


def test_schema_without_features_is_as_it_was_after_one_with_them() -> None:
    extended = build_schema(parts_of([SHOP], []).additions)
    assert "orders" in extended.as_str()
    printed = (ROOT / "schema.graphql").read_text(encoding="utf-8")
    assert build_schema().as_str() + "\n" == printed
    assert build_schema(NOTHING) is build_schema()


def test_two_schemas_have_their_own_fields_of_the_same_type() -> None:
    @extend(Customer)
    class Shoes:
        @strawberry.field
        def shoes(self) -> int:
            return 2

    shoes = Feature("shoes", extensions=[Shoes])
    faults: list[str] = []
    printed = [build_schema(parts_of([each], faults).additions).as_str() for each in (shoes, SHOP)]
    assert faults == []
    assert ["shoes: Int" in each for each in printed] == [True, False]
    assert ["initials: String" in each for each in printed] == [False, True]


async def test_private_field_is_null_for_strangers_wherever_they_meet_it(
    shop: Graph, ada: Person, bob: Person, grace: Person
) -> None:
    await place_each(shop, [ada, bob], 1)
    one = "query ($id: ID!) { customer(id: $id) { orders { totalCents } initials email } }"
    everybody = "{ customers { nodes { name orders { totalCents } initials } } }"
    for asking, shown in ((ada, {"Ada Plain"}), (grace, {"Ada Plain", "Bob Other", "Grace Admin"})):
        page = (await shop.data(everybody, asking.token))["customers"]["nodes"]
        assert {each["name"] for each in page if each["orders"] is not None} == shown
        assert {each["name"] for each in page if each["initials"] is not None} == shown
        found = (await shop.data(one, asking.token, id=str(bob.id)))["customer"]
        sees = asking is grace
        assert found["orders"] == ([{"totalCents": 1}] if sees else None)
        assert (found["initials"], found["email"]) == (("BO", bob.email) if sees else (None, None))


async def test_a_page_with_the_newest_orders_of_each_costs_one_statement_more(
    shop: Graph, grace: Person
) -> None:
    people = [await add_customer(shop.resources.database, f"P{n} Many") for n in range(49)]
    await place_each(shop, people, 7)  # type: ignore[arg-type]  # they have ids
    flat = "{ customers(first: 50) { nodes { name id } } }"

    async def count(query: str) -> tuple[list[dict[str, object]], int]:
        await shop.data(query, grace.token)
        sent: list[str] = []
        with listened(lambda sql, _: sent.append(sql), block_only=True):
            answer = await shop.data(query, grace.token)
        return answer["customers"]["nodes"], len(sent)

    _, usual = await count(flat)
    page, more = await count(PAGE)
    assert (usual, more) == (1, 2)
    assert len(page) == 50
    orders = [each["orders"] for each in page if each["name"] != "Grace Admin"]
    assert all([o["totalCents"] for o in each] == [7, 6, 5, 4, 3] for each in orders)  # type: ignore[attr-defined]


async def test_answers_are_those_of_graphql_core(
    shop: Graph, ada: Person, bob: Person, grace: Person, settings: Settings
) -> None:
    await place_each(shop, [ada, bob], 7)
    documents = (
        PAGE,
        "{ customers { edges { node { initials company age sessions { label } } } } }",
        "{ orders(first: 3) { nodes { id status totalCents isGift note createdAt paidAt } } }",
        "{ orders(last: 3) { edges { cursor node { label } } pageInfo { endCursor } totalCount } }",
        "{ me { orders { label } initials } shopName }",
        "mutation { placeOrder(totalCents: -1) { errors { code field } } misspell }",
        'mutation { updateMe(input: {company: "Evil Ltd"}) { errors { code } } }',
        '{ orders(after: "broken") { totalCount } }',
    )
    slow = build_engine(settings.model_copy(update={"compiled": False}), shop.parts.additions)
    executed = replace(shop, engine=slow)
    for document in documents:
        for person in (ada, grace):
            for _ in range(3):
                fast = await shop.ask(document, person.token)
                core = await executed.ask(document, person.token)
                assert (fast.data, fast.errors) == (core.data, core.errors)


async def test_resolver_sees_columns_that_nobody_asked_for(shop: Graph, ada: Person) -> None:
    page = (await shop.data("{ customers { edges { node { age } } } }", ada.token))["customers"]
    [age] = [each["node"]["age"] for each in page["edges"]]
    assert age == f"since {clock.now():%Y}, seen by {ada.id}"


async def test_sessions_and_payloads_have_further_fields(shop: Graph, ada: Person) -> None:
    [session] = (await shop.data("{ me { sessions { label } } }", ada.token))["me"]["sessions"]
    assert session == {"label": f"session of {clock.now():%Y}"}
    login = (
        'mutation { login(email: "ada@example.com", password: "a password for tests") { hint } }'
    )
    assert (await shop.data(login))["login"] == {"hint": "Hello, Ada Plain"}


async def test_what_was_loaded_is_forgotten_after_a_write(shop: Graph, ada: Person) -> None:
    update = 'updateMe(input: {company: "%s"}) { customer { company orders { totalCents } } }'
    place = "placeOrder(totalCents: 7) { status }"
    document = f"mutation {{ a: {update % 'Old'} p: {place} b: {update % 'New'} }}"
    answer = await shop.data(document, ada.token)
    assert answer["a"]["customer"] == {"company": "Old", "orders": []}
    assert answer["b"]["customer"] == {"company": "New", "orders": [{"totalCents": 7}]}


async def test_loader_that_returns_too_few_values_says_so(shop: Graph) -> None:
    async def short(_db: Reader, _keys: list[str]) -> list[str]:
        return []

    few: Loader[str, str] = Loader(short)
    with pytest.raises(ValueError, match="short returned 0 values for 1 keys"):
        await few(shop.resources.database, ["a"])


async def test_private_field_may_ask_for_a_permission_as_well(settings: Settings) -> None:
    @extend(Customer, private=True)
    class Notes:
        @strawberry.field(permission_classes=[HasPermission("orders:audit")])
        async def note(self, info: Info) -> str | None:
            return f"noted by {(await info.context.caller()).customer_id}"

    async with graph(settings, [Feature("notes", extensions=[Notes])]) as notes:
        database = notes.resources.database
        bob = await sign_in(notes.resources, await add_customer(database, "Bob"))
        added = await add_customer(database, "Grace", is_admin=True)
        grace = await sign_in(notes.resources, added)
        assert await notes.data("{ me { note } }", grace.token) == {
            "me": {"note": f"noted by {grace.id}"}
        }
        [error] = (await notes.ask("{ me { note } }", bob.token)).errors
        assert (error["path"], error["extensions"]["code"]) == (["me", "note"], "FORBIDDEN")


def test_class_that_extends_twice_is_refused() -> None:
    with pytest.raises(TypeError, match="Twice extends twice: give extend"):

        @extend(Session)
        @extend(Customer)
        class Twice:
            @strawberry.field
            def label(self) -> str:
                return ""


def test_everything_that_is_wrong_with_extensions_is_told_at_once() -> None:
    @extend(Customer, private=True)
    class Bad:
        email: str

        @strawberry.field
        def name(self) -> str:
            return ""

        @strawberry.field
        def never_null(self) -> str:
            return ""

        orders = connection(Order, OrderRow, order_by=["created_at"])

    @extend(Session, private=True)
    class Sessions:
        @strawberry.field
        def label(self) -> str | None:
            return None

    @extend(int)
    class Numbers:
        @strawberry.field
        def label(self) -> str | None:
            return None

    @extend(RegisterInput)
    class Input:
        name: str

    class Nothing:
        pass

    faults: list[str] = []
    parts_of([Feature("bad", extensions=[Bad, Sessions, Numbers, Input, Nothing])], faults)
    assert sorted(faults) == [
        "Bad.email is there already: give it another name.",
        "Bad.name is there already: give it another name.",
        "Bad.never_null is private, so it may be null: add `| None` to its type.",
        "Bad.orders is a connection, of a whole table: read a few rows by a loader instead.",
        "Input has no save(tx, customer_id, values).",
        "Input.name is a field of RegisterInput already.",
        "Nothing extends nothing: decorate it with extend().",
        "Numbers extends int, which takes no further fields.",
        "Sessions: private is for Customer. A Session is only shown to whom it concerns.",
    ]


def test_fields_and_names_that_are_there_already_are_told_at_once() -> None:
    @strawberry.type
    class Mine:
        number: int

        @strawberry.field
        def me(self) -> str:
            return ""

    class Plain:
        pass

    async def hook(_event: object) -> None: ...

    faults: list[str] = []
    parts_of(
        [
            Feature(
                "first",
                queries=[Mine, Plain],
                error_codes=["TAKEN", "lower", "GONE_FISHING"],
                actions=["session:login", "fish", "fish:catch"],
                on={"customer:register": hook},
            ),
            Feature("second", error_codes=["GONE_FISHING"], actions=["fish:catch"]),
        ],
        faults,
    )
    form = "[a-z][a-z0-9_]*:[a-z][a-z0-9_]*"
    events = (
        "customer:created, customer:deleted, customer:registered, customer:updated, "
        "email:changed, email:declined, email:restored, email:verified, fish, fish:catch, "
        "password:changed, session:ended, session:login, session:opened"
    )
    assert faults == [
        "The feature first: the code TAKEN is that of this program already.",
        "The feature first: the code lower isn't [A-Z][A-Z0-9_]*, of at most 40 characters.",
        "The feature first: the action session:login is that of this program already.",
        f"The feature first: the action fish isn't {form}, of at most 40 characters.",
        "The feature second: the code GONE_FISHING is that of another feature already.",
        "The feature second: the action fish:catch is that of another feature already.",
        f"The feature first: there is no event customer:register. There are {events}.",
        "Mine.number has no resolver: write a function with @strawberry.field.",
        "Mine.me would be the second Query.me, beside that of CustomerQuery.",
        "Plain is no Strawberry type: decorate it with @strawberry.type.",
    ]


def test_types_of_one_name_are_told_at_start() -> None:
    @strawberry.type(name="Customer")
    class Impostor:
        number: int

    @strawberry.type
    class Impostors:
        @strawberry.field
        def impostor(self) -> Impostor | None:
            return None

    faults: list[str] = []
    parts_of([Feature("bad", queries=[Impostors])], faults)
    [fault] = faults
    assert fault == (
        "The schema can't be built: Type Customer is defined multiple times in the schema: "
        "gql_app.schema.customers.Customer and "
        f"{__name__}.test_types_of_one_name_are_told_at_start.<locals>.Impostor. Rename one."
    )


def shelf(name: str) -> Feature:
    """Return a feature with types that have the names, and the places, of another shelf's."""

    @strawberry.type
    class Stock:
        @strawberry.field
        def owner(self) -> str:
            return name

    @strawberry.input
    class Wanted:
        number: int = len(name)

    @strawberry.type
    class Crate:
        wanted: int

    def stock(wanted: list[Wanted] | None = None) -> list[Stock | None]:
        return [Stock() for each in wanted or ()]

    def found() -> Annotated[Stock | Crate, strawberry.union(f"{name}Found")]:
        return Stock()

    fields = {f"{name}_stock": strawberry.field(stock), f"{name}_found": strawberry.field(found)}
    return Feature(name, queries=[strawberry.type(type("Shelves", (), fields))])


def test_types_of_one_name_made_by_one_function_are_told_at_start() -> None:
    faults: list[str] = []
    parts_of([shelf("left"), shelf("right")], faults)
    assert faults == [
        "Query.right_stock has another type Stock than Query.left_stock: rename one.",
        "Query.right_stock has another type Wanted than Query.left_stock: rename one.",
        "Query.right_found has another type Stock than Query.left_stock: rename one.",
        "Query.right_found has another type Crate than Query.left_found: rename one.",
    ]
    once: list[str] = []
    parts_of([shelf("left")], once)
    assert once == []
