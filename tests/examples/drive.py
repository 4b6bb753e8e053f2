"""Drives the Python client by the lines of its input; prints the outcomes as JSON."""

import asyncio
import json
import logging
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

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
