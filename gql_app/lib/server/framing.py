"""Framing: what of RFC 9112 the parser lets pass, and other servers might read differently."""

import re
from collections.abc import Sequence
from typing import Final

Header = tuple[bytes, bytes]
"""A name in lower case, and a value."""
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
    """Raise BadRequest if a head is ambiguous."""
    if version not in {"1.0", "1.1"}:
        raise BadRequest(400, "Speak HTTP/1.1")
    codings = [value for name, value in headers if name == b"transfer-encoding"]
    if codings and version == "1.0":
        raise BadRequest(400, "HTTP/1.0 has no Transfer-Encoding")
    if codings and [coding.strip().lower() for coding in codings] != [b"chunked"]:
        raise BadRequest(400, "The only Transfer-Encoding is chunked")  # RFC 9112 section 6.1
    hosts = [value for name, value in headers if name == b"host"]
    if len(hosts) > 1 or (not hosts and version == "1.1"):
        raise BadRequest(400, "A request has exactly one Host header")
    if hosts and not _HOST.fullmatch(hosts[0]):
        raise BadRequest(400, "The Host header names no host")
    if not target.startswith(b"/"):
        url = _ABSOLUTE.match(target)  # RFC 9112 section 3.2.2
        if url is None:
            raise BadRequest(400, "The target is no path")
        if hosts and url[1].lower() != hosts[0].lower():
            raise BadRequest(400, "The target is on another host than the Host header says")
