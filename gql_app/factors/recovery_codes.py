"""Recovery codes: ten single-use codes in place of a second factor, shown only when they are made.

A code is 80 random bits, too many to guess; the database holds its digest (SHA-256).
"""

import hashlib
import re
import secrets
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, delete, func, select

from gql_app.accounts import audit, customers
from gql_app.accounts.audit import Action, Origin
from gql_app.accounts.factors import second_factors
from gql_app.accounts.mail import letters
from gql_app.db.factor_tables import RecoveryCodeRow
from gql_app.errors import Fault, Rejected, UserErrorCode
from gql_app.lib import clock
from gql_app.lib.database import Query, Reader, Transaction, any_of, insert_row

NUMBER: Final = 10
LETTERS: Final = 16
"""Characters of a code, five bits each."""
GROUP: Final = 4
"""Characters between two dashes."""
MAX_TYPED: Final = 64
"""The most characters of input, blanks and dashes included; longer text is no code."""
ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32: without i, l, o and u; the first three are read as 1, 1 and 0."""
NO_FACTOR: Final = Fault(
    UserErrorCode.INVALID,
    "Set up an app for codes or a passkey first.",
)
_READ_AS: Final = str.maketrans("ilo", "110", " -")
_SHAPE: Final = re.compile(rf"[{ALPHABET}]{{{LETTERS}}}")


def digest_of(code: str) -> str | None:
    """Return the digest (SHA-256) of a recovery code as typed, None for text of another form."""
    typed = code.lower().translate(_READ_AS) if len(code) <= MAX_TYPED else ""
    return hashlib.sha256(typed.encode()).hexdigest() if _SHAPE.fullmatch(typed) else None


async def replace(db: Transaction, customer_id: UUID) -> list[str]:
    """Replace the codes of an account, which is locked already, and return the new ones."""
    await db.execute(delete(RecoveryCodeRow).where(RecoveryCodeRow.customer_id == customer_id))
    codes, now = [_new() for _ in range(NUMBER)], clock.now()
    row = {"customer_id": customer_id, "created_at": now}
    await db.execute_many(_INSERT, [{**row, "digest": digest_of(code)} for code in codes])
    return codes


async def renew(db: Transaction, customer_id: UUID, *, origin: Origin) -> list[str]:
    """Replace the codes of an account, which is locked already, and post a letter about it.

    Raises Rejected without any factor.
    """
    customer = await customers.by_id(db, customer_id)
    [factors] = await second_factors.of_customers(db, [customer_id])
    if customer is None or not factors:
        raise Rejected(NO_FACTOR)
    kind, recipient = letters.Kind.RECOVERY_CODES_RENEWED, customer.email
    await letters.post(db, kind, customer_id=customer_id, recipient=recipient)
    await audit.record(db, Action.RECOVERY_CODES_RENEWED, origin, customer_id=customer_id)
    return await replace(db, customer_id)


async def use(db: Transaction, customer_id: UUID, digest: str, *, origin: Origin) -> bool:
    """Delete a code by its digest, which uses it; return whether there was one."""
    used = bool(await db.execute(_USE, customer_id=customer_id, digest=digest))
    if used:
        await audit.record(db, Action.RECOVERY_CODE_USED, origin, customer_id=customer_id)
    return used


async def remaining(db: Reader, customer_ids: Sequence[UUID]) -> list[int]:
    """Return the number of unused codes of each customer."""
    numbers: dict[UUID, int] = dict(await db.fetch_all(_REMAINING, customer_ids=customer_ids))
    return [numbers.get(customer_id, 0) for customer_id in customer_ids]


def _new() -> str:
    letters = "".join(secrets.choice(ALPHABET) for _ in range(LETTERS))
    return "-".join(letters[at : at + GROUP] for at in range(0, LETTERS, GROUP))


_INSERT: Final = insert_row(RecoveryCodeRow)
_USE: Final = delete(RecoveryCodeRow).where(
    RecoveryCodeRow.customer_id == bindparam("customer_id"),
    RecoveryCodeRow.digest == bindparam("digest"),
)
_REMAINING: Final[Query[Any]] = Query(
    select(RecoveryCodeRow.customer_id, func.count())
    .where(any_of(RecoveryCodeRow.customer_id, "customer_ids"))
    .group_by(RecoveryCodeRow.customer_id),
    tuple,
)
