"""The log: lines of text on a terminal, one JSON object a line anywhere else."""

import json
import logging
import sys
from collections.abc import Mapping
from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from io import StringIO
from types import MappingProxyType
from typing import Final, Protocol, TextIO

import orjson
import structlog
from structlog.typing import EventDict, ExcInfo, FilteringBoundLogger

from gql_app.lib.clock import now, rfc3339
from gql_app.lib.telemetry.nonblocking import NonBlockingStream, non_blocking
from gql_app.lib.text import printable

_bound: Final[ContextVar[Mapping[str, str]]] = ContextVar("bound", default=MappingProxyType({}))


class _Render(Protocol):
    """Writes a line, without its end."""

    def __call__(self, logger: object, level: str, line: EventDict, /) -> str:
        """Return the line as it is written."""


class _Named(Protocol):
    """The name of the logger of a line: structlog's, or the standard library's."""

    name: str


def get_logger(name: str) -> FilteringBoundLogger:
    """Return the logger of a module; what it writes follows the last configure_logging()."""
    logger: FilteringBoundLogger = structlog.get_logger(name)
    return logger


def is_configured() -> bool:
    """Return whether lines go anywhere in particular: in a server they do."""
    return structlog.is_configured()


def bind_log_context(**facts: str) -> None:
    """Add facts to each line from here on, in this task and in what it begins."""
    _bound.set({**_bound.get(), **facts})


def configure_logging(level: str) -> None:
    """Send every library's log lines, and our own, to standard error in one form."""
    render: _Render = _text_renderer() if sys.stderr.isatty() else _render_json
    stream = non_blocking(sys.stderr, partial(_render_dropped, render))
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_LibraryFormatter(render))
    logging.basicConfig(handlers=[handler], level=level, force=True)
    # Its lines hold query strings, and every request has its line already.
    logging.getLogger("uvicorn.access").disabled = True
    structlog.configure(
        processors=[_complete, render],
        logger_factory=partial(_Output, stream),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=False,
    )


class _Output:
    """What writes our own lines, past the standard library: each request pays for one."""

    def __init__(self, stream: TextIO | NonBlockingStream, name: str) -> None:
        self.name = name
        self._stream = stream

    def msg(self, line: str) -> None:
        """Write a line; nothing else is to fail because nobody takes it."""
        with suppress(OSError, ValueError):  # the last of a closed file
            self._stream.write(f"{line}\n")

    debug = info = warning = error = critical = msg


class _LibraryFormatter(logging.Formatter):
    """Writes the lines of the standard library's loggers as our own are written."""

    def __init__(self, render: _Render) -> None:
        super().__init__()
        self._render = render

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        line: EventDict = {"event": record.getMessage()}
        if record.exc_info:
            line["exc_info"] = record.exc_info
        if record.stack_info:
            line["stack"] = record.stack_info
        level = record.levelname.lower()
        return self._render(record, level, _complete(record, level, line))


def _complete(logger: _Named, level: str, line: EventDict) -> EventDict:
    """Return a line with what every line has."""
    return {
        **_bound.get(),
        **line,
        "level": level,
        "logger": logger.name,
        "timestamp": now(),
    }


def _render_dropped(render: _Render, count: int) -> str:
    """Return the line that stands for those that nobody was there to read."""
    logger = _Output(sys.stderr, __name__)
    facts: EventDict = {"event": "Lines were dropped, for nobody read them", "dropped": count}
    return f"{render(logger, 'warning', _complete(logger, 'warning', facts))}\n"


def _render_json(_logger: object, _level: str, line: EventDict, /) -> str:
    """Return a line as JSON, and as ASCII, so that nothing in it ends the line."""
    if "exc_info" in line:
        line = structlog.processors.format_exc_info(None, "", line)
    written = orjson.dumps(line, str, orjson.OPT_UTC_Z)
    ascii_alone = written if written.isascii() else json.dumps(orjson.loads(written)).encode()
    return ascii_alone.decode().replace("\x7f", "\\u007f")  # the one control that JSON leaves


def _text_renderer() -> _Render:
    """Return what writes for the eye; what a terminal would obey is escaped in any value."""
    console = structlog.dev.ConsoleRenderer(exception_formatter=_traceback, repr_native_str=True)

    def render(logger: object, level: str, line: EventDict, /) -> str:
        shown = {"timestamp": rfc3339(line["timestamp"]), "event": printable(str(line["event"]))}
        return console(logger, level, {**line, **shown})

    return render


def _traceback(to: TextIO, fault: ExcInfo) -> None:
    """Write a traceback without what a terminal would obey."""
    plain = StringIO()
    structlog.dev.plain_traceback(plain, fault)
    to.write(printable(plain.getvalue(), keep="\n"))
