"""Input fields of features, and their rules for passwords."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import strawberry
from sqlalchemy import func, select

from gql_app.accounts.mail.letters import post_link
from gql_app.accounts.mail.links import LinkKind
from gql_app.db.tables import AuditRow, CustomerRow
from gql_app.errors import Refused
from gql_app.extending.extend import extend
from gql_app.extending.feature import Feature
from gql_app.extending.hooks import CommittedEvent, Event
from gql_app.extending.transaction import Transaction
from gql_app.lib.text import visible_line
from gql_app.schema.administration import CreateCustomerInput, UpdateCustomerInput
from gql_app.schema.mail.invitations import InviteCustomerInput
from gql_app.schema.profile import UpdateMeInput
from gql_app.settings import Settings
from tests.extending.graph import Graph, graph
from tests.extending.shop import CompanyRow
from tests.extending.test_hooks import run_all
from tests.letterbox import Letterbox
from tests.people import PASSWORD, Person, add_customer, sign_in

REGISTER = """mutation ($input: RegisterInput!) {
  register(input: $input) {
    status errors { code field } token customer { name company orders { totalCents } }
  }
}"""
UPDATE = """mutation ($input: UpdateMeInput!) {
  updateMe(input: $input) { errors { code field } customer { name company } }
}"""
CHANGE = """mutation ($id: ID!, $input: UpdateCustomerInput!) {
  updateCustomer(id: $id, input: $input) { errors { code field } customer { name company } }
}"""
CREATE = """mutation ($input: CreateCustomerInput!) {
  createCustomer(input: $input) { errors { code field } customer { name company } }
}"""
EVE: dict[str, Any] = {"name": "Eve New", "email": "eve@example.com", "password": PASSWORD}


async def companies(shop: Graph) -> list[str]:
    """Return what was saved."""
    rows = await shop.resources.database.fetch_all(select(CompanyRow.company))
    return [row.company for row in rows]


async def customers_there(shop: Graph) -> int:
    """Return how many customers there are."""
    row = await shop.resources.database.fetch_one(select(func.count()).select_from(CustomerRow))
    number: int = row[0]
    return number


async def test_field_of_a_feature_is_saved_with_the_registration(shop: Graph) -> None:
    answer = (await shop.data(REGISTER, input={**EVE, "company": "  Acme "}))["register"]
    assert answer["customer"]["company"] == "Acme"
    assert await companies(shop) == ["Acme"]


async def test_all_faults_are_told_together_and_nothing_is_done(shop: Graph) -> None:
    bad = {**EVE, "name": "", "company": "Evil Ltd"}
    answer = (await shop.data(REGISTER, input=bad))["register"]
    assert answer["errors"] == [
        {"code": "REQUIRED", "field": "name"},
        {"code": "NOT_SERVED", "field": "company"},
    ]
    only = (await shop.data(REGISTER, input={**EVE, "company": "Evil Ltd"}))["register"]
    assert only["errors"] == [{"code": "NOT_SERVED", "field": "company"}]
    broken = (await shop.data(REGISTER, input={**EVE, "company": "Broken"}))["register"]
    assert broken["errors"] == [{"code": "NOT_SERVED", "field": "company"}]
    assert (await customers_there(shop), await companies(shop)) == (0, [])


async def test_what_is_left_out_is_not_saved(shop: Graph, ada: Person) -> None:
    assert (await shop.data(REGISTER, input=EVE))["register"]["status"] == "SUCCESS"
    changed = (await shop.data(UPDATE, ada.token, input={"name": "Ada King"}))["updateMe"]
    assert changed["customer"] == {"name": "Ada King", "company": None}
    assert await companies(shop) == []


async def test_fields_are_saved_with_changes_of_customers(
    shop: Graph, ada: Person, grace: Person
) -> None:
    mine = {"name": "Ada King", "company": "One"}
    changed = (await shop.data(UPDATE, ada.token, input=mine))["updateMe"]
    assert changed["customer"] == {"name": "Ada King", "company": "One"}
    theirs = await shop.data(CHANGE, grace.token, id=str(ada.id), input={"company": "Two"})
    assert theirs["updateCustomer"]["customer"] == {"name": "Ada King", "company": "Two"}
    refused = await shop.data(UPDATE, ada.token, input={"name": "Ada II", "company": "Broken"})
    assert refused["updateMe"]["errors"] == [{"code": "NOT_SERVED", "field": "company"}]
    [row] = await shop.resources.database.fetch_all(
        select(CustomerRow.name).where(CustomerRow.id == ada.id)
    )
    assert (row.name, await companies(shop)) == ("Ada King", ["Two"])
    answer = await shop.ask(CREATE, grace.token, input={**EVE, "company": "Three"})
    assert "not to include unknown field 'company'" in answer.errors[0]["message"]


INVITE = """mutation ($input: InviteCustomerInput!) {
  inviteCustomer(input: $input) { errors { code field } }
}"""
NEW: Mapping[str, Any] = {"name": "Nora", "email": "nora@example.com"}
UPDATED, INVITED = "customer:update", "customer:invite"
AUDITED: Sequence[tuple[str, Mapping[str, Any], list[tuple[str, list[str]]]]] = (
    (UPDATE, {"taxNumber": "1"}, [(UPDATED, ["tax_number"])]),
    (UPDATE, {"taxNumber": "2", "motto": None}, [(UPDATED, ["motto", "tax_number"])]),
    (UPDATE, {"taxNumber": "3", "phone": "+1 555 0199"}, [(UPDATED, ["phone", "tax_number"])]),
    (UPDATE, {"taxNumber": "4", "name": "Grace"}, [(UPDATED, ["tax_number"])]),
    (UPDATE, {"taxNumber": "bad", "phone": "+1 555 0177"}, []),
    (UPDATE, {"name": "Grace"}, []),
    (UPDATE, {}, []),
    (CHANGE, {"motto": "x"}, [(UPDATED, ["motto"])]),
    (CHANGE, {"motto": "y", "name": "Ida King"}, [(UPDATED, ["motto", "name"])]),
    (CHANGE, {"isActive": True}, []),
    (CHANGE, {}, []),
    (CREATE, {"name": "New", "email": "new@example.com", "motto": "x"}, [("customer:create", [])]),
    (INVITE, {**NEW, "motto": "x"}, [("customer:create", []), (INVITED, [])]),
    (INVITE, {**NEW, "motto": "z"}, [(UPDATED, ["motto"]), (INVITED, [])]),
    (INVITE, NEW, [(INVITED, [])]),
)
"""Mutations in turn, their inputs, and the events that are recorded, in any order."""


async def test_fields_of_features_are_changes_in_the_audit_and_to_hooks(
    settings: Settings,
    letterbox: Letterbox,  # noqa: ARG001 — letters go there
) -> None:
    seen: list[tuple[str, Sequence[str]]] = []

    @extend(UpdateMeInput, UpdateCustomerInput, CreateCustomerInput, InviteCustomerInput)
    class Further:
        tax_number: str | None = strawberry.UNSET
        motto: str | None = strawberry.UNSET

        @staticmethod
        async def save(_tx: Transaction, _id: UUID, values: Mapping[str, Any]) -> None:
            if values.get("tax_number") == "bad":
                code, message = "INVALID", "This is no tax number."
                raise Refused(code, message, "tax_number")

    async def note(event: CommittedEvent) -> None:
        seen.append((event.name, event.fields))

    async def note_within(_tx: Transaction, event: Event) -> None:
        seen.append((event.name, event.fields))

    name = "customer:updated"
    feature = Feature("tax", extensions=[Further], on={name: note}, within={name: note_within})
    async with graph(settings, [feature]) as tax:
        database = tax.resources.database
        grace = await sign_in(tax.resources, await add_customer(database, "Grace", is_admin=True))
        ida = str((await add_customer(database, "Ida")).id)
        events = select(AuditRow.action, AuditRow.fields).order_by(AuditRow.at, AuditRow.id)
        moments = select(CustomerRow.id, CustomerRow.updated_at).order_by(CustomerRow.id)
        for mutation, given, recorded in AUDITED:
            seen.clear()
            before = len(await database.fetch_all(events))
            times = await database.fetch_all(moments)
            query = mutation.replace("company", "id")
            named = {"id": ida} if mutation is CHANGE else {}
            await tax.data(query, grace.token, **named, input=given)
            new = (await database.fetch_all(events))[before:]
            assert sorted((action, fields) for action, fields in new) == sorted(recorded), given
            await run_all(tax)
            changes = [fields for action, fields in recorded if action == UPDATED]
            assert seen == [(name, (*fields,)) for fields in changes for _ in range(2)], given
            moved = (await database.fetch_all(moments))[: len(times)] != times
            assert moved is any(action == UPDATED for action, _ in recorded), given


async def test_field_is_taken_as_it_is_or_by_the_rules_of_texts(settings: Settings) -> None:
    saved: list[Mapping[str, Any]] = []

    @extend(CreateCustomerInput)
    class Badge:
        number: int = 1
        motto: str | None = strawberry.UNSET

        @staticmethod
        def check_motto(value: str | None) -> str:
            return visible_line(value or "", what="motto", longest=10)

        @staticmethod
        async def save(_tx: Transaction, _customer_id: UUID, values: Mapping[str, Any]) -> None:
            saved.append(values)

    async with graph(settings, [Feature("badges", extensions=[Badge])]) as badges:
        added = await add_customer(badges.resources.database, "Grace", is_admin=True)
        grace = await sign_in(badges.resources, added)
        create = """mutation ($input: CreateCustomerInput!) {
          createCustomer(input: $input) { errors { code field } }
        }"""
        long = await badges.data(create, grace.token, input={**EVE, "motto": "x" * 11})
        assert long["createCustomer"]["errors"] == [{"code": "TOO_LONG", "field": "motto"}]
        await badges.data(create, grace.token, input=EVE)
    assert saved == [{"number": 1}]


async def test_fields_of_an_invitation_are_checked_and_saved_each_time(
    settings: Settings, letterbox: Letterbox
) -> None:
    saved: list[Mapping[str, Any]] = []

    @extend(InviteCustomerInput)
    class Badge:
        motto: str | None = strawberry.UNSET

        @staticmethod
        def check_motto(value: str | None) -> str:
            return visible_line(value or "", what="motto", longest=10)

        @staticmethod
        async def save(_tx: Transaction, customer_id: UUID, values: Mapping[str, Any]) -> None:
            saved.append({"id": str(customer_id), **values})

    async with graph(settings, [Feature("badges", extensions=[Badge])]) as badges:
        added = await add_customer(badges.resources.database, "Grace", is_admin=True)
        grace = await sign_in(badges.resources, added)
        invite = """mutation ($input: InviteCustomerInput!) {
          inviteCustomer(input: $input) { errors { code field } customer { id } }
        }"""
        eve = {"name": "Eve", "email": "eve@example.com"}
        long = await badges.data(invite, grace.token, input={**eve, "motto": "x" * 11})
        assert long["inviteCustomer"]["errors"] == [{"code": "TOO_LONG", "field": "motto"}]
        for motto in ("one", "two"):
            done = await badges.data(invite, grace.token, input={**eve, "motto": motto})
            whose = done["inviteCustomer"]["customer"]["id"]
            assert saved.pop() == {"id": whose, "motto": motto}
        assert await letterbox.link()


async def test_rules_for_passwords_run_wherever_one_is_set(
    shop: Graph, ada: Person, grace: Person, letterbox: Letterbox
) -> None:
    bad = "correct horse battery"
    pwned = [{"code": "PWNED", "field": "password"}]
    registered = await shop.data(REGISTER, input={**EVE, "password": bad})
    assert registered["register"]["errors"] == pwned
    created = await shop.data(CREATE, grace.token, input={**EVE, "password": bad})
    assert created["createCustomer"]["errors"] == pwned
    changed = await shop.data(CHANGE, grace.token, id=str(ada.id), input={"password": bad})
    assert changed["updateCustomer"]["errors"] == pwned
    renamed = {"password": "a long and other one", "email": "strict@example.com"}
    strict = await shop.data(CHANGE, grace.token, id=str(ada.id), input=renamed)
    assert strict["updateCustomer"]["errors"] == pwned
    change = """mutation ($now: String!, $new: String!) {
      changePassword(currentPassword: $now, newPassword: $new) { errors { code field } }
    }"""
    answer = await shop.data(change, ada.token, now=PASSWORD, new=bad)
    pwned_new = [{"code": "PWNED", "field": "newPassword"}]
    assert answer["changePassword"]["errors"] == pwned_new
    async with shop.resources.database.transaction() as db:
        await post_link(db, LinkKind.PASSWORD_RESET, customer_id=ada.id)
    shop.resources.posted.set()
    reset = """mutation ($link: String!, $new: String!) {
      resetPassword(token: $link, newPassword: $new) { status errors { code field } }
    }"""
    link = await letterbox.link()
    answer = await shop.data(reset, link=link, new=bad)
    assert answer["resetPassword"]["errors"] == pwned_new
    answer = await shop.data(reset, link=link, new="a long and other one")
    assert answer["resetPassword"]["status"] == "SUCCESS"


async def test_faults_of_all_rules_for_passwords_are_told(shop: Graph) -> None:
    both = {**EVE, "password": "correct horse shopping"}
    answer = await shop.data(REGISTER, input=both)
    assert answer["register"]["errors"] == [
        {"code": "PWNED", "field": "password"},
        {"code": "PWNED", "field": "elsewhere"},
    ]


async def test_our_own_policy_comes_first(shop: Graph) -> None:
    answer = await shop.data(REGISTER, input={**EVE, "password": "horse"})
    assert answer["register"]["errors"] == [{"code": "WEAK_PASSWORD", "field": "password"}]


@strawberry.input(one_of=True)
class Pick:
    """An order, by its number or its note."""

    number: int | None = strawberry.UNSET
    note: str | None = strawberry.UNSET


@strawberry.type
class Picking:
    """A field with an input of which one field is given."""

    @strawberry.field
    def picked(self, by: Pick) -> str:
        """Return what was given."""
        return str(by)


async def test_one_of_several_fields_is_told_and_demanded(settings: Settings) -> None:
    both, variable = {"number": 1, "note": "x"}, "query ($by: Pick!) { picked(by: $by) }"
    async with graph(settings, [Feature("picking", queries=[Picking])]) as picking:
        told = await picking.data('{ __type(name: "Pick") { isOneOf } }')
        assert told == {"__type": {"isOneOf": True}}
        assert "note='x'" in (await picking.data(variable, by={"note": "x"}))["picked"]
        for query, by, code in (
            ('{ picked(by: {number: 1, note: "x"}) }', None, "GRAPHQL_VALIDATION_FAILED"),
            ("{ picked(by: {}) }", None, "GRAPHQL_VALIDATION_FAILED"),
            (variable, both, "BAD_USER_INPUT"),
            (variable, {"note": None}, "BAD_USER_INPUT"),
        ):
            [error] = (await picking.ask(query, by=by)).errors
            assert error["extensions"]["code"] == code
            assert "exactly one field must be specified" in error["message"]
