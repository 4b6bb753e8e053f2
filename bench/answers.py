"""Comparison of the servers' answers before they are timed, so that no wrong one counts."""

from collections.abc import Mapping
from http.client import HTTPConnection
from typing import Final

import orjson

from bench.questions import Question
from bench.servers import Server

PATIENCE: Final = 30
"""Time-out of one answer, in seconds."""


def ask(server: Server, question: Question, tokens: Mapping[str, str | None]) -> object:
    """Send a question once, and return the answer in a form that all servers share."""
    request = question.request(server.kind.style, tokens)
    head, _, body = request.partition("\r\n\r\n")
    line, *headers = head.split("\r\n")
    method, target, _ = line.split(" ")
    connection = HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    try:
        connection.request(
            method,
            target,
            body.encode("latin-1") or None,
            dict(header.split(": ", 1) for header in headers),
        )
        return _comparable(orjson.loads(connection.getresponse().read()))
    finally:
        connection.close()


def require_equal(said: Mapping[str, object], what: str) -> None:
    """Raise SystemExit unless all servers answer the same."""
    (first, reference), *others = said.items()
    for name, answer in others:
        if answer != reference:
            detail = f"{first}: {str(reference)[:400]}\n{name}: {str(answer)[:400]}"
            message = f"{what} is answered differently.\n{detail}"
            raise SystemExit(message)


def _comparable(answer: Mapping[str, object]) -> object:
    """Return an answer without what may differ: cursors, tokens, messages, two forms of UTC."""
    errors = answer.get("errors")
    if isinstance(errors, list):
        return [error.get("extensions", error).get("code", error) for error in errors]
    data = answer["data"]
    assert isinstance(data, Mapping)
    (value,) = data.values()
    return _without_secrets(value)


def _without_secrets(value: object) -> object:
    if isinstance(value, Mapping):
        return {
            key: bool(each) if key in {"endCursor", "token"} else _without_secrets(each)
            for key, each in value.items()
        }
    if isinstance(value, str):
        return value.replace("+00:00", "Z")
    return [_without_secrets(each) for each in value] if isinstance(value, list) else value
