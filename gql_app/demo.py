"""The demo: made-up customers, and two sign-ins that everybody knows."""

import secrets
from typing import Final

from gql_app.accounts import checks, customer_lists, customers, samples
from gql_app.accounts.audit import Origin
from gql_app.accounts.customer_lists import Filter, Order
from gql_app.accounts.samples import SIGN_INS
from gql_app.addresses import is_loopback
from gql_app.db.engine import Writer
from gql_app.errors import CannotStart
from gql_app.security.passwords import Passwords

DATABASE: Final = "sqlite:///demo.db"
CUSTOMERS: Final = 1_000
SEED: Final = 1


def require_loopback(host: str) -> None:
    """Raise CannotStart for a host that others could reach."""
    if not is_loopback(host):
        raise CannotStart(
            [f"--demo has passwords that everybody knows: it serves on loopback, not on {host}"]
        )


async def fill(db: Writer, passwords: Passwords) -> None:
    """Fill an empty database; reuse one that was filled before. Raises CannotStart."""
    if await customers.by_email(db, SIGN_INS[0].email):
        return
    everybody = customer_lists.listing(Filter(), Order(), by_admin=True)
    if await everybody.count(db):
        raise CannotStart(["--demo wants an empty database: this one has customers already"])
    for role, name, email, password in SIGN_INS:
        new = checks.check_new(name=name, email=email, password=password, is_admin=role == "admin")
        hashed = await passwords.hash(new.password)
        await customers.create(db, new, password_hash=hashed, origin=Origin())
    nobody = await passwords.hash(secrets.token_urlsafe())
    for rows in samples.batches(CUSTOMERS - len(SIGN_INS), password_hash=nobody, seed=SEED):
        await samples.insert_samples(db, rows)


def welcome(host: str, port: int) -> list[str]:
    """Tell where the playground is, and who may sign in."""
    shown = f"[{host}]" if ":" in host else host
    return [
        f"Playground: http://{shown}:{port}/graphql",
        *(f"Sign in as {role}: {email} with {password}" for role, _, email, password in SIGN_INS),
    ]
