"""Viewers: below a sign-in's customer it is that customer, and a held session sees no extension."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest
import strawberry
from strawberry.extensions import FieldExtension

from gql_app.extending.connections import connection
from gql_app.extending.context import Info
from gql_app.extending.extend import extend
from gql_app.extending.feature import Feature
from gql_app.extending.mutations import mutation
from gql_app.extending.nested import nested
from gql_app.extending.permissions import HasPermission
from gql_app.extending.visibility import owned_by
from gql_app.schema.authentication import LoginPayload, sign_in
from gql_app.schema.customers import Customer
from gql_app.schema.payloads import Payload
from gql_app.schema.sessions import Session
from gql_app.settings import Settings
from tests.extending.graph import Answer, Graph, graph
from tests.extending.shop import SHOP, OrderRow
from tests.extending.test_connections import stock
from tests.people import PASSWORD, Person

HELD = "SECOND_FACTOR_ENROLMENT_REQUIRED"
BADGES = HasPermission("badges:read")
ADA, GRACE = (
    f'login(email: "{name}@example.com", password: "{PASSWORD}")' for name in ("ada", "grace")
)


@strawberry.type
class Piece:
    """An order, of which everybody sees their own."""

    total_cents: int


@strawberry.type
class Line:
    """The same, with a list of its own."""

    customer_id: strawberry.Private[UUID]
    total_cents: int
    beside = nested(
        Piece,
        OrderRow,
        by=OrderRow.customer_id,
        key="customer_id",
        order_by="total_cents",
        descending=False,
        limit=2,
    )


@strawberry.type
class Hat:
    """An object below a customer, which doesn't know whose it is."""

    @strawberry.field
    async def by(self, info: Info) -> str:
        """Return who looks at it."""
        await asyncio.sleep(0)
        return await name_of(info)

    @strawberry.field(permission_classes=[BADGES])
    def label(self) -> str | None:
        """Return a text that takes a permission."""
        return "of felt"


async def name_of(info: Info) -> str:
    """Return the id of the caller."""
    return str((await info.context.caller()).customer_id)


class Doubling(FieldExtension):
    """An extension of a field."""

    async def resolve_async(
        self, next_: Callable[..., Awaitable[str]], source: object, info: Info, **given: object
    ) -> str:
        """Return a text twice."""
        return 2 * await next_(source, info, **given)


@extend(Customer)
class Open(Customer):
    """Fields of a customer that everybody sees."""

    @strawberry.field
    def shape(self) -> str | None:
        """Return a text without asking anything."""
        return "round"

    @strawberry.field(extensions=[Doubling()])
    async def twice(self) -> str | None:
        """Return a text that an extension changes."""
        return "ha"

    @strawberry.field(permission_classes=[BADGES])
    async def badge(self, info: Info) -> str | None:
        """Return what takes a permission."""
        return f"badge for {await name_of(info)}"

    @strawberry.field
    async def looker(self, info: Info) -> str | None:
        """Return who looks."""
        return await name_of(info)

    @strawberry.field
    def hat(self) -> Hat | None:
        """Return an object."""
        return Hat()


@extend(Customer, private=True)
class Closed(Customer):
    """Private fields of a customer."""

    @strawberry.field
    def secret(self, times: int = 1) -> str | None:
        """Return a text."""
        return "hush" * times

    lines = nested(
        Line,
        OrderRow,
        by=OrderRow.customer_id,
        order_by="total_cents",
        descending=False,
        limit=2,
    )


@extend(Session)
class Named(Session):
    """A field of a session."""

    @strawberry.field
    def nick(self) -> str | None:
        """Return a text."""
        return "desk"


@extend(LoginPayload)
class Greeting(LoginPayload):
    """A field of a sign-in's payload."""

    @strawberry.field
    def greeting(self) -> str | None:
        """Return a text."""
        return "hello" if self.who else None


@strawberry.type
class Looked(Payload):
    """Who looks."""

    by: str | None = None


@strawberry.type
class Looks:
    """Root fields that write nothing."""

    pieces = connection(
        Piece, OrderRow, order_by=["total_cents"], visible=owned_by(OrderRow.customer_id)
    )
    every_line = connection(Line, OrderRow, order_by=["total_cents"])

    @strawberry.field
    async def entries(self, info: Info, customers: list[UUID]) -> list[LoginPayload]:
        """Sign some customers in, whose payloads are then completed at once."""
        return [await sign_in(info.context, each) for each in customers]


@strawberry.type
class Looking:
    """A mutation that writes nothing."""

    @mutation(Looked, "Shows who looks.")
    async def look(self, info: Info) -> Looked:
        """Return who looks, None if that is not known."""
        viewer = await info.context.viewer()
        return Looked.success("Looked.", by=viewer and str(viewer.customer_id))


LOOKS = Feature(
    "looks", queries=[Looks], mutations=[Looking], extensions=[Open, Closed, Named, Greeting]
)
FIELDS = "badge looker hat { by label } lines { totalCents beside { totalCents } }"


@pytest.fixture(params=[True, False], ids=["compiled", "graphql-core"])
async def looks(
    settings: Settings, shop: Graph, request: pytest.FixtureRequest
) -> AsyncIterator[Graph]:
    """Run an application with the feature, beside the shop that has its tables."""
    del shop
    chosen = settings.model_copy(update={"compiled": request.param})
    async with graph(chosen, [SHOP, LOOKS]) as opened:
        yield opened


@pytest.fixture
async def strict(settings: Settings, shop: Graph) -> AsyncIterator[Graph]:
    """Run the same where everybody must have a second factor."""
    del shop
    chosen = settings.model_copy(update={"second_factor": "everyone"})
    async with graph(chosen, [SHOP, LOOKS]) as opened:
        yield opened


def seen_by_admin(grace: Person, *cents: int) -> dict[str, Any]:
    """Return what FIELDS are for an admin with two orders."""
    pieces = [{"totalCents": each} for each in cents]
    return {
        "badge": f"badge for {grace.id}",
        "looker": str(grace.id),
        "hat": {"by": str(grace.id), "label": "of felt"},
        "lines": [{**each, "beside": pieces} for each in pieces],
    }


def seen_by_customer(ada: Person, *cents: int) -> dict[str, Any]:
    """Return what FIELDS are for a customer without a role, with two orders."""
    seen = seen_by_admin(ada, *cents)
    return {**seen, "badge": None, "hat": {"by": str(ada.id), "label": None}}


def refusals(answer: Answer) -> dict[str, str]:
    """Return the reasons of an answer's errors, by their paths."""
    return {
        ".".join(map(str, each["path"])): each["extensions"]["reason"] for each in answer.errors
    }


async def test_customer_of_a_sign_in_is_judged_by_themself_whoever_asks(
    looks: Graph, ada: Person, grace: Person
) -> None:
    await stock(looks, ada, grace, count=4)
    document = f"mutation {{ {GRACE} {{ customer {{ {FIELDS} }} greeting }} }}"
    for token in (None, ada.token, grace.token, "broken"):
        answer = await looks.data(document, token)
        assert answer["login"] == {"customer": seen_by_admin(grace, 1, 3), "greeting": "hello"}


async def test_new_session_of_a_changed_password_sees_its_customer(
    looks: Graph, grace: Person
) -> None:
    change = f'changePassword(currentPassword: "{PASSWORD}", newPassword: "a new one for tests")'
    document = f"mutation {{ {change} {{ customer {{ badge }} }} }}"
    answer = await looks.data(document, grace.token)
    assert answer["changePassword"]["customer"] == {"badge": f"badge for {grace.id}"}


async def test_two_sign_ins_of_a_request_see_their_own_alone(
    looks: Graph, ada: Person, grace: Person
) -> None:
    await stock(looks, ada, grace, count=4)
    both = f"a: {ADA} {{ customer {{ {FIELDS} }} }} g: {GRACE} {{ customer {{ {FIELDS} }} }}"
    for document in (both, f"{both} again: {ADA} {{ customer {{ {FIELDS} }} }}"):
        answer = await looks.ask(f"mutation {{ {document} }}")
        assert answer.data.pop("a") == {"customer": seen_by_customer(ada, 0, 2)}
        assert answer.data.pop("g") == {"customer": seen_by_admin(grace, 1, 3)}
        assert all(v == {"customer": seen_by_customer(ada, 0, 2)} for v in answer.data.values())
        assert {path.split(".")[0] for path in refusals(answer)} == {"a", *answer.data}
        assert set(refusals(answer).values()) == {"PERMISSION_REQUIRED"}


async def test_sign_ins_whose_fields_are_loaded_at_once_see_their_own_alone(
    looks: Graph, ada: Person, grace: Person
) -> None:
    await stock(looks, ada, grace, count=4)
    customers = [str(grace.id), str(ada.id), str(grace.id)]
    document = f"""query ($customers: [UUID!]!) {{
        entries(customers: $customers) {{ customer {{ {FIELDS} }} }}
        pieces {{ totalCount }}
        me {{ {FIELDS} }}
    }}"""
    answer = await looks.ask(document, ada.token, customers=customers)
    seen = [each["customer"] for each in answer.data["entries"]]
    admins, customers_own = seen_by_admin(grace, 1, 3), seen_by_customer(ada, 0, 2)
    assert seen == [admins, customers_own, admins]
    assert (answer.data["me"], answer.data["pieces"]) == (customers_own, {"totalCount": 2})
    assert set(refusals(answer)) == {
        *("entries.1.customer.badge", "entries.1.customer.hat.label"),
        *("me.badge", "me.hat.label"),
    }


async def test_what_follows_a_sign_in_is_judged_by_the_requests_own_token(
    looks: Graph, ada: Person, grace: Person
) -> None:
    create = 'createCustomer(input: { name: "Eve", email: "eve@example.com" }) { status }'
    update = f'updateMe(input: {{ phone: "+1 555 0100" }}) {{ customer {{ {FIELDS} }} }}'
    signed = f"{GRACE} {{ customer {{ {FIELDS} }} }}"
    document = f"mutation {{ {signed} look {{ by }} {create} {update} }}"
    await stock(looks, ada, grace, count=4)
    answer = await looks.ask(document)
    assert answer.data["login"]["customer"] == seen_by_admin(grace, 1, 3)
    assert answer.data["look"] == {"by": None}
    assert refusals(answer) == {"createCustomer": "TOKEN_MISSING", "updateMe": "TOKEN_MISSING"}
    answer = await looks.ask(document, ada.token)
    assert answer.data["login"]["customer"] == seen_by_admin(grace, 1, 3)
    assert answer.data["look"] == {"by": str(ada.id)}
    assert answer.data["updateMe"]["customer"] == seen_by_customer(ada, 0, 2)
    assert refusals(answer) == {
        "createCustomer": "ADMIN_REQUIRED",
        "updateMe.customer.badge": "PERMISSION_REQUIRED",
        "updateMe.customer.hat.label": "PERMISSION_REQUIRED",
    }


EACH = ("shape", "twice", "badge", "looker", "hat { by }", "secret", "lines { totalCents }")
ALL = f"{' '.join(EACH)} sessions {{ id nick }}"


def names() -> set[str]:
    """Return the names of the extensions of a customer."""
    return {each.partition(" ")[0] for each in EACH}


async def test_session_that_is_held_sees_no_extension_of_its_own_customer(
    strict: Graph, grace: Person
) -> None:
    await stock(strict, grace, count=2)
    refresh = f'refresh(refreshToken: "{grace.refresh_token}")'
    for start, token, root in (
        ("{ me", grace.token, "me"),
        (f"mutation {{ {GRACE} {{ greeting customer", None, "login.customer"),
        (f"mutation {{ {refresh} {{ greeting customer", None, "refresh.customer"),
    ):
        answer = await strict.ask(f"{start} {{ name email {ALL} }} {'}' * start.count('{')}", token)
        refused = refusals(answer)
        assert set(refused.values()) == {HELD}
        shown: Any = answer.data
        for step in root.split("."):
            shown = shown[step]
        assert (shown["name"], shown["email"]) == (grace.name, grace.email)
        assert all(shown[name] is None for name in names()), shown
        assert all(each["nick"] is None and each["id"] for each in shown["sessions"])
        nicks = {f"{root}.sessions.{n}.nick" for n in range(len(shown["sessions"]))}
        greeting = {f"{root.split('.')[0]}.greeting"} if root != "me" else set()
        assert set(refused) == {f"{root}.{name}" for name in names()} | nicks | greeting


async def test_session_that_is_held_reads_no_page_of_customers_or_rows(
    strict: Graph, grace: Person
) -> None:
    for _ in range(2):  # the caller is read, and a remembered one is proven by the page
        answer = await strict.ask(
            "{ customers { nodes { shape lines { totalCents } } } }", grace.token
        )
        assert refusals(answer) == {"customers": HELD}
    answer = await strict.ask("{ pieces { nodes { totalCents } } }", grace.token)
    assert refusals(answer) == {"pieces": HELD}


async def test_sign_in_that_is_held_refuses_nothing_to_who_asks_next(
    settings: Settings, ada: Person, grace: Person
) -> None:
    chosen = settings.model_copy(update={"second_factor": "admins"})
    asked = f"{GRACE} {{ customer {{ shape }} }} updateMe(input: {{}}) {{ customer {{ shape }} }}"
    async with graph(chosen, [SHOP, LOOKS]) as admins:
        answer = await admins.ask(f"mutation {{ {asked} }}", ada.token)
        assert refusals(answer) == {"login.customer.shape": HELD}
        assert answer.data["updateMe"] == {"customer": {"shape": "round"}}
        document = f"mutation {{ {ADA} {{ greeting customer {{ {ALL} }} }} }}"
        answer = await admins.ask(document, grace.token)
        assert answer.data["login"]["greeting"] == "hello"
        assert set(refusals(answer)) == {"login.customer.badge"}
        assert answer.data["login"]["customer"]["twice"] == "haha"


@pytest.mark.usefixtures("ada")
async def test_sign_in_after_one_that_is_held_is_judged_by_itself(
    settings: Settings, grace: Person
) -> None:
    chosen = settings.model_copy(update={"second_factor": "admins"})
    async with graph(chosen, [SHOP, LOOKS]) as admins:
        document = f"mutation {{ updateMe(input: {{}}) {{ status }} {ADA} {{ greeting }} }}"
        answer = await admins.ask(document, grace.token)
        assert refusals(answer) == {"updateMe": HELD}
        assert answer.data["login"] == {"greeting": "hello"}
