"""The database: its tables, migrations, and whether it is ready."""

from gql_app.db import factor_tables, tables

__all__ = ["factor_tables", "tables"]
