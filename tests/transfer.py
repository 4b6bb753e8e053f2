"""Files of customers, and the rows that they become in a database."""

import csv
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
from sqlalchemy import select

from gql_app.db.tables import CustomerRow
from gql_app.lib.database import Database
from tests.lib.hashes.examples import VECTORS

ONE_ENGINE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
HASHES = [each.hashed for each in VECTORS]

Said = Mapping[str, object]


def write(file: Path, said: Iterable[Said]) -> Path:
    """Write customers in the format of the file's extension, and return the file."""
    lines = list(said)
    with file.open("w", newline="", encoding="utf-8") as opened:
        if file.suffix == ".jsonl":
            opened.writelines(json.dumps(each, ensure_ascii=False) + "\n" for each in lines)
        else:
            rows = csv.DictWriter(opened, list(lines[0]))
            rows.writeheader()
            rows.writerows(lines)
    return file


def people(count: int, **more: object) -> list[dict[str, object]]:
    """Return as many customers."""
    return [
        {"name": f"C {number}", "email": f"c{number}@example.com", **more}
        for number in range(count)
    ]


async def rows(url: str) -> list[dict[str, object]]:
    """Return every column of all customers, ordered by address."""
    database = Database(url)
    try:
        found = await database.fetch_all(select(CustomerRow).order_by(CustomerRow.email_key))
        return [row._asdict() for row in found]
    finally:
        await database.close()
