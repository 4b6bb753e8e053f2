"""Codes of authenticator apps (TOTP, RFC 6238): enrolment of an app, and single use of its codes.

The secret of an app is encrypted at rest by the factor key, with its row's id as context.
"""

from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import BigInteger, bindparam, delete, or_, select, update

from gql_app.accounts.factors.second_factors import SecondFactorMethod, SecondFactorRecord
from gql_app.accounts.sessions import SignedIn
from gql_app.db.factor_tables import CodeEnrolmentRow, SecondFactorRow
from gql_app.errors import Fault, Rejected, UserErrorCode
from gql_app.factors import changes
from gql_app.factors.stored_secrets import of_factor
from gql_app.lib import clock
from gql_app.lib.database import Batch, Moment, Transaction, insert_row, scalars, upsert
from gql_app.lib.encryption import CannotDecrypt, Encryption
from gql_app.lib.one_time_codes import matching_step

MAX_APPS: Final = 2
"""The most apps of one account: two, so that a new phone can be added before the old one goes."""
ENROLMENT_LIFETIME: Final = timedelta(minutes=10)
_TWO_ALREADY: Final = Fault(
    UserErrorCode.INVALID, "You have two apps for codes already. Remove one of them first."
)
NOT_BEGUN: Final = Fault(
    UserErrorCode.INVALID, "No app is being set up, or that took too long. Begin again."
)


async def begin(db: Transaction, me: SignedIn, secret: bytes, encryption: Encryption) -> None:
    """Store the secret of an app that a session sets up, in place of an earlier one.

    The account is locked already. Raises Rejected if it has the most factors already.
    """
    await _require_room(db, me.customer.id)
    await db.execute(
        _BEGIN,
        customer_id=me.customer.id,
        session_id=me.session.id,
        secret=encryption.encrypt(secret, context=_of_enrolment(me.customer.id)),
        key_id=encryption.key_id,
        expires_at=clock.now() + ENROLMENT_LIFETIME,
    )


async def confirm(
    db: Transaction, me: SignedIn, code: str, encryption: Encryption
) -> SecondFactorRecord | None:
    """Store the app that a session has set up, and return it; None if the code is wrong.

    The account is locked already. Raises Rejected without an enrolment, or with the most factors.
    """
    customer_id = me.customer.id
    await _require_room(db, customer_id)
    its = {"customer_id": customer_id, "session_id": me.session.id, "now": clock.now()}
    begun = await db.fetch_one(_BEGUN, **its)
    try:
        secret = begun and encryption.decrypt(begun, context=_of_enrolment(customer_id))
    except CannotDecrypt:  # the key has changed meanwhile
        secret = None
    if not secret:
        raise Rejected(NOT_BEGUN)
    step = matching_step(secret, code, now=clock.now(), last_step=None)
    if step is None:
        return None
    await db.execute(delete(CodeEnrolmentRow).where(CodeEnrolmentRow.customer_id == customer_id))
    factor_id, now = clock.new_id(), clock.now()
    method = SecondFactorMethod.CODE.value
    await db.execute(
        _INSERT,
        id=factor_id,
        customer_id=customer_id,
        method=method,
        created_at=now,
        last_used_at=now,
        secret=encryption.encrypt(secret, context=of_factor(factor_id)),
        key_id=encryption.key_id,
        last_step=step,
    )
    return SecondFactorRecord(factor_id, customer_id, method, None, now, now, None, None)


async def use(db: Transaction, customer_id: UUID, code: str, encryption: Encryption) -> bool:
    """Use a code of any app of an account; return whether it was right, and not used before.

    The account is locked already. Raises CannotDecrypt if a key is missing, in which case servers
    are not ready.
    """
    now = clock.now()
    for app in await db.fetch_all(_APPS, customer_id=customer_id):
        secret = encryption.decrypt(app.secret, context=of_factor(app.id))
        step = matching_step(secret, code, now=now, last_step=app.last_step)
        if step is not None and await db.execute(_USE, factor_id=app.id, step=step, now=now):
            return True
    return False


async def _require_room(db: Transaction, customer_id: UUID) -> None:
    """Raise Rejected unless an account may have one more app."""
    factors = await changes.require_room(db, customer_id)
    if sum(factor.method == SecondFactorMethod.CODE for factor in factors) >= MAX_APPS:
        raise Rejected(_TWO_ALREADY)


def _of_enrolment(customer_id: UUID) -> bytes:
    """Return the encryption context of an app's secret during its enrolment."""
    return b"code_enrolments.secret of " + customer_id.bytes


_BEGIN: Final = upsert(CodeEnrolmentRow)
_BEGUN: Final = scalars(
    select(CodeEnrolmentRow.secret).where(
        CodeEnrolmentRow.customer_id == bindparam("customer_id"),
        CodeEnrolmentRow.session_id == bindparam("session_id"),
        CodeEnrolmentRow.expires_at > bindparam("now"),
    )
)
_INSERT: Final = insert_row(SecondFactorRow)
_APPS: Final = select(SecondFactorRow.id, SecondFactorRow.secret, SecondFactorRow.last_step).where(
    SecondFactorRow.customer_id == bindparam("customer_id"), SecondFactorRow.secret.is_not(None)
)
_STEP: Final = bindparam("step", type_=BigInteger())
_USE: Final = (
    update(SecondFactorRow)
    .where(
        SecondFactorRow.id == bindparam("factor_id"),
        or_(SecondFactorRow.last_step.is_(None), SecondFactorRow.last_step < _STEP),
    )
    .values(last_step=_STEP, last_used_at=bindparam("now", type_=Moment()))
)
"""Marks a code as used: of two requests with the same code, the second one changes no row."""
purge: Final = Batch(
    select(CodeEnrolmentRow.customer_id).where(CodeEnrolmentRow.expires_at < bindparam("before")),
    delete(CodeEnrolmentRow),
).purge
"""Deletes at most a batch of expired enrolments; returns how many."""
