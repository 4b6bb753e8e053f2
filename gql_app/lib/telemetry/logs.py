"""The log: lines of text on a terminal, one JSON object a line anywhere else.

Writing never blocks: what a pipe or a socket does not take at once is buffered.
"""

import atexit
import json
import logging
import os
import select
import socket
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from io import StringIO
from stat import S_ISFIFO, S_ISSOCK
from time import monotonic
from types import MappingProxyType
from typing import ClassVar, Final, TextIO

import orjson
import structlog
from structlog.typing import EventDict, ExcInfo, FilteringBoundLogger

from gql_app.lib.clock import now, rfc3339
from gql_app.lib.text import printable

MAX_BACKLOG: Final = 1024 * 1024
"""The most bytes that are buffered for a slow reader; lines beyond that are dropped."""
STALL_TIMEOUT: Final = 1
"""Seconds without progress after which the buffer is given up when the process ends."""
END_TIMEOUT: Final = 5
"""Seconds after which it is given up then, although the reader takes some at a time."""
_bound: Final[ContextVar[Mapping[str, str]]] = ContextVar("bound", default=MappingProxyType({}))


def get_logger(name: str) -> FilteringBoundLogger:
    """Return the logger of a module; what it writes follows the last configure_logging()."""
    logger: FilteringBoundLogger = structlog.get_logger(name)
    return logger


def is_configured() -> bool:
    """Return whether logging is configured, as it is in a server."""
    return structlog.is_configured()


def bind_log_context(**facts: str) -> None:
    """Add fields to each later line of this task and of the tasks that it starts."""
    _bound.set({**_bound.get(), **facts})


def configure_logging(level: str) -> None:
    """Send the application's and all libraries' log lines to standard error in one form."""
    console = structlog.dev.ConsoleRenderer(exception_formatter=_traceback, repr_native_str=True)
    render = [_printable, console] if sys.stderr.isatty() else [_render_json]
    stream = non_blocking(sys.stderr)
    handler = logging.StreamHandler(stream)
    of_libraries = structlog.stdlib.ProcessorFormatter(processors=[_complete_record, *render])
    handler.setFormatter(of_libraries)
    logging.basicConfig(handlers=[handler], level=level, force=True)
    # Its lines hold query strings, and every request has its line already.
    logging.getLogger("uvicorn.access").disabled = True
    structlog.configure(
        processors=[_complete, *render],
        logger_factory=partial(_Output, stream),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=False,
    )


class NonBlockingStream:
    """A non-blocking pipe or socket; what it does not take at once is sent with later lines."""

    lines_dropped: ClassVar[int] = 0
    """Lines that this process has dropped."""

    def __init__(self, descriptor: int, send: Callable[[bytes], int]) -> None:
        self._descriptor = descriptor
        self._send = send
        self._lines: deque[bytes] = deque()
        """The lines that are buffered, the first of them perhaps in part."""
        self._size = self._dropped = 0
        self._lock = threading.Lock()
        """Held by the thread that writes, so that nothing is sent twice."""
        atexit.register(self.end)

    def write(self, text: str) -> None:
        """Write a line, or drop it if the buffer is full; a line tells how many were dropped."""
        with self._lock:
            if self._size > MAX_BACKLOG:
                self._send_lines()
            if self._size > MAX_BACKLOG:
                self._dropped += 1
                NonBlockingStream.lines_dropped += 1
                return
            self._append_dropped()
            self._append(text)
            self._send_lines()

    def end(self) -> None:
        """Wait for the reader to take the rest, END_TIMEOUT seconds at most."""
        until = monotonic() + END_TIMEOUT
        with self._lock:
            self._append_dropped()
        while self._lines and monotonic() < until:
            if not select.select([], [self._descriptor], [], STALL_TIMEOUT)[1]:
                return
            with self._lock:
                self._send_lines()

    def _append(self, text: str) -> None:
        line = text.encode(errors="backslashreplace")
        self._lines.append(line)
        self._size += len(line)

    def _append_dropped(self) -> None:
        """Append the line that tells how many lines were dropped, in their place."""
        if self._dropped:
            self._append(_dropped_line(self._dropped))
            self._dropped = 0

    def _send_lines(self) -> None:
        """Send what is taken at once, line by line: so processes' lines don't mix (pipe(7))."""
        try:
            while self._lines:
                line = self._lines[0]
                sent = self._send(line)
                self._size -= sent
                if sent < len(line):
                    self._lines[0] = line[sent:]
                else:
                    self._lines.popleft()
        except BlockingIOError:
            return
        except OSError:  # the reader is gone
            self._lines.clear()
            self._size = 0


def non_blocking(stream: TextIO) -> TextIO | NonBlockingStream:
    """Return a non-blocking stream to the same pipe or socket, and any other stream as it is.

    It stays open until the process ends. Windows has no such streams.
    """
    if sys.platform == "win32":
        return stream
    with suppress(OSError, ValueError):  # it has no descriptor, or the system can't reopen it
        descriptor = stream.fileno()
        mode = os.fstat(descriptor).st_mode
        if S_ISFIFO(mode):  # reopened: other processes share the flags of the old one
            own = os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK)
            return NonBlockingStream(own, partial(os.write, own))
        if S_ISSOCK(mode):
            peer = socket.socket(fileno=os.dup(descriptor))
            atexit.register(peer.close)
            return NonBlockingStream(
                peer.fileno(), lambda data: peer.send(data, socket.MSG_DONTWAIT)
            )
    return stream


class _Output:
    """Writes the application's lines without the standard library: each request pays for one."""

    def __init__(self, stream: TextIO | NonBlockingStream, name: str) -> None:
        self.name = name
        self._stream = stream

    def msg(self, line: str) -> None:
        """Write a line; an error in writing is ignored, so that nothing else fails by it."""
        with suppress(OSError, ValueError):  # the latter for a closed file
            self._stream.write(f"{line}\n")

    debug = info = warning = error = critical = msg


def _complete(
    logger: _Output | logging.Logger | logging.LogRecord, level: str, line: EventDict
) -> EventDict:
    """Return a line with the bound context, level, logger and timestamp."""
    return {
        **_bound.get(),
        **line,
        "level": level,
        "logger": logger.name,
        "timestamp": now(),
    }


def _complete_record(_: object, level: str, line: EventDict) -> EventDict:
    """Return the line of a record of the standard library's, from structlog's event."""
    record: logging.LogRecord = line.pop("_record")
    del line["_from_structlog"]
    if "stack_info" in line:
        line["stack"] = line.pop("stack_info")
    return _complete(record, level, line)


def _dropped_line(count: int) -> str:
    """Return the line that stands for a number of dropped lines."""
    facts: EventDict = {"event": "Lines were dropped, for nobody read them", "dropped": count}
    logger = logging.getLogger(__name__)
    return f"{_render_json(logger, 'warning', _complete(logger, 'warning', facts))}\n"


def _render_json(_logger: object, _level: str, line: EventDict) -> str:
    """Return a line as JSON in printable ASCII, so that nothing in it ends the line."""
    if "exc_info" in line:
        line = structlog.processors.format_exc_info(None, "", line)
    try:
        written = orjson.dumps(line, str, orjson.OPT_UTC_Z)
    except TypeError:  # half a surrogate, a number beyond 64 bits, or a key that is no text
        line = {**line, "timestamp": rfc3339(line["timestamp"])}
        text = json.dumps(line, default=str, skipkeys=True)
        written = json.dumps(json.loads(text, parse_constant=lambda _: None)).encode()
    ascii_alone = written if written.isascii() else json.dumps(orjson.loads(written)).encode()
    return ascii_alone.decode().replace("\x7f", "\\u007f")  # which JSON does not escape


def _printable(_logger: object, _level: str, line: EventDict) -> EventDict:
    """Return a line for a terminal: control characters are escaped, in other values by repr."""
    shown = {"timestamp": rfc3339(line["timestamp"]), "event": printable(str(line["event"]))}
    return {**line, **shown}


def _traceback(to: TextIO, fault: ExcInfo) -> None:
    """Write a traceback with its control characters escaped."""
    plain = StringIO()
    structlog.dev.plain_traceback(plain, fault)
    to.write(printable(plain.getvalue(), keep="\n"))
