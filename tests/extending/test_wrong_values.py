"""Values of resolvers that their fields can't have: server errors, whose values nobody is shown."""

from collections.abc import AsyncIterator
from enum import Enum
from typing import Any

import pytest
import strawberry
from graphql import GraphQLError
from structlog.testing import capture_logs

from gql_app import Feature
from gql_app.settings import Settings
from tests.extending.graph import graph

SECRET = "value of a wrong type"


@strawberry.enum
class Size(Enum):
    """A size."""

    LARGE = "large"


@strawberry.type
class Line:
    """A line, whose number may be wrong."""

    number: int
    sizes: list[Size] | None = None


async def _each() -> AsyncIterator[str]:
    yield SECRET


VALUES: dict[str, Any] = {
    "text": SECRET,
    "large": 2**31,
    "generator": _each,
    "object": object(),
}


@strawberry.type
class Wrong:
    """Fields whose resolvers return anything."""

    @strawberry.field
    def number(self, of: str) -> int | None:
        """Return a number."""
        value = VALUES[of]
        return value() if of == "generator" else value  # type: ignore[no-any-return]

    @strawberry.field
    async def later(self) -> int | None:
        """Return a number later."""
        return SECRET  # type: ignore[return-value]

    @strawberry.field
    def ratio(self) -> float | None:
        """Return a ratio."""
        return float("inf")

    @strawberry.field
    def size(self) -> Size | None:
        """Return a size."""
        return SECRET  # type: ignore[return-value]

    @strawberry.field
    def lists(self) -> list[int] | None:
        """Return a list."""
        return 7  # type: ignore[return-value]

    @strawberry.field
    def items(self) -> list[int] | None:
        """Return a list with a wrong item."""
        return [1, SECRET]  # type: ignore[list-item]

    @strawberry.field
    def lines(self) -> list[Line] | None:
        """Return more lines than a function is generated after, the last one wrong."""
        return [*(Line(number=n) for n in range(50)), Line(number=SECRET)]  # type: ignore[arg-type]

    @strawberry.field
    async def nested(self) -> Line | None:
        """Return a line with a wrong size."""
        return Line(number=1, sizes=[SECRET])  # type: ignore[list-item]

    @strawberry.field
    def raised(self) -> int | None:
        """Raise an error for clients."""
        message = "Shown as it is."
        raise GraphQLError(message)


FEATURE = Feature("wrong", queries=[Wrong])


@pytest.fixture(params=[True, False], ids=["compiled", "graphql-core"])
def either(request: pytest.FixtureRequest, settings: Settings) -> Settings:
    """Return the settings of either executor."""
    return settings.model_copy(update={"compiled": request.param})


async def test_wrong_value_is_a_server_error_that_is_logged_and_not_shown(
    either: Settings,
) -> None:
    fields = [
        *(f'number(of: "{each}")' for each in VALUES),
        *("later", "ratio", "size", "lists", "items", "lines { number }", "nested { sizes }"),
    ]
    async with graph(either, [FEATURE]) as wrong:
        for field in fields:
            with capture_logs() as log:
                answer = await wrong.ask(f"{{ {field} }}")
            [error] = answer.errors
            assert error["extensions"]["code"] == "INTERNAL_SERVER_ERROR", field
            assert error["message"].startswith("Something went wrong on our side."), field
            assert [each["event"] for each in log] == ["Unforeseen error"], field


async def test_wrong_argument_and_an_error_for_clients_are_shown(either: Settings) -> None:
    async with graph(either, [FEATURE]) as wrong:
        shown = await wrong.ask("{ raised }")
        assert shown.code("raised") == "BAD_USER_INPUT"
        assert shown.errors[0]["message"] == "Shown as it is."
        for query, variables in (
            ("query ($of: String!) { number(of: $of) }", {"of": 1}),
            ("query ($no: Boolean) { nested { number @skip(if: $no) } }", {"no": None}),
            ("query ($no: Boolean = true) { lines { number @skip(if: $no) } }", {"no": None}),
        ):
            [error] = (await wrong.ask(query, **variables)).errors
            code = error["extensions"]["code"]
            assert code in {"BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED"}, query
