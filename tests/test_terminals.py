"""What an operator's terminal is shown: text, and nothing that it would obey."""

import io
import os
import pty
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest

from gql_app.cli import console
from gql_app.cli.console import ascii_json, shown
from tests.databases import copied_sqlite
from tests.processes import free_port, typing

HOSTILE = "<\x1b]0;pwned\x07\x9b2J\x7f\u202e>"
ESCAPED = r"<\x1b]0;pwned\x07\x9b2J\x7f\u202e>"


def test_path_of_a_request_is_shown_and_not_obeyed(sqlite_template: Path, tmp_path: Path) -> None:
    port = free_port()
    url = copied_sqlite(sqlite_template, tmp_path)
    with (
        typing("serve", "--port", str(port), folder=tmp_path, database_url=url) as terminal,
        closing(HTTPConnection("127.0.0.1", port)) as client,
    ):
        terminal.answer("Serving on", "")
        client.request("GET", "/%1b%5d0;pwned%07%1b%5b2J%c2%9b31mFAKE")
        assert client.getresponse().status == 404
        terminal.answer("NOT_FOUND", "")
    assert r"/\x1b]0;pwned\x07\x1b[2J\x9b31mFAKE" in terminal.seen
    assert not [each for each in ("\x1b]", "\x07", "\x1b[2J", "\x9b") if each in terminal.seen]


def test_every_command_prints_by_what_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    for prints in (console.out, console.err):
        prints(HOSTILE)
        prints("two\nlines")
    assert capsys.readouterr() == (f"{ESCAPED}\ntwo\nlines\n",) * 2


def test_json_for_a_terminal_is_ascii() -> None:
    assert ascii_json({"a": HOSTILE}) == r'{"a": "<\u001b]0;pwned\u0007\u009b2J\u007f\u202e>"}'


def test_file_gets_the_very_bytes_and_a_terminal_what_can_be_seen() -> None:
    file = io.BytesIO()
    shown(file)(HOSTILE.encode())
    assert file.getvalue() == HOSTILE.encode()
    ours, theirs = pty.openpty()
    with open(theirs, "wb", buffering=0, closefd=True) as terminal:  # noqa: PTH123  a descriptor has no path
        shown(terminal)(f"{HOSTILE},Łukasz\r\n".encode())
        assert os.read(ours, 1_000).decode().rstrip() == f"{ESCAPED},Łukasz"
    os.close(ours)
