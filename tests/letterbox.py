"""A letterbox that stands in for the mail server."""

import asyncio
import re
from typing import Final

from gql_app.lib.outbox import Letter

_LINK: Final = re.compile(r"^http://localhost:8000/account/[a-z-]+#token=(\S+)$", re.MULTILINE)


class Letterbox:
    """Keeps every letter, whoever it is to."""

    open = True

    def __init__(self) -> None:
        self._letters: asyncio.Queue[Letter] = asyncio.Queue()
        self._kept: list[Letter] = []
        """Letters that were passed over in search of another one's."""

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
        found = link_in(await self.next())
        assert found
        return found

    async def to(self, recipient: str, subject: str) -> Letter:
        """Wait for the next letter of a subject to somebody; others are kept until they are."""
        while True:
            for letter in self._kept:
                if (letter.recipient, letter.subject) == (recipient, subject):
                    self._kept.remove(letter)
                    return letter
            self._kept.append(await self.next())

    async def link_to(self, recipient: str, subject: str) -> str:
        """Wait for the next letter of a subject to somebody, and take the token of its link."""
        found = link_in(await self.to(recipient, subject))
        assert found
        return found

    def unread(self) -> list[tuple[str, str]]:
        """Take whatever letters there are by now: their recipients and subjects."""
        while not self.empty:
            self._kept.append(self._letters.get_nowait())
        letters, self._kept = self._kept, []
        return sorted((letter.recipient, letter.subject) for letter in letters)


def link_in(letter: Letter) -> str | None:
    """Return the token of a letter's link, None if it has none."""
    found = _LINK.search(letter.body)
    return found and found[1]
