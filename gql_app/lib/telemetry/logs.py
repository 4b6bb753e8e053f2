"""The log: lines of text on a terminal, one JSON object a line anywhere else."""

import json
import logging
import sys
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import partial
from io import StringIO
from types import MappingProxyType
from typing import Final, NamedTuple, TextIO

import orjson
import structlog
from structlog.typing import EventDict, ExcInfo

from gql_app.lib.clock import now, rfc3339
from gql_app.lib.telemetry.nonblocking import Unblocked, unblocked
from gql_app.lib.text.normalization import printable

_Write = Callable[[object, str, EventDict], str]
_bound: Final[ContextVar[Mapping[str, str]]] = ContextVar("bound", default=MappingProxyType({}))


def bind(**facts: str) -> None:
    """Have each line from here on bear these facts, in this task and in what it begins."""
    _bound.set({**_bound.get(), **facts})


def configure(level: str) -> None:
    """Send every library's log lines, and our own, the same way to standard error."""
    least = logging.getLevelNamesMapping()[level]
    write: _Write = _json
    if sys.stderr.isatty():
        render = structlog.dev.ConsoleRenderer(exception_formatter=_traceback, repr_native_str=True)
        write = partial(_text, render)
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[lambda _, method, line: _completed(line["_record"].name, method, line)],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, write],
    )
    stream = unblocked(sys.stderr, partial(_told_dropped, write))
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=level, force=True)
    # Its lines hold query strings, and every request has its line already.
    logging.getLogger("uvicorn.access").disabled = True
    structlog.configure(
        processors=[write],
        logger_factory=partial(_Output, stream, least),
        wrapper_class=_Lines,
        cache_logger_on_first_use=False,
    )


def _completed(name: str, level: str, line: EventDict) -> EventDict:
    """Add what every line has, whose it ever is."""
    return {**_bound.get(), **line, "level": level, "logger": name, "timestamp": now()}


def _told_dropped(write: _Write, count: int) -> str:
    """Write the line that stands for those that nobody was there to read."""
    facts: EventDict = {"event": "Lines were dropped, for nobody read them", "dropped": count}
    return f"{write(None, 'warning', _completed(__name__, 'warning', facts))}\n"


def _json(_output: object, _level: str, line: EventDict) -> str:
    """Write a line as JSON, and as ASCII, so that nothing in it ends the line."""
    if "exc_info" in line:
        line = structlog.processors.format_exc_info(None, "", line)
    written = orjson.dumps(line, str, orjson.OPT_UTC_Z)
    ascii_alone = written if written.isascii() else json.dumps(orjson.loads(written)).encode()
    return ascii_alone.decode().replace("\x7f", "\\u007f")  # the one control that JSON leaves


def _text(
    render: structlog.dev.ConsoleRenderer, output: object, level: str, line: EventDict
) -> str:
    """Write a line for the eye; what a terminal would obey is escaped wherever it comes from."""
    shown = {"timestamp": rfc3339(line["timestamp"]), "event": printable(str(line["event"]))}
    return render(output, level, {**line, **shown})


def _traceback(to: TextIO, fault: ExcInfo) -> None:
    plain = StringIO()
    structlog.dev.plain_traceback(plain, fault)
    to.write(printable(plain.getvalue(), keep="\n"))


class _Output(NamedTuple):
    """Where our own lines go."""

    file: TextIO | Unblocked
    least: int
    """The level below which none is written."""
    name: str
    """Whose they are."""


class _Lines(structlog.BoundLoggerBase):
    """Our own lines, past structlog's chain and the standard library: each request pays for one."""

    _logger: _Output

    def log(self, level: int, event: str, **facts: object) -> None:
        """Write a line of whatever level."""
        self._tell(level, event, facts)

    def debug(self, event: str, **facts: object) -> None:
        """Tell those who look for a fault."""
        self._tell(logging.DEBUG, event, facts)

    def info(self, event: str, **facts: object) -> None:
        """Tell what is as it should be."""
        self._tell(logging.INFO, event, facts)

    def warning(self, event: str, **facts: object) -> None:
        """Tell what somebody should look at."""
        self._tell(logging.WARNING, event, facts)

    def error(self, event: str, **facts: object) -> None:
        """Tell what went wrong."""
        self._tell(logging.ERROR, event, facts)

    def exception(self, event: str, **facts: object) -> None:
        """Tell what went wrong, and where."""
        self._tell(logging.ERROR, event, {**facts, "exc_info": True})

    def _tell(self, level: int, event: str, facts: EventDict) -> None:
        """Write a line; nothing else is to fail because nobody takes it."""
        output = self._logger
        if level < output.least:
            return
        facts["event"] = event
        line = _completed(output.name, _METHODS[level], facts)
        [write] = self._processors
        try:
            output.file.write(f"{write(output, line['level'], line)!s}\n")
        except (structlog.DropEvent, OSError, ValueError):  # the last of a closed file
            return


_METHODS: Final = {
    level: name.lower() for name, level in logging.getLevelNamesMapping().items() if level
}
