"""Conditions of visible rows: expressions of a feature, tested when the application starts."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import strawberry
from sqlalchemy import ARRAY, JSON, ColumnElement, Text, any_, insert, literal
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gql_app import Feature, create_app
from gql_app.accounts.sessions import Caller
from gql_app.extending.connections import connection
from gql_app.extending.node_kinds import node
from gql_app.extending.visibility import Visibility, Visible, owned_by
from gql_app.lib.clock import new_id
from gql_app.lib.database import Moment
from gql_app.lib.faults import CannotStart
from gql_app.settings import Settings
from tests.extending.graph import create_tables, graph
from tests.people import add_customer, sign_in

POSTGRESQL = "postgresql://db/app"
MADE = datetime(2030, 1, 31, tzinfo=UTC)
SOMEONE = Caller(UUID(int=1), UUID(int=2), "", frozenset())


class Base(DeclarativeBase):
    """The base of this table."""


class NoteRow(Base):
    """A note with details in JSON."""

    __tablename__ = "visible_notes"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID]
    is_public: Mapped[bool]
    details: Mapped[dict[str, Any]] = mapped_column(JSON)
    made_at: Mapped[datetime] = mapped_column(Moment)


@strawberry.type
class Note:
    """A note."""

    id: strawberry.ID
    is_public: bool


def notes(visible: Visible) -> Feature:
    """Return a feature with a list of notes."""
    made = connection(Note, NoteRow, order_by=["id"], visible=visible, permissions=[])
    return Feature("notes", queries=[strawberry.type(type("Notes", (), {"notes": made}))])


def started(*features: Feature, url: str = "sqlite:///any.db") -> None:
    """Make an application."""
    create_app(Settings(database_url=url, playground=False), features=features)


@pytest.mark.parametrize(
    "condition",
    [
        NoteRow.details["level"].as_integer() <= 2,
        NoteRow.details["of", "a", 0].as_string() == "x",
        NoteRow.details["open"].as_boolean(),
        NoteRow.details["level"].as_integer() / 2 < 1.5,
        NoteRow.is_public,
    ],
    ids=str,
)
async def test_rows_are_visible_by_any_expression(
    settings: Settings, condition: ColumnElement[bool]
) -> None:
    details = {"level": 2, "of": {"a": ["x"]}, "open": True}
    other = {"level": 3, "of": {"a": ["y"]}, "open": False}
    feature = notes(lambda _: condition)
    started(feature, url=settings.database_url)
    async with graph(settings, [feature]) as opened:
        database = opened.resources.database
        await create_tables(database, Base)
        ada = await sign_in(opened.resources, await add_customer(database, "Ada"))
        async with database.transaction() as db:
            for each, is_public in ((details, True), (other, False)):
                row = {"customer_id": ada.id, "is_public": is_public, "details": each}
                await db.execute(insert(NoteRow), id=new_id(), made_at=MADE, **row)
        asked = "{ notes { nodes { id isPublic } totalCount } }"
        found = (await opened.data(asked))["notes"]
        assert ([each["isPublic"] for each in found["nodes"]], found["totalCount"]) == ([True], 1)
        by_id = "query ($id: ID!) { node(id: $id) { id } }"
        key = found["nodes"][0]["id"]
        assert await opened.data(by_id, ada.token, id=key) == {"node": {"id": key}}


def test_conditions_of_different_types_are_different() -> None:
    kinds = iter(["as_integer", "as_string", "as_integer"])
    seen = Visibility(lambda _: getattr(NoteRow.details["level"], next(kinds))() == "1")
    ([number], _), ([string], _), ([again], values) = (seen.of(SOMEONE) for _ in range(3))
    assert number is again
    assert number is not string
    assert sorted(map(str, values.values())) == ["1", "level"]


@pytest.mark.parametrize("url", ["sqlite:///any.db", POSTGRESQL])
@pytest.mark.parametrize(
    ("visible", "words"),
    [
        (
            lambda _: NoteRow.details["level"] == 2,
            r"visible returns a condition that can't be used: visible_notes\.details.* as_integer",
        ),
        (
            lambda caller: NoteRow.made_at + timedelta(1) > NoteRow.made_at if caller else None,
            r"visible returns a condition .*visible_notes\.made_at \+ .* pass it as a bindparam",
        ),
        (lambda _: True, "visible returns bool, which is no condition"),
        (lambda _: "is_public", "visible returns str, which is no condition"),
    ],
)
def test_condition_that_can_not_be_used_is_told_at_start(
    url: str, visible: Callable[[Any], Any], words: str
) -> None:
    with pytest.raises(CannotStart) as caught:
        started(notes(visible), url=url)
    [fault] = caught.value.faults
    assert fault.startswith("connection(Note, NoteRow): visible returns ")
    assert fault.endswith(".")
    with pytest.raises(CannotStart, match=words):
        started(Feature("notes", nodes=[node(Note, NoteRow, visible=visible)]), url=url)


def test_condition_of_one_database_is_told_where_the_other_is() -> None:
    feature = notes(lambda _: any_(literal(["x"], ARRAY(Text()))) == "x")
    started(feature, url=POSTGRESQL)
    with pytest.raises(CannotStart, match="The type ARRAY is not known for sqlite"):
        started(feature)


def test_function_may_need_a_caller_who_is_there() -> None:
    teams = {SOMEONE.customer_id: 1}

    def of_team(caller: Caller | None) -> ColumnElement[bool]:
        if caller is None:
            raise PermissionError
        team: ColumnElement[int] = NoteRow.details["team"].as_integer()
        return team == teams[caller.customer_id]

    started(notes(of_team))
    started(notes(owned_by(NoteRow.customer_id)))
