"""Changes of second factors: adding, renaming, removing and undoing, with all consequences.

A letter reports each addition and removal. That of a new factor has a link to undo it, for 7 days.
The additions of an account are limited, so that its mailbox has room for all these letters.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import bindparam, delete, select, update

from gql_app.accounts import audit, customers, sessions
from gql_app.accounts.audit import Action, Origin
from gql_app.accounts.factors import second_factors
from gql_app.accounts.factors.second_factors import SecondFactorRecord
from gql_app.accounts.mail import letters, links
from gql_app.accounts.mail.links import LinkKind
from gql_app.accounts.records import CustomerRecord, columns
from gql_app.accounts.sessions import SignedIn
from gql_app.accounts.throttling import Throttle
from gql_app.db.factor_tables import CodeEnrolmentRow, RecoveryCodeRow, SecondFactorRow
from gql_app.db.tables import CustomerRow
from gql_app.errors import Fault, Rejected, UserErrorCode
from gql_app.factors import recovery_codes
from gql_app.factors.methods import combined, prove
from gql_app.lib import clock
from gql_app.lib.database import Query, Reader, Transaction
from gql_app.lib.rate_limits import Limit
from gql_app.lib.text import InvalidLine, visible_line
from gql_app.security import tokens

UNDO_PERIOD: Final = timedelta(days=7)
"""How long after it was added a second factor can be removed by the link of its letter."""
MAX_FACTORS: Final = 10
MAX_NAME: Final = 100
FACTOR: Final = "factor"
"""The key, in a letter's data, of the id of the second factor that its link undoes."""
METHOD: Final = "method"
"""The key of the method of a second factor, CODE or PASSKEY, or ALL of them."""
_FULL: Final = Fault(
    UserErrorCode.INVALID, f"You have {MAX_FACTORS} second factors. Remove one of them first."
)
_ALL: Final = "ALL"
"""The method in the letter about the removal of every factor."""
NOT_FOUND: Final = Fault(UserErrorCode.NOT_FOUND, "There is no such second factor.", "id")


async def require_room(db: Transaction, customer_id: UUID) -> Sequence[SecondFactorRecord]:
    """Return the factors of an account. Raises Rejected if it has MAX_FACTORS already."""
    [factors] = await second_factors.of_customers(db, [customer_id])
    if len(factors) >= MAX_FACTORS:
        raise Rejected(_FULL)
    return factors


async def complete(
    db: Transaction,
    me: SignedIn,
    factor: SecondFactorRecord,
    *methods: str,
    throttle: Throttle,
    origin: Origin,
    ends_others: bool,
) -> list[str] | None:
    """Complete the addition of a stored factor; return recovery codes if it is the first one.

    It counts as a proof of the session that set it up, by these methods. With the first factor
    other sessions end if `ends_others`, for none of them has proven it, and links that open the
    account are void. The account is locked already. Raises TooManyAttempts if it has added
    FACTORS_PER_DAY already.
    """
    customer_id = me.customer.id
    await throttle.count(db, throttle.of_account("factor", customer_id))
    [factors] = await second_factors.of_customers(db, [customer_id])
    codes = await recovery_codes.replace(db, customer_id) if len(factors) == 1 else None
    await changed(db, customer_id)
    await prove(db, me.session, combined(me.session.methods, *methods))
    if codes and ends_others:
        await sessions.end_others(db, me.session.id, of=customer_id, origin=origin)
        await letters.void_links(db, customer_id, links.OPENING)
    action, kind = Action.FACTOR_ADDED, letters.Kind.SECOND_FACTOR_ADDED
    await audit.record(db, action, origin, customer_id=customer_id, fields=[factor.method])
    data = {FACTOR: str(factor.id), METHOD: factor.method}
    recipient = me.customer.email
    await letters.post(db, kind, customer_id=customer_id, recipient=recipient, data=data)
    return codes


async def changed(db: Transaction, customer_id: UUID) -> None:
    """Void the sign-ins that wait for a second factor, as the factors of an account have changed.

    Without any factor the password suffices again, and recovery codes are deleted. The account is
    locked already.
    """
    [factors] = await second_factors.of_customers(db, [customer_id])
    version = clock.new_id() if factors else None
    if version is None:
        its = RecoveryCodeRow.customer_id == customer_id
        await db.execute(delete(RecoveryCodeRow).where(its))
    its_own = CustomerRow.id == customer_id
    await db.execute(update(CustomerRow).where(its_own).values(factors_version=version))


async def post_enrolment(
    db: Transaction, me: SignedIn, throttle: Throttle, *limits: Limit, origin: Origin
) -> None:
    """Post the link to set up a required factor. The account is locked already.

    Raises TooManyAttempts.
    """
    await letters.post_link(db, LinkKind.ENROLMENT, customer_id=me.customer.id)
    await throttle.count(db, *limits)
    action = Action.SIGN_IN_LINK_REQUESTED
    await audit.record(db, action, origin, customer_id=me.customer.id)


async def rename(
    db: Transaction, customer_id: UUID, factor_id: UUID, name: str, *, origin: Origin
) -> SecondFactorRecord:
    """Rename a factor of a customer, and return it. Raises Rejected: NOT_FOUND."""
    renamed = await db.fetch_one(_RENAME, customer_id=customer_id, factor_id=factor_id, name=name)
    if renamed is None:
        raise Rejected(NOT_FOUND)
    await audit.record(db, Action.FACTOR_RENAMED, origin, customer_id=customer_id, fields=["name"])
    return renamed


def name_of(text: str) -> str:
    """Return the name of a factor in normal form. Raises Rejected."""
    try:
        return visible_line(text, "name", longest=MAX_NAME)
    except InvalidLine as why:
        raise Rejected(Fault(UserErrorCode(why.reason), why.message, "name")) from None


async def remove(
    db: Transaction, customer_id: UUID, factor_id: UUID, *, ends_sessions: bool, origin: Origin
) -> None:
    """Remove a factor of a customer, whose account is locked already. Raises Rejected: NOT_FOUND.

    All sessions of the customer end if `ends_sessions`.
    """
    its = (SecondFactorRow.id == factor_id, SecondFactorRow.customer_id == customer_id)
    gone = await db.fetch_all(delete(SecondFactorRow).where(*its).returning(SecondFactorRow.method))
    customer = await customers.by_id(db, customer_id)
    if customer is None or not gone:
        raise Rejected(NOT_FOUND)
    await _removed(db, customer, gone[0].method, Action.FACTOR_REMOVED, origin)
    if ends_sessions:
        await sessions.end_all(db, customer_id)


async def remove_all(db: Transaction, customer_id: UUID) -> int | None:
    """Remove every factor of a customer, for the operator; return their number, or None.

    The customer's sessions end. None stands for an unknown customer.
    """
    customer = await customers.hold(db, customer_id)
    if customer is None:
        return None
    count = await revoke(db, customer, origin=Origin())
    if count:
        await sessions.end_all(db, customer.id)
    return count


async def revoke(
    db: Transaction, customer: CustomerRecord, *, since: datetime | None = None, origin: Origin
) -> int:
    """Remove all factors of an account, or those added since a time; return their number.

    Recovery codes made since, and an app that is being set up, are deleted. The account is locked
    already.
    """
    theirs = [SecondFactorRow.customer_id == customer.id]
    if since is not None:
        theirs.append(SecondFactorRow.created_at >= since)
    gone = await db.fetch_all(
        delete(SecondFactorRow).where(*theirs).returning(SecondFactorRow.method)
    )
    await _delete_unfinished(db, customer.id, since)
    for method in [_ALL] if gone and since is None else [each.method for each in gone]:
        await _removed(db, customer, method, Action.FACTOR_REMOVED, origin)
    return len(gone)


async def issue_undo(
    db: Transaction, customer_id: UUID | None, factor_id: UUID, digest: str | None
) -> bool:
    """Store the digest of the token that undoes a second factor; return whether it still exists."""
    its = (SecondFactorRow.id == factor_id, SecondFactorRow.customer_id == customer_id)
    return bool(await db.execute(update(SecondFactorRow).where(*its).values(undo_digest=digest)))


async def undoable(db: Reader, token: str) -> UUID | None:
    """Return the owner of the new factor that a link's token undoes, None if it is invalid.

    Raises Rejected if the link has expired.
    """
    row = await db.fetch_one(_UNDOABLE, digest=tokens.digest(tokens.UNDO_FACTOR, token))
    if row is None:
        return None
    if row.created_at + UNDO_PERIOD <= clock.now():
        raise Rejected(links.OLD)
    owner: UUID = row.customer_id
    return owner


async def undo(db: Transaction, token: str, *, origin: Origin) -> CustomerRecord:
    """Remove a new factor by the token of its letter's link, and revoke all access gained since.

    Every session ends, and no client is known any more; recovery codes made since, and an app that
    is being set up, are deleted. Raises Rejected if the link has expired, or the factor has been
    removed since.
    """
    owner = await undoable(db, token)
    customer = await customers.hold(db, owner) if owner else None
    gone = await db.fetch_one(_UNDO, digest=tokens.digest(tokens.UNDO_FACTOR, token))
    if customer is None or gone is None:
        raise Rejected(links.SPENT)
    await _delete_unfinished(db, customer.id, gone.created_at)
    by_owner = origin.by(owner)
    await _removed(db, customer, gone.method, Action.FACTOR_UNDONE, by_owner)
    await sessions.end_all(db, customer.id)
    await sessions.forget_clients(db, customer.id)
    return customer


async def _delete_unfinished(db: Transaction, customer_id: UUID, since: datetime | None) -> None:
    """Delete recovery codes, all or those made since a time, and an app that is being set up."""
    codes = [RecoveryCodeRow.customer_id == customer_id]
    if since is not None:
        codes.append(RecoveryCodeRow.created_at >= since)
    await db.execute(delete(RecoveryCodeRow).where(*codes))
    await db.execute(delete(CodeEnrolmentRow).where(CodeEnrolmentRow.customer_id == customer_id))


async def _removed(
    db: Transaction, customer: CustomerRecord, method: str, action: Action, origin: Origin
) -> None:
    """Void what waits for a removed factor, record the removal, and post a letter."""
    await changed(db, customer.id)
    await audit.record(db, action, origin, customer_id=customer.id, fields=[method])
    kind, data = letters.Kind.SECOND_FACTOR_REMOVED, {METHOD: method}
    recipient = customer.email
    await letters.post(db, kind, customer_id=customer.id, recipient=recipient, data=data)


_RENAME: Final = Query(
    update(SecondFactorRow)
    .where(
        SecondFactorRow.id == bindparam("factor_id"),
        SecondFactorRow.customer_id == bindparam("customer_id"),
    )
    .values(name=bindparam("name"))
    .returning(*columns(SecondFactorRow, SecondFactorRecord._fields)),
    SecondFactorRecord._make,
)
_ITS: Final = SecondFactorRow.undo_digest == bindparam("digest")
_UNDOABLE: Final = select(SecondFactorRow.customer_id, SecondFactorRow.created_at).where(_ITS)
_UNDO: Final = (
    delete(SecondFactorRow)
    .where(_ITS)
    .returning(SecondFactorRow.method, SecondFactorRow.created_at)
)
