"""The tables, the same on SQLite and PostgreSQL."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, ClassVar, Final
from uuid import UUID

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gql_app.lib.database import Moment
from gql_app.lib.pagination import NGRAM_ARRAY

DISTRIBUTED_BY: Final = "distributed_by"
"""The key of a table's info whose value is its distribution column in a cluster.

That column is in every unique key of the table, in the primary key once it is distributed. Rows of
one value are on one machine; a table without this key is on every machine.
"""

SORTABLE: Final = Text().with_variant(Text(collation="C"), "postgresql")
"""Text that both databases sort by code point, whatever their locale."""


OfCustomer = Annotated[UUID, mapped_column(ForeignKey("customers.id", ondelete="CASCADE"))]
"""The customer whose row it is; it is deleted with them."""


class Row(DeclarativeBase):
    """The base of every table; statements are built from these classes, which have no instances."""

    type_annotation_map: ClassVar = {datetime: Moment, str: Text()}


def _searched(column: str) -> Iterator[Index]:
    """Yield the indexes for searching a column by any part of its text, on PostgreSQL."""
    trigrams = Index(
        f"ix_customers_{column}_trgm",
        column,
        postgresql_using="gin",
        postgresql_ops={column: "gin_trgm_ops"},
    )
    grams = Index(
        f"ix_customers_{column}_grams", text(NGRAM_ARRAY.format(column)), postgresql_using="gin"
    )
    yield trigrams.ddl_if(dialect="postgresql")
    yield grams.ddl_if(dialect="postgresql")


def _partial(name: str, *columns: str, where: str, on_sqlite: str | None = None) -> Index:
    """Return an index of the rows that a condition is true of."""
    ours, theirs = text(on_sqlite or where), text(where)
    return Index(name, *columns, sqlite_where=ours, postgresql_where=theirs)


class CustomerRow(Row):
    """A person with an account."""

    __tablename__ = "customers"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    name_key: Mapped[str] = mapped_column(SORTABLE)
    """The name folded for search and order, as lib/text's search_key() does."""
    email: Mapped[str]
    email_key: Mapped[str] = mapped_column(SORTABLE)
    """The address folded for search and order, and for uniqueness in the version before."""
    phone: Mapped[str | None]
    password_hash: Mapped[str]
    """Empty if there is no password, so that none matches."""
    is_admin: Mapped[bool] = mapped_column(default=False)
    is_active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    email_canonical: Mapped[str | None] = mapped_column(SORTABLE, index=True, unique=True)
    """The key of the mailbox, as lib/text's canonical_email() makes it.

    null if a server of the version before has written the row, as it does not know the column.
    """
    email_verified_at: Mapped[datetime | None]
    """When a link that was sent to the address was used; null if none was."""
    pending_email: Mapped[str | None]
    """The new address, in force once the link that was sent to it is used."""
    locale: Mapped[str | None] = mapped_column(String(35))
    """The language of letters (BCP 47); null for that of the service."""
    pending_since: Mapped[datetime | None]
    password_changed_at: Mapped[datetime | None]
    invited_at: Mapped[datetime | None]
    """When they were invited; null once they have answered."""
    factors_version: Mapped[UUID | None]
    """A new value whenever their second factors change; null while there is none."""

    __table_args__ = (
        # Each order's index has the columns that filters compare, so that a scan for matches
        # reads the index alone. The longest names and addresses take 2,000 bytes of the 2,704 that
        # PostgreSQL allows for an index row.
        Index(
            "ix_customers_created_at",
            *("created_at", "id", "name_key", "email_key", "is_admin", "is_active"),
        ),
        Index(
            "ix_customers_name_key",
            *("name_key", "id", "email_key", "created_at", "is_admin", "is_active"),
        ),
        UniqueConstraint(
            "email_key", postgresql_include=["id", "name_key", "created_at", "is_admin"]
        ),
        _partial("ix_customers_admins", "id", where="is_admin AND is_active"),
        _partial(
            "ix_customers_is_admin",
            "created_at",
            "id",
            where="is_admin IS true",
            on_sqlite="is_admin IS 1",
        ),
        _partial("ix_customers_invited", "created_at", "id", where="invited_at IS NOT NULL"),
        *(index for key in ("name_key", "email_key") for index in _searched(key)),
    )


class CustomerRoleRow(Row):
    """A role of a customer; that of an admin is a column of customers instead."""

    __tablename__ = "customer_roles"

    customer_id: Mapped[OfCustomer] = mapped_column(primary_key=True)
    role: Mapped[str] = mapped_column(String(40), primary_key=True)


class SessionRow(Row):
    """A session, which is live until it is ended or expires."""

    __tablename__ = "sessions"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[OfCustomer]
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    ended_at: Mapped[datetime | None]
    ip_address: Mapped[str | None] = mapped_column(String(45))
    user_agent: Mapped[str | None] = mapped_column(String(300))
    audience: Mapped[str | None]
    """The service that its access tokens are for, if not this API."""
    wrote_at: Mapped[datetime | None]
    """Its last write, recorded if lists are read from a standby; opening it was a write, too."""
    authenticated_at: Mapped[datetime | None]
    """The customer's last proof of identity; null if that was when it was opened."""
    methods: Mapped[str | None]
    """The methods of that proof (accounts/proofs.py); null if the version before opened it."""

    __table_args__ = (
        Index("ix_sessions_customer_id", "customer_id", "created_at"),
        {"info": {DISTRIBUTED_BY: "id"}},
    )


class RefreshTokenRow(Row):
    """A refresh token by its digest; once spent, it is kept to detect a reuse."""

    __tablename__ = "refresh_tokens"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    session_id: Mapped[UUID] = mapped_column(
        ForeignKey("sessions.id", ondelete="CASCADE"), index=True
    )
    salt: Mapped[str] = mapped_column(String(64))
    """The random part of its successor, which is derived from this, the token and a secret."""
    expires_at: Mapped[datetime]
    spent_at: Mapped[datetime | None]

    __table_args__ = ({"info": {DISTRIBUTED_BY: "session_id"}},)


class PasswordResetRow(Row):
    """The one link that may reset a customer's password, by its token's digest."""

    __tablename__ = "password_resets"

    customer_id: Mapped[OfCustomer] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    expires_at: Mapped[datetime]
    issued_on: Mapped[str | None] = mapped_column(String(64))
    """A digest of the address, the password and the state that it is bound to; None is void."""


class LinkRow(Row):
    """The one link of a kind that a customer may use, by its token's digest.

    Links that reset a password are in their own table, in which the version before finds them.
    """

    __tablename__ = "links"

    customer_id: Mapped[OfCustomer] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(40), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    expires_at: Mapped[datetime]
    issued_on: Mapped[str] = mapped_column(String(64))
    """A digest of the state of the customer that it is bound to."""


class RegistrationRow(Row):
    """A registration that waits for proof of its address, which may be another person's."""

    __tablename__ = "registrations"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    email: Mapped[str]
    email_canonical: Mapped[str] = mapped_column(SORTABLE, index=True)
    phone: Mapped[str | None]
    password_hash: Mapped[str]
    locale: Mapped[str | None] = mapped_column(String(35))
    data: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    """The values of features' fields, by the features' names."""
    digest: Mapped[str | None] = mapped_column(String(64), unique=True)
    """The digest of its link's token; null until the letter is sent."""
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class FormerEmailRow(Row):
    """A proven address that a customer had before, held for them while they may undo the change."""

    __tablename__ = "former_emails"

    email_canonical: Mapped[str] = mapped_column(SORTABLE, primary_key=True)
    customer_id: Mapped[OfCustomer] = mapped_column(index=True)
    email: Mapped[str]
    changed_since: Mapped[datetime]
    """When the change was requested: what was added since is removed if it is undone."""
    digest: Mapped[str | None] = mapped_column(String(64), unique=True)
    """The digest of the token that undoes the change; null until the letter is sent."""
    held_until: Mapped[datetime] = mapped_column(index=True)


class LetterRow(Row):
    """A queued letter; it is deleted once it is sent."""

    __tablename__ = "letters"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(40))
    customer_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("customers.id", ondelete="SET NULL"), index=True
    )
    recipient: Mapped[str | None]
    """The address that it is sent to, if not the customer's at that time."""
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime] = mapped_column(index=True)
    data: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    """The values that the letter is written with."""


class ThrottleRow(Row):
    """The times of a subject's recent attempts; the subject is a keyed hash."""

    __tablename__ = "throttles"

    subject: Mapped[str] = mapped_column(String(64), primary_key=True)
    times: Mapped[list[float]] = mapped_column(JSON)
    updated_at: Mapped[datetime] = mapped_column(index=True)

    __table_args__ = ({"info": {DISTRIBUTED_BY: "subject"}},)


class KnownClientRow(Row):
    """A client from which a session of a customer was opened or refreshed recently.

    It has no foreign key: a refresh would lock the customer's row, and could deadlock with a
    sign-in that locks the sessions.
    """

    __tablename__ = "known_clients"

    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    client: Mapped[str] = mapped_column(String(64), primary_key=True)
    """An IPv4 address, or the network (/64) of an IPv6 address."""
    seen_at: Mapped[datetime] = mapped_column(index=True)

    __table_args__ = ({"info": {DISTRIBUTED_BY: "customer_id"}},)


class AuditRow(Row):
    """An event of the audit; it outlives its customers, so it has no foreign keys."""

    __tablename__ = "audit_events"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    action: Mapped[str] = mapped_column(String(40))
    actor_id: Mapped[UUID | None]
    customer_id: Mapped[UUID | None]
    fields: Mapped[list[str]] = mapped_column(JSON)
    ip_address: Mapped[str | None] = mapped_column(String(45))
    user_agent: Mapped[str | None] = mapped_column(String(300))

    __table_args__ = (
        Index("ix_audit_events_at", "at", "id"),
        Index("ix_audit_events_customer_id", "customer_id", "at", "id"),
        Index("ix_audit_events_action", "action", "at", "id"),
        Index("ix_audit_events_actor_id", "actor_id"),
        {"info": {DISTRIBUTED_BY: "id"}},
    )


class DeletedActorRow(Row):
    """A deleted customer, while the audit still has the origins of their changes to others."""

    __tablename__ = "deleted_actors"

    actor_id: Mapped[UUID] = mapped_column(primary_key=True)
    deleted_at: Mapped[datetime] = mapped_column(index=True)
