"""Environment variables: an empty one counts as unset, and blanks around a value are removed."""

import os
from typing import Final

__all__ = ["tidy_environment", "variable", "variables"]

_OF_LIBRARIES: Final = ("OTEL_", "PG", "PROMETHEUS_MULTIPROC_DIR", "prometheus_multiproc_dir")
"""Prefixes of the variables that libraries read by themselves."""


def variable(name: str) -> str | None:
    """Return a variable without the blanks around it, None if it is unset or empty."""
    return os.environ.get(name, "").strip() or None


def variables(prefix: str) -> dict[str, str]:
    """Return the variables with a prefix that are set, by their names in capitals."""
    return {
        name.upper(): value
        for name in os.environ
        if name.upper().startswith(prefix) and (value := variable(name))
    }


def tidy_environment() -> None:
    """Unset the empty variables of libraries, and remove the blanks around the others.

    An empty one would mean the working folder, an address without a host or no known mode.
    """
    for name in [name for name in os.environ if name.startswith(_OF_LIBRARIES)]:
        value = variable(name)
        if value is None:
            del os.environ[name]
        elif name != "PGPASSWORD":  # whose blanks may be part of the password
            os.environ[name] = value
