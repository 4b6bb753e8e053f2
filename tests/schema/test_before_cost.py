"""Limits are judged before anything is paid: what is beyond one touches no transaction."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import Any, Final, NamedTuple

import pytest

from gql_app.accounts.throttling import Throttle
from gql_app.lib import clock
from gql_app.lib.database import Database
from gql_app.lib.rate_limits import Limit
from gql_app.security.passwords import Passwords
from gql_app.settings import Settings
from tests.api import Api, running
from tests.apps import challenge, set_up_first
from tests.conftest import SetClock
from tests.people import PASSWORD, Person, add_customer, sign_in
from tests.schema.mutations import SUCCESS, CodeAndField, do, faults, send
from tests.schema.places import Place, places
from tests.throttles import fill

HERE, NEW_PASSWORD = "192.0.2.1", "another good one"
SIGNED_IN: Final = frozenset(
    {
        *("updateMe", "changePassword", "deleteMe", "requestEmailVerification"),
        *("reauthenticate", "confirmCodes", "beginCodes", "renameSecondFactor"),
        *("beginPasskey", "confirmPasskey"),
    }
)
LOCKED: Final[list[CodeAndField]] = [("TOO_MANY_ATTEMPTS", None)]
EVE = {"name": "Eve", "email": "eve@example.com", "password": NEW_PASSWORD}
SIGN_IN: dict[str, Any] = {"email": "ada@example.com", "password": PASSWORD}
CHANGE: dict[str, Any] = {"currentPassword": PASSWORD, "newPassword": NEW_PASSWORD}
MOVE: dict[str, Any] = {"input": {"email": "a@example.org", "currentPassword": PASSWORD}}
DELETE: dict[str, Any] = {"password": PASSWORD}

CHOSEN: Final = frozenset(
    {
        *("register.input.password", "createCustomer.input.password"),
        *("updateCustomer.input.password", "changePassword.newPassword"),
        *("resetPassword.newPassword", "acceptInvitation.password"),
    }
)
"""Secrets that are chosen anew, and not compared with one that is in force."""
_SECRET: Final = re.compile("password|code|token|challenge", re.IGNORECASE)
GUESSED: Final = [
    place
    for place in places("String")
    if place.operation == "mutation"
    and _SECRET.search(place.inner or place.argument)
    and str(place) not in CHOSEN
]


class Case(NamedTuple):
    """A mutation that is refused once its limit is reached."""

    mutation: str
    given: Callable[[Person], dict[str, Any]]
    limit: Callable[[Throttle, Person], Limit]


def proof(throttle: Throttle, person: Person) -> Any:  # noqa: ANN401 — its parts are limits
    """Return the limits of proving one's password."""
    return throttle.of_password("proof", str(person.id), HERE)


def entry(throttle: Throttle, _: Person) -> Any:  # noqa: ANN401 — its parts are limits
    """Return the limits of signing in."""
    return throttle.of_password("sign-in", "ada@example.com", HERE)


def link_guesses(throttle: Throttle, _: Person) -> Limit:
    """Return the limit of guessing at links."""
    return throttle.of_client("link with", HERE)[0]


def changes(throttle: Throttle, person: Person) -> Limit:
    """Return the limit of changing oneself."""
    return throttle.of_account("change", person.id)


def changes_of_access(throttle: Throttle, person: Person) -> Limit:
    """Return the limit of changing what gives access to oneself."""
    return throttle.of_account("access", person.id)


def codes(throttle: Throttle, person: Person) -> Limit:
    """Return the limit of wrong codes."""
    return throttle.of_account("code", person.id)


def factors(throttle: Throttle, person: Person) -> Limit:
    """Return the limit of new factors."""
    return throttle.of_account("factor", person.id)


def passkeys(throttle: Throttle, _: Person) -> Limit:
    """Return the limit of passkeys that are refused."""
    return throttle.of_client("passkey", HERE)[0]


CASES: Final = [
    Case("login", lambda _: SIGN_IN, lambda *of: entry(*of).pair),
    Case("login", lambda _: SIGN_IN, lambda *of: entry(*of).clients[0]),
    Case("login", lambda _: SIGN_IN, lambda *of: entry(*of).lockout),
    Case(
        "refresh",
        lambda _: {"refreshToken": f"gar_{'A' * 43}"},
        lambda throttle, _: throttle.of_client("refresh", HERE)[0],
    ),
    Case(
        "refresh",
        lambda person: {"refreshToken": person.refresh_token},
        lambda throttle, person: throttle.of_account("refresh", person.id),
    ),
    Case(
        "register",
        lambda _: {"input": EVE},
        lambda throttle, _: throttle.of_client("register", HERE)[0],
    ),
    Case("register", lambda _: {"input": EVE}, lambda throttle, _: throttle.of_taken(HERE)[0]),
    Case(
        "requestPasswordReset",
        lambda _: {"email": "ada@example.com"},
        lambda throttle, _: throttle.of_client("reset", HERE)[0],
    ),
    Case(
        "resetPassword",
        lambda _: {"token": f"gap_{'A' * 43}", "newPassword": NEW_PASSWORD},
        lambda throttle, _: throttle.of_client("reset with", HERE)[0],
    ),
    Case(
        "acceptInvitation",
        lambda _: {"token": f"gai_{'A' * 43}", "password": NEW_PASSWORD},
        link_guesses,
    ),
    Case("verifyEmail", lambda _: {"token": f"gav_{'A' * 43}"}, link_guesses),
    Case("declineEmail", lambda _: {"token": f"gav_{'A' * 43}"}, link_guesses),
    Case("undoEmailChange", lambda _: {"token": f"gau_{'A' * 43}"}, link_guesses),
    Case(
        "requestEmailVerification",
        lambda _: {},
        lambda throttle, _: throttle.of_client("link", HERE)[0],
    ),
    Case(
        "requestEmailVerification",
        lambda _: {},
        lambda throttle, person: throttle.of_account("link", person.id),
    ),
    Case("undoSecondFactor", lambda _: {"token": f"gaf_{'A' * 43}"}, link_guesses),
    Case(
        "verifySecondFactor",
        lambda _: {"challenge": f"gac_{'A' * 43}", "code": "123456"},
        link_guesses,
    ),
    Case("reauthenticate", lambda _: {"code": "123456"}, codes),
    Case("confirmCodes", lambda _: {"code": "123456"}, codes),
    Case("reauthenticate", lambda _: {"passkey": {}}, passkeys),
    Case("reauthenticate", lambda _: {"password": PASSWORD}, lambda *of: proof(*of).pair),
    *(
        Case(name, given, changes if name == "renameSecondFactor" else changes_of_access)
        for name, given in (
            ("beginCodes", lambda _: {}),
            ("beginPasskey", lambda _: {}),
            ("confirmPasskey", lambda _: {"credential": {}}),
            ("confirmCodes", lambda _: {"code": "123456"}),
            ("reauthenticate", lambda _: {"code": "123456"}),
            ("renameSecondFactor", lambda _: {"id": "x", "name": "A"}),
        )
    ),
    *(
        Case(name, given, factors)
        for name, given in (
            ("beginCodes", lambda _: {}),
            ("beginPasskey", lambda _: {}),
            ("confirmPasskey", lambda _: {"credential": {}}),
            ("confirmCodes", lambda _: {"code": "123456"}),
        )
    ),
    Case("updateMe", lambda _: {"input": {"name": "Ada"}}, changes),
    Case("updateMe", lambda _: MOVE, lambda *of: of[0].of_taken(HERE, of[1].id)[0]),
    Case("updateMe", lambda _: MOVE, lambda *of: of[0].of_taken(HERE, of[1].id)[1]),
    Case("updateMe", lambda _: MOVE, lambda *of: proof(*of).pair),
    Case("changePassword", lambda _: CHANGE, changes_of_access),
    Case("changePassword", lambda _: CHANGE, lambda *of: proof(*of).pair),
    Case("changePassword", lambda _: CHANGE, lambda *of: proof(*of).clients[0]),
    Case("changePassword", lambda _: CHANGE, lambda *of: proof(*of).lockout),
    Case("deleteMe", lambda _: DELETE, lambda *of: proof(*of).pair),
    Case("deleteMe", lambda _: DELETE, lambda *of: proof(*of).clients[0]),
    Case("deleteMe", lambda _: DELETE, lambda *of: proof(*of).lockout),
]


@contextmanager
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Take down each transaction that this task begins, and each password that it has hashed."""
    begun: list[str] = []
    ours = ContextVar("ours", default=False)

    def noting(method: str, begins: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*given: Any, **named: Any) -> Any:  # noqa: ANN401 — whatever it takes
            if ours.get():  # and no chore's
                begun.append(method)
            return begins(*given, **named)

        return noted

    costs = ((Database, "transaction"), (Passwords, "verify"), (Passwords, "hash"))
    with monkeypatch.context() as patch:
        for owner, method in costs:
            patch.setattr(owner, method, noting(method, getattr(owner, method)))
        token = ours.set(True)
        try:
            yield begun
        finally:
            ours.reset(token)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.mutation)
@pytest.mark.usefixtures("letterbox")
async def test_whatever_is_over_its_limit_begins_no_transaction_and_hashes_nothing(
    api: Api, plain: Person, monkeypatch: pytest.MonkeyPatch, case: Case
) -> None:
    limit = case.limit(api.resources.throttle, plain)
    await fill(api.database, limit)
    token = plain.token if case.mutation in SIGNED_IN else None
    with watched(monkeypatch) as begun:
        answer = await send(api, case.mutation, case.given(plain), token=token)
    refused = answer.data[case.mutation]
    assert faults(refused) == LOCKED
    assert 0 < refused["retryAfter"] <= limit.window
    assert begun == []


def test_every_limit_there_is_was_tried_above() -> None:
    throttle = Throttle(key=b"a key of the tests", attempts=5, client_attempts=50, window=900)
    somebody = Person(clock.new_id(), "Ada", "ada@example.com", "", clock.new_id(), "")
    tried = {case.limit(throttle, somebody).name for case in CASES}
    named = {limit.name for limit in throttle.limits.values()}
    assert tried == named - {"sign_in_account", "second_factor_client"}


SHAPELESS: Final[Sequence[tuple[str, Mapping[str, Any], Sequence[CodeAndField]]]] = (
    [
        ("refresh", {"refreshToken": token}, [("TOKEN_INVALID", "refreshToken")])
        for token in ("x", "", "gar_", f"gap_{'A' * 43}", f"gar_{'A' * 44}", "\0", "x" * 100_000)
    ]
    + [
        (
            "resetPassword",
            {"token": token, "newPassword": NEW_PASSWORD},
            [("TOKEN_INVALID", "token")],
        )
        for token in ("x", "", "gap_", f"gar_{'A' * 43}", f"gap_{'A' * 44}", "\0", "x" * 100_000)
    ]
    + [
        (name, {"token": token}, [("TOKEN_INVALID", "token")])
        for name in ("verifyEmail", "declineEmail", "undoEmailChange")
        for token in ("x", "", "gav_", "gau_", f"gap_{'A' * 43}", f"gav_{'A' * 44}", "\0")
    ]
    + [
        ("undoSecondFactor", {"token": token}, [("TOKEN_INVALID", "token")])
        for token in ("x", "", "gaf_", f"gau_{'A' * 43}", f"gaf_{'A' * 44}", "\0")
    ]
    + [
        (
            "verifySecondFactor",
            {"challenge": token, "code": "123456"},
            [("TOKEN_INVALID", "challenge")],
        )
        for token in ("x", "", "gac_", f"gar_{'A' * 43}", f"gac_{'A' * 44}", "\0", "x" * 100_000)
    ]
    + [
        ("signInWithPasskey", {"credential": each}, [("INVALID_PASSKEY", None)])
        for each in ({}, "x", 1, {"response": {"clientDataJSON": "e30"}})
    ]
)
"""Mutations that are sent what can't be a token by its form, and what they answer."""


@pytest.mark.parametrize("mutation", dict.fromkeys(name for name, _, _ in SHAPELESS))
async def test_what_cannot_be_a_token_by_its_form_begins_nothing(
    api: Api, monkeypatch: pytest.MonkeyPatch, mutation: str
) -> None:
    with watched(monkeypatch) as begun:
        for given, told in [(given, told) for name, given, told in SHAPELESS if name == mutation]:
            answer = await send(api, mutation, given)
            assert faults(answer.data[mutation]) == told, given
            assert begun == [], given


@pytest.mark.parametrize("place", GUESSED, ids=str)
async def test_blank_secret_is_no_guess(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, place: Place
) -> None:
    name = place.inner or place.argument
    code = "REQUIRED" if re.search("password|code", name.lower()) else "TOKEN_INVALID"
    async with running(settings.model_copy(update={"sign_in_links": True})) as api:
        ada = await sign_in(api.resources, await add_customer(api.database, "Ada"))
        others = {"code": "123456"} if name == "challenge" else {}
        if name == "code":
            await set_up_first(api, ada)
            others = {"challenge": await challenge(api, ada.email, PASSWORD)}
        elif place.field == "login":
            others = {"email": ada.email}
        document = place.document("$value", f"($value: {place.kind}!)", **others)
        with watched(monkeypatch) as begun:
            for blank in ("", " ", "\t\r\n", "\u00a0\u2003\u3000"):
                answer = await api.run(document, token=ada.token, value=blank)
                assert faults(answer.data[place.field]) == [(code, name)]
        assert begun == []
        assert await api.resources.guesses.record(api.database, last=True) == 0


def test_every_mutation_that_compares_a_secret_was_tried_above() -> None:
    assert {str(place) for place in GUESSED} >= {
        *("login.password", "reauthenticate.password", "deleteMe.password"),
        *("updateMe.input.currentPassword", "changePassword.currentPassword"),
        *("confirmCodes.code", "verifySecondFactor.code", "reauthenticate.code"),
        *("verifySecondFactor.challenge", "refresh.refreshToken", "signInByLink.token"),
    }


async def test_blank_password_is_answered_alike_for_every_address(api: Api, plain: Person) -> None:
    told = [
        await do(api, "login", email=email, password=" ")
        for email in (plain.email, "nobody@example.com", "no address", "")
    ]
    assert faults(told[0]) == [("REQUIRED", "password")]
    assert told == [told[0]] * 4


async def test_account_that_was_signed_in_to_too_often_begins_no_transaction(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, set_clock: SetClock
) -> None:
    start = clock.now()
    set_clock(start)
    async with running(settings.model_copy(update={"account_writes_per_hour": 2})) as api:
        ada = await add_customer(api.database, "Ada")
        for minutes in (0, 1):
            set_clock(start + timedelta(minutes=minutes))
            await sign_in(api.resources, ada)
        with watched(monkeypatch) as begun:
            refused = await do(api, "login", **SIGN_IN)
            wrong = await do(api, "login", **{**SIGN_IN, "password": "a guess"})
        assert (faults(refused), refused["retryAfter"]) == (LOCKED, 59 * 60)
        assert begun == ["verify", "verify", "transaction"]
        assert faults(wrong) == [("INVALID_CREDENTIALS", None)]
        set_clock(start + timedelta(hours=1))
        assert faults(await do(api, "login", **SIGN_IN)) == SUCCESS
        assert faults(await do(api, "login", **SIGN_IN)) == LOCKED
