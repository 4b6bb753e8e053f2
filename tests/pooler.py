"""A connection pooler like PgBouncer in transaction mode: clients share server connections.

It doesn't support prepared statements, like PgBouncer before 1.21, and picks the server that was
idle longest, so that two consecutive transactions never have the same one.
"""

import asyncio
import struct
import threading
from asyncio import StreamReader, StreamWriter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from typing import Final, NamedTuple
from urllib.parse import parse_qs, urlsplit

from tests.processes import PATIENCE

PROTOCOL: Final = 3 << 16
CANCEL, ENCRYPTION = 80_877_102, {80_877_103, 80_877_104}
TAKEN: Final = {"user", "database", "client_encoding", "application_name"}
"""Start-up parameters that clients may set; any other would be the state of one server."""
GONE: Final = (asyncio.IncompleteReadError, OSError)
Key = tuple[int, int]


class Message(NamedTuple):
    """One message of PostgreSQL's protocol."""

    kind: bytes
    body: bytes

    @classmethod
    async def read(cls, reader: StreamReader) -> "Message":
        """Read the next one."""
        kind, size = struct.unpack("!ci", await reader.readexactly(5))
        return cls(kind, await reader.readexactly(size - 4))

    @property
    def written(self) -> bytes:
        """Its bytes."""
        return self.kind + struct.pack("!i", len(self.body) + 4) + self.body


class Backend:
    """A connection to PostgreSQL."""

    def __init__(self, reader: StreamReader, writer: StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.settings: list[bytes] = []
        self.key = (0, 0)

    async def start(self, user: str, database: str) -> None:
        """Send the start-up message, and store the server's parameters for clients."""
        words = f"user\0{user}\0database\0{database}\0\0".encode()
        self.writer.write(struct.pack("!ii", len(words) + 8, PROTOCOL) + words)
        while (message := await Message.read(self.reader)).kind != b"Z":
            assert message.kind != b"E", message.body
            if message.kind == b"S":
                self.settings.append(message.written)
            elif message.kind == b"K":
                pid, secret = struct.unpack("!ii", message.body)
                self.key = pid, secret


class Pooler:
    """A pooler of a few server connections for many clients."""

    def __init__(self, url: str, size: int) -> None:
        parts = urlsplit(url)
        self._socket = f"{parse_qs(parts.query)['host'][0]}/.s.PGSQL.5432"
        self._user, self._database = parts.username or "", parts.path.strip("/")
        self._idle: asyncio.Queue[Backend | None] = asyncio.Queue()
        for _ in range(size):
            self._idle.put_nowait(None)
        self._lent: dict[Key, Backend] = {}
        self._keys = count(1)
        self._tasks: list[asyncio.Task[None]] = []
        self._writers: list[StreamWriter] = []
        self.url = ""
        self.clients = 0
        """The number of clients so far."""
        self.busiest = 0
        """The most servers in use at once."""

    async def serve(self, started: threading.Event, over: asyncio.Event) -> None:
        """Serve until `over` is set."""
        server = await asyncio.start_server(self._come, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        self.url = f"postgresql://{self._user}@127.0.0.1:{port}/{self._database}"
        started.set()
        await over.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    def _come(self, reader: StreamReader, writer: StreamWriter) -> None:
        self._writers.append(writer)
        self._tasks.append(asyncio.create_task(self._client(reader, writer)))

    async def _client(self, reader: StreamReader, writer: StreamWriter) -> None:
        key = (next(self._keys), 7)
        try:
            with suppress(*GONE):
                if await self._welcome(reader, writer, key):
                    self.clients += 1
                    while True:
                        await self._transaction(reader, writer, key)
        finally:
            writer.close()

    async def _welcome(self, reader: StreamReader, writer: StreamWriter, key: Key) -> bool:
        """Answer a client's start-up; return False after a cancel request."""
        while True:
            size, code = struct.unpack("!ii", await reader.readexactly(8))
            body = await reader.readexactly(size - 8)
            if code == CANCEL:
                await self._cancel(struct.unpack("!ii", body))
                return False
            if code == PROTOCOL:
                break
            assert code in ENCRYPTION
            writer.write(b"N")
        asked = body.decode().split("\0")[:-2:2]
        assert set(asked) <= TAKEN, asked
        backend = await self._borrow()
        greeting = [b"R" + struct.pack("!ii", 8, 0), *backend.settings]
        self._idle.put_nowait(backend)
        greeting += [b"K" + struct.pack("!iii", 12, *key), b"Z" + struct.pack("!ic", 5, b"I")]
        writer.write(b"".join(greeting))
        return True

    async def _transaction(self, reader: StreamReader, writer: StreamWriter, key: Key) -> None:
        """Assign a server to a client from the first message to the end of the transaction."""
        message = await Message.read(reader)
        if message.kind == b"X":
            raise ConnectionResetError
        backend: Backend | None = await self._borrow()
        assert backend
        self._lent[key] = backend
        self.busiest = max(self.busiest, len(self._lent))
        ends: asyncio.Queue[bytes] = asyncio.Queue()
        answering = asyncio.create_task(_answer(backend, writer, ends))
        try:
            while True:
                backend.writer.write(message.written)
                if message.kind in {b"Q", b"S"} and await ends.get() == b"I":
                    return
                message = await Message.read(reader)
        except BaseException:
            backend.writer.close()  # its state is unknown
            backend = None
            raise
        finally:
            answering.cancel()
            await asyncio.wait([answering])
            del self._lent[key]
            self._idle.put_nowait(backend)

    async def _borrow(self) -> Backend:
        backend = await self._idle.get()
        if backend is None:
            backend = Backend(*await self._connect())
            await backend.start(self._user, self._database)
        return backend

    async def _connect(self) -> tuple[StreamReader, StreamWriter]:
        reader, writer = await asyncio.open_unix_connection(self._socket)
        self._writers.append(writer)
        return reader, writer

    async def _cancel(self, key: Key) -> None:
        """Cancel the query on a client's server."""
        if backend := self._lent.get(key):
            reader, writer = await self._connect()
            writer.write(struct.pack("!iiii", 16, CANCEL, *backend.key))
            await reader.read()
            writer.close()


async def _answer(backend: Backend, writer: StreamWriter, ends: asyncio.Queue[bytes]) -> None:
    """Forward a server's messages, and put the state at the end of each answer into `ends`."""
    while True:
        message = await Message.read(backend.reader)
        writer.write(message.written)
        if message.kind == b"Z":
            ends.put_nowait(message.body)


@contextmanager
def pooling(url: str, *, size: int) -> Iterator[Pooler]:
    """Run a pooler in front of a database in a thread, until the block ends."""
    started = threading.Event()
    poolers: list[tuple[Pooler, asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def run() -> None:
        over = asyncio.Event()
        pooler = Pooler(url, size)
        poolers.append((pooler, asyncio.get_running_loop(), over))
        await pooler.serve(started, over)

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    assert started.wait(PATIENCE)
    [(pooler, loop, over)] = poolers
    try:
        yield pooler
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(PATIENCE)
