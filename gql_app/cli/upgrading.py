"""Migrating, apart from the other commands: only databases that are behind need Alembic."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError

from gql_app.cli.console import fail
from gql_app.db import migrations
from gql_app.settings import Settings


def to_head(chosen: Settings) -> None:
    """Bring a database up to date."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.attributes["url"] = chosen.database_url
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        fail(f"The database can't be migrated: {error}")
