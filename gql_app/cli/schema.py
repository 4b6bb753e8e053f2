"""`export-schema`: the API in GraphQL's schema definition language (SDL)."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from gql_app.cli import application
from gql_app.cli.console import fail
from gql_app.lib.environment import variable
from gql_app.schema.root import build_schema


def export_schema(
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Compare with a file; exit with status 1 if it differs.")
    ] = False,
    file: Annotated[Path, typer.Option(help="The file that --check compares with.")] = Path(
        "schema.graphql"
    ),
) -> None:
    """Print the schema in GraphQL's schema language (SDL)."""
    printed = build_schema(application.additions()).as_str() + "\n"
    if not check:
        sys.stdout.write(printed)
    elif not file.exists() or file.read_text(encoding="utf-8") != printed:
        app = variable(application.APP)
        option = f"--app {app} " if app else ""
        fail(f"{file} is not what the code says. Run: gql-app {option}export-schema > {file}")
