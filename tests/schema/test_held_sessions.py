"""Sessions that are held: each protected field, for who must set up a second factor first."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
import strawberry

from gql_app.db.tables import CustomerRow
from gql_app.extending.feature import Feature
from gql_app.extending.permissions import HasPermission
from gql_app.schema.permissions import IsAuthenticated, IsRecentlyAuthenticated
from gql_app.settings import Settings
from tests.api import Answer, Api, running
from tests.apps import challenge, set_up, set_up_first, verify
from tests.conftest import SetClock
from tests.databases import contents
from tests.passkeys import registered
from tests.people import PASSWORD, Person, add_customer, current, sign_in
from tests.rows import change
from tests.schema.agreement import BOTH_WAYS
from tests.schema.mutations import SUCCESS, do, faults, refresh, token_reason
from tests.schema.test_permissions import PROTECTED

NOON: Final = datetime(2030, 1, 31, 12, 0, 5, tzinfo=UTC)
LATE: Final = NOON + timedelta(minutes=11)
"""When what was proven at noon is too old."""
HELD: Final = "FORBIDDEN SECOND_FACTOR_ENROLMENT_REQUIRED"
ENROLLING: Final = frozenset(
    {
        *("me", "logout", "reauthenticate"),
        *("beginCodes", "confirmCodes", "beginPasskey", "confirmPasskey"),
    }
)
"""What may be done by who must set up a second factor first; `token` and `refresh` are open."""
CUSTOMERS: Final = "{ customers { nodes { id } } }"


def note() -> str | None:
    """Return a text."""
    return "a note"


@strawberry.type
class Notes:
    """Protected fields of a feature."""

    notes: str | None = strawberry.field(resolver=note, permission_classes=[IsAuthenticated])
    secret_notes: str | None = strawberry.field(
        resolver=note, permission_classes=[IsRecentlyAuthenticated]
    )
    admins_notes: str | None = strawberry.field(
        resolver=note, permission_classes=[HasPermission("customers:write")]
    )


FEATURES: Final = (Feature("notes", queries=[Notes]),)
DOCUMENTS: Final[Mapping[str, str]] = {
    **{field: f"{start} }}" for field, (start, _) in PROTECTED.items()},
    **{field: f"{{ {field} }}" for field in ("notes", "secretNotes", "adminsNotes")},
}
"""A document for each protected field that there is, and for those of a feature."""


@pytest.fixture(autouse=True)
def noon(set_clock: SetClock) -> None:
    """Begin each test at the same moment."""
    set_clock(NOON)


@pytest.fixture
async def strict(settings: Settings) -> AsyncIterator[Api]:
    """Run the API where everybody must have a second factor, with a feature and without mail."""
    changed = settings.model_copy(update={"second_factor": "everyone"})
    async with running(changed, features=FEATURES) as api:
        yield api


def refusal(answer: Answer) -> str | None:
    """Return why the one field of an answer was refused, None if it was not."""
    if not answer.errors:
        return None
    [error] = answer.errors
    assert answer.body["data"][error["path"][0]] is None
    return f"{error['extensions']['code']} {error['extensions']['reason']}"


@BOTH_WAYS
async def test_session_that_is_held_may_set_up_a_factor_and_nothing_else(strict: Api) -> None:
    who = await add_customer(strict.database, "Grace", is_admin=True)
    found = {}
    for name, document in DOCUMENTS.items():
        session = await sign_in(strict.resources, who)
        answers = [await strict.run(document, token=session.token) for _ in range(2)]
        found[name] = refusal(answers[0])
        assert name == "logout" or refusal(answers[1]) == found[name]
    assert {name for name, why in found.items() if why is None} == ENROLLING
    assert {why for why in found.values() if why} == {HELD}


async def test_session_that_is_held_changes_nothing_where_it_is_refused(strict: Api) -> None:
    who = await add_customer(strict.database, "Grace", is_admin=True)
    session = await sign_in(strict.resources, who)
    before = await contents(strict.database)
    for name, document in DOCUMENTS.items():
        if name not in ENROLLING:
            assert refusal(await strict.run(document, token=session.token)) == HELD
    assert await contents(strict.database) == before


async def test_session_that_is_held_goes_on_and_is_told_that_its_token_is_good(
    strict: Api, set_clock: SetClock
) -> None:
    ada = await sign_in(strict.resources, await add_customer(strict.database, "Ada"))
    assert await token_reason(strict, ada.token) is None
    set_clock(LATE)
    await refresh(strict, ada.refresh_token)
    assert (await do(strict, "beginCodes", token=ada.token))["secret"]


async def test_session_is_whole_at_once_by_the_same_token(strict: Api) -> None:
    ada = await sign_in(strict.resources, await add_customer(strict.database, "Ada"))
    assert refusal(await strict.run(CUSTOMERS, token=ada.token)) == HELD
    await set_up(strict, ada.token)
    for document in (CUSTOMERS, CUSTOMERS, "{ notes secretNotes }"):
        assert refusal(await strict.run(document, token=ada.token)) is None


async def test_who_removes_the_last_factor_is_held_though_they_were_remembered(
    strict: Api,
) -> None:
    ada = await sign_in(strict.resources, await add_customer(strict.database, "Ada"))
    await set_up(strict, ada.token)
    for _ in range(2):
        assert refusal(await strict.run(CUSTOMERS, token=ada.token)) is None
    mine = (await strict.run("{ me { secondFactors { id } } }", token=ada.token)).data["me"]
    [factor] = mine["secondFactors"]
    gone = await do(strict, "removeSecondFactor", token=ada.token, id=factor["id"])
    assert faults(gone) == SUCCESS
    assert refusal(await strict.run(CUSTOMERS, token=ada.token)) == HELD


@BOTH_WAYS
async def test_policy_for_admins_holds_them_alone_and_whoever_becomes_one(
    settings: Settings,
) -> None:
    async with running(settings.model_copy(update={"second_factor": "admins"})) as api:
        grace = await add_customer(api.database, "Grace", is_admin=True)
        admin = await sign_in(api.resources, grace)
        plain = await sign_in(api.resources, await add_customer(api.database, "Ada"))
        assert refusal(await api.run(CUSTOMERS, token=admin.token)) == HELD
        for _ in range(2):
            assert refusal(await api.run(CUSTOMERS, token=plain.token)) is None
        await set_up_first(api, admin)
        assert refusal(await api.run(CUSTOMERS, token=admin.token)) is None
        async with api.database.transaction() as db:
            await change(db, CustomerRow, plain.id, is_admin=True)
        assert refusal(await api.run(CUSTOMERS, token=plain.token)) == HELD


async def test_sign_in_by_two_factors_is_held_nowhere(strict: Api, set_clock: SetClock) -> None:
    ada = await sign_in(strict.resources, await add_customer(strict.database, "Ada"))
    app, _ = await set_up_first(strict, ada)
    set_clock(NOON + timedelta(minutes=1))
    token = await challenge(strict, ada.email, PASSWORD)
    opened = await verify(strict, token, app.code())
    assert faults(opened) == SUCCESS
    assert refusal(await strict.run(CUSTOMERS, token=opened["token"])) is None


async def by_code(api: Api, who: Person) -> None:
    """Set up an app."""
    await set_up(api, who.token)


async def by_passkey(api: Api, who: Person) -> None:
    """Set up a passkey."""
    await registered(api, who)


@pytest.mark.parametrize("enrol", [by_code, by_passkey])
async def test_factor_makes_no_other_session_whole_that_was_held(
    strict: Api, set_clock: SetClock, enrol: Callable[[Api, Person], Awaitable[None]]
) -> None:
    ada = await add_customer(strict.database, "Ada")
    thief, owner = [await sign_in(strict.resources, ada) for _ in range(2)]
    assert refusal(await strict.run(CUSTOMERS, token=thief.token)) == HELD
    await enrol(strict, owner)
    assert refusal(await strict.run(CUSTOMERS, token=owner.token)) is None
    assert await token_reason(strict, thief.token) == "TOKEN_REVOKED"
    second = await sign_in(strict.resources, await current(strict.database, ada.id))
    set_clock(NOON + timedelta(seconds=40))
    await enrol(strict, owner)
    assert await token_reason(strict, second.token) is None


async def test_first_factor_ends_no_session_where_nobody_must_have_one(
    api: Api, plain: Person
) -> None:
    second = await sign_in(api.resources, await current(api.database, plain.id))
    await set_up(api, plain.token)
    assert await token_reason(api, second.token) is None
