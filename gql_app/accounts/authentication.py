"""Authentication: signing in with a password, and proving it again once signed in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import Integer, bindparam, select, true, update

from gql_app.accounts import audit, proofs, sessions
from gql_app.accounts.audit import Action, Origin
from gql_app.accounts.factors import challenges
from gql_app.accounts.factors.challenges import Challenge
from gql_app.accounts.mail import letters, registrations
from gql_app.accounts.mail.links import LinkKind
from gql_app.accounts.mail.registrations import UNPROVEN, Registration
from gql_app.accounts.proofs import Proof
from gql_app.accounts.records import CUSTOMER, CustomerRecord, has_address
from gql_app.accounts.sessions import Lifetimes, Opened
from gql_app.accounts.throttling import Throttle
from gql_app.db.tables import CustomerRow, KnownClientRow, SessionRow, ThrottleRow
from gql_app.errors import Fault, Rejected, UserErrorCode
from gql_app.lib import clock
from gql_app.lib.database import Query, Reader, Transaction, any_of, scalars
from gql_app.lib.fair_queue import Party
from gql_app.lib.network import client_of, is_address
from gql_app.lib.rate_limits import PasswordLimits
from gql_app.lib.text import canonical_email, email_key_of, mailbox_key
from gql_app.security.passwords import Passwords

WRONG: Final = Fault(
    UserErrorCode.INVALID_CREDENTIALS, "The e-mail address or the password is wrong."
)
NO_ACCOUNT: Final = Fault(
    UserErrorCode.INVALID_CREDENTIALS, "There is no open account to sign in to."
)
_HOUR: Final = timedelta(hours=1)


class History(NamedTuple):
    """What is known of an account before an attempt at its password.

    It is read by one statement, whose rows are the subjects that failed, so that an unknown
    account takes as long as a known one.
    """

    limits: PasswordLimits
    """The limits of the attempt, with `known` set if the account knows the client."""
    times: Mapping[str, Sequence[float]]
    """The times of the failures of each subject, in Unix seconds."""
    customer: CustomerRecord | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Attempt:
    """An attempt at a password, and its outcome; it is answered only once it is counted."""

    limits: PasswordLimits
    customer: CustomerRecord | None
    succeeded: bool
    renewed_hash: str | None = None
    registration: Registration | None = None
    """The registration that waits for the address, if the password is that one's instead."""


def check_typed(text: str | None, field: str, *, what: str) -> str:
    """Return a password or code as it was typed. Raises Rejected if it is blank: that's no guess.

    A blank one is refused before a limit is read, and costs no hash and no transaction.
    """
    if text is None or not text.strip():
        raise Rejected(Fault(UserErrorCode.REQUIRED, f"Give {what}.", field))
    return text


async def check(
    db: Reader,
    hasher: Passwords,
    throttle: Throttle,
    *,
    email: str,
    password: str,
    origin: Origin,
    verified_only: bool = False,
) -> Attempt:
    """Return the outcome of an attempt; an unknown address takes as long as a known one.

    With `verified_only` it may be the password of a registration that waits for the address, if not
    the account's. No connection is held while hashing. Raises TooManyAttempts: of failures before
    any hashing, of sign-ins once the password is right.
    """
    key = mailbox_key(email)
    limits = throttle.of_password("sign-in", key or email.strip().lower(), origin.ip_address)
    past = await history(db, key, limits, origin.ip_address)
    customer = past.customer
    party = Party.of(origin.ip_address, customer.id if customer else key)
    attempt = await _verify(hasher, throttle, past, password, party)
    if customer is None or not attempt.succeeded or not customer.is_active:
        waiting = None
        if verified_only:
            waiting = await registrations.with_password(db, hasher, key, password, party)
        return replace(attempt, succeeded=False, registration=waiting)
    oldest = await db.fetch_one(_OLDEST, id=customer.id, **_granted(throttle))
    throttle.check_oldest("sign-in by", oldest)
    outdated = hasher.outdated(customer.password_hash)
    return replace(attempt, renewed_hash=await hasher.hash(password, party) if outdated else None)


async def check_own_password(
    db: Reader,
    hasher: Passwords,
    throttle: Throttle,
    customer: CustomerRecord,
    password: str,
    *,
    origin: Origin,
) -> Attempt:
    """Return the outcome of a signed-in customer's attempt. Raises TooManyAttempts."""
    limits = throttle.of_password("proof", str(customer.id), origin.ip_address)
    key = canonical_email(customer.email)
    past = await history(db, key, limits, origin.ip_address)
    party = Party.of(origin.ip_address, customer.id)
    past = past._replace(customer=customer)
    return await _verify(hasher, throttle, past, password, party)


async def sign_in(
    db: Transaction,
    attempt: Attempt,
    throttle: Throttle,
    lifetimes: Lifetimes,
    *,
    origin: Origin,
    audience: str | None = None,
    verified_only: bool = False,
) -> Opened | Challenge | Fault:
    """Open a session if the attempt succeeded, and the account has not changed meanwhile.

    A challenge is opened instead if the account has a second factor. A failure is counted and
    recorded, so its fault is returned, not raised: it has to be committed. With `verified_only` no
    session is opened before the address is verified; a link is sent instead. The password of a
    registration that waits still counts as a failure, for it guesses the account's.
    Raises TooManyAttempts if others failed too often while this one was checked.
    """
    if attempt.customer is None or not attempt.succeeded:
        tried = [attempt.customer.id] if attempt.customer else []
        whose = next(iter(await audit.undeleted(db, tried)), None)
        reached = await throttle.count(db, *attempt.limits.counted)
        await audit.record(db, Action.LOGIN_FAILED, origin, customer_id=whose)
        if reached:
            await audit.record(db, Action.THROTTLED, origin, customer_id=whose)
        if attempt.registration is None:
            return WRONG
        await registrations.send_again(db, attempt.registration, throttle, origin=origin)
        return UNPROVEN
    password_hash = attempt.customer.password_hash
    customer = await db.fetch_one(_HOLD, id=attempt.customer.id, password_hash=password_hash)
    failed = await throttle.hold_failures(db, attempt.limits)
    if customer is None or customer.email != attempt.customer.email:
        return WRONG
    await throttle.clear(db, *failed)
    if attempt.renewed_hash:
        await db.execute(
            update(CustomerRow)
            .where(CustomerRow.id == customer.id)
            .values(password_hash=attempt.renewed_hash)
        )
        customer = customer._replace(password_hash=attempt.renewed_hash)
    if verified_only and customer.email_verified_at is None:
        if await registrations.may_send(db, throttle, origin):
            await letters.post_link(db, LinkKind.VERIFY_EMAIL, customer_id=customer.id)
            action = Action.VERIFICATION_REQUESTED
            await audit.record(db, action, origin, customer_id=customer.id)
        return UNPROVEN
    proof = Proof(proofs.PASSWORD, audience)
    return await admit(db, customer, throttle, lifetimes, proof, origin=origin)


async def sign_in_by_other_means(
    db: Transaction,
    customer_id: UUID,
    throttle: Throttle,
    lifetimes: Lifetimes,
    proof: Proof,
    *,
    origin: Origin,
    verified_only: bool = False,
) -> Opened | Challenge:
    """Open a session of a customer who was proven by other means, such as another provider.

    A challenge is opened instead if that takes their second factor. Raises Rejected if there is no
    such customer or their account is closed, or with `verified_only` if their address isn't
    verified, and TooManyAttempts.
    """
    customer = await hold(db, customer_id, throttle, verified_only=verified_only)
    if customer is None:
        raise Rejected(NO_ACCOUNT)
    return await admit(db, customer, throttle, lifetimes, proof, origin=origin)


async def hold(
    db: Transaction, customer_id: UUID, throttle: Throttle, *, verified_only: bool = False
) -> CustomerRecord | None:
    """Return a customer who may sign in, whose account is locked until the transaction ends.

    None if there is no such customer, or the account is closed. Raises Rejected with
    `verified_only` if their address isn't verified, and TooManyAttempts.
    """
    row = await db.fetch_one(_HOLD_ACTIVE, id=customer_id, **_granted(throttle))
    if row is None:
        return None
    oldest, *values = row
    customer = CustomerRecord._make(values)
    if verified_only and customer.email_verified_at is None:
        raise Rejected(UNPROVEN)
    throttle.check_oldest("sign-in by", oldest)
    return customer


async def admit(
    db: Transaction,
    customer: CustomerRecord,
    throttle: Throttle,
    lifetimes: Lifetimes,
    proof: Proof,
    *,
    origin: Origin,
) -> Opened | Challenge:
    """Open a session of a customer who is proven, or a challenge if it takes a second factor.

    All sign-ins end here, whatever the proof of identity. The account is locked already. Raises
    TooManyAttempts.
    """
    [customer] = await db.fetch_all(_BY_ID, id=customer.id)  # with the roles of now
    if customer.factors_version and not sessions.is_strong(proof.methods):
        await throttle.count(db, *throttle.of_client("challenge", origin.ip_address))
        await audit.record(db, Action.SECOND_FACTOR_ASKED, origin, customer_id=customer.id)
        return await challenges.open_challenge(db, customer, proof)
    is_new = lifetimes.new_client_letters and await sessions.is_new_client(
        db, customer, origin.ip_address
    )
    opened = await sessions.open_session(
        db, customer, origin, lifetimes, methods=proof.methods, audience=proof.audience
    )
    moment = opened.session.created_at
    await audit.record(db, Action.LOGIN, origin.by(customer.id), customer_id=customer.id, at=moment)
    if is_new:
        address, kind = origin.ip_address, letters.Kind.NEW_CLIENT
        data = {letters.ADDRESS: address if address and is_address(address) else None}
        recipient = customer.email
        await letters.post(db, kind, customer_id=customer.id, recipient=recipient, data=data)
    return opened


async def settle(db: Transaction, throttle: Throttle, attempt: Attempt) -> None:
    """Count a failed attempt, or clear all failures after a success. Raises TooManyAttempts."""
    if attempt.succeeded:
        failed = await throttle.hold_failures(db, attempt.limits)
        await throttle.clear(db, *failed)
    else:
        await throttle.count(db, *attempt.limits.counting)


def wrong_password(field: str) -> Fault:
    """Return the fault of a signed-in customer whose password is wrong."""
    return Fault(UserErrorCode.WRONG_PASSWORD, "This is not your password.", field)


async def history(
    db: Reader, key: str | None, limits: PasswordLimits, address: str | None
) -> History:
    """Return the history of an account by the key of its address, whether it exists or not.

    Of the customers that either key finds, only one whose address has `key` itself counts.
    """
    rows = await db.fetch_all(
        _HISTORY,
        key=key,
        former_key=email_key_of(key),
        subjects=[limit.subject for limit in limits.all],
        client=client_of(address),
    )
    times = {subject: times for subject, times, *_ in rows if subject}
    for _, _, seen_at, *values in rows:
        customer = CustomerRecord._make(values) if any(values) else None
        if customer is None or canonical_email(customer.email) == key:
            limits = limits._replace(known=sessions.is_known_client(seen_at))
            return History(limits, times, customer)
    return History(limits, times)


async def _verify(
    hasher: Passwords, throttle: Throttle, past: History, password: str, party: Party
) -> Attempt:
    """Return the outcome of an attempt. Raises TooManyAttempts, before any hashing."""
    throttle.check(past.limits.counting, past.times)
    hashed = past.customer.password_hash if past.customer else None
    return Attempt(past.limits, past.customer, await hasher.verify(password, hashed, party))


def _granted(throttle: Throttle) -> Mapping[str, object]:
    """Return the values of _OLDEST_SIGN_IN besides the customer's id."""
    now = clock.now()
    hour = {"hour_ago": now - _HOUR, "hour_ahead": now + _HOUR}
    return {**hour, "granted": throttle.account_writes - 1}


_OLDEST_SIGN_IN: Final = (
    select(SessionRow.created_at)
    .where(
        SessionRow.customer_id == bindparam("id"),
        SessionRow.created_at > bindparam("hour_ago"),
        SessionRow.created_at < bindparam("hour_ahead"),
    )
    .order_by(SessionRow.created_at.desc())
    .limit(1)
    .offset(bindparam("granted", type_=Integer()))
)
"""The time of the oldest of the sign-ins granted in an hour; no row if there were fewer."""
_OLDEST: Final = scalars(_OLDEST_SIGN_IN)
_OWNER: Final = CustomerRow.__table__.alias("owners")
"""The owner of the address, joined anew: a distributed database correlates no subqueries."""
_KNOWN_CLIENTS: Final = (
    select(KnownClientRow.customer_id, KnownClientRow.seen_at)
    .join(_OWNER, _OWNER.c.id == KnownClientRow.customer_id)
    .where(has_address(_OWNER), KnownClientRow.client == bindparam("client"))
    .subquery("known")
)
_HISTORY: Final[Query[Sequence[Any]]] = Query(
    select(
        ThrottleRow.subject,
        ThrottleRow.times,
        _KNOWN_CLIENTS.c.seen_at,
        *CUSTOMER,
    )
    .select_from(select(true()).subquery())
    .outerjoin(CustomerRow, has_address())
    .outerjoin(_KNOWN_CLIENTS, _KNOWN_CLIENTS.c.customer_id == CustomerRow.id)
    .outerjoin(ThrottleRow, any_of(ThrottleRow.subject, "subjects")),
    tuple,
)
_BY_ID: Final = Query(
    select(*CUSTOMER).where(CustomerRow.id == bindparam("id")), CustomerRecord._make
)
_HOLD: Final = Query(
    select(*CUSTOMER)
    .where(
        CustomerRow.id == bindparam("id"),
        CustomerRow.password_hash == bindparam("password_hash"),
        CustomerRow.is_active,
    )
    .with_for_update(),
    CustomerRecord._make,
)
"""The account, locked, if its password is unchanged. It is locked before its failures."""
_HOLD_ACTIVE: Final[Query[Sequence[Any]]] = Query(
    select(_OLDEST_SIGN_IN.scalar_subquery(), *CUSTOMER)
    .where(CustomerRow.id == bindparam("id"), CustomerRow.is_active)
    .with_for_update(),
    tuple,
)
