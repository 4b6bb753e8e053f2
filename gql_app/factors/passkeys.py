"""Passkeys (WebAuthn): registration, sign-in, second factor and reauthentication.

Challenges are dated and signed, each for one purpose. A used challenge is stored until it expires,
which prevents replay, while issuing a challenge writes nothing.
"""

import hashlib
import json
import secrets
from base64 import urlsafe_b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple, Self
from uuid import UUID

from sqlalchemy import BigInteger, and_, bindparam, delete, select, update

from gql_app.accounts import audit, authentication, proofs
from gql_app.accounts.audit import Action, Origin
from gql_app.accounts.factors.challenges import Challenge
from gql_app.accounts.factors.second_factors import SecondFactorMethod, SecondFactorRecord
from gql_app.accounts.proofs import Proof
from gql_app.accounts.sessions import Lifetimes, Opened, SignedIn
from gql_app.accounts.throttling import Throttle
from gql_app.db.factor_tables import PasskeyUserRow, SecondFactorRow, UsedChallengeRow
from gql_app.errors import Fault, Rejected, UserErrorCode
from gql_app.factors import challenges, changes, proving
from gql_app.factors.methods import combined
from gql_app.lib import clock
from gql_app.lib.database import (
    Batch,
    Moment,
    Reader,
    Transaction,
    insert_or_ignore,
    scalars,
)
from gql_app.lib.passkeys import (
    Challenges,
    CredentialDescriptor,
    InvalidPasskey,
    Registered,
    RelyingParty,
    base64url,
    challenge_of,
    credential_id_of,
    may_use,
    user_handle_of,
)
from gql_app.settings import Settings

MAX_CREDENTIAL: Final = 16 * 1024
"""The most characters of a credential in JSON; a real one has a tenth of that."""
HANDLE_BYTES: Final = 64
SIGN_IN: Final = "sign-in"
"""The purpose of challenges for a sign-in by passkey alone, which any account may answer."""
INVALID: Final = Fault(UserErrorCode.INVALID_PASSKEY, InvalidPasskey.message)
COPIED: Final = Fault(
    UserErrorCode.INVALID_PASSKEY, "This passkey was refused, because it may have been copied."
)


class Answer(NamedTuple):
    """A credential with a valid challenge of ours; all else about it is still unverified."""

    credential: Mapping[str, object]
    challenge: bytes
    expires_at: datetime


class Proven(NamedTuple):
    """The result of a verified assertion, to be used in one transaction."""

    factor_id: UUID
    customer_id: UUID
    answer: Answer
    sign_count: int
    user_verified: bool

    @property
    def methods(self) -> tuple[str, ...]:
        """The authentication methods of the assertion, as a session stores them."""
        return _methods(user_verified=self.user_verified)


class Begun(NamedTuple):
    """A registration that has begun: the account's user handle, and its factors."""

    handle: bytes
    factors: Sequence[SecondFactorRecord]


class Added(NamedTuple):
    """A new passkey, and the recovery codes if it is the account's first factor."""

    factor: SecondFactorRecord
    codes: list[str] | None

    def __repr__(self) -> str:
        """Return the factor's id alone: logs hold no recovery code."""
        return f"Added({self.factor.id})"


@dataclass(frozen=True, slots=True)
class Passkeys:
    """The options for browsers, and the verification of their responses."""

    party: RelyingParty
    challenges: Challenges

    @classmethod
    def of(cls, settings: Settings, key: bytes) -> Self | None:
        """Return the relying party of the settings, None if they name no page for passkeys."""
        rp_id = settings.passkey_domain
        if rp_id is None:
            return None
        origins = [page for page in settings.passkey_pages if may_use(page, rp_id)] or [
            f"https://{rp_id}"
        ]
        return cls(RelyingParty(rp_id, settings.product_name, origins), Challenges(key))

    def creation_options(self, me: SignedIn, begun: Begun) -> Mapping[str, object]:
        """Return the options for a browser to register a passkey in this session."""
        return self.party.creation_options(
            challenge=self._challenge(_registration(me)),
            user_id=begun.handle,
            user_name=me.customer.email,
            display_name=me.customer.name,
            exclude=_descriptors(begun.factors),
        )

    def sign_in_options(self) -> Mapping[str, object]:
        """Return the options for a browser to sign in by any discoverable passkey."""
        return self.party.request_options(
            challenge=self._challenge(SIGN_IN), user_verification="required"
        )

    def second_factor_options(self, challenge: Challenge) -> Mapping[str, object]:
        """Return the options for a browser to answer a sign-in challenge by an allowed passkey."""
        return self.party.request_options(
            challenge=self._challenge(_second_factor(challenge)),
            user_verification="preferred",
            allow=_descriptors(challenge.factors),
        )

    def registered(self, me: SignedIn, credential: object) -> tuple[Answer, Registered]:
        """Return the passkey that a browser has registered in this session. Raises Rejected."""
        answer = self._answer(credential, _registration(me))
        try:
            return answer, self.party.registered(answer.credential, challenge=answer.challenge)
        except InvalidPasskey:
            raise Rejected(INVALID) from None

    def answer(self, credential: object, challenge: Challenge | None = None) -> Answer:
        """Return a credential for a sign-in challenge, or for any account. Raises Rejected."""
        return self._answer(credential, _second_factor(challenge) if challenge else SIGN_IN)

    async def verified(self, db: Reader, answer: Answer, *, owner: UUID | None) -> Proven:
        """Verify an assertion and return its result. Raises Rejected.

        The passkey belongs to the customer `owner`. Without one the user handle names the customer,
        and user verification is required. use() checks the signature counter.
        """
        found = await db.fetch_one(_FIND, credential_id=credential_id_of(answer.credential))
        if found is None or not _is_of(found, answer, owner):
            raise Rejected(INVALID)
        try:
            asserted = self.party.asserted(
                answer.credential,
                challenge=answer.challenge,
                public_key=_bytes(found.public_key),
                require_user_verification=owner is None,
            )
        except InvalidPasskey:
            raise Rejected(INVALID) from None
        return Proven(found.id, found.customer_id, answer, *asserted)

    def _challenge(self, purpose: str) -> bytes:
        return self.challenges.new(purpose, now=clock.now())

    def _answer(self, credential: object, purpose: str) -> Answer:
        """Return a credential whose challenge is valid for a purpose. Raises Rejected."""
        challenge = challenge_of(credential)
        if challenge is None or not isinstance(credential, Mapping):
            raise Rejected(INVALID)
        expires_at = self.challenges.expires_at(challenge, purpose, now=clock.now())
        if expires_at is None or len(json.dumps(credential)) > MAX_CREDENTIAL:
            raise Rejected(INVALID)
        return Answer(credential, challenge, expires_at)


async def begin(db: Transaction, customer_id: UUID) -> Begun:
    """Begin the registration of a passkey for an account, which is locked. Raises Rejected."""
    factors = await changes.require_room(db, customer_id)
    new = base64url(secrets.token_bytes(HANDLE_BYTES))
    await db.execute(_ADD_USER, customer_id=customer_id, handle=new)
    handle = await db.fetch_one(_HANDLE, customer_id=customer_id)
    return Begun(_bytes(handle or ""), factors)


async def confirm(
    db: Transaction,
    me: SignedIn,
    made: tuple[Answer, Registered],
    name: str | None,
    throttle: Throttle,
    *,
    origin: Origin,
    ends_others: bool = False,
) -> Added:
    """Store the passkey that a session has registered, and mark the challenge as used.

    With the account's first factor its other sessions end if `ends_others`. The account is locked
    already. Raises Rejected, also if the credential id is registered already, for any account, and
    TooManyAttempts.
    """
    answer, registered = made
    await changes.require_room(db, me.customer.id)
    await _use_up(db, answer)
    now, method = clock.now(), SecondFactorMethod.PASSKEY.value
    factor = SecondFactorRecord(
        id=clock.new_id(),
        customer_id=me.customer.id,
        method=method,
        name=name,
        created_at=now,
        last_used_at=now,
        credential_id=registered.credential_id,
        transports=registered.transports,
    )
    public_key, sign_count = base64url(registered.public_key), registered.sign_count
    row = {**factor._asdict(), "public_key": public_key, "sign_count": sign_count}
    if not await db.execute(_ADD, **row):
        raise Rejected(INVALID)
    methods = _methods(user_verified=registered.user_verified)
    codes = await changes.complete(
        db, me, factor, *methods, throttle=throttle, origin=origin, ends_others=ends_others
    )
    return Added(factor, codes)


async def sign_in(
    db: Transaction,
    proven: Proven,
    throttle: Throttle,
    lifetimes: Lifetimes,
    *,
    origin: Origin,
    verified_only: bool = False,
) -> Opened | Challenge | Fault:
    """Open a session of the passkey's owner, without any second factor.

    The fault of a copied passkey is returned and not raised, for its audit record is committed.
    Raises Rejected, and TooManyAttempts.
    """
    owner = proven.customer_id
    customer = await authentication.hold(db, owner, throttle, verified_only=verified_only)
    if customer is None:
        raise Rejected(INVALID)
    fault = await use(db, proven, origin=origin)
    if fault:
        return fault
    proof = Proof(combined(None, *proven.methods))
    return await authentication.admit(db, customer, throttle, lifetimes, proof, origin=origin)


async def second_factor(
    db: Transaction,
    challenge: str,
    proven: Proven,
    throttle: Throttle,
    lifetimes: Lifetimes,
    *,
    origin: Origin,
) -> Opened | Challenge | Fault:
    """Open a session by a challenge and a passkey, which spends the challenge.

    Raises Rejected if the challenge is invalid, and as sign_in() does.
    """
    held = await challenges.hold(db, challenge)
    fault = await use(db, proven, origin=origin)
    if fault:
        return fault
    return await proving.resume(db, held, throttle, lifetimes, *proven.methods, origin=origin)


async def prove_again(
    db: Transaction, me: SignedIn, proven: Proven, *, origin: Origin
) -> Fault | None:
    """Reauthenticate a session by a passkey, or return the fault of a copied one.

    The account is locked already. Raises Rejected.
    """
    fault = await use(db, proven, origin=origin)
    if fault is None:
        methods = combined(me.session.methods, *proven.methods)
        await proving.record_proof(db, me, methods, origin=origin)
    return fault


async def use(db: Transaction, proven: Proven, *, origin: Origin) -> Fault | None:
    """Mark a challenge as used and store the signature counter; return a fault if it went back.

    The fault is returned and not raised, for its audit record is committed. The account is locked
    already. Raises Rejected if the challenge was used before, or the passkey was removed.
    """
    await _use_up(db, proven.answer)
    its = {"factor_id": proven.factor_id, "customer_id": proven.customer_id}
    new = proven.sign_count
    if await db.execute(_COUNT, **its, sign_count=new, below=max(new, 1), now=clock.now()):
        return None
    if not await db.fetch_one(_IS_THERE, **its):
        raise Rejected(INVALID)
    await audit.record(db, Action.PASSKEY_COPIED, origin, customer_id=proven.customer_id)
    return COPIED


async def _use_up(db: Transaction, answer: Answer) -> None:
    """Mark a challenge as used. Raises Rejected if it was used before, also concurrently."""
    digest = hashlib.sha256(answer.challenge).hexdigest()
    if not await db.execute(_USE_UP, digest=digest, expires_at=answer.expires_at):
        raise Rejected(INVALID)


def _is_of(found: Any, answer: Answer, owner: UUID | None) -> bool:  # noqa: ANN401 — a row of _FIND
    """Return whether a passkey is a customer's, or without `owner`, that of its user handle."""
    handle = user_handle_of(answer.credential)
    named = None if handle is None else base64url(handle) == found.handle
    if owner is None:
        return named is True
    return named is not False and found.customer_id == owner


def _registration(me: SignedIn) -> str:
    """Return the purpose of challenges for a registration in a session."""
    return f"registration {me.customer.id} {me.session.id}"


def _second_factor(challenge: Challenge) -> str:
    """Return the purpose of passkey challenges for one sign-in challenge."""
    return f"second factor {challenge.digest}"


def _methods(*, user_verified: bool) -> tuple[str, ...]:
    """Return the authentication methods of an assertion."""
    return (proofs.PASSKEY, proofs.USER_VERIFIED) if user_verified else (proofs.PASSKEY,)


def _descriptors(factors: Sequence[SecondFactorRecord]) -> list[CredentialDescriptor]:
    """Return the descriptors of the passkeys among some second factors."""
    return [
        CredentialDescriptor(factor.credential_id, factor.transports or ())
        for factor in factors
        if factor.credential_id
    ]


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


_FIND: Final = (
    select(
        SecondFactorRow.id,
        SecondFactorRow.customer_id,
        SecondFactorRow.public_key,
        PasskeyUserRow.handle,
    )
    .join(PasskeyUserRow, PasskeyUserRow.customer_id == SecondFactorRow.customer_id)
    .where(SecondFactorRow.credential_id == bindparam("credential_id"))
)
_ADD_USER: Final = insert_or_ignore(PasskeyUserRow)
_HANDLE: Final = scalars(
    select(PasskeyUserRow.handle).where(PasskeyUserRow.customer_id == bindparam("customer_id"))
)
_ADD: Final = insert_or_ignore(SecondFactorRow)
_USE_UP: Final = insert_or_ignore(UsedChallengeRow)
_ITS: Final = and_(
    SecondFactorRow.id == bindparam("factor_id"),
    SecondFactorRow.customer_id == bindparam("customer_id"),
)
_IS_THERE: Final = select(SecondFactorRow.id).where(_ITS)
_COUNT: Final = (
    update(SecondFactorRow)
    .where(_ITS, SecondFactorRow.sign_count < bindparam("below", type_=BigInteger()))
    .values(
        sign_count=bindparam("sign_count", type_=BigInteger()),
        last_used_at=bindparam("now", type_=Moment()),
    )
)
"""Stores a counter that is greater than the last one, or zero if that was zero as well."""
purge: Final = Batch(
    select(UsedChallengeRow.digest).where(UsedChallengeRow.expires_at < bindparam("before")),
    delete(UsedChallengeRow),
).purge
"""Deletes up to `batch` used challenges that have expired; returns their number."""
