"""Customers are read and written line by line, and what is wrong with a line is told."""

from pathlib import Path

import pytest

from gql_app.cli.records import Format, Record, Refused, Source, read
from gql_app.errors import Fault, UserErrorCode
from gql_app.lib.faults import OperatorError
from tests.transfer import HASHES

EVE = {"name": "Eve", "email": "eve@example.com"}
AFTER = {
    "csv": b"Eve,eve@example.com\n",
    "jsonl": b'{"name": "Eve", "email": "eve@example.com"}\n',
}


def read_all(folder: Path, ending: Format, content: bytes) -> list[Record | Refused]:
    """Read a file to its end."""
    file = folder / "file"
    file.write_bytes(content)
    with file.open("rb") as opened:
        source = Source(opened)
        found = list(read(source, ending))
    assert (source.size, source.done) == (len(content), len(content))
    return found


@pytest.mark.parametrize(
    ("ending", "content", "line"),
    [
        ("csv", b"name,email\nAda\n", 2),
        ("csv", b"name,email\n\nBob,bob@example.com,+1\n", 3),
        ("csv", b'name,email\n"Bob\n",bob@example.com,\n', 2),
        ("csv", b"name,email\nB\xf6b,bob@example.com\n", 2),
        ("csv", b'name,email\n"Bob"x,bob@example.com\n', 2),
        ("csv", b'name,email\n"Bob,bob@example.com\n', 2),
        ("csv", b'name,email\n"' + (b"x" * 60_000 + b"\n") * 3, 2),
        ("csv", b"name,email\nBob,bob@example.com\rEve,eve@example.com\n", 2),
        ("csv", b"name,email\n" + b"x" * 200_000 + b",bob@example.com\n", 2),
        ("csv", b'name,email\n"Bob\n' + b"x" * 70_000 + b'",bob@example.com\n', 2),
        ("csv", b"name,email\n" + b"x" * 65_536 + b"\n", 2),
        ("jsonl", b"[]\n", 1),
        ("jsonl", b"x" * 200_000 + b"\n", 1),
        ("jsonl", b'\n \n"Bob"\n', 3),
        ("jsonl", b'{"name": "Bob", "email": "bob@example.com"\n', 1),
        ("jsonl", b'{"name": "B\xf6b", "email": "bob@example.com"}\n', 1),
        ("jsonl", b'{"name": "Bob", "name": "Eve", "email": "bob@example.com"}\n', 1),
        ("jsonl", b'{"name": "Bob", "email": "bob@example.com", "password": "x"}\n', 1),
        ("jsonl", b"[" * 60_000 + b"\n", 1),
        ("jsonl", b'{"name": "Bob", "email": "bob@example.com"} {}\n', 1),
        ("jsonl", b"9" * 5_000 + b"\n", 1),
    ],
    ids=lambda value: str(value)[:40],
)
def test_line_that_is_no_customer_is_told_and_those_after_it_are_read(
    tmp_path: Path, ending: Format, content: bytes, line: int
) -> None:
    unclosed = content.count(b'"') % 2
    found = read_all(tmp_path, ending, content + (b"" if unclosed else AFTER[ending]))
    refused = [each.line for each in found if isinstance(each, Refused)]
    assert refused[0] == line
    if not unclosed:
        assert found[-1] == Record(content.count(b"\n") + 1, EVE)


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (b"", "no header"),
        (b"name,mail\n", "mail is unknown"),
        (b"name\n", "email is missing"),
        (b"name,email,name\n", "name is there twice"),
        (b"name,email,password\n", "password is unknown"),
        (b"NAME,email\n", "NAME is unknown"),
        (f"name,email,{HASHES[0]}\n".encode(), "column 3 is unknown"),
        (b"name,email,Gr\xf6\xdfe\n", "The header won't do. This is not UTF-8."),
        ("name,email\r\n".encode("utf-16"), "no CSV: lines end with CR alone, or the file is not"),
        (b"name,email\rAda,ada@example.com\r", "no CSV: lines end with CR alone, or the file"),
        (b"name;email\n", "column 1 is unknown"),
        ("name,email\n".encode("utf-16"), "The header won't do. This is not UTF-8."),
        (b'"name"x,email\n', "The header is no CSV"),
        (b"x" * 70_000, "a line is longer than 65536 bytes"),
        (b"x" * 70_000 + b"\nname,email\n", "a line is longer than 65536 bytes"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_file_that_is_no_list_of_customers_is_told_in_words(
    tmp_path: Path, header: bytes, told: str
) -> None:
    with pytest.raises(OperatorError, match=told) as why:
        read_all(tmp_path, "csv", header)
    assert HASHES[0] not in str(why.value)


def test_carriage_return_within_a_row_is_told_as_such(tmp_path: Path) -> None:
    found = read_all(tmp_path, "csv", b"name,email\nA\rda,ada@example.com\n" + AFTER["csv"])
    message = "This is no CSV: a value holds a CR outside quotes."
    assert found == [Refused(2, Fault(UserErrorCode.INVALID, message)), Record(3, EVE)]


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
@pytest.mark.parametrize("end", [b"", b"\n"])
def test_every_line_that_is_too_long_is_one_fault_of_its_own(
    tmp_path: Path, ending: Format, end: bytes
) -> None:
    header = b"name,email\n" if ending == "csv" else b"\n"
    long = b"x" * 70_000
    found = read_all(
        tmp_path, ending, header + AFTER[ending] + b"\n".join([long, long, b"[1,", long]) + end
    )
    assert [each.line for each in found] == [2, 3, 4, 5, 6]
    assert found[0] == Record(2, EVE)
    longs = [each for each in found if isinstance(each, Refused) and "65536" in each.fault.message]
    assert [each.line for each in longs] == [3, 4, 6]


def test_line_of_the_greatest_length_is_read(tmp_path: Path) -> None:
    line = AFTER["csv"].removesuffix(b"\n")
    (read,) = read_all(tmp_path, "csv", b"name,email\n" + line.rjust(65_535) + b"\n")
    assert isinstance(read, Record)
