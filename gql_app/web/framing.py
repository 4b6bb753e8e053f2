"""Framing: what of RFC 9112 the parser lets pass, and other servers might read otherwise."""

import re
from collections.abc import Sequence
from typing import Final

_HOST: Final = re.compile(
    rb"([A-Za-z0-9._~!$&'()*+,;=%-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{0,5})?"  # RFC 3986 section 3.2.2
)
_ABSOLUTE: Final = re.compile(rb"https?://([^/?#]*)", re.IGNORECASE)


class Unacceptable(Exception):
    """A request that is refused before anybody reads it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status: Final = status
        self.message: Final = message


def check_framing(version: str, target: bytes, headers: Sequence[tuple[bytes, bytes]]) -> None:
    """Check a request's head, whose names are in lower case. Raises Unacceptable."""
    if version not in {"1.0", "1.1"}:
        raise Unacceptable(400, "Speak HTTP/1.1")
    told = dict(headers)
    if b"transfer-encoding" in told:
        _check_codings(version, _all(headers, b"transfer-encoding"))
    hosts = [told[b"host"]] if b"host" in told else []
    if len(told) != len(headers):  # some come several times
        hosts = _all(headers, b"host")
    if len(hosts) > 1 or (not hosts and version == "1.1"):
        raise Unacceptable(400, "A request has exactly one Host header")
    if hosts and not _HOST.fullmatch(hosts[0]):
        raise Unacceptable(400, "The Host header names no host")
    if not target.startswith(b"/"):
        _check_whole(target, hosts)


def _all(headers: Sequence[tuple[bytes, bytes]], wanted: bytes) -> list[bytes]:
    return [value for name, value in headers if name == wanted]


def _check_codings(version: str, codings: Sequence[bytes]) -> None:
    """Take chunked and nothing else (RFC 9112 section 6.1)."""
    if version == "1.0":
        raise Unacceptable(400, "HTTP/1.0 has no Transfer-Encoding")
    if [coding.strip().lower() for coding in codings] != [b"chunked"]:
        raise Unacceptable(400, "The only Transfer-Encoding is chunked")


def _check_whole(target: bytes, hosts: Sequence[bytes]) -> None:
    """Take in a path's place the URL of the very host that the header names (section 3.2.2)."""
    whole = _ABSOLUTE.match(target)
    if whole is None:
        raise Unacceptable(400, "The target is no path")
    if hosts and whole[1].lower() != hosts[0].lower():
        raise Unacceptable(400, "The target is on another host than the Host header says")


def length_beside_upgrade(headers: Sequence[tuple[bytes, bytes]]) -> int:
    """Tell how long a body is that the parser passes over. Raises Unacceptable."""
    told = dict(headers)
    if b"transfer-encoding" in told:
        raise Unacceptable(400, "Who asks for an upgrade announces the body's length")
    return int(told.get(b"content-length", 0))
