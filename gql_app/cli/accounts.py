"""Commands for accounts: admins, addresses, samples, sessions, factors, and purging."""

import os
import secrets
from contextlib import closing
from datetime import timedelta
from typing import Annotated, Final
from uuid import UUID

import typer
from sqlalchemy import delete, update

from gql_app import background
from gql_app.accounts import addresses, audit, customers, sessions, validation
from gql_app.accounts.audit import Action, Origin
from gql_app.accounts.mail import letters
from gql_app.accounts.mail.links import LinkKind
from gql_app.accounts.records import Person
from gql_app.accounts.throttling import Throttle
from gql_app.cli import application, samples
from gql_app.cli.audit import delete_older
from gql_app.cli.console import bar, err, fail, out
from gql_app.cli.database import load_ready, prepare, run_on_database, transact
from gql_app.db.factor_tables import SecondFactorRow, SignInChallengeRow
from gql_app.db.tables import (
    FormerEmailRow,
    LetterRow,
    LinkRow,
    PasswordResetRow,
    RegistrationRow,
    SessionRow,
)
from gql_app.factors import changes
from gql_app.lib import clock, signals
from gql_app.lib.breached_passwords import Lookup
from gql_app.lib.clock import parse_id
from gql_app.lib.database import Database, Transaction
from gql_app.lib.fair_queue import LOCAL
from gql_app.lib.faults import CannotStart
from gql_app.lib.setting_types import BLANKS
from gql_app.lib.text import canonical_email, counted, mailbox_key
from gql_app.mail import email_verification, mailboxes
from gql_app.resources import Extensions, Resources, throttle_of
from gql_app.security.key_store import key_store
from gql_app.security.passwords import Passwords
from gql_app.settings import ADMIN_PASSWORD, Settings

MAX_DAYS: Final = 36_500
"""The most days of --audit-older-than: a century."""
_NOBODY: Final = "Nobody has this e-mail address."


def create_admin(
    email: Annotated[str, typer.Option(help="The address to sign in with.")],
    name: Annotated[str, typer.Option(help="The admin's name.")],
) -> None:
    """Add an admin; the password is read from GQL_APP_ADMIN_PASSWORD or asked for."""
    chosen = application.load()
    password = admin_password()
    if password is None:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    added = application.extensions()
    rules = validation.Rules.of(chosen, added.roles.names, added.password_rules, _print_failure)
    new = validation.check_new(
        name=name, email=email, password=password, is_admin=True, rules=rules
    )
    signals.run(rules.accept_password(new.password, Person(new.name, new.email)))
    prepare(chosen)
    hashed = _hash(new.password)
    transact(chosen, customers.create, new, password_hash=hashed, origin=Origin(), proven=True)
    out(f"{new.email} is now an admin.")


def change_email(
    customer_id: Annotated[str, typer.Argument(metavar="ID", help="The customer's id.")],
    address: Annotated[str, typer.Argument(help="The new address.")],
    *,
    no_undo: Annotated[
        bool, typer.Option("--no-undo", help="Let no former address undo this or a change before.")
    ] = False,
) -> None:
    """Change a customer's address at once, unverified; ends their sessions and links."""
    parsed = parse_id(customer_id)
    if parsed is None:
        raise customers.not_found()
    chosen = application.load()
    rules = validation.Rules.of(chosen)
    validation.check_changes(None, {"email": address}, rules)
    prepare(chosen, "file")
    verifies = chosen.verification != "off"
    email = transact(
        chosen, _change_email, parsed, address, rules, verifies=verifies, no_undo=no_undo
    )
    out(f"The customer has the address {email} now.")


def verify_email(
    email: Annotated[str, typer.Argument(metavar="ADDRESS", help="The address of the account.")],
) -> None:
    """Mark the address of an account as verified, without a link."""
    if not transact(_ready_for(email), email_verification.prove_by_hand, email):
        fail(_NOBODY)
    out(f"{email.strip()} is proven.")


def seed(
    count: Annotated[int, typer.Option(min=1, help="How many customers to make up.")],
) -> None:
    """Add made-up customers for trials and benchmarks; they share one random password."""
    chosen = load_ready()
    password = secrets.token_urlsafe()
    hashed = _hash(password)
    run_on_database(chosen, lambda database: _seed(database, count, hashed))
    added = counted(count, "customer is", "customers are")
    out(f"{added} added. Those who are active sign in with {password}")


def purge(
    audit_older_than: Annotated[
        int | None,
        typer.Option(
            min=1, max=MAX_DAYS, metavar="DAYS", help="Delete audit events older than this as well."
        ),
    ] = None,
) -> None:
    """Delete expired data: old sessions, old failed attempts, unverified registrations."""
    chosen = load_ready(serving=True)
    count = signals.run(_purge(chosen, application.extensions()))
    out(f"{counted(count, 'row is', 'rows are')} gone.")
    if audit_older_than is not None:
        age, batch = timedelta(days=audit_older_than), background.PURGE_BATCH
        count = run_on_database(chosen, lambda each: delete_older(each, age, batch=batch))
        gone = counted(count, "audit event is gone that was", "audit events are gone that were")
        out(f"{gone} older than {counted(audit_older_than, 'day', 'days')}.")


def end_sessions() -> None:
    """End every session and void every link in letters: after a restore or a leak.

    Everybody must sign in again. A restored copy also brings back passwords and recovery codes.
    """
    count = transact(load_ready(), end_every_session)
    out(f"{counted(count, 'session is', 'sessions are')} ended.")


def unlock(
    email: Annotated[str, typer.Argument(help="The address of the account.")],
) -> None:
    """Lift the lockout of an account; clients with recent failures of their own still wait."""
    chosen = _ready_for(email, serving=True)
    throttle = throttle_of(chosen, key_store(chosen).read())
    if not transact(chosen, unlock_account, email, throttle):
        fail(_NOBODY)
    out(f"{email} is unlocked; a client with recent failures of its own still waits.")


def remove_factors(
    email: Annotated[str, typer.Argument(help="The address of the account.")],
) -> None:
    """Remove all second factors of an account whose owner lost them; ends their sessions."""
    count = transact(_ready_for(email), _remove_factors, email)
    if count is None:
        fail(_NOBODY)
    removed = counted(count, f"second factor of {email} is", f"second factors of {email} are")
    out(f"{removed} removed.")


def admin_password() -> str | None:
    """Return the password for `create-admin`, so that scripts need no terminal.

    Raise CannotStart if it has blanks at its ends.
    """
    password = os.environ.get(ADMIN_PASSWORD)
    if password and password != password.strip():
        raise CannotStart([f"{ADMIN_PASSWORD}: {BLANKS}"])
    return password or None


async def end_every_session(db: Transaction) -> int:
    """End every live session, and void all that would open one, for everybody; return how many."""
    await audit.record(db, Action.SESSIONS_ENDED, Origin())
    await db.execute(delete(SignInChallengeRow))
    await void_every_link(db)
    return await db.execute(update(SessionRow).where(sessions.lives()).values(ended_at=clock.now()))


async def void_every_link(db: Transaction) -> None:
    """Void every link that was sent, or is to be sent, to anybody, as letters.void_links() does.

    Links that undo a change are voided as well, unless their letter is still queued.
    """
    await db.execute(delete(LetterRow).where(LetterRow.kind.in_(list(LinkKind))))
    for links_of in (PasswordResetRow, LinkRow):
        await db.execute(delete(links_of))
    for digest in (RegistrationRow.digest, FormerEmailRow.digest, SecondFactorRow.undo_digest):
        await db.execute(update(digest.class_).where(digest.is_not(None)).values({digest: None}))


async def unlock_account(db: Transaction, email: str, throttle: Throttle) -> bool:
    """End the lockouts of an account; return whether there is such an account.

    The failures of its clients remain: they are counted by keyed hashes, which nothing here finds.
    """
    customer = await mailboxes.by_email(db, email)
    if customer is None:
        return False
    locks = throttle.locks(canonical_email(customer.email), customer.id, None)
    await throttle.clear(db, *locks, *throttle.of_factors(customer.id, customer.email))
    await audit.record(db, Action.UNLOCKED, Origin(), customer_id=customer.id)
    return True


def _ready_for(email: str, *, serving: bool = False) -> Settings:
    """Return the settings, once the database is ready; fail before that if an address is none."""
    if mailbox_key(email) is None:
        fail(_NOBODY)
    return load_ready(serving=serving, needs="file")


def _print_failure(lookup: Lookup) -> None:
    """Print that a password could not be looked up."""
    if lookup is Lookup.FAILED:
        err("The service of breached passwords can't be asked. The password is taken all the same.")


def _hash(password: str) -> str:
    with closing(Passwords(threads=1, queue=0)) as passwords:
        return signals.run(passwords.hash(password, LOCAL))


async def _remove_factors(db: Transaction, email: str) -> int | None:
    """Remove every factor of an account; return their number, None for an unknown address."""
    found = await mailboxes.by_email(db, email)
    return await changes.remove_all(db, found.id) if found else None


async def _change_email(
    db: Transaction,
    customer_id: UUID,
    address: str,
    rules: validation.Rules,
    *,
    verifies: bool,
    no_undo: bool = False,
) -> str:
    """Change an address, and return it in normal form; the audit record has no actor.

    If addresses are verified, a link that proves it is posted. On a return to an address that is
    held for them, nothing can be undone from the later ones; with `no_undo` from none at all.
    Raises Rejected.
    """
    customer = await customers.hold(db, customer_id)
    if customer is None:
        raise customers.not_found()
    changes = validation.check_changes(customer, {"email": address}, rules)
    changed = await customers.update(db, customer.id, changes, origin=Origin())
    await addresses.settle(db, changed)
    if no_undo:
        await db.execute(delete(FormerEmailRow).where(FormerEmailRow.customer_id == customer.id))
    await letters.void_links(db, customer.id, [LinkKind.VERIFY_EMAIL, LinkKind.INVITATION])
    await sessions.end_all(db, customer.id)
    await sessions.forget_clients(db, customer.id)
    if verifies and changed.email_verified_at is None:
        await letters.post_link(db, LinkKind.VERIFY_EMAIL, customer_id=customer.id)
    return changed.email


async def _purge(chosen: Settings, extensions: Extensions) -> int:
    async with Resources.open(chosen, extensions=extensions) as resources:
        count = await background.purge(resources)
        if count:
            await resources.database.transact(
                audit.record, Action.SESSIONS_PURGED, Origin(), times=count
            )
        return count


async def _seed(database: Database, count: int, password_hash: str) -> None:
    done = 0
    with bar("Customers", count) as advance:
        for rows in samples.batches(count, password_hash=password_hash):
            async with database.transaction() as db:
                await db.execute_many(samples.INSERT, rows)
                if not done:
                    await audit.record(db, Action.CUSTOMERS_SEEDED, Origin(), times=count)
            done += len(rows)
            advance(done)
