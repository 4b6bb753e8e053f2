"""Requests to the server that issues tokens, for its published keys and the state of sessions."""

import json
import logging
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from http.client import HTTPException, HTTPMessage
from typing import IO, Final
from urllib.error import HTTPError
from urllib.parse import urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener
from uuid import UUID

from gql_app.errors import TokenInvalid
from gql_app.lib import clock
from gql_app.lib.faults import Unavailable
from gql_app.lib.keyring import Algorithm, Key, parse_compact, published_keys
from gql_app.security.tokens import CLOCK_LEEWAY, MAX_TOKEN_BYTES

INTERVAL: Final = 1.0
"""Seconds between two requests for the keys, whatever ids tokens name, and after any failure."""
KEYS_STALE_FOR: Final = 3600.0
"""Seconds after their max-age for which keys are used while the server can't be reached."""
MAX_SESSIONS: Final = 10_000
"""The most sessions in the cache; the oldest answers are dropped first."""
MAX_ANSWER_BYTES: Final = 256 * 1024
THREADS: Final = 8
"""The most concurrent requests to the server."""
USUAL_AGE: Final = 300.0
LONGEST_AGE: Final = 3600.0
"""Seconds for which keys are cached: without a max-age, and at most."""
_MAX_AGE: Final = re.compile(r"\bmax-age=(\d{1,9})")
_FAILURES: Final = (OSError, HTTPException, ValueError, RecursionError)
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


class Server:
    """A client of the server, with a thread pool of bounded size."""

    def __init__(self, url: str, timeout: float) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            message = f"{url} must be the http:// or https:// address of the server"
            raise ValueError(message)
        self._url: Final = url.rstrip("/")
        self._timeout: Final = timeout
        self._opener: Final = build_opener(_NoRedirects)
        self.threads: Final = ThreadPoolExecutor(THREADS, "verify")

    def ask(self, path: str, **form: str) -> tuple[object, float]:
        """Return the JSON of a response, and the seconds for which it may be cached.

        Raises one of _FAILURES.
        """
        data = urlencode(form).encode() or None
        request = Request(self._url + path, data, {"Accept": "application/json, */*"})  # noqa: S310
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
            age = _MAX_AGE.search(answer.headers.get("Cache-Control", ""))
        return json.loads(body), min(float(age[1]), LONGEST_AGE) if age else USUAL_AGE


class PublishedKeys:
    """A cache of the keys that the server publishes, for their max-age."""

    def __init__(self, server: Server) -> None:
        self._server: Final = server
        self._keys: Mapping[str, Key] = {}
        self._fetched = False
        """Whether the last request for the keys succeeded."""
        self.requests = self._answered = 0
        """The number of requests for the keys so far, and which of them succeeded last."""
        self._as_of = 0.0
        """The time of that request, in seconds since 1970."""
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

    def require(self) -> None:
        """Raise ServerUnreachable or NoPublishedKeys if there are no keys to verify with."""
        if not self._keys:
            raise NoPublishedKeys if self._fetched else ServerUnreachable
        if time.monotonic() > self._fresh_until + KEYS_STALE_FOR:
            raise ServerUnreachable

    def seek(self, token: str, seen: int) -> Generator[Future[None], None, None]:
        """Yield the future to wait for, if any, until a token's key is known.

        Raise TokenInvalid if it isn't published: a request after the number `seen` succeeded, or
        the token is older than the known keys. Raise ServerUnreachable if that can't be told.
        """
        header, payload, *_ = parse_compact(token, max_bytes=MAX_TOKEN_BYTES)
        key_id, issued_at = header["kid"], payload["iat"]
        if header.get("alg") not in tuple(Algorithm):
            raise TokenInvalid from None
        yield self.fetch(lambda: time.monotonic() >= self._next and key_id not in self._keys)
        # Read before the keys, which another request may replace meanwhile.
        is_newer, as_of = self._answered > seen, self._as_of
        if key_id in self._keys:
            return
        is_older = isinstance(issued_at, int | float) and issued_at + CLOCK_LEEWAY <= as_of
        if is_newer or is_older:
            raise TokenInvalid from None
        raise ServerUnreachable from None

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
            document, age = self._server.ask("/.well-known/jwks.json")
            keys = published_keys(document)
        except _FAILURES as why:
            _log.warning("The published keys could not be fetched: %s", why)
            self._fetched = False
        else:
            self._keys, self._fetched = keys, True
            self._answered, self._as_of = number, as_of
            self._fresh_until = began + (age if keys else 0)
        self._next = time.monotonic() + INTERVAL


class Sessions:
    """A cache of the server's answers on whether sessions are open, each for `bound` seconds."""

    def __init__(self, server: Server, bound: float) -> None:
        self._server: Final = server
        self._bound: Final = bound
        self._answers: Final[OrderedDict[UUID, tuple[bool, float]]] = OrderedDict()
        """Whether each session was open, and the time of the request."""
        self._pending: Final[dict[UUID, tuple[Future[None], float]]] = {}
        self._retry_at = time.monotonic()
        self._lock: Final = threading.RLock()  # add_done_callback() may call back at once

    def judge(self, session_id: UUID, token: str) -> Generator[Future[None], None, bool | None]:
        """Yield the futures to wait for, if any, and return whether a session is open.

        It is None if that is unknown, as the server can't be reached.
        """
        now = time.monotonic()
        if (known := self._known(session_id, now)) is not None:
            return known
        if now < self._retry_at:
            return None
        yield self._ask(session_id, token, now)
        return self._known(session_id, now)

    def _known(self, session_id: UUID, now: float) -> bool | None:
        """Return the cached answer, None if there is none or it is too old."""
        lives, asked_at = self._answers.get(session_id, (None, 0.0))
        return lives if asked_at + self._bound >= now else None

    def _ask(self, session_id: UUID, token: str, now: float) -> Future[None]:
        """Return the future of a request, which never fails; recent enough callers share it."""
        with self._lock:
            asking, began = self._pending.get(session_id, (None, 0.0))
            if asking is None or asking.done() or began + self._bound < now:
                asking = self._server.threads.submit(self._question, session_id, token)
                self._pending[session_id] = asking, now
                asking.add_done_callback(lambda done: self._forget(session_id, done))
            return asking

    def _forget(self, session_id: UUID, done: Future[None]) -> None:
        with self._lock:
            if self._pending.get(session_id, (None, 0.0))[0] is done:
                del self._pending[session_id]

    def _question(self, session_id: UUID, token: str) -> None:
        asked_at = time.monotonic()
        try:
            answer, _ = self._server.ask("/introspect", token=token)
            lives = answer.get("active") if isinstance(answer, dict) else None
            if not isinstance(lives, bool):
                message = "the answer says nothing of it"
                raise ValueError(message)  # noqa: TRY004 — as of any answer of no use
        except _FAILURES as why:
            _log.warning("Whether a session lives could not be asked: %s", why)
            self._retry_at = time.monotonic() + INTERVAL
            return
        with self._lock:
            self._answers[session_id] = lives, asked_at
            self._answers.move_to_end(session_id)
            if len(self._answers) > MAX_SESSIONS:
                self._answers.popitem(last=False)
