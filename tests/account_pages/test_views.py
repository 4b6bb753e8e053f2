"""Each page and state in all sizes and colours: read by axe, within reach, by keyboard."""

from collections.abc import Awaitable, Callable
from typing import Final

import pytest

from tests.account_pages.visit import TOKEN, Visit, fault, link, payload
from tests.playground.reach import EVERY, MODES, SIZES, chosen, faults, missed_by_keyboard, show

pytestmark = pytest.mark.xdist_group("chromium")

SMALLEST: Final = "400 %"
View = Callable[[Visit], Awaitable[None]]
FACTORS: Final = "gaf_x"
"""The token of a link that undoes a second factor."""
SPENT: Final = fault("TOKEN_INVALID", "This link is not good any more.", "token")
WEAK: Final = fault("WEAK_PASSWORD", "Choose a password of at least 10 characters.", "password")
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
    await visit.page.get_by_text("We could not reach the server").wait_for()


async def unasked(visit: Visit) -> None:
    """Show that the question could not be had."""
    await visit.play("link", None)
    await visit.open("verify")
    await visit.button("Try again").wait_for()
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
