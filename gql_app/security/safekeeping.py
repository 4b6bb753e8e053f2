"""Files that hold secrets: for their owner only, and never seen half-written."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def create(file: Path, content: bytes) -> None:
    """Make a new file of mode 0600. Raises FileExistsError if another was first."""
    with _draft(file, content) as draft:
        os.link(draft, file)


def replace(file: Path, content: bytes) -> None:
    """Put a file of mode 0600 in another's place, or where none was."""
    with _draft(file, content) as draft:
        draft.replace(file)


@contextmanager
def _draft(file: Path, content: bytes) -> Iterator[Path]:
    """Lend a finished file beside the one that is meant, until the block ends."""
    draft = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(descriptor)
        yield draft
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
