"""`import`: customers of another system or database, in one transaction."""

import json
import os
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final, TypeAlias
from uuid import UUID

import typer
from sqlalchemy import select

from gql_app.accounts import addresses, audit, role_grants, validation
from gql_app.accounts.audit import Action, Origin
from gql_app.accounts.permissions import ADMIN
from gql_app.accounts.validation import Rules
from gql_app.cli import application, records
from gql_app.cli.console import bar, fail, out
from gql_app.cli.database import prepare, run_on_database
from gql_app.cli.records import FIELDS, STDIO, Format, Named, Record, Refused, Source
from gql_app.db.tables import CustomerRow
from gql_app.errors import Fault, Rejected, UserErrorCode
from gql_app.lib import atomic_files, clock, hashes
from gql_app.lib.database import Database, Query, Transaction, any_of, insert_or_ignore, scalars
from gql_app.lib.faults import OperatorError
from gql_app.lib.signals import interruptible
from gql_app.lib.text import counted, search_key
from gql_app.mail import invitations, mailboxes
from gql_app.security.passwords import NO_PASSWORD
from gql_app.settings import MAIL_REQUIRED

BATCH: Final = 1_000
"""Records that are validated and inserted together."""
SHOWN: Final = 20
"""The most faults that are printed; a report has them all."""

_FLAGS: Final = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}
_NIL: Final = UUID(int=0)
_NO_MOMENT: Final = "This is not a moment with its offset from UTC, such as 2026-01-31T12:00:00Z."


_Adding: TypeAlias = Callable[[Transaction, Sequence[Record | Refused]], Awaitable[list[Refused]]]
"""Adds a batch of records, and returns the lines that are refused."""


class _Undone(Exception):
    """Raised to roll an import back."""


class _Tally:
    """The numbers of lines and refusals so far, and the first of their messages."""

    def __init__(self, report: BinaryIO) -> None:
        self._report = report
        self.lines = 0
        self.refused = 0
        self.reasons = 0
        self.shown: list[str] = []

    def count(self, lines: int, refused: Sequence[Refused]) -> None:
        """Count a batch, and report its faults in the order of the lines."""
        self.lines += lines
        self.refused += len({each.line for each in refused})
        self.reasons += len(refused)
        for line, fault in refused:
            if len(self.shown) < SHOWN:
                field = f", {fault.field}" if fault.field else ""
                self.shown.append(f"line {line}{field}: {fault.message}")
            told = {"line": line, "field": fault.field, "code": fault.code, "why": fault.message}
            self._report.write(json.dumps(told, ensure_ascii=False).encode() + b"\n")


def import_customers(
    file: Annotated[
        str, typer.Argument(help="The file to read, CSV or JSON lines; - is standard input.")
    ],
    named: Named = None,
    report: Annotated[
        Path | None, typer.Option(help="A file for all rejected rows, as JSON lines.")
    ] = None,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check all rows and write nothing.")
    ] = False,
    invite: Annotated[
        bool,
        typer.Option(
            "--invite", help="Invite customers without a password by a link to choose one."
        ),
    ] = False,
) -> None:
    """Import customers with their password hashes: all of them, or none."""
    chosen = application.load()
    if invite and not chosen.sends_mail:
        raise OperatorError([f"--invite {MAIL_REQUIRED}."])
    with (
        nullcontext(sys.stdin.buffer) if file == STDIO else Path(file).open("rb") as input_file,
        _report_to(report, file) as report_file,
    ):
        form = records.format_of(file, named)
        prepare(chosen, "tables" if dry_run else "nothing")
        tally, source = _Tally(report_file), Source(input_file)
        rules = Rules.of(chosen, application.extensions().roles.names)
        adding = partial(add, rules=rules, invite=invite)
        run_on_database(
            chosen,
            lambda database: _import(database, source, form, tally, adding, keep=not dry_run),
        )
    if more := tally.reasons - len(tally.shown):
        tally.shown.append(f"… and {more} more; --report FILE has them all.")
    if tally.refused:
        lines = counted(tally.lines, "line", "lines")
        verb = "is" if tally.refused == 1 else "are"
        told = f"Nothing is imported: {tally.refused} of {lines} {verb} refused."
        fail(*tally.shown, told)
    verb = "could be" if dry_run else "is" if tally.lines == 1 else "are"
    out(f"{counted(tally.lines, 'customer', 'customers')} {verb} imported.")


def check(values: Mapping[str, object], rules: Rules) -> dict[str, Any]:
    """Return the row of a customer, validated as if it were created by the API.

    Raises Rejected with every fault at once.
    """
    read: dict[str, Any] = {}
    faults: list[Fault] = []
    for field in FIELDS:
        if values.get(field) not in (None, ""):
            read[field], wrong = _parse(field, values[field])
            if wrong:
                faults.append(Fault(UserErrorCode.INVALID, wrong, field))
    created_at = read.get("created_at") or clock.now()
    row = {
        "id": read.get("id") or clock.new_id(),
        "is_active": read.get("is_active", True),
        "created_at": created_at,
        "updated_at": read.get("updated_at") or created_at,
        "email_verified_at": read.get("email_verified_at"),
        "password_hash": read.get("password_hash", NO_PASSWORD),
    }
    try:
        new = validation.check_new(
            name=read.get("name") or "",
            email=read.get("email") or "",
            phone=read.get("phone"),
            is_admin=bool(read.get("is_admin")),
            roles=read.get("roles"),
            locale=read.get("locale"),
            rules=rules,
        )
        row |= {"name": new.name, "name_key": search_key(new.name), "email": new.email}
        row |= {**validation.email_keys(new.email), "phone": new.phone, "locale": new.locale}
        row |= {"roles": new.roles, "is_admin": ADMIN in new.roles}
    except Rejected as why:
        faulty = {fault.field for fault in faults}
        faults += [fault for fault in why.faults if fault.field not in faulty]
    if faults:
        raise Rejected(*faults)
    return row


async def add(
    db: Transaction,
    lines: Sequence[Record | Refused],
    rules: Rules,
    *,
    invite: bool = False,
) -> list[Refused]:
    """Add a batch of records, and return the lines that are refused, in their order.

    Addresses and ids added earlier in the transaction count as taken, so duplicates in the file are
    found without keeping it in memory. With `invite`, active customers without a password are
    invited.
    """
    refused: list[Refused] = []
    rows: dict[int, dict[str, Any]] = {}
    taken: set[object] = set()
    for each in lines:
        if isinstance(each, Refused):
            refused.append(each)
            continue
        try:
            row = check(each.values, rules)
        except Rejected as why:
            refused += [Refused(each.line, fault) for fault in why.faults]
            continue
        keys = {"id": row["id"], "email": row["email_key"]}
        doubled = [_taken_fault(field) for field, key in keys.items() if key in taken]
        refused += [Refused(each.line, fault) for fault in doubled]
        if not doubled:
            taken |= set(keys.values())
            rows[each.line] = row
    inserted: list[Any] = await db.execute_many(_INSERT, list(rows.values()))
    added: dict[UUID, None] = dict.fromkeys(row[0] for row in inserted)
    left = {line: row for line, row in rows.items() if row["id"] not in added}
    refused += await _taken(db, left)
    refused += await _held(db, {line: row for line, row in rows.items() if row["id"] in added})
    await audit.record_each(db, Action.CUSTOMER_IMPORTED, Origin(), added)
    for customer in rows.values():
        if customer["id"] in added and customer["roles"]:
            await role_grants.grant(db, customer["id"], customer["roles"], origin=Origin())
    if invite:
        invited = [row["id"] for row in rows.values() if row["id"] in added and _is_invited(row)]
        await invitations.invite_added(db, invited, origin=Origin())
    return sorted(refused, key=lambda each: each.line)


async def _import(
    database: Database, source: Source, form: Format, tally: _Tally, adding: _Adding, *, keep: bool
) -> None:
    """Validate and add every record in one transaction, committed if `keep` and none is refused."""
    lines = records.read(source, form)
    with bar("Importing", source.size) as advance, suppress(_Undone):
        async with database.transaction() as db:
            while batch := _next(lines):
                tally.count(len(batch), await adding(db, batch))
                advance(source.done)
            if tally.refused or not keep:
                raise _Undone


def _next(lines: Iterator[Record | Refused]) -> list[Record | Refused]:
    with interruptible():  # they may come from a pipe
        return list(islice(lines, BATCH))


def _report_to(report: Path | None, file: str) -> AbstractContextManager[BinaryIO]:
    """Open the report, which replaces an older one when complete. Raises OperatorError."""
    if report is None:
        return Path(os.devnull).open("wb")
    if file != STDIO and report.exists() and report.samefile(file):
        raise OperatorError(["The report would replace what is imported."])
    return atomic_files.replacing(report)


def _is_invited(row: Mapping[str, Any]) -> bool:
    """Return whether an added customer gets an invitation: active, and without a password."""
    return row["password_hash"] == NO_PASSWORD and bool(row["is_active"])


def _parse(field: str, value: object) -> tuple[object, str | None]:
    """Return a value parsed from JSON or CSV, and a message if it is invalid."""
    parsed: object
    if field in {"is_admin", "is_active"}:
        parsed, wrong = _FLAGS.get(str(value).lower()), "This has to be true or false."
    elif field == "roles":
        listed = value.split() if isinstance(value, str) else value
        words = isinstance(listed, list) and all(isinstance(each, str) for each in listed)
        parsed, wrong = listed if words else None, "This has to be a list of names."
    elif not isinstance(value, str):
        parsed, wrong = None, "This has to be text."
    elif field == "password_hash":
        return value, hashes.fault(value)
    elif field == "id":
        parsed, wrong = _id(value), "This is not a UUID."
    elif field in {"created_at", "updated_at", "email_verified_at"}:
        parsed, wrong = clock.parse_moment(value), _NO_MOMENT
    else:
        return value, None
    return parsed, wrong if parsed is None else None


def _id(text: str) -> UUID | None:
    parsed = clock.parse_id(text.lower())
    return None if parsed == _NIL else parsed


async def _taken(db: Transaction, left: Mapping[int, dict[str, Any]]) -> list[Refused]:
    """Return the refusals of lines that were not added, as the address or else the id is taken."""
    if not left:
        return []
    emails: set[object] = set()
    for field, query in _TAKEN.items():
        emails |= set(await db.fetch_all(query, keys=[row[field] for row in left.values()]))
    keys = {line: {row["email_key"], row["email_canonical"]} for line, row in left.items()}
    return [
        Refused(line, _taken_fault("email" if its & emails else "id")) for line, its in keys.items()
    ]


async def _held(db: Transaction, added: Mapping[int, dict[str, Any]]) -> list[Refused]:
    """Return the refusals of added lines whose address is held for its former owner."""
    keys = {line: addresses.keys_of(row["email"]) for line, row in added.items()}
    held = await mailboxes.held_among(db, {key for its in keys.values() for key in its})
    return [
        Refused(line, _taken_fault("email"))
        for line, its in keys.items()
        if not held.isdisjoint(its)
    ]


def _taken_fault(field: str) -> Fault:
    what = {"id": "id", "email": "e-mail address"}[field]
    message = f"Another customer, or a line before, has this {what}."
    return Fault(UserErrorCode.TAKEN, message, field)


_INSERT: Final = insert_or_ignore(CustomerRow).returning(CustomerRow.id)
"""Adds a customer unless the id or address is taken, also by a concurrent transaction."""
_TAKEN: Final[Mapping[str, Query[object]]] = {
    column.key: scalars(select(column).where(any_of(column, "keys")))
    for column in (CustomerRow.email_key, CustomerRow.email_canonical)
}
"""Queries for which of some keys are taken, by column."""
