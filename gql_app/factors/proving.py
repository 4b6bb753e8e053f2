"""Proving: who somebody is, by a code of an app, a recovery code, or their password once more."""

from typing import Final
from uuid import UUID

from gql_app.accounts import audit, authentication, challenges, customers, proofs, sessions
from gql_app.accounts.audit import Action, Origin
from gql_app.accounts.challenges import Challenge
from gql_app.accounts.proofs import Proof
from gql_app.accounts.sessions import Lifetimes, Opened, SignedIn
from gql_app.accounts.throttling import Throttle
from gql_app.errors import Fault, Rejected, UserErrorCode
from gql_app.factors import attempts, changes, codes, recovery_codes
from gql_app.lib.database import Transaction
from gql_app.lib.encryption import Encryption

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
    """Open a session of whoever brings the code that a challenge waits for, which is spent by it.

    After a wrong code it is good still. Raises Rejected if it is good no more, and TooManyAttempts.
    """
    held = await challenges.hold(db, challenge)
    fault = await _judge(db, held.customer.id, code, throttle, encryption, origin)
    if fault:
        return fault
    return await go_on(db, held, throttle, lifetimes, proofs.CODE, origin=origin)


async def go_on(
    db: Transaction,
    challenge: Challenge,
    throttle: Throttle,
    lifetimes: Lifetimes,
    *methods: str,
    origin: Origin,
) -> Opened | Challenge:
    """Spend a challenge that is held, and open a session that its methods and these have proven."""
    await challenges.spend(db, challenge)
    proven = proofs.combined(challenge.proof.methods, *methods, proofs.TWO_FACTORS)
    proof = Proof(proven, challenge.proof.audience)
    customer = challenge.customer
    return await authentication.admit(db, customer, throttle, lifetimes, proof, origin=origin)


async def again_by_code(
    db: Transaction,
    me: SignedIn,
    code: str,
    throttle: Throttle,
    encryption: Encryption,
    *,
    origin: Origin,
) -> Fault | None:
    """Record that a session's customer has proven by a code who they are, or return its fault.

    The account is locked already. Raises TooManyAttempts.
    """
    fault = await _judge(db, me.customer.id, code, throttle, encryption, origin)
    if fault is None:
        methods = proofs.combined(me.session.methods, proofs.CODE)
        await again(db, me, methods, origin=origin)
    return fault


async def again_by_password(db: Transaction, me: SignedIn, *, origin: Origin) -> None:
    """Record that a session's customer has proven by the password who they are.

    The account is locked already. Raises Rejected if it has a second factor, by now.
    """
    customer = await customers.by_id(db, me.customer.id)
    if customer is None or customer.has_second_factor:
        raise Rejected(FACTOR_REQUIRED)
    before = proofs.without_factors(me.session.methods)
    await again(db, me, proofs.combined(before, proofs.PASSWORD), origin=origin)


async def again(db: Transaction, me: SignedIn, methods: str, *, origin: Origin) -> None:
    """Record that a session's customer has just proven who they are."""
    await sessions.prove(db, me.session, methods)
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
    """Put the app that a session sets up in force; return recovery codes with the first factor.

    With that one the account's other sessions may end. The fault of a wrong code is returned, for
    it is counted. The account is locked already. Raises Rejected if nothing was begun, or there is
    no room, and TooManyAttempts.
    """
    await attempts.require_room(db, throttle, me.customer.id)
    factor = await codes.confirm(db, me, code, encryption)
    fault = await attempts.settle(db, throttle, me.customer.id, right=factor is not None)
    if factor is None:
        return fault
    return await changes.complete(
        db, me, factor, proofs.CODE, origin=origin, ends_others=ends_others
    )


async def _judge(
    db: Transaction,
    customer_id: UUID,
    code: str,
    throttle: Throttle,
    encryption: Encryption,
    origin: Origin,
) -> Fault | None:
    """Use up a code of an account that is locked, or count that it is wrong and return its fault.

    What has the form of a recovery code is one, and anything else an app's. Raises TooManyAttempts.
    """
    await attempts.require_room(db, throttle, customer_id)
    digest = recovery_codes.digest_of(code)
    if digest is None:
        right = await codes.use(db, customer_id, code, encryption)
    else:
        by_owner = origin._replace(actor_id=customer_id)
        right = await recovery_codes.use(db, customer_id, digest, origin=by_owner)
    return await attempts.settle(db, throttle, customer_id, right=right)
