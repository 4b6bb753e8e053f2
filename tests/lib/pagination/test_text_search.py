"""Short texts are found by their characters and pairs, whatever these are."""

import pytest
from sqlalchemy import select
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg

from gql_app.lib.database import Database, Query
from gql_app.lib.pagination.text_search import Word, ngrams, pattern
from tests.lib.pagination.orders import ParcelRow, fill, parcels

POSTGRESQL = PGDialect_asyncpg()  # type: ignore[no-untyped-call]  # SQLAlchemy left it untyped
WORD = Word([ParcelRow.label], "search")
CONDITIONS = {
    "contains": WORD.by_ngrams.row_condition,
    "matches_trigrams": WORD.by_trigrams.index_condition,
    "matches_ngrams": WORD.by_ngrams.index_condition,
}
SELECTS = {name: select(ParcelRow.label).where(condition) for name, condition in CONDITIONS.items()}
LABELS = [
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


@pytest.mark.parametrize("name", SELECTS)
async def test_a_text_is_held_by_those_that_it_stands_in(database: Database, name: str) -> None:
    await fill(database, ParcelRow, parcels(LABELS))
    texts = [*LABELS, "b", "猫", " ", "1", "%b", "_b", "\\", "\\%", "zz", '"', "bb", "/"]
    for text in texts:
        _, values = WORD.filter([text])
        values |= {"search_0_pattern": pattern(text), "search_0_ngrams": ngrams(text)}
        query = Query(SELECTS[name], lambda row: str(row[0]))
        found = await database.fetch_all(query, **values)
        assert sorted(found) == sorted(label for label in LABELS if text in label), text


@pytest.mark.parametrize(
    ("name", "spoken"),
    [
        ("contains", {"strpos"}),
        ("matches_trigrams", {"LIKE"}),
        ("matches_ngrams", {"strpos", "string_to_array"}),
    ],
)
def test_postgresql_is_asked_in_the_one_way_that_is_meant(name: str, spoken: set[str]) -> None:
    asked = str(SELECTS[name].compile(dialect=POSTGRESQL))
    assert {each for each in ("LIKE", "strpos", "string_to_array") if each in asked} == spoken


def test_a_pattern_is_ready_made_for_it_is_compared_with_each_row() -> None:
    asked = str(SELECTS["matches_trigrams"].compile(dialect=POSTGRESQL))
    assert "||" not in asked
    assert "ESCAPE" not in asked


@pytest.mark.parametrize(
    ("text", "pairs"), [("z", ["z"]), ("yz", ["yz"]), ("小-猫", ["-猫", "小-"]), ("%%%", ["%%"])]
)
def test_a_text_is_found_by_its_pairs_or_by_itself(text: str, pairs: list[str]) -> None:
    assert ngrams(text) == pairs


@pytest.mark.parametrize("text", ["abc", "小abc", "123 小", "\1", "a\1"])
def test_a_text_that_trigrams_or_nothing_finds_has_no_ngrams(text: str) -> None:
    assert ngrams(text) == []
    assert WORD.filter([text])[0] is WORD.by_trigrams
