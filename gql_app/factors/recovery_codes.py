"""Recovery codes: ten that are shown once, each good once in the place of a second factor.

A code is 80 random bits, of which the database holds the digest: nobody guesses it.
"""

import hashlib
import re
import secrets
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, delete, func, select

from gql_app.accounts import audit, second_factors
from gql_app.accounts.audit import Action, Origin
from gql_app.db.factor_tables import RecoveryCodeRow
from gql_app.errors import Fault, Rejected, UserErrorCode
from gql_app.lib import clock
from gql_app.lib.database import Query, Reader, Transaction, any_of, insert_row

NUMBER: Final = 10
LETTERS: Final = 16
"""Of five bits each."""
GROUP: Final = 4
"""Letters that stand together."""
MAX_TYPED: Final = 64
"""Characters that are looked at, blanks and dashes among them."""
ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
"""Without i, l, o and u, of which the first three are read as the digits that they look like."""
NO_FACTOR: Final = Fault(
    UserErrorCode.INVALID,
    "Set up an app for codes or a passkey first.",
)
_READ_AS: Final = str.maketrans("ilo", "110", " -")
_SHAPE: Final = re.compile(rf"[{ALPHABET}]{{{LETTERS}}}")


def digest_of(code: str) -> str | None:
    """Return the digest (SHA-256) of a recovery code as it is typed, None if it can be none."""
    typed = code.lower().translate(_READ_AS) if len(code) <= MAX_TYPED else ""
    return hashlib.sha256(typed.encode()).hexdigest() if _SHAPE.fullmatch(typed) else None


async def replace(db: Transaction, customer_id: UUID) -> list[str]:
    """Return new codes of an account that is locked already; those of before are good no more."""
    await db.execute(delete(RecoveryCodeRow).where(RecoveryCodeRow.customer_id == customer_id))
    codes, now = [_new() for _ in range(NUMBER)], clock.now()
    row = {"customer_id": customer_id, "created_at": now}
    await db.execute_many(_INSERT, [{**row, "digest": digest_of(code)} for code in codes])
    return codes


async def renew(db: Transaction, customer_id: UUID, *, origin: Origin) -> list[str]:
    """Return new codes, as replace() does, and record it. Raises Rejected without any factor."""
    [factors] = await second_factors.of_customers(db, [customer_id])
    if not factors:
        raise Rejected(NO_FACTOR)
    await audit.record(db, Action.RECOVERY_CODES_RENEWED, origin, customer_id=customer_id)
    return await replace(db, customer_id)


async def use(db: Transaction, customer_id: UUID, digest: str, *, origin: Origin) -> bool:
    """Use a code up, by its digest; return whether there was such a one."""
    used = bool(await db.execute(_USE, customer_id=customer_id, digest=digest))
    if used:
        await audit.record(db, Action.RECOVERY_CODE_USED, origin, customer_id=customer_id)
    return used


async def left(db: Reader, customer_ids: Sequence[UUID]) -> list[int]:
    """Return how many codes each of several customers has left."""
    numbers: dict[UUID, int] = dict(await db.fetch_all(_LEFT, customer_ids=customer_ids))
    return [numbers.get(customer_id, 0) for customer_id in customer_ids]


def _new() -> str:
    letters = "".join(secrets.choice(ALPHABET) for _ in range(LETTERS))
    return "-".join(letters[at : at + GROUP] for at in range(0, LETTERS, GROUP))


_INSERT: Final = insert_row(RecoveryCodeRow)
_USE: Final = delete(RecoveryCodeRow).where(
    RecoveryCodeRow.customer_id == bindparam("customer_id"),
    RecoveryCodeRow.digest == bindparam("digest"),
)
_LEFT: Final[Query[Any]] = Query(
    select(RecoveryCodeRow.customer_id, func.count())
    .where(any_of(RecoveryCodeRow.customer_id, "customer_ids"))
    .group_by(RecoveryCodeRow.customer_id),
    tuple,
)
