"""The HTTP/1.1 parser: strict framing, and limits on the size of heads and bodies."""

import re
from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import unquote

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser, parse_url
from starlette.exceptions import HTTPException

from gql_app.lib.server.connection import ConnectionLimits

MAX_HEADERS: Final = 100
Header = tuple[bytes, bytes]
"""A name in lower case, and a value."""
_HOST: Final = re.compile(
    rb"([A-Za-z0-9._~!$&'()*+,;=%-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{0,5})?"  # RFC 3986 section 3.2.2
)
_ABSOLUTE: Final = re.compile(rb"https?://([^/?#]*)/", re.IGNORECASE)


class RequestParser:
    """httptools' parser for one connection; ambiguous or too large input raises HTTPException."""

    def __init__(
        self,
        limits: ConnectionLimits,
        on_head: Callable[[dict[str, Any], bool], None],
        on_body: Callable[[bytes], None],
        on_end: Callable[[], None],
    ) -> None:
        self.in_head = False
        """Whether a head has begun, and not ended."""
        self.has_progressed = False
        """Whether the bytes fed last ended a head or a request, or were part of a body."""
        self.body_bytes = 0
        self._limits: Final = limits
        self._on_head: Final = on_head  # takes a head's part of an ASGI scope, and keep_alive
        self._on_body: Final = on_body
        self._on_end: Final = on_end
        self._parser: Final = HttpRequestParser(self)
        # Bytes after a request with Connection: close are parsed, where httptools would fail.
        self._parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.headers: list[Header] = []
        """Headers of the arriving request, as far as they have been read."""
        self._target = b""
        self._head_bytes = self._unparsed_bytes = 0
        self._bypassing = 0
        """Bytes of a body still to come that bypass httptools."""

    def feed(self, data: bytes) -> None:
        """Parse some bytes. Raise HTTPException if the request is refused.

        A request to upgrade is ignored (RFC 9110 section 7.8). httptools takes what follows its
        head for another protocol, so that a body has to bypass it.
        """
        self.has_progressed = False
        rest = memoryview(data)
        while rest:
            if self._bypassing:
                body, rest = rest[: self._bypassing], rest[self._bypassing :]
                self._bypassing -= len(body)
                self.on_body(bytes(body))
                if not self._bypassing:
                    self.on_message_complete()
                continue
            try:
                self._parser.feed_data(rest)
                break
            except HttpParserUpgrade as upgrade:
                rest = rest[upgrade.args[0] :]
            except HttpParserError as error:
                if isinstance(error.__context__, HTTPException):
                    raise error.__context__ from None
                raise HTTPException(400, "This is not HTTP/1.1, or not clearly so") from None
        if not self.has_progressed:  # httptools may buffer them all
            self._unparsed_bytes += len(data)
            self._check_size(self._unparsed_bytes)

    def on_message_begin(self) -> None:
        """Reset the state for a new head."""
        self.in_head = True
        self._target, self.headers = b"", []
        self._head_bytes = self._unparsed_bytes = self.body_bytes = self._bypassing = 0

    def on_url(self, url: bytes) -> None:
        """Add a piece of the request target."""
        self._head_bytes += len(url)
        if self._head_bytes > self._limits.header_bytes:
            most = self._limits.header_bytes
            raise HTTPException(414, f"The URL is longer than {most} bytes")
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Add a header; trailers, which follow a body, are dropped (RFC 9110 section 6.5.1)."""
        self._head_bytes = size = self._head_bytes + len(name) + len(value) + 4  # ": \r\n"
        if size > self._limits.header_bytes:
            self._check_size(size)
        if self.in_head:
            self.headers.append((name.lower(), value))
            if len(self.headers) > MAX_HEADERS:
                raise HTTPException(431, f"There are more than {MAX_HEADERS} headers")

    def on_headers_complete(self) -> None:
        """Check the complete head, and hand the request on."""
        self.in_head = False
        version = self._parser.get_http_version()
        check_framing(version, self._target, self.headers)
        if self._parser.should_upgrade():
            by_name = dict(self.headers)
            if b"transfer-encoding" in by_name:
                raise HTTPException(400, "Who asks for an upgrade announces the body's length")
            self._bypassing = int(by_name.get(b"content-length", 0))
        url = parse_url(self._target)
        request = {
            "method": self._parser.get_method().decode("ascii"),
            "http_version": version,
            "path": unquote(url.path.decode("ascii")),
            "raw_path": url.path,
            "query_string": url.query or b"",
            "headers": self.headers,
        }
        keep_alive = version != "1.0" and self._parser.should_keep_alive()
        self._on_head(request, keep_alive)
        self.has_progressed = True

    def on_body(self, body: bytes) -> None:
        """Hand on a piece of a body."""
        self.has_progressed = True
        self.body_bytes += len(body)
        self._on_body(body)

    def on_message_complete(self) -> None:
        """End the request, once all of its body has arrived."""
        if not self._bypassing:
            self.has_progressed, self.headers = True, []
            self._on_end()

    def _check_size(self, size: int) -> None:
        if size > self._limits.header_bytes:
            raise HTTPException(
                431, f"The headers are larger than {self._limits.header_bytes} bytes"
            )


def check_framing(version: str, target: bytes, headers: Sequence[Header]) -> None:
    """Raise HTTPException if a head is ambiguous."""
    if version not in {"1.0", "1.1"}:
        raise HTTPException(400, "Speak HTTP/1.1")
    names, by_name = [name for name, _ in headers], dict(headers)
    coding, host = by_name.get(b"transfer-encoding"), by_name.get(b"host")
    if coding is not None and version == "1.0":
        raise HTTPException(400, "HTTP/1.0 has no Transfer-Encoding")
    several = names.count(b"transfer-encoding") > 1
    if coding is not None and (several or coding.strip().lower() != b"chunked"):
        raise HTTPException(400, "The only Transfer-Encoding is chunked")  # RFC 9112 section 6.1
    if names.count(b"host") > 1 or (host is None and version == "1.1"):
        raise HTTPException(400, "A request has exactly one Host header")
    if host is not None and not _HOST.fullmatch(host):
        raise HTTPException(400, "The Host header names no host")
    if not target.startswith(b"/"):
        url = _ABSOLUTE.match(target)  # RFC 9112 section 3.2.2
        if url is None:
            raise HTTPException(400, "The target is no path")
        if host is not None and url[1].lower() != host.lower():
            raise HTTPException(400, "The target is on another host than the Host header says")
