"""Concurrency of resolvers."""

import asyncio
from collections.abc import Awaitable
from typing import Any


async def gather(*awaitables: Awaitable[Any]) -> list[Any]:
    """Return the results of all, awaited side by side.

    If one raises, the others are cancelled and awaited before it is raised again, so that
    nothing goes on that nobody waits for. One alone needs no task of its own.
    """
    if len(awaitables) == 1:
        return [await awaitables[0]]
    futures = [asyncio.ensure_future(each) for each in awaitables]
    try:
        return await asyncio.gather(*futures)
    except Exception:
        for future in futures:
            future.cancel()
        await asyncio.gather(*futures, return_exceptions=True)
        raise
