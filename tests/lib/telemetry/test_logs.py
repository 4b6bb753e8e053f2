"""The log: what a line looks like, and what never gets into one."""

import io
import json
import logging
import math
import os
import select
import sys
from collections.abc import Callable, Iterator
from contextvars import copy_context

import pytest
import structlog

from gql_app.lib.telemetry import bind_log_context, configure_logging

LEVELS = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
Read = Callable[[], str]


@pytest.fixture
def piped(monkeypatch: pytest.MonkeyPatch) -> Read:
    """Log to what is no terminal, and read what was written."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    configure_logging("INFO")
    return stream.getvalue


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Read]:
    """Log to a terminal, and read what it shows."""
    reader, writer = os.openpty()
    with open(writer, "w", encoding="utf-8") as screen:  # noqa: PTH123  a descriptor has no path
        monkeypatch.setattr(sys, "stderr", screen)
        configure_logging("INFO")

        def read() -> str:
            screen.flush()
            shown = os.read(reader, 65_536)
            while select.select([reader], [], [], 0)[0]:
                shown += os.read(reader, 65_536)
            return shown.decode()

        yield read
    os.close(reader)


@pytest.fixture(params=["piped", "terminal"])
def written(request: pytest.FixtureRequest) -> Read:
    """Log to either."""
    read: Read = request.getfixturevalue(request.param)
    return read


def fail(secret: str) -> None:
    """Fail with a secret at hand."""
    message = f"it failed after {len(secret)} characters"
    raise ValueError(message)


def test_line_is_one_json_object_off_a_terminal(piped: Read) -> None:
    structlog.get_logger("gql_app.web").info("request", outcome="SUCCESS", duration=1.5)
    text = piped()
    line = json.loads(text)
    assert text.count("\n") == 1
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "request",
        "level": "info",
        "logger": "gql_app.web",
        "outcome": "SUCCESS",
        "duration": 1.5,
    }


def test_line_is_text_on_a_terminal(terminal: Read) -> None:
    structlog.get_logger("gql_app.web").info("request", outcome="SUCCESS")
    text = terminal()
    assert not text.startswith("{")
    assert "request" in text
    assert "SUCCESS" in text
    assert text.count("\n") == 1


def test_line_of_a_library_looks_like_ours(piped: Read) -> None:
    logging.getLogger("uvicorn.error").warning("stopping in %d seconds", 20)
    line = json.loads(piped())
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "stopping in 20 seconds",
        "level": "warning",
        "logger": "uvicorn.error",
    }


def test_what_is_bound_to_the_request_is_in_every_line(piped: Read) -> None:
    def within() -> None:
        bind_log_context(request_id="one")
        structlog.get_logger("gql_app.web").info("ours")
        logging.getLogger("a.library").warning("theirs")

    copy_context().run(within)
    structlog.get_logger("gql_app.web").info("after")
    lines = [json.loads(line) for line in piped().splitlines()]
    assert [line.get("request_id") for line in lines] == ["one", "one", None]


def test_newline_in_a_value_starts_no_new_line(piped: Read) -> None:
    structlog.get_logger("gql_app.web").info("request", agent='x\n{"event": "forged"}\r\u2028')
    text = piped()
    assert len(text.splitlines()) == 1
    assert json.loads(text)["agent"] == 'x\n{"event": "forged"}\r\u2028'


@pytest.mark.parametrize("ours", [True, False])
def test_traceback_shows_no_value(written: Read, *, ours: bool) -> None:
    secret = "retnuh"[::-1]
    try:
        fail(secret)
    except ValueError:
        if ours:
            structlog.get_logger("gql_app.web").exception("unforeseen")
        else:
            logging.getLogger("a.library").exception("unforeseen")
    text = written()
    assert "Traceback (most recent call last)" in text
    assert "ValueError: it failed after 6 characters" in text
    assert secret not in text


@pytest.mark.parametrize("level", LEVELS)
def test_nothing_below_the_level_is_written(capsys: pytest.CaptureFixture[str], level: str) -> None:
    configure_logging(level)
    for each in LEVELS:
        structlog.get_logger("gql_app.web").log(getattr(logging, each), each)
        logging.getLogger("a.library").log(getattr(logging, each), each)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    shown = LEVELS[LEVELS.index(level) :]
    assert [line["event"] for line in lines if line["logger"] == "gql_app.web"] == shown
    assert [line["event"] for line in lines if line["logger"] == "a.library"] == shown


def test_line_is_written_once_however_often_logging_is_configured(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("INFO")
    configure_logging("INFO")
    structlog.get_logger("gql_app.web").info("request")
    assert capsys.readouterr().err.count("\n") == 1


def test_log_that_nobody_takes_fails_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    stream = open(writer, "w", encoding="utf-8")  # noqa: PTH123, SIM115  a descriptor has no path
    monkeypatch.setattr(sys, "stderr", stream)
    configure_logging("INFO")
    log = structlog.get_logger("gql_app.web")
    os.close(reader)
    for write in (log.info, log.warning, log.error, log.exception):
        write("lost")
    logging.getLogger("a.library").warning("lost as well")
    stream.close()


ESCAPES = [
    *(chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))),
    "\u2028",
    "\u2029",
    "\u202e",
    "\u200b",
    "\ufeff",
    "\x1b]0;pwned\x07",
    "\x1b[2J\x1b[31mFAKE",
    "\x9b2J",
]


def fail_with(message: str) -> None:
    """Fail with a message."""
    raise ValueError(message)


def shows(text: str, specimen: str) -> bool:
    """Return whether a text holds something between the marks that the tests put around it."""
    return f"<{specimen}>" in text


@pytest.mark.parametrize("specimen", ESCAPES, ids=ascii)
def test_terminal_obeys_nothing_that_is_logged(terminal: Read, specimen: str) -> None:
    hostile = f"<{specimen}>"
    structlog.get_logger("gql_app.web").info("Request", path=f"/{hostile}", agent=f"a {hostile}")
    structlog.get_logger("gql_app.web").info(hostile, listed=[hostile])
    logging.getLogger("a.library").warning("about %s", hostile)
    for log in (structlog.get_logger("gql_app.web"), logging.getLogger("a.library")):
        try:
            fail_with(hostile)
        except ValueError:
            log.exception("failed")
    text = terminal().replace("\r\n", "\n")
    if specimen != "\n":  # a traceback has lines
        assert not shows(text, specimen)
    assert text.count(ascii(hostile)[1:-1]) >= 5
    assert not set(text) & (set(ESCAPES) - {"\n", "\x1b"})  # colours are the log's own


def test_line_is_written_whatever_a_value_is(piped: Read) -> None:
    log = structlog.get_logger("gql_app.web")
    try:
        fail_with('\ud800\n{"event": "forged"}')
    except ValueError:
        log.exception("failed", number=2**64, by_number={1: "one", (): "none"}, ratio=math.nan)
    log.info("Request")
    lines = piped().splitlines()
    failed, asked = (json.loads(line, parse_constant=pytest.fail) for line in lines)
    assert (failed["number"], failed["ratio"]) == (2**64, None)
    assert '\ud800\n{"event": "forged"}' in failed["exception"]
    assert set(failed) == {*asked, "exception", "number", "by_number", "ratio"}
    assert len(failed["timestamp"]) == len(asked["timestamp"])


@pytest.mark.parametrize("specimen", ESCAPES, ids=ascii)
def test_json_is_printable_ascii(piped: Read, specimen: str) -> None:
    structlog.get_logger("gql_app.web").info("Request", path=specimen)
    logging.getLogger("a.library").warning("about %s", specimen)
    for line in piped().splitlines():
        assert line.isascii()
        assert line.isprintable()
        json.loads(line)
