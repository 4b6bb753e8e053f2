"""`version`: which one this is."""

from gql_app import __version__
from gql_app.cli.console import out


def version() -> None:
    """Print the version."""
    out(__version__)
