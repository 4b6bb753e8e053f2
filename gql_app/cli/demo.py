"""The demo: made-up customers, and two sign-ins that everybody knows."""

import secrets
from typing import TYPE_CHECKING, Final

from gql_app.accounts import customer_lists, customers, validation
from gql_app.accounts.audit import Origin
from gql_app.accounts.customer_lists import Filter, Order
from gql_app.cli import samples
from gql_app.cli.samples import SIGN_INS
from gql_app.errors import CannotStart
from gql_app.lib.database import Transaction
from gql_app.lib.fair_queue import LOCAL
from gql_app.lib.network.addresses import is_loopback
from gql_app.security.passwords import Passwords

if TYPE_CHECKING:  # other commands need no HTTP
    from starlette.applications import Starlette

DATABASE: Final = "sqlite:///demo.db"
CUSTOMERS: Final = 1_000
SEED: Final = 1


def require_loopback(host: str) -> None:
    """Raise CannotStart for a host that others could reach."""
    if not is_loopback(host):
        raise CannotStart(
            [f"--demo has passwords that everybody knows: it serves on loopback, not on {host}"]
        )


def loopback_hosts(host: str) -> str:
    """Return the Host headers by which a server on loopback is known, as the setting has them.

    A page of anybody's may have its own name lead to this machine (DNS rebinding): then the
    browser sends that name.
    """
    shown = f"[{host}]" if ":" in host else host
    return ",".join(dict.fromkeys(["localhost", "127.0.0.1", "[::1]", shown.lower()]))


def create_app() -> "Starlette":
    """Return the application, whose playground offers the demo's sign-ins."""
    from gql_app import app  # noqa: PLC0415 — as above

    return app.create_app(sign_ins=[person._asdict() for person in SIGN_INS])


async def fill(db: Transaction, passwords: Passwords) -> None:
    """Fill an empty database; reuse one that was filled before. Raises CannotStart."""
    if await customers.by_email(db, SIGN_INS[0].email):
        return
    everyone = customer_lists.listing(Filter(), Order(), by_admin=True)
    if await everyone.count(db):
        raise CannotStart(["--demo wants an empty database: this one has customers already"])
    for role, name, email, password in SIGN_INS:
        new = validation.NewCustomer(
            name=name, email=email, password=password, is_admin=role == "admin"
        )  # unchecked, for such a password is refused
        hashed = await passwords.hash(new.password, LOCAL)
        await customers.create(db, new, password_hash=hashed, origin=Origin())
    nobody = await passwords.hash(secrets.token_urlsafe(), LOCAL)
    for rows in samples.batches(CUSTOMERS - len(SIGN_INS), password_hash=nobody, seed=SEED):
        await samples.insert_samples(db, rows)


def welcome(host: str, port: int) -> list[str]:
    """Return the lines that name the playground's address, and who may sign in."""
    shown = f"[{host}]" if ":" in host else host
    return [
        f"Playground: http://{shown}:{port}/graphql",
        *(f"Sign in as {role}: {email} with {password}" for role, _, email, password in SIGN_INS),
    ]
