"""Short texts are found by their characters and pairs, whatever these are."""

import pytest
from sqlalchemy import select
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg

from gql_app.db.tables import CustomerRow
from gql_app.lib.database import Database, Query
from gql_app.lib.pagination.text_search import by_grams, by_trigrams, grams, holds, pattern
from tests.accounts.rows import customer, store

POSTGRESQL = PGDialect_asyncpg()  # type: ignore[no-untyped-call]  # SQLAlchemy left it untyped
KEY = CustomerRow.__table__.c.name_key
WAYS = {
    way.__name__: Query(select(CustomerRow.name).where(way(KEY)), lambda row: str(row[0]))
    for way in (holds, by_trigrams, by_grams)
}
NAMES = [
    "a",
    "ab",
    "ba",
    "aba",
    "a b",
    "小",
    "小猫",
    "%",
    "_",
    "a%b",
    "a_b",
    "\\",
    "\\%",
    "\\1",
    "\n",
    "{,}",
]


@pytest.mark.parametrize("way", WAYS)
async def test_a_text_is_held_by_those_that_it_stands_in(database: Database, way: str) -> None:
    await store(database, map(customer, NAMES))
    texts = [*NAMES, "b", "猫", " ", "1", "%b", "_b", "\\", "\\%", "zz", '"', "bb", "/"]
    for text in texts:
        values = {"text": text, "pattern": pattern(text), "grams": grams(text)}
        found = await database.fetch_all(WAYS[way], **values)
        assert sorted(found) == sorted(name for name in NAMES if text in name), text


@pytest.mark.parametrize(
    ("way", "spoken"),
    [("holds", {"strpos"}), ("by_trigrams", {"LIKE"}), ("by_grams", {"strpos", "string_to_array"})],
)
def test_postgresql_is_asked_in_the_one_way_that_is_meant(way: str, spoken: set[str]) -> None:
    asked = str(WAYS[way].statement.compile(dialect=POSTGRESQL))
    assert {each for each in ("LIKE", "strpos", "string_to_array") if each in asked} == spoken


def test_a_pattern_is_ready_made_for_it_is_compared_with_each_row() -> None:
    asked = str(WAYS["by_trigrams"].statement.compile(dialect=POSTGRESQL))
    assert "||" not in asked
    assert "ESCAPE" not in asked


@pytest.mark.parametrize(
    ("text", "pairs"), [("z", ["z"]), ("yz", ["yz"]), ("小-猫", ["-猫", "小-"]), ("%%%", ["%%"])]
)
def test_a_text_is_found_by_its_pairs_or_by_itself(text: str, pairs: list[str]) -> None:
    assert grams(text) == pairs


@pytest.mark.parametrize("text", ["abc", "小abc", "123 小", "\1", "a\1"])
def test_a_text_that_trigrams_or_nothing_finds_has_no_grams(text: str) -> None:
    assert grams(text) == []
