"""`import` and `export`: all customers, into this database and out of it."""

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Annotated, BinaryIO, Final, NoReturn

import typer

from gql_app import settings
from gql_app.accounts.validation import Rules
from gql_app.cli import exports, imports
from gql_app.cli.console import bar, err, fail, out, shown
from gql_app.cli.database import opened, prepare
from gql_app.cli.imports import BATCH, FIELDS, Record, Refused
from gql_app.cli.records import STDIO, Format, Source, Unreadable, format_of, read, writer
from gql_app.lib import atomic_files
from gql_app.settings import Settings

SHOWN: Final = 20
"""Reasons that are printed; a report has them all."""

_Named = Annotated[Format | None, typer.Option("--format", help="Unless the file's ending tells.")]


class _Undone(Exception):
    """Nothing of an import is to be kept."""


class _Tally:
    """Numbers of lines that were imported and refused so far."""

    def __init__(self, report: BinaryIO | None) -> None:
        self._report = report
        self.lines = 0
        self.refused = 0
        self.reasons = 0
        self.shown: list[Refused] = []

    def count(self, lines: int, refused: list[Refused]) -> None:
        """Count a batch, and report what is wrong with it, in the order of its lines."""
        self.lines += lines
        self.refused += len({each.line for each in refused})
        self.reasons += len(refused)
        refused.sort(key=lambda each: each.line)
        self.shown += refused[: SHOWN - len(self.shown)]
        for each in refused if self._report else ():
            self._write(each)

    def fail(self) -> NoReturn:
        """Print that nothing is imported, and why, and end with exit status 1."""
        for each in self.shown:
            where = (
                f"line {each.line}, {each.fault.field}" if each.fault.field else f"line {each.line}"
            )
            err.print(f"{where}: {each.fault.message}", markup=False)
        if self.reasons > len(self.shown):
            err.print(f"… and {self.reasons - len(self.shown)} more; --report FILE has them all.")
        fail(f"Nothing is imported: {self.refused} of {self.lines} lines are refused.")

    def _write(self, each: Refused) -> None:
        assert self._report  # noqa: S101 — for mypy
        fault = each.fault
        said = {"line": each.line, "field": fault.field, "code": fault.code, "why": fault.message}
        self._report.write(json.dumps(said, ensure_ascii=False).encode() + b"\n")


def import_customers(
    file: Annotated[str, typer.Argument(help="CSV or JSON lines; - is standard input.")],
    named: _Named = None,
    report: Annotated[
        Path | None, typer.Option(help="Where every refusal goes, as a line of JSON.")
    ] = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Judge all, keep nothing.")] = False,
) -> None:
    """Import customers with their passwords' hashes: all of them, or none."""
    chosen = settings.load()
    with _in_words(), _reading(file) as input_file, _reporting(report, file) as written:
        form = format_of(file, named)
        prepare(chosen)
        tally, source = _Tally(written), Source(input_file)
        asyncio.run(_import(chosen, source, form, tally, keep=not dry_run))
    if tally.refused:
        tally.fail()
    done = "could be" if dry_run else "are"
    out.print(f"{tally.lines} customers {done} imported.")


def export_customers(
    file: Annotated[str, typer.Argument(help="Where to; - is standard output.")] = STDIO,
    named: _Named = None,
    *,
    with_password_hashes: Annotated[
        bool, typer.Option("--with-password-hashes", help="Also what passwords are proven by.")
    ] = False,
) -> None:
    """Export all customers, the oldest first, as import takes them."""
    chosen = settings.load()
    fields = [each for each in FIELDS if with_password_hashes or each != "password_hash"]
    with _in_words():
        form = format_of(file, named)
        prepare(chosen)
        if file == STDIO:
            asyncio.run(_export(chosen, sys.stdout.buffer, form, fields, quiet=True))
            return
        with atomic_files.replacing(Path(file)) as output_file:
            count = asyncio.run(_export(chosen, output_file, form, fields))
    out.print(f"{count} customers are exported to {file}.", markup=False)


async def _import(
    chosen: Settings, source: Source, form: Format, tally: _Tally, *, keep: bool
) -> None:
    """Check and add every record in one transaction, which is kept if none is refused."""
    async with opened(chosen) as database:
        with bar("Importing", source.size) as advance, suppress(_Undone):
            async with database.transaction() as db:
                lines = read(source, form)
                while batch := list(islice(lines, BATCH)):
                    refused = [each for each in batch if isinstance(each, Refused)]
                    good = [each for each in batch if isinstance(each, Record)]
                    tally.count(len(batch), refused + await imports.add(db, good, Rules.of(chosen)))
                    advance(source.done)
                if tally.refused or not keep:
                    raise _Undone


async def _export(
    chosen: Settings, to: BinaryIO, form: Format, fields: list[str], *, quiet: bool = False
) -> int:
    """Write every customer, and return how many there are; the audit knows of it before."""
    done = 0
    async with opened(chosen) as database:
        async with database.transaction() as db:
            await exports.record(db, fields)
        total = await exports.count(database)
        write = writer(shown(to), form, fields)
        with bar("Exporting", total, quiet=quiet) as advance:
            async for page in exports.pages(database, fields):
                for values in page:
                    write(values)
                done += len(page)
                advance(done)
    return done


@contextmanager
def _reading(file: str) -> Iterator[BinaryIO]:
    if file == STDIO:
        yield sys.stdin.buffer
    else:
        with Path(file).open("rb") as input_file:
            yield input_file


@contextmanager
def _reporting(report: Path | None, file: str) -> Iterator[BinaryIO | None]:
    """Write the report beside what it is to replace, which may not be what is read."""
    if report is None:
        yield None
    elif file != STDIO and report.exists() and report.samefile(file):
        message = "The report would replace what is imported."
        raise Unreadable(message)
    else:
        with atomic_files.replacing(report) as written:
            yield written


@contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except Unreadable as why:
        fail(str(why))
    except OSError as why:
        if isinstance(why, BrokenPipeError):
            raise
        fail(f"{why.filename or 'The file'}: {why.strerror}")
