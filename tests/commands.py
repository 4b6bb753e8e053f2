"""The command line, run in this process, without the time of starting one."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from subprocess import CompletedProcess
from threading import Thread
from typing import TextIO

import pytest

from gql_app.cli import command_line, report_faults
from tests.logs import unconfigured_logging
from tests.processes import environment


def run_here(
    *arguments: str, folder: Path, stdin: str = os.devnull, **settings: str
) -> CompletedProcess[str]:
    """Run a command as a process would, in a folder that is not the program's.

    It can't test what needs a process: terminals, pipes, signals and lazy imports. A test that
    runs the API awaits this by `to_thread`, as its background tasks may be in a transaction.
    """
    done = CompletedProcess[str](arguments, 0)
    raised: list[BaseException] = []

    def command() -> None:
        try:
            with report_faults():
                command_line(arguments)()
        except SystemExit as end:
            done.returncode = int(end.code or 0)
        except BaseException as error:  # noqa: BLE001 — raised in the test below
            raised.append(error)

    with (
        Path(stdin).open() as read,
        unconfigured_logging(),
        _stage(folder, settings, arguments, read) as (stdout, stderr),
    ):
        thread = Thread(target=command)  # the test may run an event loop in this one
        thread.start()
        thread.join()
    if raised:
        raise raised[0]
    done.stdout, done.stderr = stdout.getvalue().decode(), stderr.getvalue().decode()
    return done


def output_here(*arguments: str, folder: Path, **settings: str) -> str:
    """Run a command, which must succeed, and return its output."""
    done = run_here(*arguments, folder=folder, **settings)
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def _stage(
    folder: Path, settings: dict[str, str], arguments: tuple[str, ...], stdin: TextIO
) -> Iterator[tuple[io.BytesIO, io.BytesIO]]:
    """Set this process's folder, variables, arguments and streams for a command, until the end."""
    stdout, stderr = io.BytesIO(), io.BytesIO()
    streams = [io.TextIOWrapper(each, encoding="utf-8") for each in (stdout, stderr)]
    with pytest.MonkeyPatch.context() as patch, chdir(folder):
        patch.setattr(os, "environ", environment(**settings))
        patch.setattr(sys, "argv", ["gql-app", *arguments])
        patch.setattr(sys, "stdin", stdin)
        patch.setattr(sys, "stdout", streams[0])
        patch.setattr(sys, "stderr", streams[1])
        yield stdout, stderr
        for stream in streams:
            stream.detach()  # or else it would close them
