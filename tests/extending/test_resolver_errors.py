"""Errors of a feature's fields: wrong values are the server's fault, denials are forbidden."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime
from enum import Enum
from typing import Any

import pytest
import strawberry
from graphql import GraphQLError
from strawberry.permission import BasePermission
from strawberry.scalars import JSON
from structlog.testing import capture_logs

from gql_app import Feature
from gql_app.lib.engine import MAX_ERRORS
from gql_app.settings import Settings
from tests.api import GRAPHQL, running
from tests.extending.graph import graph
from tests.scraping import told

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

SECRET = "value of a wrong type"
REQUEST = "Something went wrong on our side. If it happens again, tell us the request's id: "


@strawberry.enum
class Size(Enum):
    """A size."""

    LARGE = "large"


@strawberry.interface
class Shape:
    """A shape."""

    area: int = 1


@strawberry.type
class Square(Shape):
    """A shape of the schema."""

    @classmethod
    def is_type_of(cls, value: object, _: object) -> bool:
        """Return whether a value is a square."""
        return isinstance(value, cls)


@strawberry.type
class Hidden(Shape):
    """A shape that Feature.types lacks."""


@strawberry.type
class Line:
    """A line, whose number may be wrong."""

    number: int
    sizes: list[Size] | None = None


@strawberry.type
class Numbered:
    """What has a number, as a line, and no sizes."""

    number: int


async def _each() -> AsyncIterator[Any]:
    yield SECRET


VALUES: dict[str, Any] = {"text": SECRET, "large": 2**31, "object": object(), "list": [SECRET]}


@strawberry.type
class Wrong:
    """Fields whose resolvers return anything."""

    @strawberry.field
    def number(self, of: str) -> int | None:
        """Return a number."""
        return VALUES[of]  # type: ignore[no-any-return]

    @strawberry.field
    def sure(self) -> int:
        """Return a number, not null."""
        return SECRET  # type: ignore[return-value]

    @strawberry.field
    def nothing(self) -> int:
        """Return null where none is allowed."""
        return None  # type: ignore[return-value]

    @strawberry.field
    async def later(self) -> int | None:
        """Return a number later."""
        await asyncio.sleep(0)
        return SECRET  # type: ignore[return-value]

    @strawberry.field
    def ratio(self) -> float | None:
        """Return a ratio."""
        return float("inf")

    @strawberry.field
    def flag(self) -> bool | None:
        """Return a flag."""
        return SECRET  # type: ignore[return-value]

    @strawberry.field
    def size(self) -> Size | None:
        """Return a size."""
        return SECRET  # type: ignore[return-value]

    @strawberry.field
    def time(self) -> datetime | None:
        """Return a time."""
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
    def iterated(self) -> list[int] | None:
        """Return a list asynchronously."""
        return _each()  # type: ignore[return-value]

    @strawberry.field
    def lines(self) -> list[Line] | None:
        """Return more lines than a function is generated after, the last one wrong."""
        return [*(Line(number=n) for n in range(50)), Line(number=SECRET)]  # type: ignore[arg-type]

    @strawberry.field
    async def nested(self) -> Line | None:
        """Return a line with a wrong size."""
        return Line(number=1, sizes=[SECRET])  # type: ignore[list-item]

    @strawberry.field
    def shape(self) -> Shape | None:
        """Return a shape that the schema lacks."""
        return Hidden()

    @strawberry.field
    def square(self) -> Square | None:
        """Return what is no square."""
        return Hidden()  # type: ignore[return-value]

    @strawberry.field
    def similar(self) -> Line | None:
        """Return what is no line, and has a number."""
        return Numbered(number=7)  # type: ignore[return-value]


@strawberry.type
class Raising:
    """Fields that raise."""

    @strawberry.field
    def raised(self) -> int | None:
        """Raise an error for clients."""
        message = "Shown as it is."
        raise GraphQLError(message)

    @strawberry.field
    def coded(self) -> int | None:
        """Raise an error with a code."""
        message = "Shown as it is."
        raise GraphQLError(message, extensions={"code": "OF_ITS_OWN", "day": 7})

    @strawberry.field
    async def returned(self) -> int | None:
        """Return an error for clients."""
        return GraphQLError("Shown as it is.")  # type: ignore[return-value]


class Weekdays(BasePermission):
    """A permission that nobody has."""

    message = "Only on weekdays."

    def has_permission(self, *_: object, **__: object) -> bool:
        """Return False."""
        return False


class Later(BasePermission):
    """A permission that nobody has, after a while."""

    message = "Only on weekdays."

    async def has_permission(self, *_: object, **__: object) -> bool:
        """Return False."""
        await asyncio.sleep(0)
        return False


class Coded(Weekdays):
    """A permission with a code of its own."""

    error_extensions = {"code": "WEEKEND", "day": 7}  # noqa: RUF012 — Strawberry's attribute


class Reasoned(Weekdays):
    """A permission with a reason."""

    error_extensions = {"reason": "WEEKEND"}  # noqa: RUF012 — Strawberry's attribute


class DenialError(GraphQLError):
    """An error of its own."""


class Classed(Weekdays):
    """A permission with an error class of its own."""

    error_class = DenialError


class UntellableError(Exception):
    """An error whose text can't be had."""

    def __str__(self) -> str:
        """Raise ValueError."""
        return str(int(SECRET))


class Own(Weekdays):
    """A permission that raises an error itself."""

    def on_unauthorized(self) -> None:
        """Raise an error."""
        raise DenialError(self.message)


def _one() -> int:
    return 1


async def _one_later(info: strawberry.Info[Any, Any]) -> int:  # noqa: ARG001 — so it is simplified
    return 1


@strawberry.type
class Untellable:
    """Fields whose errors have no text."""

    @strawberry.field
    def at_once(self) -> int | None:
        """Raise it."""
        raise UntellableError

    @strawberry.field
    async def later(self) -> int | None:
        """Raise it later."""
        await asyncio.sleep(0)
        raise UntellableError

    @strawberry.field
    async def sure(self) -> int:
        """Raise it, so that the object is null."""
        raise UntellableError


LONE = "\udcff"
"""A text that is not UTF-8, as the names of files may be."""


@strawberry.type
class Named(Shape):
    """An object whose values can't be written as JSON."""

    name: str | None = LONE
    sure: str = LONE
    names: list[str | None] = strawberry.field(default_factory=lambda: ["a", LONE])
    data: JSON | None = None
    number: int = 1

    @classmethod
    def is_type_of(cls, value: object, _: object) -> bool:
        """Return whether a value is one."""
        return isinstance(value, cls)


@strawberry.type
class Unwritten:
    """Fields of such values."""

    lone: str | None = strawberry.field(resolver=lambda: LONE)
    fine: str = strawberry.field(resolver=lambda: "fine")
    named: Named | None = strawberry.field(resolver=lambda: Named(data=JSON({"a": object()})))
    every: list[Named] | None = strawberry.field(resolver=lambda: [Named(), Named()])
    certain: str = strawberry.field(resolver=lambda: LONE)

    @strawberry.field
    def shape_of_it(self) -> Shape | None:
        """Return an object by its interface."""
        return Named()

    @strawberry.field
    def told(self) -> int | None:
        """Raise an error whose message can't be written."""
        raise GraphQLError(LONE)


UNWRITTEN = """{
  __typename lone fine
  named { __typename name names number data ...Numbered }
  it: shapeOfIt { area ... on Named { called: name } }
  every { number ... { sure } }
  told
}
fragment Numbered on Named { number nothing: name }"""


@strawberry.type
class Untold:
    """Objects with such fields."""

    one: Untellable | None = strawberry.field(resolver=Untellable)


@strawberry.type
class Guarded:
    """Fields with permissions."""

    plain: int | None = strawberry.field(resolver=_one, permission_classes=[Weekdays])
    simplified: int | None = strawberry.field(resolver=_one_later, permission_classes=[Later])
    sure_later: int = strawberry.field(resolver=_one_later, permission_classes=[Later])
    coded_denial: int | None = strawberry.field(resolver=_one, permission_classes=[Coded])
    reasoned: int | None = strawberry.field(resolver=_one, permission_classes=[Reasoned])
    classed: int | None = strawberry.field(resolver=_one, permission_classes=[Classed])
    own: int | None = strawberry.field(resolver=_one, permission_classes=[Own])


WRONG = (
    *(f'number(of: "{each}")' for each in VALUES),
    *("sure", "nothing", "later", "ratio", "flag", "size", "time", "lists", "items", "iterated"),
    *("lines { number }", "nested { sizes }", "shape { area }", "square { area }"),
    "similar { sizes }",
)
DENIALS: dict[str, dict[str, object]] = {
    "plain": {"code": "FORBIDDEN"},
    "simplified": {"code": "FORBIDDEN"},
    "sureLater": {"code": "FORBIDDEN"},
    "codedDenial": {"code": "WEEKEND", "day": 7},
    "reasoned": {"code": "FORBIDDEN", "reason": "WEEKEND"},
    "classed": {"code": "FORBIDDEN"},
    "own": {"code": "FORBIDDEN"},
}
"""The extensions of each field's denial."""
FEATURE = Feature("wrong", queries=[Wrong, Raising, Guarded], types=[Square])


@pytest.fixture(params=[True, False], ids=["compiled", "graphql-core"])
def either(request: pytest.FixtureRequest, settings: Settings) -> Settings:
    """Return the settings of either executor."""
    return settings.model_copy(update={"compiled": request.param})


async def test_wrong_value_is_a_server_error_that_is_logged_and_not_shown(
    either: Settings,
) -> None:
    async with graph(either, [FEATURE]) as wrong:
        for field in WRONG:
            with capture_logs() as log:
                answer = await wrong.ask(f"{{ {field} }}")
            [error] = answer.errors
            assert error["extensions"] == {"code": "INTERNAL_SERVER_ERROR", "requestId": "none"}
            assert error["message"] == f"{REQUEST}none."
            [line] = log
            assert (line["event"], line["path"]) == ("Unforeseen error", error["path"]), field
            assert isinstance(line["exc_info"], Exception), field


async def test_object_is_read_by_its_attributes_whatever_its_class(either: Settings) -> None:
    async with graph(either, [FEATURE]) as wrong:
        data = await wrong.data("{ similar { __typename number } }")
    assert data == {"similar": {"__typename": "Line", "number": 7}}


async def test_wrong_argument_and_an_error_for_clients_are_shown(either: Settings) -> None:
    arguments: list[tuple[str, dict[str, Any]]] = [
        ("query ($of: String!) { number(of: $of) }", {"of": 1}),
        ('query ($of: String = "text") { number(of: $of) }', {"of": None}),
        ("query ($no: Boolean = true) { later @skip(if: $no) }", {"no": None}),
        ("query ($no: Boolean = true) { nested { number @skip(if: $no) } }", {"no": None}),
        ("query ($no: Boolean = true) { lines { number @include(if: $no) } }", {"no": None}),
    ]
    async with graph(either, [FEATURE]) as wrong:
        with capture_logs() as log:
            for query, variables in arguments:
                errors = (await wrong.ask(query, **variables)).errors
                assert {error["extensions"]["code"] for error in errors} == {"BAD_USER_INPUT"}
            raised = await wrong.ask("{ raised coded returned }")
        assert log == []
    assert {error["message"] for error in raised.errors} == {"Shown as it is."}
    assert {error["path"][0]: error["extensions"] for error in raised.errors} == {
        "raised": {"code": "BAD_USER_INPUT"},
        "coded": {"code": "OF_ITS_OWN", "day": 7},
        "returned": {"code": "BAD_USER_INPUT"},
    }


@pytest.mark.parametrize("field", ["atOnce", "later", "sure"])
async def test_error_without_a_text_is_a_server_error(either: Settings, field: str) -> None:
    async with graph(either, [Feature("untold", queries=[Untold])]) as untold:
        with capture_logs() as log:
            answer = await untold.ask(f"{{ one {{ {field} }} }}")
    [error] = answer.errors
    is_at_field = either.compiled and field != "sure"  # graphql-core's is at the object
    assert answer.data == {"one": {field: None} if is_at_field else None}
    assert error["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
    assert SECRET not in error["message"]
    assert [line["event"] for line in log] == ["Unforeseen error"]


async def test_value_that_can_not_be_written_is_a_server_error_at_its_root_field(
    either: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    features = [Feature("unwritten", queries=[Unwritten], types=[Named])]
    async with running(either, features=features) as api:
        capsys.readouterr()
        answer = await api.run(UNWRITTEN)
        lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
        none = await api.run("{ fine certain }")
    unwritable = ["lone", "named", "it", "every", "told"]
    assert answer.body["data"] == {
        "__typename": "Query",
        "fine": "fine",
        **dict.fromkeys(unwritable),
    }
    codes = {tuple(each["path"]): each["extensions"]["code"] for each in answer.errors}
    assert codes == dict.fromkeys(((each,) for each in unwritable), "INTERNAL_SERVER_ERROR")
    assert [line["event"] for line in lines] == ["Unforeseen error"] * MAX_ERRORS + ["Request"]
    assert lines[-1]["outcome"] == "INTERNAL_SERVER_ERROR"
    assert (none.status, none.body["data"], none.code("certain")) == (
        200, None, "INTERNAL_SERVER_ERROR",
    )  # fmt: skip


async def test_denial_by_a_permission_of_the_feature_is_forbidden(either: Settings) -> None:
    async with graph(either, [FEATURE]) as wrong:
        for field, extensions in DENIALS.items():
            with capture_logs() as log:
                answer = await wrong.ask(f"{{ {field} }}")
            [error] = answer.errors
            assert (error["message"], error["extensions"]) == ("Only on weekdays.", extensions)
            assert (error["path"], log) == ([field], [])


async def test_wrong_value_is_a_server_error_over_http(
    either: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    query = '{ shape { area } square { area } number(of: "text") __type(name: "s3cret") { name } }'
    async with running(either, features=[FEATURE]) as api:
        answer = await api.run(query, accept=GRAPHQL)
    request_id = answer.headers["x-request-id"]
    assert [error["message"] for error in answer.errors] == [f"{REQUEST}{request_id}."] * 3
    log = capsys.readouterr().err
    assert "s3cret" not in log
    written = [json.loads(line) for line in log.splitlines()]
    causes = [line["exception"] for line in written if line["event"] == "Unforeseen error"]
    for cause, why in zip(causes, ("'Hidden'", "'Square'", SECRET), strict=True):
        assert why in cause
    [line] = [line for line in written if line["event"] == "Request"]
    assert (line["request_id"], line["outcome"]) == (request_id, "INTERNAL_SERVER_ERROR")


async def test_denial_is_forbidden_over_http(settings: Settings) -> None:
    async with running(settings, features=[FEATURE]) as api:
        answer = await api.run("{ plain }", accept=GRAPHQL)
        now = told(api.resources.metrics)
    assert (answer.status, answer.code("plain")) == (403, "FORBIDDEN")
    assert now.of("gql_app_requests_total", operation="query", outcome="FORBIDDEN") == 1
    assert now.of("gql_app_refusals_total", reason="FORBIDDEN") == 1
