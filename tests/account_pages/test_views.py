"""Each page and state in all sizes and colours: read by axe, within reach, by keyboard."""

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import pytest

from gql_app.lib import one_time_codes
from tests.account_pages.visit import TOKEN, Answer, Visit, fault, link, payload
from tests.playground.reach import EVERY, MODES, SIZES, chosen, faults, missed_by_keyboard, show

pytestmark = pytest.mark.xdist_group("chromium")

SMALLEST: Final = "400 %"
View = Callable[[Visit], Awaitable[None]]
FACTORS: Final = "gaf_x"
"""The token of a link that undoes a second factor."""
SPENT: Final = fault("TOKEN_INVALID", "This link is not good any more.", "token")
WEAK: Final = fault("WEAK_PASSWORD", "Choose a password of at least 10 characters.", "password")
MORE: Final = fault("SECOND_FACTOR_REQUIRED", "Almost there.")
WRONG: Final = fault("INVALID_CODE", "This code is wrong, or it was used before.", "code")
DAY: Final = "2026-11-30T12:00:00Z"
APP: Final = {"id": "1", "method": "CODE", "name": None, "createdAt": DAY, "lastUsedAt": None}
PASSKEY: Final = {**APP, "id": "2", "method": "PASSKEY", "name": "N" * 60, "lastUsedAt": DAY}
WAIT: Final = fault("TOO_MANY_ATTEMPTS", "Too many attempts. Try again in 15 minutes.")


def opened(name: str, token: str | None) -> View:
    """Show a page as it opens."""

    async def view(visit: Visit) -> None:
        await visit.open(name, token)

    view.__name__ = f"{name} {'asks' if token else 'without a link'}"
    return view


def spent(name: str, mutation: str, button: str, token: str = TOKEN) -> View:
    """Show what becomes of an old link."""

    async def view(visit: Visit) -> None:
        await visit.play("graphql", payload(mutation, SPENT["message"], SPENT))
        await visit.open(name, token)
        await visit.press(button)
        await visit.page.get_by_text(SPENT["message"]).wait_for()

    view.__name__ = f"{mutation} by an old link"
    return view


async def another(visit: Visit) -> None:
    """Show that another link was asked for."""
    await visit.play("graphql", payload("requestPasswordReset", "It is on its way."))
    await visit.field("E-mail address").fill("ada@example.com")
    await visit.press("Send me a new link")
    await visit.arrived("Your request has arrived")


def done(name: str, mutation: str, button: str, token: str = TOKEN) -> View:
    """Show that something is done."""

    async def view(visit: Visit) -> None:
        await visit.play("graphql", payload(mutation))
        await visit.open(name, token)
        await visit.press(button)
        await visit.page.get_by_text("It is done.").wait_for()

    view.__name__ = f"{mutation} is done"
    return view


def asked(kind: str) -> View:
    """Show the question on a link of a kind."""

    async def view(visit: Visit) -> None:
        await visit.play("link", link(kind))
        await visit.open("verify")
        await visit.page.locator("time:visible").wait_for()

    view.__name__ = f"question on the {kind}"
    return view


async def weak(visit: Visit) -> None:
    """Show a password that is refused, and shown."""
    await visit.play("graphql", payload("acceptInvitation", WEAK["message"], WEAK))
    await visit.open("accept")
    await visit.press("Set the password and sign in")
    await visit.page.get_by_text(WEAK["message"]).wait_for()
    await visit.password().fill("short")
    await visit.press("Show the password")


async def waiting(visit: Visit) -> None:
    """Show that there were too many attempts."""
    answer = payload("acceptInvitation", WAIT["message"], WAIT, retryAfter=900)
    await visit.play("graphql", answer)
    await visit.press("Set the password and sign in")
    await visit.page.get_by_text(WAIT["message"]).wait_for()


async def offline(visit: Visit) -> None:
    """Show that the server was not reached, by a press and before any."""
    await visit.play("graphql", None)
    await visit.open("undo")
    await visit.press("Undo the change")
    await visit.page.get_by_text("The server did not answer").wait_for()


async def unasked(visit: Visit) -> None:
    """Show that the question could not be had."""
    await visit.play("link", None)
    await visit.open("verify")
    await visit.button("Try again").wait_for()
    visit.complaints.clear()


def second(methods: Sequence[str]) -> View:
    """Show the second step of a sign-in link."""

    async def view(visit: Visit) -> None:
        step = {"challenge": "gac_1", "methods": methods, "passkeyOptions": {}}
        await visit.play("graphql", payload("signInByLink", "More.", MORE, secondFactor=step))
        await visit.open("sign-in")
        await visit.press("Sign in")
        await visit.arrived("One more step")

    view.__name__ = f"second step by {' and '.join(methods)}"
    return view


async def wrong_code(visit: Visit) -> None:
    """Show a code that is refused, after one for what takes codes."""
    await visit.play("graphql", payload("verifySecondFactor", WRONG["message"], WRONG))
    await visit.page.locator("[data-view=second] button.main").click()
    await visit.page.get_by_text(WRONG["message"]).filter(visible=True).wait_for()


async def signing_in(visit: Visit) -> None:
    """Show the sign-in of the page for second factors."""
    await visit.open("security", None)
    await visit.heading("Sign in")


def factors(*owned: Answer) -> View:
    """Show what an account has, whoever is signed in."""

    async def view(visit: Visit) -> None:
        address = {"email": "ada@example.com", "emailVerifiedAt": None, "pendingEmail": None}
        me = {**address, "secondFactors": owned, "recoveryCodesLeft": 9}
        await visit.play("graphql", {"body": {"data": {"me": me}}})
        held = json.dumps({"token": "e30.e30.x"})
        await visit.page.evaluate("(held) => sessionStorage.setItem('gql_app:session', held)", held)
        await visit.open("security", None)
        await visit.button("Set up an app for codes").wait_for()

    view.__name__ = f"{len(owned)} second factors"
    return view


async def scanning(visit: Visit) -> None:
    """Show what an app is set up with."""
    uri = one_time_codes.uri(b"0" * 20, account="ada@example.com", issuer="gql_app")
    begun = {"secret": "ABCD" * 8, "uri": uri, "qrCode": one_time_codes.qr_code(uri)}
    await visit.play("graphql", payload("beginCodes", "Scan the QR code.", **begun))
    await visit.press("Set up an app for codes")
    await visit.arrived("Set up an app for codes")


async def recovery_codes(visit: Visit) -> None:
    """Show recovery codes."""
    codes = [f"abcd-efgh-jkmn-pqr{number}" for number in range(10)]
    await visit.play("graphql", payload("confirmCodes", "It is set up.", codes=codes))
    await visit.press("Confirm")
    await visit.arrived("Your recovery codes")


async def proving(visit: Visit) -> None:
    """Show what is asked for a proof by a password."""
    await factors(APP)(visit)
    methods = {"code": "FORBIDDEN", "reason": "REAUTHENTICATION_REQUIRED", "methods": ["PASSWORD"]}
    refused = {"message": "Prove it.", "extensions": methods}
    await visit.play("graphql", {"body": {"data": None, "errors": [refused]}})
    await visit.press("Make new recovery codes")
    await visit.arrived("Prove that it is you")


async def unreadable(visit: Visit) -> None:
    """Show that the account could not be looked at, and sign out of it."""
    await visit.play("graphql", None)
    await visit.page.reload()
    await visit.button("Try again").wait_for()
    await visit.page.evaluate("sessionStorage.clear()")
    visit.complaints.clear()


VIEWS: Final[tuple[View, ...]] = (
    *(opened(name, None) for name in ("accept", "reset", "sign-in", "undo", "verify")),
    *(opened(name, "gap_x") for name in ("accept", "reset", "sign-in", "undo")),
    opened("undo", FACTORS),
    *(asked(kind) for kind in ("registration", "account", "change")),
    weak,
    waiting,
    offline,
    unasked,
    asked("account"),
    spent("accept", "acceptInvitation", "Set the password and sign in"),
    spent("reset", "resetPassword", "Set the password"),
    another,
    spent("sign-in", "signInByLink", "Sign in"),
    spent("undo", "undoEmailChange", "Undo the change"),
    spent("undo", "undoSecondFactor", "Remove it", FACTORS),
    spent("verify", "verifyEmail", "Yes, it was me"),
    done("reset", "resetPassword", "Set the password"),
    done("undo", "undoEmailChange", "Undo the change"),
    done("undo", "undoSecondFactor", "Remove it", FACTORS),
    done("verify", "verifyEmail", "Yes, it was me"),
    done("verify", "declineEmail", "No, it wasn’t me"),
    done("accept", "acceptInvitation", "Set the password and sign in"),
    done("sign-in", "signInByLink", "Sign in"),
    second(["CODE", "RECOVERY_CODE"]),
    wrong_code,
    second(["PASSKEY", "RECOVERY_CODE"]),
    signing_in,
    factors(),
    factors(APP, PASSKEY),
    scanning,
    recovery_codes,
    proving,
    unreadable,
)


def sizes_and_modes(turn: int) -> list[tuple[str, str]]:
    """Choose sizes and modes for a view: all, or the smallest and another."""
    others = [size for size in SIZES if size != SMALLEST]
    shown = [(SMALLEST, MODES[turn % 3]), (others[turn % 3], MODES[(turn + 1) % 3])]
    return chosen(turn) if EVERY else shown


async def test_every_view_can_be_read_and_reached_in_every_size_and_mode(visit: Visit) -> None:
    found: list[str] = []
    for turn, view in enumerate(VIEWS):
        await show(visit.page, "a desk", "light")
        await view(visit)
        for size in SIZES if EVERY else ("a desk",):
            await show(visit.page, size, "light")
            missed = await missed_by_keyboard(visit.page)
            found += [f"{view.__name__}, {size}, by keyboard: {each}" for each in missed]
        for size, mode in sizes_and_modes(turn):
            await show(visit.page, size, mode)
            here = await faults(visit.page)
            found += [f"{view.__name__}, {size}, {mode}: {each}" for each in here]
        found += [f"{view.__name__}: {each}" for each in await visit.page.evaluate("violations")]
    assert not found, "\n".join(found)
