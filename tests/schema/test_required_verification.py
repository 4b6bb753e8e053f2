"""No session before the proof: what is told, whether or not an account has the address."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

import pytest
from sqlalchemy import select, update

from gql_app.accounts.mail.registrations import MAX_WAITING
from gql_app.db.tables import AuditRow, CustomerRow, LetterRow, RegistrationRow, ThrottleRow
from gql_app.errors import Rejected
from gql_app.extending.context import Context
from gql_app.lib import clock
from gql_app.mail import email_verification
from gql_app.schema.authentication import sign_in as sign_in_by_feature
from gql_app.security.passwords import Passwords
from gql_app.settings import Settings
from tests.api import Api, running
from tests.letterbox import Letterbox, link_in
from tests.people import NOWHERE, PASSWORD, Person, add_customer, current
from tests.rows import column
from tests.schema.mutations import SUCCESS, CodeAndField, do, faults
from tests.statements import listened
from tests.throttles import fill

HERE: Final = "192.0.2.1"
OURS, THEIRS = "the password of Eve", "another good one"
UNPROVEN: Final[list[CodeAndField]] = [("EMAIL_NOT_VERIFIED", None)]
WRONG: Final[list[CodeAndField]] = [("INVALID_CREDENTIALS", None)]
LOCKED: Final[list[CodeAndField]] = [("TOO_MANY_ATTEMPTS", None)]
KNOWN, UNKNOWN = "ada@example.com", "eve@example.com"
_within: ContextVar[bool] = ContextVar("within", default=False)
"""Whether work is a request's, and not of a task that runs beside it."""


@pytest.fixture
def settings(settings: Settings, letterbox: Letterbox) -> Settings:
    """Require that addresses are proven, by letters that go to the letterbox."""
    assert letterbox.empty
    return settings.model_copy(update={"email_verification": "require"})


@pytest.fixture
async def ada(api: Api) -> None:
    """Add the account that has KNOWN."""
    await add_customer(api.database, "Ada", KNOWN)


async def register(api: Api, email: str, password: str = OURS, **more: object) -> dict[str, Any]:
    """Ask to be registered."""
    given = {"name": "Mallory Squatter", "email": email, "password": password, **more}
    return await do(api, "register", input=given)


async def login(api: Api, email: str, password: str = OURS) -> dict[str, Any]:
    """Try to sign in."""
    return await do(api, "login", email=email, password=password)


@contextmanager
def work(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Take down the statements that requests send, and what they hash."""
    done: list[str] = []
    hashing = {name: getattr(Passwords, name) for name in ("hash", "verify")}

    def noted(name: str) -> Any:  # noqa: ANN401 — a method of Passwords
        async def note(*args: object) -> Any:  # noqa: ANN401 — as it returns
            done.append(name)
            return await hashing[name](*args)

        return note

    def take(sql: str, _: Sequence[object]) -> None:
        if _within.get():
            done.append(sql)

    token = _within.set(True)
    with monkeypatch.context() as patched, listened(take):
        for name in hashing:
            patched.setattr(Passwords, name, noted(name))
        yield done
    _within.reset(token)


@pytest.mark.usefixtures("ada")
async def test_register_answers_and_costs_the_same_whether_or_not_an_account_has_the_address(
    api: Api, letterbox: Letterbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    for email in (KNOWN, UNKNOWN):
        with work(monkeypatch) as done:
            answer = await register(api, email, phone=" +1 555 0199 ")
        assert faults(answer) == SUCCESS
        assert [answer[name] for name in ("token", "refreshToken", "customer")] == [None] * 3
        seen.append((answer, done))
    assert seen[0] == seen[1]
    assert seen[0][1].count("hash") == 1
    known, unknown = await letterbox.next(), await letterbox.next()
    assert (known.recipient, known.subject) == (KNOWN, "You have an account already")
    assert (unknown.recipient, unknown.subject) == (UNKNOWN, "Confirm your e-mail address")
    assert await column(api.database, select(CustomerRow.email)) == [KNOWN]
    for _ in range(MAX_WAITING + 1):
        assert [await register(api, each, phone="+1") for each in (KNOWN, UNKNOWN)] == [answer] * 2
    asked = select(AuditRow).where(AuditRow.action == "customer:register_request")
    events = await api.database.fetch_all(asked)
    assert {(each.customer_id, each.ip_address) for each in events} == {(None, HERE)}
    assert (len(events), len(await waiting(api))) == (2 * (MAX_WAITING + 2), 2 * MAX_WAITING)


@pytest.mark.parametrize("known", ["weiss@example.com", "weiß@example.com"])
async def test_address_that_differs_from_an_accounts_in_ss_alone_gets_a_letter_that_says_so(
    api: Api, letterbox: Letterbox, known: str
) -> None:
    (other,) = {"weiss@example.com", "weiß@example.com"} - {known}
    await add_customer(api.database, "Ada", known)
    assert faults(await register(api, other)) == SUCCESS
    first = await letterbox.next()
    assert (first.recipient, first.subject) == (other, "This e-mail address can't be used")
    assert link_in(first) is None
    assert faults(await login(api, other)) == UNPROVEN
    again = await letterbox.next()
    assert (again.recipient, again.subject, again.body) == (other, first.subject, first.body)
    assert letterbox.empty


async def waiting(api: Api) -> Sequence[str]:
    """Return the phones of who waits."""
    return [each or "" for each in await column(api.database, select(RegistrationRow.phone))]


@pytest.mark.usefixtures("ada")
async def test_register_says_what_is_wrong_with_fields_and_never_that_an_address_is_taken(
    api: Api,
) -> None:
    assert faults(await register(api, KNOWN, "short")) == [("WEAK_PASSWORD", "password")]
    assert faults(await register(api, "eve")) == [("INVALID", "email")]
    assert faults(await register(api, KNOWN)) == SUCCESS
    throttle = api.resources.throttle
    tried = await column(api.database, select(ThrottleRow.subject))
    assert {each.subject for each in throttle.of_taken(HERE)}.isdisjoint(tried)
    await fill(api.database, *throttle.of_client("register", HERE))
    assert faults(await register(api, KNOWN)) == LOCKED


@pytest.mark.usefixtures("ada")
async def test_login_with_a_waiting_password_tells_and_costs_the_same_and_sends_a_fresh_link(
    api: Api, letterbox: Letterbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, links = [], []
    for email in (KNOWN, UNKNOWN):
        for password in (OURS, THEIRS):
            await register(api, email, password)
            links.append((await letterbox.next()).body)
        for password, told in [(OURS, UNPROVEN), (THEIRS, UNPROVEN), ("wrong", WRONG)]:
            with work(monkeypatch) as done:
                answer = await login(api, email, password)
            assert faults(answer) == told
            assert answer["token"] is None
            seen.append((answer, done))
            if told is UNPROVEN:
                assert (await letterbox.next()).body not in links[2:]
    assert seen[:3] == seen[3:]
    assert [done.count("verify") for _, done in seen[:3]] == [3, 2, 3]
    assert letterbox.empty


@pytest.mark.usefixtures("ada")
@pytest.mark.parametrize("email", [KNOWN, UNKNOWN])
async def test_waiting_password_is_a_guess_at_the_accounts_and_clears_nothing(
    api: Api, letterbox: Letterbox, email: str
) -> None:
    await register(api, email)
    await letterbox.next()
    limits = api.resources.throttle.of_password("sign-in", email, HERE)
    await fill(api.database, limits.lockout, limits.pair, but=1)
    assert faults(await login(api, email)) == UNPROVEN
    await letterbox.next()
    for password in (OURS, PASSWORD):
        assert faults(await login(api, email, password)) == LOCKED
    failed = select(AuditRow.customer_id).where(AuditRow.action == "session:login_failed")
    of_account = select(CustomerRow.id).where(CustomerRow.email == email)
    owners = await column(api.database, of_account)
    whose: set[object] = {*owners} or {None}
    assert {*await column(api.database, failed)} == whose


@pytest.mark.usefixtures("ada")
async def test_beyond_the_limit_of_links_the_answer_is_the_same_and_no_letter_goes(
    api: Api, letterbox: Letterbox
) -> None:
    await register(api, UNKNOWN)
    await letterbox.next()
    before = await login(api, UNKNOWN), await login(api, KNOWN, PASSWORD)
    for _ in before:
        await letterbox.next()
    await fill(api.database, *api.resources.throttle.of_client("link", HERE))
    assert (await login(api, UNKNOWN), await login(api, KNOWN, PASSWORD)) == before
    assert before[0] == before[1]
    assert await column(api.database, select(LetterRow.id)) == []


async def test_nobody_waits_for_no_address_and_an_empty_password_matches_nothing(api: Api) -> None:
    await register(api, UNKNOWN)
    for email in ("", "eve", "eve@example.com\0", "x" * 5_000):
        assert faults(await login(api, email)) == WRONG
    for password in ("\0", "x" * 201, OURS.upper()):
        assert faults(await login(api, UNKNOWN, password)) == WRONG
    assert faults(await login(api, UNKNOWN, "")) == [("REQUIRED", "password")]


async def test_right_password_of_an_unproven_account_opens_no_session_and_sends_its_link(
    api: Api, letterbox: Letterbox
) -> None:
    ada = await add_customer(api.database, "Ada", KNOWN)
    limits = api.resources.throttle.of_password("sign-in", KNOWN, HERE)
    await fill(api.database, limits.pair, but=1)
    answer = await login(api, KNOWN, PASSWORD)
    assert (faults(answer), answer["token"], answer["customer"]) == (UNPROVEN, None, None)
    letter = await letterbox.next()
    assert (letter.recipient, letter.subject) == (KNOWN, "Confirm your e-mail address")
    # The password was right, so that failures are forgotten as ever.
    assert faults(await login(api, KNOWN, "wrong")) == WRONG
    actions = await api.database.fetch_all(select(AuditRow.action, AuditRow.customer_id))
    assert ("email:verify_request", ada.id) in actions
    assert "session:login" not in {each.action for each in actions}
    with pytest.raises(Rejected, match="not confirmed"):
        await sign_in_by_feature(context(api), ada.id)
    async with api.database.transaction() as db:
        await db.execute(update(CustomerRow).values(email_verified_at=clock.now()))
    assert faults(await login(api, KNOWN, PASSWORD)) == SUCCESS
    assert (await sign_in_by_feature(context(api), ada.id)).token


def context(api: Api) -> Context:
    """Return what a feature's resolver is given."""
    return Context(api.resources, presented=None, origin=NOWHERE, request_id="none")


async def test_session_from_before_goes_on(api: Api, plain: Person, letterbox: Letterbox) -> None:
    given: dict[str, Any] = {"currentPassword": PASSWORD, "newPassword": THEIRS}
    changed = await do(api, "changePassword", token=plain.token, **given)
    assert faults(changed) == SUCCESS
    assert (await letterbox.next()).subject == "Your password was changed"
    refreshed = await do(api, "refresh", refreshToken=changed["refreshToken"])
    assert faults(refreshed) == SUCCESS
    assert (await current(api.database, plain.id)).email_verified_at is None


async def test_account_that_an_admin_creates_is_unproven_and_gets_its_link_at_the_first_sign_in(
    api: Api, admin: Person, letterbox: Letterbox
) -> None:
    given = {"name": "Bob", "email": "bob@example.com", "password": OURS}
    assert faults(await do(api, "createCustomer", token=admin.token, input=given)) == SUCCESS
    taken = await do(api, "createCustomer", token=admin.token, input=given)
    assert faults(taken) == [("TAKEN", "email")]
    assert letterbox.empty
    assert faults(await login(api, "bob@example.com")) == UNPROVEN
    assert (await letterbox.next()).recipient == "bob@example.com"


@pytest.mark.parametrize("mode", ["off", "ask", "require"])
async def test_login_looks_for_what_waits_by_one_statement_and_only_if_it_has_to(
    settings: Settings, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(settings.model_copy(update={"email_verification": mode})) as api:
        ada = await add_customer(api.database, "Ada", KNOWN)
        async with api.database.transaction() as db:
            await email_verification.prove(db, ada, origin=NOWHERE)
        for email, password in [(KNOWN, PASSWORD), (KNOWN, "wrong"), (UNKNOWN, "wrong")]:
            with work(monkeypatch) as done:
                await login(api, email, password)
            looked = [each for each in done if "registrations" in each]
            assert len(looked) == (mode == "require" and password != PASSWORD)
            assert done.count("verify") == 1
