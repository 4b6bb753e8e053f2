"""A client that refreshes its tokens: gql over httpx, with the tokens only in memory."""

import asyncio
import json
import logging
import os
import random
import sys
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
from gql import Client, GraphQLRequest
from gql.client import AsyncClientSession
from gql.transport.exceptions import TransportError, TransportQueryError
from gql.transport.httpx import HTTPXAsyncTransport

# gql logs entire requests and answers at DEBUG, including passwords and tokens.
logging.getLogger("gql.transport.httpx").setLevel(logging.INFO)

FAULTS: Final = "status message errors { code field message } retryAfter"
_TOKENS: Final = f"{FAULTS} token refreshToken secondFactor {{ challenge methods }}"
SIGN_IN: Final = f"""mutation SignIn($email: String!, $password: String!) {{
  login(email: $email, password: $password) {{ {_TOKENS} }}
}}"""
REFRESH: Final = f"""mutation Refresh($refreshToken: String!) {{
  refresh(refreshToken: $refreshToken) {{ {_TOKENS} }}
}}"""
VERIFY: Final = f"""mutation Verify($challenge: String!, $code: String!) {{
  verifySecondFactor(challenge: $challenge, code: $code) {{ {_TOKENS} }}
}}"""
REAUTHENTICATE: Final = f"""mutation Reauthenticate($password: String, $code: String) {{
  reauthenticate(password: $password, code: $code) {{ {FAULTS} }}
}}"""
SIGN_OUT: Final = "mutation SignOut { logout { status } }"
CUSTOMERS: Final = """query Customers($first: Int!, $after: String) {
  customers(first: $first, after: $after) {
    nodes { id name email }
    pageInfo { hasNextPage endCursor }
  }
}"""

OVER: Final = ("TOKEN_MISSING", "TOKEN_REVOKED", "TOKEN_INVALID", "TOKEN_MALFORMED")
"""Reasons after which only a new sign-in helps."""
ATTEMPTS: Final = 3
LONGEST: Final = 30
"""The most seconds to wait, whatever the server says."""


class Refused(Exception):
    """The server refused the input: `errors` has a code for each error."""

    def __init__(self, payload: Mapping[str, Any]) -> None:
        super().__init__(payload["message"])
        self.errors: Final[list[dict[str, str | None]]] = payload["errors"]
        self.retry_after: Final[int | None] = payload["retryAfter"]
        self.second_factor: Final[dict[str, Any] | None] = payload.get("secondFactor")
        """The challenge for Api.verify, if the sign-in waits for a second factor."""


class SignedOut(Exception):
    """The session has ended, or none was opened."""

    def __init__(self) -> None:
        super().__init__("You are signed out. Sign in again.")


class RetryingTransport(httpx.AsyncHTTPTransport):
    """HTTP that retries while the server is temporarily unavailable."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; on 503, retry after Retry-After and a random delay up to a second."""
        for _ in range(ATTEMPTS - 1):
            response = await super().handle_async_request(request)
            if response.status_code != httpx.codes.SERVICE_UNAVAILABLE or await _is_done(response):
                return response
            await response.aclose()
            after = response.headers.get("Retry-After", "")
            seconds = int(after) if after.isdecimal() else 1
            await asyncio.sleep(min(seconds, LONGEST) + random.random())
        return await super().handle_async_request(request)


async def _is_done(response: httpx.Response) -> bool:
    """Return whether any of a request was done, or may be, so that it is not retried."""
    await response.aread()
    try:
        answer: dict[str, Any] = response.json()
    except ValueError:  # a proxy's page
        return False
    errors = answer.get("errors") or []
    may_be = any(each.get("extensions", {}).get("mayBeDone") for each in errors)
    return may_be or any(value is not None for value in (answer.get("data") or {}).values())


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of a session, hidden from repr."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)

    @property
    def session(self) -> str:
        """Return their session, by the claim `sid`: a refresh keeps it."""
        claims: dict[str, str] = json.loads(urlsafe_b64decode(self.access.split(".")[1] + "=="))
        return claims["sid"]


class Api:
    """The API, and the session with it."""

    def __init__(self, session: AsyncClientSession, tokens: Tokens | None = None) -> None:
        self._session = session
        self._trading = asyncio.Lock()
        self.tokens = tokens

    async def sign_in(self, email: str, password: str) -> None:
        """Open a session. Raises Refused, with a second_factor to continue if one is required."""
        self._take(await self._payload("login", SIGN_IN, email=email, password=password))

    async def verify(self, challenge: str, code: str) -> None:
        """Complete a pending sign-in. Raises Refused; another code may follow a wrong one."""
        name, given = "verifySecondFactor", {"challenge": challenge, "code": code}
        self._take(await self._payload(name, VERIFY, **given))

    async def prove(self, **proof: str) -> None:
        """Re-authenticate with a `password` or a `code`. Raises Refused, SignedOut."""
        granted((await self.run(REAUTHENTICATE, **proof))["reauthenticate"])

    async def sign_out(self) -> None:
        """End the session; its tokens are dropped, whatever the server says."""
        held = self.tokens
        try:
            with suppress(SignedOut):
                await self.run(SIGN_OUT)
        finally:
            if held and self.tokens and self.tokens.session == held.session:
                self.tokens = None

    async def run(self, query: str, **variables: object) -> dict[str, Any]:
        """Run an operation; retry once if the token has expired. Raises SignedOut.

        It is retried only in the session that sent it, not in the next customer's. Raises Refused
        with `retry_after` if there were too many refreshes.
        """
        held = self.tokens
        try:
            return await self._send(query, variables, held)
        except TransportQueryError as error:
            if held is None or reason_of(error) != "TOKEN_EXPIRED":
                raise self._judged(error, held) from error
        held = await self._renew(held)
        try:
            return await self._send(query, variables, held)
        except TransportQueryError as error:
            raise self._judged(error, held) from error

    async def _renew(self, spent: Tokens) -> Tokens:
        """Refresh the tokens; callers that waited for the lock find the new ones.

        Raises SignedOut, and Refused with `retry_after` if there were too many refreshes.
        """
        async with self._trading:
            if self.tokens is spent:
                payload = await self._payload("refresh", REFRESH, refreshToken=spent.refresh)
                if self.tokens is spent:  # nobody signed out while it waited
                    if payload["retryAfter"] is not None:  # the session has not ended
                        raise Refused(payload)
                    self.tokens = (
                        Tokens(payload["token"], payload["refreshToken"])
                        if payload["status"] == "SUCCESS"
                        else None
                    )
            if self.tokens is None or self.tokens.session != spent.session:
                raise SignedOut
            return self.tokens

    def _judged(self, error: TransportQueryError, held: Tokens | None) -> Exception:
        """Drop the tokens if their session has ended; other errors are unchanged."""
        if reason_of(error) not in OVER:
            return error
        if self.tokens is held:
            self.tokens = None
        return SignedOut()

    def _take(self, payload: Mapping[str, Any]) -> None:
        granted(payload)
        self.tokens = Tokens(payload["token"], payload["refreshToken"])

    async def _payload(self, name: str, query: str, **variables: object) -> dict[str, Any]:
        payload: dict[str, Any] = (await self._send(query, variables, None))[name]
        return payload

    async def _send(
        self, query: str, variables: dict[str, Any], held: Tokens | None
    ) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {held.access}"} if held else {}
        request = GraphQLRequest(query, variable_values=variables)
        return await self._session.execute(request, extra_args={"headers": headers})


def granted(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a successful payload. Raises Refused for any other."""
    if payload["status"] == "ERROR":
        raise Refused(payload)
    return payload


def proof_methods_of(error: TransportQueryError) -> list[str] | None:
    """Return the methods of re-authentication; None if no error asks for it."""
    for each in error.errors or ():
        extensions = each.get("extensions", {})
        if extensions.get("reason") == "REAUTHENTICATION_REQUIRED":
            methods: list[str] = extensions["methods"]
            return methods
    return None


def reason_of(error: TransportQueryError) -> str | None:
    """Return the reason why the token was refused; None if no error is about it."""
    for each in error.errors or ():
        extensions = each.get("extensions", {})
        if extensions.get("code") == "UNAUTHENTICATED":
            reason: str | None = extensions.get("reason")
            return reason
    return None


@asynccontextmanager
async def connected(url: str, tokens: Tokens | None = None) -> AsyncIterator[Api]:
    """Connect to the API at a URL; the block's end closes the connection."""
    transport = HTTPXAsyncTransport(url, transport=RetryingTransport())
    async with Client(transport=transport) as session:
        yield Api(session, tokens)


def account() -> tuple[str, str, str]:
    """Return the API's URL, the address and the password; exit if one is not set."""
    url, email, password = map(os.environ.get, ("URL", "EMAIL", "PASSWORD"))
    if not url or not email or not password:
        sys.exit("Set URL, EMAIL and PASSWORD.")
    return url, email, password


async def main() -> None:
    """Sign in, list ten customers and sign out."""
    url, email, password = account()
    async with connected(url) as api:
        await api.sign_in(email, password)
        found = await api.run(CUSTOMERS, first=10)
        for customer in found["customers"]["nodes"]:
            print(customer["name"])
        await api.sign_out()
    print("Signed out.")


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except TransportQueryError as failure:
        sys.exit(failure.errors[0]["message"] if failure.errors else str(failure))
    except (Refused, SignedOut, TransportError) as failure:
        sys.exit(str(failure))
