"""Requests to the server that issues tokens, for its published keys and the state of sessions."""

import hashlib
import json
import logging
import re
import socket
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from functools import partial
from http.client import HTTPConnection, HTTPMessage, HTTPResponse
from io import BufferedReader, RawIOBase
from math import inf
from typing import IO, Any, Final, NamedTuple
from urllib.error import HTTPError
from urllib.parse import urlencode, urlsplit
from urllib.request import (
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    Request,
    build_opener,
)
from uuid import UUID

from gql_app.errors import TokenInvalid
from gql_app.lib import clock
from gql_app.lib.faults import Unavailable
from gql_app.lib.keyring import Algorithm, Key, parse_compact, published_keys
from gql_app.security.tokens import CLOCK_LEEWAY, MAX_TOKEN_BYTES

INTERVAL: Final = 1.0
"""Seconds between two requests for the keys, whatever ids tokens name, and after any failure."""
AGED_INTERVAL: Final = 10.0
"""Seconds until keys are asked for again that a cache kept for longer than their max-age."""
KEYS_STALE_FOR: Final = 3600.0
"""Seconds after their max-age for which keys are used while the server can't be reached."""
MAX_SESSIONS: Final = 10_000
"""The most open sessions and inactive tokens in the cache; the oldest are dropped first."""
MAX_ANSWER_BYTES: Final = 256 * 1024
THREADS: Final = 8
"""The most concurrent requests to the server."""
USUAL_AGE: Final = 300.0
LONGEST_AGE: Final = 3600.0
"""Seconds for which keys are cached: without a max-age, and at most."""
_ADDRESS: Final = re.compile(r'(?i:https?)://[^\s\x00-\x1f\x7f?#@/]+(/[!"$->@-~]*)?')
"""An address with a path of ASCII, and without a query, a fragment, a name and password."""
_MAX_AGE: Final = re.compile(r"\bmax-age=(\d{1,9})")
_AGE: Final = re.compile(r"\s*(\d{1,9})\b")
_EVENT: Final = "The server that issues others' tokens is unavailable"
_log: Final = logging.getLogger(__name__)


class ServerUnreachable(Unavailable):
    """The server that issues the tokens can't be reached, or not be asked again so soon."""

    advice = "The server that issues the tokens can't be asked at this moment. Try again shortly."
    event = _EVENT


class NoPublishedKeys(Unavailable):
    """The server signs with its secret (HS256), which no other service may have."""

    advice = (
        "The server that issues the tokens publishes no key, for it signs with its secret (HS256). "
        "Run there: gql-app keys new, and gql-app keys promote."
    )
    wait = 10
    event = _EVENT


class UnknownKey(TokenInvalid):
    """The token is right but for its key, which is none of the known ones."""


class _NoRedirects(HTTPRedirectHandler):
    """Refuses redirects: only the configured address is trusted for keys."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        """Return None, so that a redirect is an error."""


class _Received(RawIOBase):
    """The bytes of a socket until a deadline; its timeout alone is that of each of its reads."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._connection: Final = connection
        self._file: Final = connection.makefile("rb", buffering=0)
        self._deadline: Final = deadline

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: memoryview) -> int | None:  # type: ignore[override]  # as SocketIO
        """Return the number of the bytes read. Raise TimeoutError after the deadline."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)
        return self._file.readinto(buffer)

    def close(self) -> None:
        """Close the socket, if nothing else holds it."""
        self._file.close()
        super().close()


class _Response(HTTPResponse):
    """A response that ends at a deadline, whatever of it has come."""

    def __init__(self, sock: socket.socket, *args: Any, deadline: float, **named: Any) -> None:  # noqa: ANN401
        super().__init__(sock, *args, **named)
        self.fp.close()
        self.fp = BufferedReader(_Received(sock, deadline))


class _Deadlines(HTTPHandler, HTTPSHandler):
    """Makes the timeout of a request that of all its response."""

    def do_open(self, http_class: Any, req: Request, **options: Any) -> HTTPResponse:  # noqa: ANN401
        """Return the response."""

        def connection(*args: Any, **named: Any) -> HTTPConnection:  # noqa: ANN401
            made: HTTPConnection = http_class(*args, **named)
            deadline = time.monotonic() + named["timeout"]
            made.response_class = partial(_Response, deadline=deadline)  # type: ignore[assignment]  # it is only called
            return made

        return super().do_open(connection, req, **options)


class Answer(NamedTuple):
    """An answer of the server, or of a cache before it."""

    content: object
    """The parsed JSON."""
    at: datetime
    """Its time by the server's clock, by ours if it names none."""
    age: float
    """Seconds since the server gave it, if a cache kept it (RFC 9111 section 5.1)."""
    fresh_for: float
    """Seconds for which it may be kept from now on; none are left if it is negative."""


class Server:
    """A client of the server, with a thread pool of bounded size."""

    def __init__(self, url: str, timeout: float) -> None:
        parts = urlsplit(url)
        if not (_ADDRESS.fullmatch(url) and parts.hostname and parts.port != 0):
            message = f"{url!r} must be the plain http:// or https:// address of the server"
            raise ValueError(message)
        self._url: Final = url.rstrip("/")
        self._timeout: Final = timeout
        self._opener: Final = build_opener(_NoRedirects, _Deadlines)
        self.threads: Final = ThreadPoolExecutor(THREADS, "verify")

    def ask(self, path: str, **form: str) -> Answer:
        """Return the server's present answer: caches are told to ask it. Raises any Exception.

        A cache that answers nevertheless shows by its Age.
        """
        data = urlencode(form).encode() or None
        headers = {"Accept": "application/json, */*", "Cache-Control": "no-cache"}
        request = Request(self._url + path, data, headers)  # noqa: S310
        try:
            opened = self._opener.open(request, timeout=self._timeout)
        except HTTPError as error:
            error.close()
            raise
        with opened as answer:
            body = answer.read(MAX_ANSWER_BYTES + 1)
            if len(body) > MAX_ANSWER_BYTES:
                message = f"{path} answers more than {MAX_ANSWER_BYTES} bytes"
                raise ValueError(message)
            headers = answer.headers
        allowed = _MAX_AGE.search(headers.get("Cache-Control", ""))
        stored = _AGE.match(headers.get("Age", ""))
        age = float(stored[1]) if stored else 0.0
        lifetime = min(float(allowed[1]), LONGEST_AGE) if allowed else USUAL_AGE
        return Answer(json.loads(body), _date(headers), age, lifetime - age)


def _date(headers: Message) -> datetime:
    """Return the time of an answer, which is in UTC unless it says otherwise."""
    try:
        date = parsedate_to_datetime(headers["Date"])
        return date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # there is none, or it is none
        return clock.now()


class PublishedKeys:
    """A cache of the keys that the server publishes, for their max-age."""

    def __init__(self, server: Server) -> None:
        self._server: Final = server
        self._keys: Mapping[str, Key] = {}
        self._fetched = False
        """Whether the last request for the keys succeeded."""
        self.requests = self._answered = 0
        """The number of requests for the keys so far, and the last that the server answered."""
        self._as_of = 0.0
        """The time of the known keys, in seconds since 1970."""
        self._asked_at = -inf
        """The monotonic time of the last request for them."""
        self._warned = False
        """Whether a warning was logged that a cache answers with old keys."""
        self._fresh_until = self._next = time.monotonic()
        self._fetching: Future[None] | None = None
        self._lock: Final = threading.Lock()

    def are_due(self) -> bool:
        """Return whether the keys are stale, and may be fetched again."""
        return time.monotonic() >= max(self._fresh_until, self._next)

    def find(self, key_id: str) -> Key:
        """Return the key of an id. Raise UnknownKey if there is none."""
        key = self._keys.get(key_id)
        if key is None:
            raise UnknownKey
        return key

    def has(self, key_id: str) -> bool:
        """Return whether a key is among the known ones."""
        return key_id in self._keys

    def are_usable(self) -> bool:
        """Return whether there are keys, and none too old to verify with."""
        return bool(self._keys) and time.monotonic() <= self._fresh_until + KEYS_STALE_FOR

    def are_kept(self) -> bool:
        """Return whether the keys are usable although a request since their max-age failed."""
        return self.are_usable() and not self._fetched and self._asked_at >= self._fresh_until

    def require(self) -> None:
        """Raise ServerUnreachable or NoPublishedKeys if there are no keys to verify with."""
        if not self.are_usable():
            raise NoPublishedKeys if self._fetched and not self._keys else ServerUnreachable

    def seek(self, token: str, seen: int) -> Generator[Future[None], None, None]:
        """Yield the future to wait for, if any, until a token's key is known.

        Raise TokenInvalid if it isn't published: a request after the number `seen` succeeded, or
        the token is older than the known keys. Raise ServerUnreachable if that can't be told.
        """
        header, payload, *_ = parse_compact(token, max_bytes=MAX_TOKEN_BYTES)
        key_id, issued_at = header["kid"], payload["iat"]
        if header.get("alg") not in tuple(Algorithm):
            raise TokenInvalid from None
        for _ in range(2):
            yield self.fetch(lambda: time.monotonic() >= self._next and key_id not in self._keys)
            if self.requests > seen:  # else the request began before the token came
                break
        # Read before the keys, which another request may replace meanwhile.
        is_newer, as_of = self._answered > seen, self._as_of
        if key_id in self._keys:
            return
        is_older = isinstance(issued_at, int | float) and issued_at + CLOCK_LEEWAY <= as_of
        if is_newer or is_older:
            raise TokenInvalid from None
        raise ServerUnreachable from None

    def renew(self, moment: float) -> Future[None]:
        """Return the future of a request for the keys, if none was made since a monotonic time."""
        return self.fetch(lambda: self._asked_at < moment and time.monotonic() >= self._next)

    def fetch(self, needed: Callable[[], bool] = lambda: True) -> Future[None]:
        """Return the future of a request for the keys, which never fails; callers share it.

        `needed` is checked again under the lock, as another thread may have fetched the keys since.
        """
        with self._lock:
            if self._fetching is None or (self._fetching.done() and needed()):
                self.requests += 1
                self._fetching = self._server.threads.submit(self._fetch, self.requests)
            return self._fetching

    def _fetch(self, number: int) -> None:
        began, as_of = time.monotonic(), clock.now().timestamp()
        try:
            answer = self._server.ask("/.well-known/jwks.json")
            keys = published_keys(answer.content)
        except Exception as why:  # noqa: BLE001 — an answer may fail in any way
            _log.warning("The published keys could not be fetched: %r", why)
            self._fetched, self._next = False, time.monotonic() + INTERVAL
        else:
            self._keys, self._fetched = keys, True
            self._as_of = as_of - answer.age
            self._answered = self._answered if answer.age else number
            self._fresh_until = began + (self._usable_for(answer) if keys else 0)
            self._next = began + INTERVAL
        self._asked_at = began

    def _usable_for(self, answer: Answer) -> float:
        """Return the seconds until the keys are due again; log a warning, once, if a cache is late.

        A cache that answers with keys past their max-age would make each request a fetch.
        """
        if answer.fresh_for > 0 or not answer.age:
            return answer.fresh_for
        if not self._warned:
            self._warned = True
            _log.warning(
                "A cache answers with keys %.0f seconds old, although it is asked not to",
                answer.age,
            )
        return AGED_INTERVAL


class Verdict(NamedTuple):
    """The server's word on a token: whether it is active, and by its session all others of that."""

    is_active: bool
    at: datetime
    """The time of it by the server's clock."""
    asked_at: float
    """The monotonic time of the request."""


class Sessions:
    """A cache of the server's verdicts, each for `bound` seconds.

    An active token speaks for its session, an inactive one for itself alone: it may have expired by
    the server's clock, or its key or audience be gone.
    """

    def __init__(self, server: Server, bound: float) -> None:
        self._server: Final = server
        self._bound: Final = bound
        self._verdicts: Final[OrderedDict[UUID | bytes, Verdict]] = OrderedDict()
        """The verdicts by session if the token was active, else by the token's digest."""
        self._pending: Final[dict[bytes, tuple[Future[None], float]]] = {}
        self._retry_at = time.monotonic()
        self._lock: Final = threading.RLock()  # add_done_callback() may call back at once

    def judge(self, session_id: UUID, token: str) -> Generator[Future[None], None, Verdict | None]:
        """Yield the futures to wait for, if any, and return the verdict on a genuine token.

        It is None if that is unknown, as the server can't be reached. An inactive token stays
        inactive meanwhile, however old the verdict is.
        """
        now, signed = time.monotonic(), token.rpartition(".")[0]  # a signature has several forms
        digest = hashlib.sha256(signed.encode()).digest()
        if (known := self._known(session_id, digest, now)) is not None:
            return known
        if now >= self._retry_at:
            yield self._ask(session_id, digest, token, now)
        return self._known(session_id, digest, now) or self._verdicts.get(digest)

    def _known(self, session_id: UUID, digest: bytes, now: float) -> Verdict | None:
        """Return the cached verdict, None if there is none or it is too old."""
        known = self._verdicts.get(digest) or self._verdicts.get(session_id)
        return known if known and known.asked_at + self._bound >= now else None

    def _ask(self, session_id: UUID, digest: bytes, token: str, now: float) -> Future[None]:
        """Return the future of a request, which never fails; recent enough callers share it."""
        with self._lock:
            asking, began = self._pending.get(digest, (None, 0.0))
            if asking is None or asking.done() or began + self._bound < now:
                asking = self._server.threads.submit(self._question, session_id, digest, token)
                self._pending[digest] = asking, now
                asking.add_done_callback(lambda done: self._forget(digest, done))
            return asking

    def _forget(self, digest: bytes, done: Future[None]) -> None:
        with self._lock:
            if self._pending.get(digest, (None, 0.0))[0] is done:
                del self._pending[digest]

    def _question(self, session_id: UUID, digest: bytes, token: str) -> None:
        if (asked_at := time.monotonic()) < self._retry_at:  # one failed while this was queued
            return
        try:
            answer = self._server.ask("/introspect", token=token)
            told = answer.content.get("active") if isinstance(answer.content, dict) else None
            if not isinstance(told, bool):
                message = "the answer says nothing of it"
                raise ValueError(message)  # noqa: TRY004, TRY301 — as any answer of no use
        except Exception as why:  # noqa: BLE001 — an answer may fail in any way
            _log.warning("Whether a session lives could not be asked: %r", why)
            self._retry_at = time.monotonic() + INTERVAL
            return
        key = session_id if told else digest
        with self._lock:
            self._verdicts.pop(digest, None)
            self._verdicts[key] = Verdict(told, answer.at, asked_at)
            self._verdicts.move_to_end(key)
            if len(self._verdicts) > MAX_SESSIONS:
                self._verdicts.popitem(last=False)
