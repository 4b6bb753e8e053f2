"""Framing: what of RFC 9112 the parser lets pass, and other servers might read differently."""

import re
from collections.abc import Sequence
from typing import Final

from gql_app.lib.server.asgi import Header

_HOST: Final = re.compile(
    rb"([A-Za-z0-9._~!$&'()*+,;=%-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{0,5})?"  # RFC 3986 section 3.2.2
)
_ABSOLUTE: Final = re.compile(rb"https?://([^/?#]*)/", re.IGNORECASE)


class BadRequest(Exception):
    """A request that is refused before the application sees it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status: Final = status
        self.message: Final = message


def check_framing(version: str, target: bytes, headers: Sequence[Header]) -> None:
    """Raise BadRequest if a head is ambiguous; its headers' names are in lower case."""
    if version not in {"1.0", "1.1"}:
        raise BadRequest(400, "Speak HTTP/1.1")
    by_name = dict(headers)
    if b"transfer-encoding" in by_name:
        _check_codings(version, _values(headers, b"transfer-encoding"))
    hosts = [by_name[b"host"]] if b"host" in by_name else []
    if len(by_name) != len(headers):  # some are repeated
        hosts = _values(headers, b"host")
    if len(hosts) > 1 or (not hosts and version == "1.1"):
        raise BadRequest(400, "A request has exactly one Host header")
    if hosts and not _HOST.fullmatch(hosts[0]):
        raise BadRequest(400, "The Host header names no host")
    if not target.startswith(b"/"):
        _check_absolute(target, hosts)


def length_beside_upgrade(headers: Sequence[Header]) -> int:
    """Return the length of a body that the parser skips. Raise BadRequest if it is chunked."""
    by_name = dict(headers)
    if b"transfer-encoding" in by_name:
        raise BadRequest(400, "Who asks for an upgrade announces the body's length")
    return int(by_name.get(b"content-length", 0))


def _values(headers: Sequence[Header], wanted: bytes) -> list[bytes]:
    return [value for name, value in headers if name == wanted]


def _check_codings(version: str, codings: Sequence[bytes]) -> None:
    """Raise BadRequest for anything but chunked, once (RFC 9112 section 6.1)."""
    if version == "1.0":
        raise BadRequest(400, "HTTP/1.0 has no Transfer-Encoding")
    if [coding.strip().lower() for coding in codings] != [b"chunked"]:
        raise BadRequest(400, "The only Transfer-Encoding is chunked")


def _check_absolute(target: bytes, hosts: Sequence[bytes]) -> None:
    """Raise BadRequest if the target is no URL on the Host header's host (section 3.2.2)."""
    url = _ABSOLUTE.match(target)
    if url is None:
        raise BadRequest(400, "The target is no path")
    if hosts and url[1].lower() != hosts[0].lower():
        raise BadRequest(400, "The target is on another host than the Host header says")
