"""Drives the Python client by the lines of its input; prints the outcomes as JSON."""

import asyncio
import json
import logging
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
from gql.transport.exceptions import TransportError

sys.path.insert(0, str(Path(__file__).parents[2] / "examples/python"))

from client import CUSTOMERS, Api, Refused, SignedOut, Tokens, connected

FAILURES: list[str] = []


async def list_some(api: Api, first: int) -> int | None:
    """List the first customers, and return their number."""
    try:
        return len((await api.run(CUSTOMERS, first=first))["customers"]["nodes"])
    except (SignedOut, TransportError) as failure:
        FAILURES.append(type(failure).__name__)
    except Refused as refused:
        FAILURES.append(str(refused.errors[0]["code"]))
    return None


async def forget(api: Api) -> None:
    """Drop the tokens during a refresh."""
    assert api.tokens
    renewing = asyncio.create_task(api._renew(api.tokens))  # noqa: SLF001  to interrupt it
    await asyncio.sleep(0)
    api.tokens = None
    try:
        await renewing
    except SignedOut:
        FAILURES.append("SignedOut")


async def hand_over(api: Api, following: list[str], late: str) -> list[int | None]:
    """Sign out, and somebody else in, while an answer is on its way; return what was listed."""
    arrived, delivered = asyncio.Event(), asyncio.Event()
    handle = httpx.AsyncHTTPTransport.handle_async_request

    async def delayed(to: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        is_first = late.encode() in request.content and not arrived.is_set()
        answer = await handle(to, request)
        if is_first:
            arrived.set()
            await delivered.wait()
        return answer

    with patch.object(httpx.AsyncHTTPTransport, "handle_async_request", delayed):
        mine = asyncio.create_task(api.sign_out() if late == "SignOut" else list_some(api, 1))
        await arrived.wait()
        if late == "Customers":
            await api.sign_out()
        else:
            api.tokens = None
        await api.sign_in(*following)
        theirs = asyncio.create_task(list_some(api, 2))
        delivered.set()
        return [await mine, await theirs]


async def drive(script: dict[str, Any]) -> None:
    """Sign in if the script says so, list customers concurrently, and sign out or forget."""
    FAILURES.clear()
    before = script["held"] and Tokens(script["held"]["token"], script["held"]["refreshToken"])
    async with connected(script["url"], before) as api:
        if script["sign_in"]:
            try:
                await api.sign_in(*script["sign_in"])
            except Refused as refused:
                FAILURES.append(str(refused.errors[0]["code"]))
        counts = (list_some(api, first) for first in range(1, script["times"] + 1))
        listed = await asyncio.gather(*counts)
        if script["last"] == "sign out":
            await api.sign_out()
        elif script["last"] == "forget":
            await forget(api)
        elif script["last"] == "hand over":
            listed += await hand_over(api, script["next"], script["late"])
        after = api.tokens
    held = after and {"token": after.access, "refreshToken": after.refresh}
    told = {"listed": listed, "failures": FAILURES, "held": held}
    print(json.dumps(told), flush=True)  # noqa: T201  what it is for


async def at_once(seconds: float) -> None:
    """Sleep, but not if it would take a second or more, such as Retry-After."""
    await pause(0 if seconds >= 1 else seconds)


pause = asyncio.sleep
patch.object(asyncio, "sleep", at_once).start()
logging.basicConfig(level=logging.DEBUG)
for line in sys.stdin:
    asyncio.run(drive(json.loads(line)))
