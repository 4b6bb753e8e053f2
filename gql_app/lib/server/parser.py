"""Requests read from bytes: strictly, and no more of a head or a body than may come."""

from typing import Any, Final, Protocol
from urllib.parse import unquote

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser, parse_url

from gql_app.lib.server.framing import BadRequest, Header, check_framing
from gql_app.lib.server.limits import MAX_HEADERS, ConnectionLimits


class Reader(Protocol):
    """The receiver of what the parser reads."""

    def on_head(self, request: dict[str, Any], *, keep_alive: bool) -> None:
        """Take a request's head, as its part of an ASGI scope. Raise BadRequest to refuse it."""

    def on_body(self, body: bytes) -> None:
        """Take a piece of its body. Raise BadRequest to refuse it."""

    def on_end(self) -> None:
        """Take that it has ended."""


class RequestParser:
    """httptools' parser for one connection; what is ambiguous or too large raises BadRequest."""

    def __init__(self, reader: Reader, limits: ConnectionLimits) -> None:
        self.in_head = False
        """Whether a head has begun, and not ended."""
        self.has_moved = False
        """Whether of the bytes fed last a head or a request ended, or some were of a body."""
        self.body_bytes = 0
        self._reader: Final = reader
        self._limits: Final = limits
        self._parser: Final = HttpRequestParser(self)
        # What follows a request that asks to be the last is parsed, and waits for nothing.
        self._parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._target = b""
        self._headers: list[Header] = []
        self._head_bytes = self._unparsed_bytes = 0
        self._aside = 0
        """Bytes of a body that are yet to come past httptools."""

    def feed(self, data: bytes) -> None:
        """Read some bytes. Raise BadRequest."""
        self.has_moved = False
        self._feed(data)
        if not self.has_moved:  # httptools may keep them all
            self._unparsed_bytes += len(data)
            self._check_size(self._unparsed_bytes)

    def on_message_begin(self) -> None:
        """Begin a head."""
        self.in_head = True
        self._target, self._headers = b"", []
        self._head_bytes = self._unparsed_bytes = self.body_bytes = self._aside = 0

    def on_url(self, url: bytes) -> None:
        """Read a piece of the target."""
        self._head_bytes += len(url)
        self._check_size(self._head_bytes)
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Read a header; those that follow a body are dropped (RFC 9110 section 6.5.1)."""
        self._head_bytes = size = self._head_bytes + len(name) + len(value) + 4  # ": \r\n"
        if size > self._limits.header_bytes:
            self._check_size(size)
        if self.in_head:
            self._headers.append((name.lower(), value))
            if len(self._headers) > MAX_HEADERS:
                raise BadRequest(431, f"There are more than {MAX_HEADERS} headers")

    def on_headers_complete(self) -> None:
        """End the head."""
        version = self._parser.get_http_version()
        check_framing(version, self._target, self._headers)
        if self._parser.should_upgrade():
            by_name = dict(self._headers)
            if b"transfer-encoding" in by_name:
                raise BadRequest(400, "Who asks for an upgrade announces the body's length")
            self._aside = int(by_name.get(b"content-length", 0))
        url = parse_url(self._target)
        request = {
            "method": self._parser.get_method().decode("ascii"),
            "http_version": version,
            "path": unquote(url.path.decode("ascii")),
            "raw_path": url.path,
            "query_string": url.query or b"",
            "headers": self._headers,
        }
        keep_alive = version != "1.0" and self._parser.should_keep_alive()
        self._reader.on_head(request, keep_alive=keep_alive)
        self.in_head, self.has_moved = False, True

    def on_body(self, body: bytes) -> None:
        """Read a piece of a body; what nobody wants any more is not read for long."""
        self.has_moved = True
        self.body_bytes += len(body)
        if self.body_bytes > 2 * self._limits.body_bytes:
            raise BadRequest(413, f"The body is larger than {self._limits.body_bytes} bytes")
        self._reader.on_body(body)

    def on_message_complete(self) -> None:
        """End the request, once all of its body has come."""
        if not self._aside:
            self.has_moved = True
            self._reader.on_end()

    def _feed(self, data: bytes) -> None:
        """Read some bytes; who asks for an upgrade gets none (RFC 9110 section 7.8).

        httptools takes what follows its head for another protocol, though a body comes first.
        """
        rest = memoryview(data)
        while rest:
            if self._aside:
                body, rest = rest[: self._aside], rest[self._aside :]
                self._aside -= len(body)
                self.on_body(bytes(body))
                if not self._aside:
                    self.on_message_complete()
                continue
            try:
                self._parser.feed_data(rest)
            except HttpParserUpgrade as upgrade:
                rest = rest[upgrade.args[0] :]
            except HttpParserError as error:
                if isinstance(error.__context__, BadRequest):
                    raise error.__context__ from None
                raise BadRequest(400, "This is not HTTP/1.1, or not clearly so") from None
            else:
                return

    def _check_size(self, size: int) -> None:
        if size > self._limits.header_bytes:
            raise BadRequest(431, f"The headers are larger than {self._limits.header_bytes} bytes")
