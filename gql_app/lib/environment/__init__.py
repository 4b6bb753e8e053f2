"""Variables of the environment: an empty one is not set, and blanks at its ends are no part."""

import os
from typing import Final

__all__ = ["tidy_environment", "variable", "variables"]

_OF_LIBRARIES: Final = ("OTEL_", "PG", "PROMETHEUS_MULTIPROC_DIR", "prometheus_multiproc_dir")
"""Beginnings of the variables that libraries read by themselves."""


def variable(name: str) -> str | None:
    """Return a variable without the blanks at its ends, None if nothing is left of it."""
    return os.environ.get(name, "").strip() or None


def variables(prefix: str) -> dict[str, str]:
    """Return the variables that are set and begin so, by their names in capitals."""
    return {
        name.upper(): value
        for name in os.environ
        if name.upper().startswith(prefix) and (value := variable(name))
    }


def tidy_environment() -> None:
    """Remove the empty variables of libraries, and the blanks around the others.

    An empty one would mean the working folder, an address without a host or no known mode.
    """
    for name in [name for name in os.environ if name.startswith(_OF_LIBRARIES)]:
        value = variable(name)
        if value is None:
            del os.environ[name]
        elif name != "PGPASSWORD":  # whose blanks may be part of it
            os.environ[name] = value
