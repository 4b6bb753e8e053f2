"""Files of customers: CSV (RFC 4180) and JSON lines, read and written line by line."""

import csv
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from io import StringIO
from pathlib import PurePath
from typing import Annotated, BinaryIO, Final, Literal, NamedTuple, TypeAlias

import typer

from gql_app.errors import Fault, UserErrorCode
from gql_app.lib.clock import rfc3339
from gql_app.lib.faults import OperatorError, sentence
from gql_app.lib.text import counted

FIELDS: Final = (
    "id",
    "name",
    "email",
    "phone",
    "is_admin",
    "is_active",
    "created_at",
    "updated_at",
    "roles",
    "locale",
    "email_verified_at",
    "password_hash",
)
"""The fields of a customer, in this order."""
REQUIRED: Final = frozenset({"name", "email"})
LONGEST_LINE: Final = 65_536
"""The most bytes of a line, which bounds the memory."""
STDIO: Final = "-"

Format: TypeAlias = Literal["csv", "jsonl"]
_ENDINGS: Final[Mapping[str, Format]] = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
_BOM: Final = b"\xef\xbb\xbf"
_HARMLESS: Final = re.compile(r"[A-Za-z][\w .-]{0,39}", re.ASCII)
"""The form of column names that errors may repeat; no hash and no address has it."""


class Record(NamedTuple):
    """The values of a line: text, or true and false; None and empty text stand for no value."""

    line: int
    values: Mapping[str, object]


class Refused(NamedTuple):
    """A line that is refused, and one fault of it."""

    line: int
    fault: Fault


_Found: TypeAlias = Mapping[str, object] | str
"""The values of a line, or the reason why it can't be parsed."""
Named = Annotated[
    Format | None,
    typer.Option("--format", help="The format, if the file's ending does not tell it."),
]
"""The --format option."""


class Source:
    """A file that is read line by line, and the progress of that."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size: Final = os.fstat(file.fileno()).st_size if file.seekable() else None
        """Bytes of the file; None for a pipe."""
        self.done = self.number = 0
        """Bytes and lines read so far."""

    def lines(self) -> Iterator[bytes | None]:
        """Yield the lines, None for each that is longer than LONGEST_LINE."""
        while line := self._read():
            self.number += 1
            if len(line) <= LONGEST_LINE:
                yield line.removeprefix(_BOM) if self.number == 1 else line
                continue
            yield None
            while line and not line.endswith(b"\n"):
                line = self._read()

    def _read(self) -> bytes:
        """Return the next line, or LONGEST_LINE bytes and one of it; empty at the end."""
        line = self._file.readline(LONGEST_LINE + 1)
        self.done += len(line)
        return line


def format_of(file: str, named: Format | None) -> Format:
    """Return the given format, or that of the file's extension. Raises OperatorError."""
    form = named or _ENDINGS.get(PurePath(file).suffix.lower())
    if form is None:
        raise OperatorError(["Name the format: --format csv, or --format jsonl."])
    return form


def read(source: Source, form: Format) -> Iterator[Record | Refused]:
    """Yield the records of a file, and the lines that can't be parsed. Raises OperatorError."""
    for line, found in _read_csv(source) if form == "csv" else _read_json(source):
        if isinstance(found, str):
            yield Refused(line, Fault(UserErrorCode.INVALID, found))
        else:
            yield Record(line, found)


def writer(
    write: Callable[[bytes], object], form: Format, fields: Sequence[str]
) -> Callable[[Sequence[object]], object]:
    """Write the header, if the format has one, and return a function that writes a customer."""
    if form == "csv":
        write(_csv_line(fields))
        return lambda values: write(_csv_line(map(_cell, values)))
    return lambda values: write(_json_line(dict(zip(fields, values, strict=True))))


def _read_csv(source: Source) -> Iterator[tuple[int, _Found]]:
    """Yield the lines of CSV after the header, which names the columns in any order."""
    rows = csv.reader(map(_text, source.lines()), strict=True)
    header: list[str] = []
    while True:
        line = source.number + 1
        try:
            cells = next(rows)
        except StopIteration:
            break
        except csv.Error as why:
            told = _cause(why, _STRAY if header else _LINE_ENDS)
            if not header:
                raise OperatorError([sentence(f"The header is no CSV: {told}")]) from None
            yield line, sentence(f"This is no CSV: {told}")
            continue
        if not header:
            header = _header(cells)
        elif cells:
            yield line, _record(header, cells)
    if not header:
        raise OperatorError(["There is no header."])


def _text(line: bytes | None) -> str:
    """Return the text of a line of CSV. Raise csv.Error if it is too long."""
    if line is None:
        raise csv.Error(_TOO_LONG)
    return line.decode(errors="surrogateescape")


def _header(cells: Sequence[str]) -> list[str]:
    """Return the column names of a header. Raises OperatorError."""
    if not _is_utf8(cells):
        raise OperatorError([f"The header won't do. {_NO_UTF8}"])
    names = [cell.strip() for cell in cells]
    faults = [
        _unknown(name, f"column {at}") for at, name in enumerate(names, 1) if name not in FIELDS
    ]
    faults += [f"{name} is there twice." for name in FIELDS if names.count(name) > 1]
    faults += [f"{name} is missing." for name in FIELDS if name in REQUIRED - set(names)]
    if faults:
        raise OperatorError([" ".join(["The header won't do.", *faults, _KNOWN])])
    return names


def _record(header: Sequence[str], cells: Sequence[str]) -> _Found:
    if len(cells) != len(header):
        values = counted(len(cells), "value", "values")
        return f"The line has {values}, where the header has {len(header)}."
    return dict(zip(header, cells, strict=True)) if _is_utf8(cells) else _NO_UTF8


def _is_utf8(cells: Sequence[str]) -> bool:
    """Return whether cells are of bytes in UTF-8; _text() marks all others."""
    return not any("\ud800" <= each <= "\udfff" for each in "".join(cells))


def _cause(why: csv.Error, line_ends: str) -> str:
    """Return why a line is no CSV, for its author; Python advises its programmer on line ends."""
    return line_ends if "new-line character" in str(why) else str(why)


def _read_json(source: Source) -> Iterator[tuple[int, _Found]]:
    """Yield the object of each line that isn't empty."""
    for line in source.lines():
        if line is None or not line.isspace():
            yield source.number, _object(line)


def _object(line: bytes | None) -> _Found:
    if line is None:
        return sentence(f"This is no JSON: {_TOO_LONG}")
    try:
        # Objects are parsed as tuples of members, to find duplicate names.
        pairs = json.loads(line.decode(), object_pairs_hook=tuple)
    except UnicodeDecodeError:
        return _NO_UTF8
    except (ValueError, RecursionError):
        return "This is no JSON."
    if not isinstance(pairs, tuple):
        return "This is no JSON object."
    values = dict(pairs)
    unknown = [_unknown(name, "a name") for name in values if name not in FIELDS]
    if unknown:
        return f"{unknown[0]} {_KNOWN}"
    return "A name is there twice." if len(values) < len(pairs) else values


_TOO_LONG: Final = f"a line is longer than {LONGEST_LINE} bytes"
_LINE_ENDS: Final = "lines end with CR alone, or the file is not in UTF-8"
_STRAY: Final = "a value holds a CR outside quotes"
_NO_UTF8: Final = "This is not UTF-8."
_KNOWN: Final = f"Known are {', '.join(FIELDS)}."


def _unknown(name: str, place: str) -> str:
    """Return an error about an unknown name; only its place is named if it may be a secret."""
    return f"{name if _HARMLESS.fullmatch(name) else place} is unknown."


def _csv_line(cells: Iterable[object]) -> bytes:
    line = StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue().encode()


def _json_line(values: Mapping[str, object]) -> bytes:
    return json.dumps(values, ensure_ascii=False, default=_plain).encode() + b"\n"


def _plain(value: object) -> str:
    return rfc3339(value) if isinstance(value, datetime) else str(value)


def _cell(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else _plain(value)
