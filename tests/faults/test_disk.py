"""A full disk under SQLite: reads go on, writes are refused, and nothing acknowledged is lost."""

import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import SECRET
from tests.databases import copied_sqlite
from tests.faults.load import OK, UNAVAILABLE, load_on, people_of, stored
from tests.processes import MAIN, Server, free_port, running_server, serving

OURS = ("unshare", "--map-root-user", "--mount")
"""Has a process mount what nobody else sees."""
SMALL = 'mount -t tmpfs -o size=6m tmpfs disk && cp test.db disk/ && exec "$@"'
LEFT = 100_000
"""Bytes that a file may grow by before the disk is full."""


@dataclass(frozen=True, slots=True)
class Served:
    """A server on an SQLite file, and how to fill its disk for a while."""

    server: Server
    disk: Path
    full: Callable[[], AbstractContextManager[None]]


def may_mount() -> bool:
    """Return whether this machine lets its people mount file systems of their own."""
    trying = [*OURS, "mount", "-t", "tmpfs", "tmpfs", "/tmp"]  # noqa: S108 — seen by nobody else
    return (
        shutil.which(OURS[0]) is not None
        and subprocess.run(trying, capture_output=True, check=False).returncode == 0  # noqa: S603 — as above
    )


@contextmanager
def quota(folder: Path) -> Iterator[Served]:
    """Serve a file that may not grow, for a while, which needs no permission."""
    with serving(folder=folder, **settings(folder)) as server:

        @contextmanager
        def full() -> Iterator[None]:
            _, most = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
            size = (folder / "test.db").stat().st_size  # the log may have grown far beyond it
            resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size + LEFT, most))
            yield
            resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (most, most))

        yield Served(server, folder, full)


@contextmanager
def small_disk(folder: Path) -> Iterator[Served]:
    """Serve a file on a small file system, which only the server sees."""
    (folder / "disk").mkdir()
    port = free_port()
    command = [*OURS, "sh", "-c", SMALL, "sh", *MAIN, "serve", "--port", str(port)]
    with running_server(command, port, folder, **settings(folder / "disk")) as server:
        disk = Path(f"/proc/{server.process.pid}/root{folder}/disk")

        @contextmanager
        def full() -> Iterator[None]:
            filler = disk / "filler"
            with filler.open("wb", buffering=0) as file, suppress(OSError):
                while file.write(bytes(4096)):
                    pass
            yield
            filler.unlink()

        yield Served(server, disk, full)


def settings(disk: Path) -> dict[str, str]:
    """Return the settings of a server on the file in a folder."""
    return {
        "database_url": f"sqlite:///{disk / 'test.db'}",
        "secret_key": SECRET,
        "refresh_grace_seconds": "3600",
        "account_writes_per_hour": "1000000",
    }


def copied(disk: Path, folder: Path) -> str:
    """Copy a file that nobody writes to, and tell its URL: SQLite itself finds no other's mount."""
    folder.mkdir()
    for file in disk.glob("test.db*"):
        shutil.copy(file, folder)
    return f"sqlite:///{folder / 'test.db'}"


@pytest.mark.parametrize("disk", [quota, *([small_disk] if may_mount() else [])])
async def test_full_disk_refuses_writes_and_loses_nothing(
    sqlite_template: Path, tmp_path: Path, disk: Callable[[Path], AbstractContextManager[Served]]
) -> None:
    people = await people_of(copied_sqlite(sqlite_template, tmp_path))
    with disk(tmp_path) as served:
        async with load_on(served.server, people) as load:
            with served.full():
                await load.each(load.writers, UNAVAILABLE)
                await load.each(load.readers, OK)
            await load.everybody(OK)
        assert load.codes == {OK, UNAVAILABLE}
        assert set().union(*(load.outcomes[name] for name in load.readers)) == {OK}
        assert load.acknowledged <= await stored(copied(served.disk, tmp_path / "copy"))
        assert "Traceback" not in served.server.logged()
