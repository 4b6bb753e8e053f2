"""Files that hold secrets: for their owner only, and never seen half-written."""

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


def create(file: Path, content: bytes) -> None:
    """Make a new file of mode 0600. Raises FileExistsError if another was first."""
    with _draft(file, lambda draft: os.link(draft, file)) as opened:
        opened.write(content)


def replace(file: Path, content: bytes) -> None:
    """Put a file of mode 0600 in another's place, or where none was."""
    with replacing(file) as opened:
        opened.write(content)


def replacing(file: Path) -> AbstractContextManager[BinaryIO]:
    """Lend a file of mode 0600 to write to, which takes its place when the block ends well."""
    return _draft(file, lambda draft: draft.replace(file))


@contextmanager
def _draft(file: Path, place: Callable[[Path], object]) -> Iterator[BinaryIO]:
    """Lend a file beside the one that is meant, and put it in its place once it is whole."""
    draft = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            yield opened
            opened.flush()
            os.fsync(descriptor)
        place(draft)
        _settle(file.parent)
    finally:
        draft.unlink(missing_ok=True)


def _settle(folder: Path) -> None:
    """Have the folder's new entries outlast a loss of power, where a folder can be opened."""
    with suppress(PermissionError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
