"""Errors of a document of many lines: one search finds the places of all of them."""

import re
import sys
from itertools import product
from types import FrameType
from typing import Any, Final

import pytest
import strawberry
from graphql import GraphQLError, Source
from structlog.testing import capture_logs

from gql_app.lib.engine import Engine, ErrorMapper, GraphQLRequest
from gql_app.lib.engine.schema import Schema
from tests.lib.engine.library import LIMITS, SIZES, Context

BREAKS: Final = "\n" * 1000
ROWS: Final = 20


class Refused(Exception):
    """An error that is shown as it is."""

    extensions: Final = {"code": "REFUSED"}


class Misnamed(Refused):
    """An error that the application's check finds wrong."""


@strawberry.interface
class Named:
    """What has a name."""

    name: str


@strawberry.type
class Row:
    """A row of which some fields fail."""

    id: int

    @strawberry.field
    def broken(self) -> str | None:
        """Fail unforeseen."""
        raise ValueError

    @strawberry.field
    def refused(self) -> str | None:
        """Fail with an error that is shown."""
        raise Refused

    @strawberry.field
    def misnamed(self) -> str | None:
        """Fail with an error that the check replaces."""
        raise Misnamed

    @strawberry.field
    def told(self) -> str | None:
        """Fail with an error of GraphQL."""
        message = "told"
        raise GraphQLError(message)

    @strawberry.field
    def strange(self) -> Named | None:
        """Return what is of no type of the interface."""
        return object()  # type: ignore[return-value]  # as a builder may by mistake

    @strawberry.field
    async def late(self) -> str | None:
        """Fail later."""
        raise ValueError


@strawberry.type
class Query:
    """The root fields."""

    @strawberry.field
    def rows(self) -> list[Row | None]:
        """Return rows."""
        return [Row(id=number) for number in range(ROWS)]


class Request(Context):
    """A context whose request has an id."""

    request_id = "the id"


def check(why: Misnamed, _: object) -> None:
    """Raise LookupError."""
    raise LookupError from why


ONCE: Final = ("broken", "refused", "misnamed", "told", "late", "id @skip(if: $v)")
TWICE: Final = [f"{name}\n{name}" for name in (*ONCE[:-1], "strange{name}")]


@pytest.mark.parametrize(
    ("compiled", "selected"),
    [*product((True, False), ONCE), *((True, selected) for selected in TWICE)],
)
async def test_lines_of_a_document_are_searched_once_for_all_its_errors(
    *, compiled: bool, selected: str
) -> None:
    errors = ErrorMapper(shown=(Refused,), readable=ValueError, checked=Misnamed, check=check)
    engine: Any = Engine(Schema(query=Query), LIMITS, SIZES, errors, timeout=10, compiled=compiled)
    variables = "($v: Boolean = true)" if "$" in selected else ""
    query = f"query Q{variables} {{ {BREAKS} rows {{ {selected} }} }}"
    request, context, searched = GraphQLRequest(query, None, {"v": None}), Request(), 0

    def note(_: FrameType, event: str, called: Any) -> None:  # noqa: ANN401 — any function
        nonlocal searched
        if event == "c_call" and isinstance(getattr(called, "__self__", None), re.Match):
            searched += 1  # a line break is found
        elif event == "c_call" and called.__name__ in {"split", "splitlines"}:
            searched += len(called.__self__ if isinstance(called.__self__, str) else query)

    sys.setprofile(note)
    try:
        with capture_logs():
            result = await engine.execute(request, context)
    finally:
        sys.setprofile(None)
    named = "[$]v(?=[)] )" if "$" in selected else re.split(r"\W", selected, maxsplit=1)[0]
    places = [Source(query).get_location(each.start()) for each in re.finditer(named, query)]
    assert [error.locations for error in result.errors] == [places] * ROWS
    assert searched < 2 * len(query)
