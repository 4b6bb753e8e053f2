"""A letterbox that stands in for the mail server."""

import asyncio
import re
from typing import Final

from gql_app.lib.outbox import Letter

_LINK: Final = re.compile(r"^http://127\.0\.0\.1:8000/account/[a-z-]+#token=(\S+)$", re.MULTILINE)


class Letterbox:
    """Keeps every letter, whoever it is to."""

    open = True

    def __init__(self) -> None:
        self._letters: asyncio.Queue[Letter] = asyncio.Queue()

    @property
    def empty(self) -> bool:
        """Whether no letter waits to be read."""
        return self._letters.empty()

    async def send(self, letter: Letter) -> None:
        """Take a letter."""
        await self._letters.put(letter)

    async def next(self) -> Letter:
        """Wait for the next letter; a test that gets none fails."""
        async with asyncio.timeout(30):
            return await self._letters.get()

    async def link(self) -> str:
        """Wait for the next letter, and take the token of its link."""
        found = _LINK.search((await self.next()).body)
        assert found
        return found[1]
