"""A letterbox in place of the mail server."""

import asyncio
import re
from typing import Final

from gql_app.lib.outbox import Letter

_LINK: Final = re.compile(r"^http://localhost:8000/account/[a-z-]+#token=(\S+)$", re.MULTILINE)


class Letterbox:
    """A queue of all letters, for any recipient."""

    open = True

    def __init__(self) -> None:
        self._letters: asyncio.Queue[Letter] = asyncio.Queue()
        self._kept: list[Letter] = []
        """Letters that were skipped while waiting for another one."""

    @property
    def empty(self) -> bool:
        """Whether there is no unread letter."""
        return self._letters.empty()

    async def send(self, letter: Letter) -> None:
        """Store a letter."""
        await self._letters.put(letter)

    async def next(self) -> Letter:
        """Wait for the next letter, and return it; the test fails at the time-out."""
        async with asyncio.timeout(30):
            return await self._letters.get()

    async def link(self) -> str:
        """Wait for the next letter, and return the token of its link."""
        found = link_in(await self.next())
        assert found
        return found

    async def to(self, recipient: str, subject: str) -> Letter:
        """Wait for the next letter to a recipient of a subject; other letters are kept."""
        while True:
            for letter in self._kept:
                if (letter.recipient, letter.subject) == (recipient, subject):
                    self._kept.remove(letter)
                    return letter
            self._kept.append(await self.next())

    async def link_to(self, recipient: str, subject: str) -> str:
        """Wait for the next letter to a recipient of a subject, and return its link's token."""
        found = link_in(await self.to(recipient, subject))
        assert found
        return found

    def unread(self) -> list[tuple[str, str]]:
        """Remove all letters, and return their recipients and subjects."""
        while not self.empty:
            self._kept.append(self._letters.get_nowait())
        letters, self._kept = self._kept, []
        return sorted((letter.recipient, letter.subject) for letter in letters)


def link_in(letter: Letter) -> str | None:
    """Return the token of a letter's link, None if it has none."""
    found = _LINK.search(letter.body)
    return found and found[1]
