"""Table checks: what is wrong with the columns of tables."""

from collections.abc import Iterator

from sqlalchemy import MetaData, Table

from gql_app.lib.database.statements import codec, default_of


def check_metadata(metadata: MetaData) -> None:
    """Raise TypeError if a column is of a type that isn't known here, or has a computed default."""
    faults = [each for table in metadata.sorted_tables for each in table_faults(table)]
    if faults:
        raise TypeError("\n".join(faults))


def table_faults(table: Table) -> Iterator[str]:
    """Yield a sentence on each column of an unknown type, and on each with a computed default."""
    for column in table.columns:
        try:
            default_of(column)
        except TypeError as why:
            yield str(why)
        try:
            for dialect in ("sqlite", "postgresql"):
                codec(column.type, dialect)
        except TypeError as why:
            yield f"{column}: {why}"
