"""A copy of an SQLite file that is in use, as it is at one moment."""

import sqlite3
from contextlib import closing
from pathlib import Path

from gql_app.lib import atomic_files


def copy(file: Path, to: Path) -> None:
    """Copy a database to a new file of mode 0600, while others read it and write to it.

    Raises FileExistsError if there is one already, OSError, sqlite3.Error.
    """
    with atomic_files.creating(to) as draft:
        source = sqlite3.connect(f"{file.absolute().as_uri()}?mode=rw", uri=True)
        with closing(source), closing(sqlite3.connect(draft)) as target:
            source.backup(target)
