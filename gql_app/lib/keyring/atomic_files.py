"""Files that hold secrets: for their owner only, and never seen half-written."""

import errno
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from stat import S_IWOTH
from typing import BinaryIO

from gql_app.errors import CannotStart


def create(file: Path, content: bytes) -> None:
    """Make a new file of mode 0600. Raises FileExistsError if another was first."""
    with _draft(file, lambda draft: os.link(draft, file)) as opened:
        opened.write(content)


def creating(file: Path) -> AbstractContextManager[Path]:
    """Lend the path of an empty file of mode 0600, which becomes this one when the block ends well.

    Raises FileExistsError if something is there then.
    """
    return _drafted(file, lambda draft: os.link(draft, file))


def replace(file: Path, content: bytes) -> None:
    """Put a file of mode 0600 in another's place, or where none was."""
    with replacing(file) as opened:
        opened.write(content)


def replacing(file: Path) -> AbstractContextManager[BinaryIO]:
    """Lend a file of mode 0600 to write to, which takes its place when the block ends well."""
    return _draft(file, lambda draft: draft.replace(file))


def require_kept(path: Path) -> None:
    """Raise CannotStart if every account of this machine may write to a file or folder.

    Where the whole file system is read-only, its modes mean nothing. What is not there, or can't
    be looked at, is for whoever reads it to tell.
    """
    with suppress(OSError):
        if path.stat().st_mode & S_IWOTH and not os.statvfs(path).f_flag & os.ST_RDONLY:
            raise CannotStart([f"{path}: everybody on this machine may write to it; chmod o-w it"])


@contextmanager
def _draft(file: Path, place: Callable[[Path], object]) -> Iterator[BinaryIO]:
    """Lend a file beside the one that is meant, and put it in its place once it is whole."""
    with _drafted(file, place) as draft, draft.open("wb") as opened:
        yield opened


@contextmanager
def _drafted(file: Path, place: Callable[[Path], object]) -> Iterator[Path]:
    """Lend its path, for those who write to it by themselves."""
    if not file.name:  # an empty path, or the root
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(file))
    draft = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        yield draft
        os.fsync(descriptor)
        place(draft)
        _settle(file.parent)
    finally:
        os.close(descriptor)
        draft.unlink(missing_ok=True)


def _settle(folder: Path) -> None:
    """Have the folder's new entries outlast a loss of power, where a folder can be opened."""
    with suppress(PermissionError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
