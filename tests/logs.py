"""The log within a test: unconfigured at first, and as it was again at the end."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import structlog


@contextmanager
def unconfigured_logging() -> Iterator[None]:
    """Begin without logging, as a process does, and restore it when the block ends."""
    root, access = logging.getLogger(), logging.getLogger("uvicorn.access")
    before = (root.handlers[:], root.level, access.disabled)
    configured, config = structlog.is_configured(), structlog.get_config()
    root.handlers.clear()
    root.setLevel(logging.WARNING)
    structlog.reset_defaults()
    # structlog's default prints the variables of every frame, which takes seconds.
    structlog.dev.ConsoleRenderer.get_active().exception_formatter = structlog.dev.plain_traceback
    try:
        yield
    finally:
        root.handlers[:], level, access.disabled = before
        root.setLevel(level)
        structlog.reset_defaults()
        if configured:
            structlog.configure(**config)
