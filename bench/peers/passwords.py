"""Argon2id outside of the event loop, on as many threads as there are cores, as in ours."""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_POOL: Final = ThreadPoolExecutor(min(4, os.cpu_count() or 1))


async def verify(hashed: str, password: str) -> bool:
    """Return whether a password matches its hash, verified in a thread."""
    work = partial(HASHER.verify, hashed, password)
    try:
        return await asyncio.get_running_loop().run_in_executor(_POOL, work)
    except VerificationError:
        return False
