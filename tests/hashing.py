"""A way to keep the threads that hash passwords busy during a test."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from gql_app.lib.fair_queue import Party
from gql_app.security.passwords import Passwords
from tests.processes import PATIENCE


@asynccontextmanager
async def busy(passwords: Passwords, threads: int = 1) -> AsyncIterator[None]:
    """Keep this many threads busy until the block ends."""
    ended = threading.Event()
    wait = partial(ended.wait, PATIENCE)
    parties = [Party(f"busy {number}", None) for number in range(threads)]
    working = [asyncio.create_task(passwords._run(wait, party)) for party in parties]  # noqa: SLF001 — no race, unlike a password that takes long
    await asyncio.sleep(0)
    try:
        yield
    finally:
        ended.set()
        await asyncio.gather(*working)
