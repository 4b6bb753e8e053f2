"""Proofs of identity by an app's code or a recovery code, and reauthentication of a session.

After five wrong codes for an account in 15 minutes, none is checked. Codes of apps and recovery
codes share the limit, wherever they are entered. The account's row is locked before its attempts
are counted, so that concurrent guesses can't exceed the limit.
"""

from typing import Final
from uuid import UUID

from gql_app.accounts import audit, authentication, customers, proofs
from gql_app.accounts.audit import Action, Origin
from gql_app.accounts.factors.challenges import Challenge
from gql_app.accounts.proofs import Proof
from gql_app.accounts.sessions import Lifetimes, Opened, SignedIn
from gql_app.accounts.throttling import Throttle
from gql_app.errors import Fault, Rejected, UserErrorCode
from gql_app.factors import challenges, changes, codes, recovery_codes
from gql_app.factors.methods import combined, prove, without_factors
from gql_app.lib.database import Transaction
from gql_app.lib.encryption import Encryption

WRONG: Final = Fault(
    UserErrorCode.INVALID_CODE, "This code is wrong, or it was used before.", "code"
)
FACTOR_REQUIRED: Final = Fault(
    UserErrorCode.SECOND_FACTOR_REQUIRED,
    "Your account has a second factor: prove by that who you are, not by the password.",
    "password",
)


async def sign_in(
    db: Transaction,
    challenge: str,
    code: str,
    throttle: Throttle,
    lifetimes: Lifetimes,
    encryption: Encryption,
    *,
    origin: Origin,
) -> Opened | Challenge | Fault:
    """Open a session by a challenge and a code, which spends the challenge.

    After a wrong code it stays valid. Raises Rejected if it is invalid, and TooManyAttempts.
    """
    held = await challenges.hold(db, challenge)
    fault = await _judge(db, held.customer.id, code, throttle, encryption, origin)
    if fault:
        return fault
    return await resume(db, held, throttle, lifetimes, proofs.CODE, origin=origin)


async def resume(
    db: Transaction,
    challenge: Challenge,
    throttle: Throttle,
    lifetimes: Lifetimes,
    *methods: str,
    origin: Origin,
) -> Opened | Challenge:
    """Spend a locked challenge, and open a session proven by its methods and by these."""
    await challenges.spend(db, challenge)
    proven = combined(challenge.proof.methods, *methods, proofs.TWO_FACTORS)
    proof = Proof(proven, challenge.proof.audience)
    customer = challenge.customer
    return await authentication.admit(db, customer, throttle, lifetimes, proof, origin=origin)


async def reauthenticate_by_code(
    db: Transaction,
    me: SignedIn,
    code: str,
    throttle: Throttle,
    encryption: Encryption,
    *,
    origin: Origin,
) -> Fault | None:
    """Reauthenticate a session by a code, or return the fault of a wrong one.

    The account is locked already. Raises TooManyAttempts.
    """
    fault = await _judge(db, me.customer.id, code, throttle, encryption, origin)
    if fault is None:
        methods = combined(me.session.methods, proofs.CODE)
        await record_proof(db, me, methods, origin=origin)
    return fault


async def reauthenticate_by_password(db: Transaction, me: SignedIn, *, origin: Origin) -> None:
    """Reauthenticate a session whose password was verified before.

    The account is locked already. Raises Rejected if it has a second factor by now.
    """
    customer = await customers.by_id(db, me.customer.id)
    if customer is None or customer.factors_version:
        raise Rejected(FACTOR_REQUIRED)
    before = without_factors(me.session.methods)
    await record_proof(db, me, combined(before, proofs.PASSWORD), origin=origin)


async def record_proof(db: Transaction, me: SignedIn, methods: str, *, origin: Origin) -> None:
    """Record the methods and the time of a session's reauthentication."""
    await prove(db, me.session, methods)
    await audit.record(db, Action.REAUTHENTICATED, origin, customer_id=me.customer.id)


async def confirm(
    db: Transaction,
    me: SignedIn,
    code: str,
    throttle: Throttle,
    encryption: Encryption,
    *,
    origin: Origin,
    ends_others: bool = False,
) -> list[str] | Fault | None:
    """Complete the enrolment of an app; return recovery codes if it is the first factor.

    With the first factor other sessions end if `ends_others`. The fault of a wrong code is
    returned and not raised, for its count is committed. The account is locked already. Raises
    Rejected if no enrolment is open, or it has the most factors already, and TooManyAttempts.
    """
    await _require_room(db, throttle, me.customer.id)
    factor = await codes.confirm(db, me, code, encryption)
    fault = await _record_result(db, throttle, me.customer.id, right=factor is not None)
    if factor is None:
        return fault
    return await changes.complete(
        db, me, factor, proofs.CODE, throttle=throttle, origin=origin, ends_others=ends_others
    )


async def _require_room(db: Transaction, throttle: Throttle, customer_id: UUID) -> None:
    """Raise TooManyAttempts if no further code may be checked. The account is locked already."""
    limit = throttle.of_account("code", customer_id)
    throttle.check([limit], await throttle.lock(db, [limit]))


async def _record_result(
    db: Transaction, throttle: Throttle, customer_id: UUID, *, right: bool
) -> Fault | None:
    """Clear the count of wrong codes after a right one, or count a wrong one and return its fault.

    The fault is returned and not raised, because the count has to be committed.
    """
    limit = throttle.of_account("code", customer_id)
    if right:
        await throttle.clear(db, limit)
        return None
    await throttle.count(db, limit)
    return WRONG


async def _judge(
    db: Transaction,
    customer_id: UUID,
    code: str,
    throttle: Throttle,
    encryption: Encryption,
    origin: Origin,
) -> Fault | None:
    """Use a code of a locked account, or count a wrong one and return its fault.

    Text in the form of a recovery code is one; any other is an app's code. Raises TooManyAttempts.
    """
    await _require_room(db, throttle, customer_id)
    digest = recovery_codes.digest_of(code)
    if digest is None:
        right = await codes.use(db, customer_id, code, encryption)
    else:
        by_owner = origin.by(customer_id)
        right = await recovery_codes.use(db, customer_id, digest, origin=by_owner)
    return await _record_result(db, throttle, customer_id, right=right)
