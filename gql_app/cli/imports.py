"""Imports: customers who come from another system, or from another database of this one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeVar
from uuid import UUID

from sqlalchemy import select

from gql_app import clock
from gql_app.accounts import audit, validation
from gql_app.accounts.audit import Action, Origin
from gql_app.accounts.identity import email_keys, search_key
from gql_app.accounts.validation import DEFAULT_RULES, Rules
from gql_app.db.engine import Writer
from gql_app.db.rows import insert_new_customers
from gql_app.db.tables import CustomerRow
from gql_app.errors import Fault, Rejected, UserErrorCode
from gql_app.lib.hashes import formats
from gql_app.security.ids import new_id, parse_id
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
"""What is told of a customer, in this order."""
REQUIRED: Final = frozenset({"name", "email"})
BATCH: Final = 1_000
"""Records that are judged and inserted at a time."""

_FLAGS: Final = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}
_NIL: Final = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Record:
    """What a line says of a customer: text, or true and false; None and empty say nothing."""

    line: int
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Refused:
    """A line that is not taken, and one reason of it."""

    line: int
    fault: Fault


def check(values: Mapping[str, object], rules: Rules = DEFAULT_RULES) -> dict[str, object]:
    """Check what is said of a customer, as if they were created here, and make a row of it.

    Raises Rejected, with every fault at once.
    """
    given, now = _Given(values), clock.now()
    customer_id = given.read("id", _id, "This is not a UUID.")
    created_at = given.read("created_at", _moment, _NO_MOMENT) or now
    row: dict[str, object] = {
        "id": customer_id or new_id(),
        "is_admin": given.flag("is_admin", otherwise=False),
        "is_active": given.flag("is_active", otherwise=True),
        "created_at": created_at,
        "updated_at": given.read("updated_at", _moment, _NO_MOMENT) or created_at,
        "password_hash": given.password_hash(),
    }
    name, email, phone = given.text("name"), given.text("email"), given.text("phone")
    try:
        person = validation.check_person(
            name=name or "", email=email or "", phone=phone, rules=rules
        )
    except Rejected as why:
        told = {fault.field for fault in given.faults}
        given.faults += [fault for fault in why.faults if fault.field not in told]
    if given.faults:
        raise Rejected(*given.faults)
    row |= {"name": person.name, "name_key": search_key(person.name), "phone": person.phone}
    return row | {"email": person.email, **email_keys(person.email)}


async def add(db: Writer, records: Sequence[Record], rules: Rules = DEFAULT_RULES) -> list[Refused]:
    """Add a batch but for the records that are refused, and tell why each of these is.

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
    refused += _twins(rows)
    added = await insert_new_customers(db, list(rows.values()))
    left = {line: row for line, row in rows.items() if row["id"] not in added}
    refused += await _taken(db, left)
    for row in rows.values():
        if row["id"] in added:
            _record(db, row)
    return sorted(refused, key=lambda each: each.line)


class _Given:
    """What was given, read field by field; faults are gathered so that all are told at once."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values
        self.faults: list[Fault] = []

    def text(self, field: str) -> str | None:
        """Read a text; an empty one says nothing."""
        value = self._values.get(field)
        if value is None or isinstance(value, str):
            return value or None
        self._refuse(field, "This has to be text.")
        return None

    def read(
        self, field: str, parse: Callable[[str], _Parsed | None], wrong: str
    ) -> _Parsed | None:
        """Read what a text stands for."""
        text = self.text(field)
        parsed = parse(text) if text else None
        if text and parsed is None:
            self._refuse(field, wrong)
        return parsed

    def flag(self, field: str, *, otherwise: bool) -> bool:
        """Read true or false, as JSON or any of the databases writes it."""
        value = self._values.get(field)
        if value is None or value == "":
            return otherwise
        flag = _FLAGS.get(str(value).lower())
        if flag is None:
            self._refuse(field, "This has to be true or false.")
        return bool(flag)

    def password_hash(self) -> str:
        """Read a hash that a sign-in can bear."""
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


def _twins(rows: dict[int, dict[str, object]]) -> list[Refused]:
    """Take out of a batch who has the id or the address of somebody before them."""
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


async def _taken(db: Writer, left: Mapping[int, dict[str, object]]) -> list[Refused]:
    """Tell which of two fields is somebody's already."""
    if not left:
        return []
    emails: set[object] = set()
    for column in (CustomerRow.email_key, CustomerRow.email_canonical):
        keys = [row[column.key] for row in left.values()]
        emails |= set(await db.scalars(select(column).where(column.in_(keys))))
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


def _record(db: Writer, row: Mapping[str, object]) -> None:
    customer_id = row["id"]
    assert isinstance(customer_id, UUID)  # noqa: S101 — for mypy
    audit.record(db, Action.CUSTOMER_IMPORTED, Origin(), customer_id=customer_id)
    if row["is_admin"]:
        audit.record(db, Action.ADMIN_GRANTED, Origin(), customer_id=customer_id)
