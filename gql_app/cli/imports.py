"""Imports: customers who come from another system, or from another database of this one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeVar
from uuid import UUID

from sqlalchemy import select

from gql_app.accounts import audit, validation
from gql_app.accounts.audit import Action, Origin
from gql_app.accounts.validation import DEFAULT_RULES, Rules
from gql_app.db.tables import CustomerRow
from gql_app.errors import Fault, Rejected, UserErrorCode
from gql_app.lib import clock
from gql_app.lib.database import Query, Transaction, any_of, insert_or_ignore
from gql_app.lib.hashes import formats
from gql_app.lib.ids import new_id, parse_id
from gql_app.security.passwords import NO_PASSWORD

_Parsed = TypeVar("_Parsed")

FIELDS: Final = (
    "id",
    "name",
    "email",
    "phone",
    "is_admin",
    "is_active",
    "created_at",
    "updated_at",
    "password_hash",
)
"""The fields of a customer, in this order."""
REQUIRED: Final = frozenset({"name", "email"})
BATCH: Final = 1_000
"""Records that are checked and inserted at a time."""

_FLAGS: Final = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}
_NIL: Final = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Record:
    """The values of a line: text, or true and false; None and empty say nothing."""

    line: int
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Refused:
    """A line that is not taken, and one reason of it."""

    line: int
    fault: Fault


def check(values: Mapping[str, object], rules: Rules = DEFAULT_RULES) -> dict[str, object]:
    """Return the row of a customer, checked as if they were created here.

    Raises Rejected, with every fault at once.
    """
    fields, now = _Fields(values), clock.now()
    customer_id = fields.read("id", _id, "This is not a UUID.")
    created_at = fields.read("created_at", _moment, _NO_MOMENT) or now
    row: dict[str, object] = {
        "id": customer_id or new_id(),
        "is_admin": fields.flag("is_admin", otherwise=False),
        "is_active": fields.flag("is_active", otherwise=True),
        "created_at": created_at,
        "updated_at": fields.read("updated_at", _moment, _NO_MOMENT) or created_at,
        "password_hash": fields.password_hash(),
    }
    name, email, phone = fields.text("name"), fields.text("email"), fields.text("phone")
    person = {"name": name or "", "email": email or "", "phone": phone}
    try:
        row |= validation.check_changes(None, person, rules).values
    except Rejected as why:
        faulty = {fault.field for fault in fields.faults}
        fields.faults += [fault for fault in why.faults if fault.field not in faulty]
    if fields.faults:
        raise Rejected(*fields.faults)
    return row


async def add(
    db: Transaction, records: Sequence[Record], rules: Rules = DEFAULT_RULES
) -> list[Refused]:
    """Add a batch of records, and return those that are refused, each with the reason.

    What a transaction has added counts as taken for what comes later in it, so that nobody
    need remember the file.
    """
    refused: list[Refused] = []
    rows: dict[int, dict[str, object]] = {}
    for record in records:
        try:
            rows[record.line] = check(record.values, rules)
        except Rejected as why:
            refused += [Refused(record.line, fault) for fault in why.faults]
    refused += _remove_duplicates(rows)
    added = dict(await db.fetch_many(_INSERT, list(rows.values())))
    left = {line: row for line, row in rows.items() if row["id"] not in added}
    refused += await _taken(db, left)
    admins = [customer_id for customer_id, is_admin in added.items() if is_admin]
    await audit.record_each(db, Action.CUSTOMER_IMPORTED, Origin(), added)
    await audit.record_each(db, Action.ADMIN_GRANTED, Origin(), admins)
    return sorted(refused, key=lambda each: each.line)


class _Fields:
    """The fields of a record, read one by one; faults are gathered so that all are reported."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values
        self.faults: list[Fault] = []

    def text(self, field: str) -> str | None:
        """Return a text, or None if it is empty or absent."""
        value = self._values.get(field)
        if value is None or isinstance(value, str):
            return value or None
        self._refuse(field, "This has to be text.")
        return None

    def read(
        self, field: str, parse: Callable[[str], _Parsed | None], wrong: str
    ) -> _Parsed | None:
        """Return what a text stands for, or None if it is absent or wrong."""
        text = self.text(field)
        parsed = parse(text) if text else None
        if text and parsed is None:
            self._refuse(field, wrong)
        return parsed

    def flag(self, field: str, *, otherwise: bool) -> bool:
        """Return true or false, as JSON or any of the databases writes it."""
        value = self._values.get(field)
        if value is None or value == "":
            return otherwise
        flag = _FLAGS.get(str(value).lower())
        if flag is None:
            self._refuse(field, "This has to be true or false.")
        return bool(flag)

    def password_hash(self) -> str:
        """Return a hash that passwords can be verified by."""
        hashed = self.text("password_hash") or NO_PASSWORD
        fault = formats.fault(hashed) if hashed else None
        if fault:
            self._refuse("password_hash", fault)
        return hashed

    def _refuse(self, field: str, message: str) -> None:
        self.faults.append(Fault(UserErrorCode.INVALID, message, field))


_NO_MOMENT: Final = "This is not a moment with its offset from UTC, such as 2026-01-31T12:00:00Z."


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _id(text: str) -> UUID | None:
    parsed = parse_id(text.lower())
    return None if parsed == _NIL else parsed


def _remove_duplicates(rows: dict[int, dict[str, object]]) -> list[Refused]:
    """Remove the rows with the id or the address of one before them, and return their lines."""
    refused: list[Refused] = []
    taken: set[object] = set()
    for line, row in list(rows.items()):
        keys = {"id": row["id"], "email": row["email_key"]}
        doubled = [field for field, key in keys.items() if key in taken]
        if doubled:
            del rows[line]
            refused += [Refused(line, _taken_fault(field)) for field in doubled]
        else:
            taken |= set(keys.values())
    return refused


async def _taken(db: Transaction, left: Mapping[int, dict[str, object]]) -> list[Refused]:
    """Return the lines that were not added, and which of two fields is taken."""
    if not left:
        return []
    emails: set[object] = set()
    for field, query in _TAKEN.items():
        emails |= set(await db.fetch_all(query, keys=[row[field] for row in left.values()]))
    return [
        Refused(
            line,
            _taken_fault("email" if {row["email_key"], row["email_canonical"]} & emails else "id"),
        )
        for line, row in left.items()
    ]


def _taken_fault(field: str) -> Fault:
    what = {"id": "id", "email": "e-mail address"}[field]
    message = f"Another customer, or a line before, has this {what}."
    return Fault(UserErrorCode.TAKEN, message, field)


_INSERT: Final[Query[tuple[UUID, bool]]] = Query(
    insert_or_ignore(CustomerRow).returning(CustomerRow.id, CustomerRow.is_admin),
    lambda row: (row[0], row[1]),
)
"""Adds a customer but where the id or the address is taken, for which a race is waited out."""
_TAKEN: Final[Mapping[str, Query[object]]] = {
    column.key: Query(select(column).where(any_of(column, "keys")), lambda row: row[0])
    for column in (CustomerRow.email_key, CustomerRow.email_canonical)
}
"""The keys that are somebody's already, by the column."""
