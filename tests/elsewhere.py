"""A system other than Linux: features of Linux or Unix are removed from this process.

`python tests/elsewhere.py serve` is the program there, and `pytest -p tests.elsewhere` runs tests.
"""

import importlib
import os
import signal
import socket
import sys
from pathlib import Path

MODULES = ("fcntl", "grp", "pwd", "resource", "termios", "uvloop")
ABSENT = {
    os: ("fork", "forkpty", "mkfifo", "sched_getaffinity"),
    signal: ("SIGHUP", "SIGUSR1"),
    socket: ("SO_REUSEPORT", "TCP_NOTSENT_LOWAT"),
}
CORE = (
    "tests/schema/test_authentication.py",
    "tests/schema/test_customer_lists.py",
    "tests/schema/test_permissions.py",
    "tests/test_cli.py::test_migrate_can_be_repeated",
    "tests/test_cli.py::test_an_admin_is_made_once",
    "tests/elsewhere_only.py",
)
"""The tests to run: sign-in, pages, refusals, an installation's first commands, and workers."""


def leave_linux() -> None:
    """Remove what other systems lack, for all that is imported later.

    Libraries of the tests that need it are imported before. `os.name` and `sys.platform` stay, as
    the standard library depends on them.
    """
    for name in MODULES:
        sys.modules[name] = None  # type: ignore[assignment]  # so that to import it fails
    for module, names in ABSENT.items():
        for name in names:
            delattr(module, name)
    if sys.version_info >= (3, 13):  # which asks for what is removed here
        os.process_cpu_count = os.cpu_count


if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parent.parent)
    leave_linux()
    importlib.import_module("gql_app.cli").main()
elif "pytest" in sys.modules and "tests.elsewhere" in sys.argv:
    for library in ("tests.databases", "tests.processes"):
        importlib.import_module(library)
    leave_linux()
