"""Short texts are found by their characters and pairs, whatever these are."""

import pytest
from sqlalchemy import Text, bindparam, select
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg

from gql_app.db.engine import Database
from gql_app.db.grams import grams, holding
from gql_app.db.questions import Question
from gql_app.db.tables import CustomerRow
from tests.accounts.rows import customer, store

POSTGRESQL = PGDialect_asyncpg()  # type: ignore[no-untyped-call]  # SQLAlchemy left it untyped
LIKE = CustomerRow.name_key.contains(bindparam("search", type_=Text()), escape="/")
HOLDING = Question(
    select(CustomerRow.name).where(holding(LIKE, CustomerRow.__table__.c.name_key)),
    lambda row: str(row[0]),
)
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
    "\\1",
    "\n",
    "{,}",
]


@pytest.mark.parametrize("text", [*NAMES, "b", "猫", " ", "1", "%b", "\\", "zz", '"', "bb"])
async def test_a_text_is_held_by_those_that_it_stands_in(database: Database, text: str) -> None:
    await store(database, map(customer, NAMES))
    literal = text.replace("%", "/%").replace("_", "/_")
    async with database.read() as db:
        found = await db.ask(HOLDING, search=literal, text=text, grams=grams(text))
    assert sorted(found) == sorted(name for name in NAMES if text in name)


def test_postgresql_is_asked_for_grams_and_not_by_like() -> None:
    asked = str(HOLDING.statement.compile(dialect=POSTGRESQL))
    assert "LIKE" not in asked
    assert "strpos" in asked


@pytest.mark.parametrize(
    ("text", "pairs"), [("z", ["z"]), ("yz", ["yz"]), ("小-猫", ["-猫", "小-"]), ("%%%", ["%%"])]
)
def test_a_text_is_found_by_its_pairs_or_by_itself(text: str, pairs: list[str]) -> None:
    assert grams(text) == pairs


@pytest.mark.parametrize("text", ["abc", "小abc", "123 小", "\1", "a\1"])
def test_a_text_that_trigrams_or_nothing_finds_has_no_grams(text: str) -> None:
    assert grams(text) == []
