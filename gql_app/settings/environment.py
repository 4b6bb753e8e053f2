"""The environment, read here only: what is empty is not set, and blanks at the ends are nothing."""

import os
from typing import Final

PREFIX: Final = "GQL_APP_"
_OF_LIBRARIES: Final = ("OTEL_", "PG", "PROMETHEUS_MULTIPROC_DIR", "prometheus_multiproc_dir")
"""How the variables begin that libraries read by themselves."""
_EXACT: Final = frozenset({"PGPASSWORD"})
"""Those of them whose blanks may be meant."""


def variable(name: str) -> str | None:
    """Return a variable without the blanks at its ends, or None if nothing is left of it."""
    return os.environ.get(name, "").strip() or None


def given() -> dict[str, str]:
    """Return our variables that are set, by their names in capitals, without blanks at the ends."""
    return {
        name.upper(): value
        for name in os.environ
        if name.upper().startswith(PREFIX) and (value := variable(name))
    }


def tidy() -> None:
    """Have libraries read their variables as we read ours.

    One that is empty would otherwise mean the working folder, an address without a host or
    a mode that there is none of.
    """
    for name in [name for name in os.environ if name.startswith(_OF_LIBRARIES)]:
        value = variable(name)
        if value is None:
            del os.environ[name]
        elif name not in _EXACT:
            os.environ[name] = value
