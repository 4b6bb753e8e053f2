"""Where the command line prints: what was asked for, and what went wrong."""

import sys
from typing import Final, NoReturn

from rich.console import Console

out: Final = Console(soft_wrap=True, highlight=False)
err: Final = Console(soft_wrap=True, highlight=False, stderr=True)


def fail(message: str) -> NoReturn:
    """Say what went wrong, and end with exit status 1."""
    err.print(message, markup=False)
    sys.exit(1)
