"""The program, run in a separate process as an operator would run it."""

import os
import pty
import re
import secrets
import select
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import httpx

from tests.starting import Forked, Preloaded

ROOT = Path(__file__).parent.parent
PORTS = range(20_000, 32_000)
"""Ports that systems don't give to outgoing connections."""
PATIENCE = 60
"""Time-out of a process, in seconds."""
IN_CLEAR = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""A context without certificates, for clients without TLS; loading the system's takes 20 ms."""
MAIN = (sys.executable, str(ROOT / "main.py"))

_INHERITED = re.compile("GQL_APP_|M(AKE)?FLAGS$|MAKELEVEL$")
"""Variables of the test run that programs must not inherit: settings, and those of make."""
Program = subprocess.Popen[bytes] | Forked
Start = Callable[[IO[bytes], IO[bytes]], Program]
"""A function that starts a program, given the files of its output and its errors."""


def environment(**settings: str) -> dict[str, str]:
    """Return an environment with these settings of the program, and no others."""
    clean = {
        name: value for name, value in os.environ.items() if not _INHERITED.match(name.upper())
    }
    return clean | {_variable(name): value for name, value in settings.items()}


def _variable(setting: str) -> str:
    return f"GQL_APP_{setting.upper()}"


def run(
    command: Sequence[str], folder: Path, *, patience: float = PATIENCE, **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, in a folder other than the program's."""
    return subprocess.run(  # noqa: S603 — the tests' own commands
        command,
        cwd=folder,
        env=environment(**settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=patience,
        check=False,
    )


def run_main(*arguments: str, folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run the program's command line, and assert that no error is a traceback."""
    return run_main_on({}, *arguments, folder=folder, **settings)


def run_main_on(
    streams: Mapping[int, IO[bytes] | None], *arguments: str, folder: Path, **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run the program's command line likewise, on these standard streams: None is a closed one."""
    return run_preloaded(preloaded(), streams, *arguments, folder=folder, **settings)


def run_preloaded(
    program: Preloaded,
    streams: Mapping[int, IO[bytes] | None],
    *arguments: str,
    folder: Path,
    **settings: str,
) -> subprocess.CompletedProcess[str]:
    """Run the command line of a program that may be another project's likewise."""
    with TemporaryFile() as out, TemporaryFile() as err, Path(os.devnull).open("rb") as nothing:
        every = {0: nothing, 1: out, 2: err, **streams}
        process = program.start(arguments, folder, environment(**settings), [*every.values()])
        status = process.wait(PATIENCE)
        printed, told = (_text(each) for each in (out, err))
    assert "Traceback" not in told
    return subprocess.CompletedProcess(arguments, status, printed, told)


def start_main(
    *arguments: str, folder: Path, out: IO[bytes], err: IO[bytes], **settings: str
) -> Forked:
    """Start the program's command line, without the time of imports, printing to these files."""
    with Path(os.devnull).open("rb") as nothing:
        streams = (nothing, out, err)
        return preloaded().start(arguments, folder, environment(**settings), streams)


@dataclass(frozen=True, slots=True)
class Command:
    """A command that runs, with pipes for its input and output, and a file for its errors."""

    process: Forked
    stdin: IO[bytes]
    stdout: IO[bytes]
    stderr: IO[bytes]

    def end(self) -> tuple[int, str, str]:
        """Wait until it ends, and return its exit status, and what it prints until then."""
        status = self.process.wait(PATIENCE)
        return status, self.stdout.read().decode(), _text(self.stderr)


@contextmanager
def running_main(
    *arguments: str, folder: Path, stderr: IO[bytes] | None = None, **settings: str
) -> Iterator[Command]:
    """Run the program's command line, without the time of imports, and kill it after the block."""
    (read, stdin), (stdout, printed) = pipe(), pipe()
    with TemporaryFile() as file, stdin, stdout:
        with read, printed:
            streams = (read, printed, stderr or file)
            process = preloaded().start(arguments, folder, environment(**settings), streams)
        try:
            yield Command(process, stdin, stdout, file)
        finally:
            process.kill()
            process.wait(PATIENCE)


def pipe() -> tuple[IO[bytes], IO[bytes]]:
    """Return the ends of a pipe, unbuffered: the one to read, and the one to write."""
    reader, writer = os.pipe()
    return os.fdopen(reader, "rb", 0), os.fdopen(writer, "wb", 0)


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


def output_of(*arguments: str, folder: Path, **settings: str) -> str:
    """Run the program's command line, which must succeed, and return its output."""
    done = run_main(*arguments, folder=folder, **settings)
    assert done.returncode == 0, done.stderr
    return done.stdout


def free_port() -> int:
    """Return a free port, one that no outgoing connection takes before a server listens."""
    while True:
        port = secrets.choice(PORTS)
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port


@dataclass(frozen=True, slots=True)
class Server:
    """A running server, and the files that it prints to."""

    process: Program
    port: int
    stdout: Path
    stderr: Path

    @property
    def url(self) -> str:
        """Return its URL."""
        return f"http://localhost:{self.port}"

    @contextmanager
    def client(self) -> Iterator[httpx.Client]:
        """Open a client with new connections."""
        with httpx.Client(
            base_url=self.url, trust_env=False, verify=IN_CLEAR, timeout=PATIENCE
        ) as client:
            yield client

    def printed(self) -> str:
        """Return its standard output so far."""
        return self.stdout.read_text(encoding="utf-8")

    def logged(self) -> str:
        """Return its log so far."""
        return self.stderr.read_text(encoding="utf-8")

    def await_log(self, pattern: str, times: int = 1) -> list[str]:
        """Wait until the log matches a pattern this many times, and return the matches."""
        deadline = time.monotonic() + PATIENCE
        while len(found := re.findall(pattern, self.logged())) < times:
            assert time.monotonic() < deadline, self.logged()
            time.sleep(0.02)
        return found

    def await_readiness(self, status: int) -> None:
        """Wait until `/readyz` answers with a status."""
        deadline = time.monotonic() + PATIENCE
        with self.client() as client:
            while time.monotonic() < deadline:
                assert self.process.poll() is None, self.logged()
                try:
                    if client.get("/readyz").status_code == status:
                        return
                except httpx.TransportError:
                    pass
                time.sleep(0.02)
        raise AssertionError(self.logged())

    def stop(self) -> int:
        """Stop it, and return its exit status."""
        self.process.terminate()
        return self.process.wait(timeout=PATIENCE)


def sign_ins(server: Server) -> list[tuple[str, str, str]]:
    """Return the sign-ins that a demo prints: role, address and password."""
    return re.findall(r"^Sign in as (\w+): (\S+) with (\S+)$", server.printed(), re.MULTILINE)


def signed_in(client: httpx.Client, email: str, password: str, **parameters: str) -> str:
    """Sign in, and return the token."""
    query = "mutation SignIn($e: String!, $p: String!) { login(email: $e, password: $p) { token } }"
    body = client.post(
        "/graphql",
        params=parameters,
        json={"query": query, "variables": {"e": email, "p": password}},
    ).json()
    token: str = body["data"]["login"]["token"]
    return token


@contextmanager
def running_server(
    command: Sequence[str], port: int, folder: Path, **settings: str
) -> Iterator[Server]:
    """Start a server, wait until it is ready, and stop it when the block ends."""

    def start(out: IO[bytes], err: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 — the tests' own commands
            command,
            cwd=folder,
            env=environment(**settings),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
        )

    with _running(start, port, folder) as server:
        yield server


@contextmanager
def serving(*arguments: str, folder: Path, **settings: str) -> Iterator[Server]:
    """Run `serve` until the block ends, without the time of imports."""
    port = free_port()
    command = ["serve", "--port", str(port), *arguments]
    with forked_server(command, port, folder, **settings) as server:
        yield server


@contextmanager
def waiting(*arguments: str, folder: Path, **settings: str) -> Iterator[Server]:
    """Run `serve` until the block ends, while it is not ready and reports so."""
    port = free_port()
    command = ["serve", "--port", str(port), *arguments]
    with _forked(command, port, folder, 503, **settings) as server:
        yield server


@contextmanager
def forked_server(
    arguments: Sequence[str], port: int, folder: Path, **settings: str
) -> Iterator[Server]:
    """Run a server by the program's command line, without the time of imports."""
    with _forked(arguments, port, folder, 200, **settings) as server:
        yield server


@contextmanager
def _forked(
    arguments: Sequence[str], port: int, folder: Path, status: int, **settings: str
) -> Iterator[Server]:
    def start(out: IO[bytes], err: IO[bytes]) -> Forked:
        return start_main(*arguments, folder=folder, out=out, err=err, **settings)

    with _running(start, port, folder, status) as server:
        yield server


@contextmanager
def _running(start: Start, port: int, folder: Path, status: int = 200) -> Iterator[Server]:
    stdout, stderr = folder / f"{port}.out", folder / f"{port}.err"
    with stdout.open("wb") as out, stderr.open("wb") as err:
        process = start(out, err)
    server = Server(process, port, stdout, stderr)
    try:
        server.await_readiness(status)
        yield server
    finally:
        try:
            server.stop()
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def preloaded() -> Preloaded:
    """Return the preloaded process for this environment, without pytest's own variables."""
    inherited = environment()
    inherited.pop("PYTEST_CURRENT_TEST", None)
    return _preloaded_with(frozenset(inherited.items()))


@cache
def _preloaded_with(variables: frozenset[tuple[str, str]]) -> Preloaded:
    """Start a preloaded process, one per environment, as imports may read the environment."""
    return Preloaded(Path(MAIN[1]), dict(variables))


class Terminal:
    """The output and input of a terminal."""

    def __init__(self, process: Program, ours: int) -> None:
        self._process = process
        self._ours = ours
        self.seen = ""

    def answer(self, question: str, line: str) -> None:
        """Wait for a question, and type a line."""
        start = len(self.seen)
        while question not in self.seen[start:]:
            assert self._read(), self.seen
        os.write(self._ours, f"{line}\n".encode())

    def end(self) -> int:
        """Read to the end, and return the exit status."""
        while self._read():
            pass
        return self._process.wait(timeout=PATIENCE)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._ours], [], [], PATIENCE)
        assert ready, self.seen
        try:
            some = os.read(self._ours, 4096)
        except OSError:  # on Linux, once the other end is closed
            some = b""
        self.seen += some.decode()
        return bool(some)


def typing(*arguments: str, folder: Path, **settings: str) -> AbstractContextManager[Terminal]:
    """Run the command line on a pseudo-terminal."""

    def start(theirs: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 — the tests' own commands
            [*MAIN, *arguments],
            cwd=folder,
            env=environment(**settings),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )

    return _on_terminal(start)


def printing(*arguments: str, folder: Path, **settings: str) -> AbstractContextManager[Terminal]:
    """Run the command line, without the time of imports, with its output on a pseudo-terminal."""

    def start(theirs: IO[bytes]) -> Forked:
        return start_main(*arguments, folder=folder, out=theirs, err=theirs, **settings)

    return _on_terminal(start)


@contextmanager
def _on_terminal(start: Callable[[IO[bytes]], Program]) -> Iterator[Terminal]:
    """Start a program on a pseudo-terminal, and kill it after the block."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "wb", 0) as file:
        process = start(file)
    try:
        yield Terminal(process, ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
