"""The log: lines of text on a terminal, one JSON object a line anywhere else."""

import json
import logging
import logging.config
import sys
from contextlib import suppress
from functools import partial
from typing import Final, TextIO

import orjson
import structlog
from structlog.typing import EventDict

from gql_app.clock import now, rfc3339


def _stamp(_logger: object, _method: str, line: EventDict) -> EventDict:
    line["timestamp"] = rfc3339(now())
    return line


def _as_json(line: EventDict, **_: object) -> str:
    """Write a line as JSON, and as ASCII, so that nothing in it ends the line."""
    written = orjson.dumps(line, default=str).decode()
    return written if written.isascii() else json.dumps(line, default=str)


_SHARED: Final = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    _stamp,
)


def configure(level: str) -> None:
    """Send every library's log lines, and our own, the same way to standard error."""
    terminal = sys.stderr.isatty()
    ending = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if terminal
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(_as_json)]
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_SHARED,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ending],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=level, force=True)
    # Its lines hold query strings, and every request has its line already.
    logging.getLogger("uvicorn.access").disabled = True
    # So do these, of every statement, with its values.
    lowest = max(logging.INFO, logging.getLevelNamesMapping()[level])
    logging.getLogger("aiosqlite").setLevel(lowest)
    structlog.configure(
        processors=[*_SHARED, *ending],
        logger_factory=partial(_Lines, sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        cache_logger_on_first_use=False,
    )


class _Lines(structlog.WriteLogger):
    """Writes our own lines, past the standard library, which takes three times as long."""

    def __init__(self, file: TextIO, name: str) -> None:
        super().__init__(file)
        self.name = name

    def msg(self, message: str) -> None:
        """Write a line; nothing else is to fail because nobody takes it."""
        with suppress(OSError, ValueError):  # the latter of a file that is closed
            super().msg(message)

    debug = info = warning = error = critical = msg
