"""The tables of second factors, and of sign-ins that wait for one."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import JSON, BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from gql_app.db.tables import DISTRIBUTED_BY, OfCustomer, Row


class SecondFactorRow(Row):
    """A second factor in force: an authenticator app or a passkey."""

    __tablename__ = "second_factors"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[OfCustomer] = mapped_column(index=True)
    method: Mapped[str] = mapped_column(String(20))
    name: Mapped[str | None]
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    secret: Mapped[str | None]
    """The secret of an authenticator app, encrypted by the factor key."""
    key_id: Mapped[str | None] = mapped_column(String(40), index=True)
    """The id of the key that the secret is encrypted by."""
    last_step: Mapped[int | None] = mapped_column(BigInteger)
    """The time step (RFC 6238) of the last code that was used."""
    credential_id: Mapped[str | None] = mapped_column(unique=True)
    """The id of a passkey, in base64url, as its public key is."""
    public_key: Mapped[str | None]
    sign_count: Mapped[int | None] = mapped_column(BigInteger)
    transports: Mapped[list[str] | None] = mapped_column(JSON)
    undo_digest: Mapped[str | None] = mapped_column(String(64), unique=True)
    """The digest of the token that undoes it; null until the letter is sent."""


class CodeEnrolmentRow(Row):
    """An authenticator app that is being set up in a session, until its first right code."""

    __tablename__ = "code_enrolments"

    customer_id: Mapped[OfCustomer] = mapped_column(primary_key=True)
    session_id: Mapped[UUID]
    secret: Mapped[str]
    key_id: Mapped[str] = mapped_column(String(40))
    expires_at: Mapped[datetime] = mapped_column(index=True)


class RecoveryCodeRow(Row):
    """A code that is valid once in place of a second factor, by its digest."""

    __tablename__ = "recovery_codes"

    customer_id: Mapped[OfCustomer] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    created_at: Mapped[datetime]


class PasskeyUserRow(Row):
    """The user handle of a customer's passkeys: a random id without personal data."""

    __tablename__ = "passkey_users"

    customer_id: Mapped[OfCustomer] = mapped_column(primary_key=True)
    handle: Mapped[str] = mapped_column(String(86), unique=True)


class SignInChallengeRow(Row):
    """A sign-in that waits for its second factor, by its token's digest."""

    __tablename__ = "sign_in_challenges"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    customer_id: Mapped[OfCustomer] = mapped_column(index=True)
    methods: Mapped[str]
    """The methods of the first factor's proof."""
    audience: Mapped[str | None]
    issued_on: Mapped[str] = mapped_column(String(64))
    """A digest of the password, the factors and the state that it is bound to."""
    expires_at: Mapped[datetime] = mapped_column(index=True)


class UsedChallengeRow(Row):
    """A passkey's challenge that was used, by its digest, until it would have expired."""

    __tablename__ = "used_challenges"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)

    __table_args__ = ({"info": {DISTRIBUTED_BY: "digest"}},)
