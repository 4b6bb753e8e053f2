"""A network before PostgreSQL that can drop all packets while connections stay open."""

import asyncio
import threading
from asyncio import StreamReader, StreamWriter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final
from urllib.parse import parse_qs, urlsplit

from tests.processes import PATIENCE

PIECE: Final = 65_536


class Relay:
    """A relay between clients and PostgreSQL, which can hold all data back."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._socket = f"{parse_qs(parts.query)['host'][0]}/.s.PGSQL.5432"
        self._login = f"{parts.username}@127.0.0.1"
        self._database = parts.path
        self._passes: Final = asyncio.Event()
        self._passes.set()
        self._loop: Final = asyncio.get_running_loop()
        self._over: Final = asyncio.Event()
        self._tasks: Final[set[asyncio.Task[None]]] = set()
        self.url = ""

    @property
    def is_silent(self) -> bool:
        """Whether all data is held back."""
        return not self._passes.is_set()

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Hold all data back until the block ends, and then forward it."""
        held = threading.Event()
        self._loop.call_soon_threadsafe(self._passes.clear)
        self._loop.call_soon_threadsafe(held.set)
        assert held.wait(PATIENCE)
        try:
            yield
        finally:
            self._loop.call_soon_threadsafe(self._passes.set)

    def stop(self) -> None:
        """End it."""
        self._loop.call_soon_threadsafe(self._over.set)

    async def serve(self, started: threading.Event) -> None:
        """Serve until the relay is stopped."""
        server = await asyncio.start_server(self._come, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        self.url = f"postgresql://{self._login}:{port}{self._database}"
        started.set()
        await self._over.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _come(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.create_task(self._client(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _client(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Forward data until either side closes."""
        writers, passing = [writer], set()
        try:
            await self._passes.wait()
            there, back = await asyncio.open_unix_connection(self._socket)
            writers.append(back)
            passing |= {asyncio.create_task(self._pass(reader, back))}
            passing |= {asyncio.create_task(self._pass(there, writer))}
            await asyncio.wait(passing, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in passing:
                task.cancel()
            await asyncio.gather(*passing, return_exceptions=True)
            for each in writers:
                each.close()
                with suppress(OSError):
                    await each.wait_closed()

    async def _pass(self, reader: StreamReader, writer: StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(PIECE):
                await self._passes.wait()
                writer.write(data)
                await writer.drain()
            await self._passes.wait()


@contextmanager
def relaying(url: str) -> Iterator[Relay]:
    """Run a relay in front of a database in a thread, until the block ends."""
    started = threading.Event()
    relays: list[Relay] = []

    async def run() -> None:
        relays.append(Relay(url))
        await relays[0].serve(started)

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    assert started.wait(PATIENCE)
    try:
        yield relays[0]
    finally:
        relays[0].stop()
        thread.join(PATIENCE)
