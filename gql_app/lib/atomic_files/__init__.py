"""Files that hold secrets: private to their owner (mode 0600), and written atomically."""

import errno
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from stat import S_IWOTH
from typing import BinaryIO, Final

from gql_app.lib.faults import CannotStart

__all__ = ["NO_ROOM", "create", "creating", "has_modes", "replace", "replacing", "require_private"]

NO_ROOM: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""Errors of a write to a full disk, which name no file."""


def create(file: Path, content: bytes) -> None:
    """Create a file of mode 0600. Raise FileExistsError if there is one."""
    with creating(file) as draft:
        draft.write_bytes(content)


def creating(file: Path) -> AbstractContextManager[Path]:
    """Return the path of an empty draft of mode 0600, which gets this name when the block ends.

    Raise FileExistsError if that name is taken by then.
    """
    return _drafted(file, lambda draft: os.link(draft, file))


def replace(file: Path, content: bytes) -> None:
    """Write a file of mode 0600, which replaces an existing one atomically."""
    with replacing(file) as opened:
        opened.write(content)


@contextmanager
def replacing(file: Path) -> Iterator[BinaryIO]:
    """Open a draft of mode 0600 for writing, which replaces this file when the block ends.

    Raise OSError if the name is a link's, a device's, a pipe's or a socket's: it would be lost.
    """
    if file.is_symlink() or (file.exists() and not file.is_file() and not file.is_dir()):
        raise OSError(errno.EINVAL, "Not a regular file", str(file))
    with _drafted(file, lambda draft: draft.replace(file)) as draft, draft.open("wb") as opened:
        yield opened


def require_private(path: Path) -> None:
    """Raise CannotStart if a file or folder is world-writable.

    On Windows and on a read-only file system the modes mean nothing. A path that does not exist, or
    can't be checked, passes: reading it fails with the cause.
    """
    with suppress(OSError):
        if has_modes() and path.stat().st_mode & S_IWOTH and not _is_read_only(path):
            raise CannotStart([f"{path}: everybody on this machine may write to it; chmod o-w it"])


def has_modes() -> bool:
    """Return whether the system has file modes: Windows does not."""
    return os.name == "posix"


def _is_read_only(path: Path) -> bool:
    return bool(os.statvfs(path).f_flag & os.ST_RDONLY)


@contextmanager
def _drafted(file: Path, place: Callable[[Path], object]) -> Iterator[Path]:
    """Return the path of a draft beside the file; sync it and put it in place after the block.

    An OSError of the draft, or of a disk without room for it, is raised with the name of the file.
    """
    if not file.name:  # an empty path, or the root
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(file))
    draft = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            try:
                yield draft
                os.fsync(descriptor)
            finally:
                os.close(descriptor)  # Windows moves no file that is open
            place(draft)
            _sync_folder(file.parent)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as why:
        is_full = why.filename is None and why.errno in NO_ROOM  # as write() raises it
        if str(why.filename) != str(draft) and not is_full:
            raise
        raise OSError(why.errno, why.strerror, str(file)) from None


def _sync_folder(folder: Path) -> None:
    """Write a folder's new entries to disk, if the system can open a folder."""
    with suppress(PermissionError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
