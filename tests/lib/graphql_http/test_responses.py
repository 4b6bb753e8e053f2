"""What was executed, as it is answered."""

import json
from uuid import UUID

import pytest
from graphql import ExecutionResult, GraphQLError

from gql_app.lib.graphql_http import outcome, write
from gql_app.lib.graphql_http.messages import retry_after

JSON = "application/json"
GRAPHQL = "application/graphql-response+json"


def error(code: str, *path: str, **more: object) -> GraphQLError:
    """Return an error with a code."""
    return GraphQLError("No.", path=path or None, extensions={"code": code, **more})


@pytest.mark.parametrize(
    ("result", "status"),
    [
        (ExecutionResult({"a": 1}, None), 200),
        (ExecutionResult(None, [error("GRAPHQL_PARSE_FAILED")]), 400),
        (ExecutionResult(None, [error("DEADLINE_EXCEEDED", mayBeDone=True)]), 504),
        (ExecutionResult({"a": None}, [error("UNAUTHENTICATED", "a")]), 401),
        (ExecutionResult({"a": None}, [error("FORBIDDEN", "a")]), 403),
        (ExecutionResult({"a": None, "b": 1}, [error("FORBIDDEN", "a")]), 200),
        (ExecutionResult({"a": None}, [error("BAD_USER_INPUT", "a")]), 200),
        (
            ExecutionResult(
                {"a": None, "b": None}, [error("FORBIDDEN", "a"), error("UNAUTHENTICATED", "b")]
            ),
            200,
        ),
        (ExecutionResult(None, [error("INTERNAL_SERVER_ERROR", "a")]), 200),
        (ExecutionResult({"a": {"b": None}}, [error("FORBIDDEN", "a", "b")]), 200),
    ],
)
def test_status_says_how_it_came_out_where_the_media_type_has_it(
    result: ExecutionResult, status: int
) -> None:
    for media_type, expected in ((GRAPHQL, status), (JSON, 200), (None, 200)):
        answered, headers, _ = write(result, media_type)
        assert answered == expected
        assert headers == [(b"content-type", f"{media_type or JSON}; charset=utf-8".encode())]


@pytest.mark.parametrize("media_type", [GRAPHQL, JSON, None])
def test_late_operation_of_which_nothing_was_done_is_504(media_type: str | None) -> None:
    """So that proxies and clients see it, and may send it again."""
    status, headers, _ = write(ExecutionResult(None, [error("DEADLINE_EXCEEDED")]), media_type)
    assert (status, [name for name, _ in headers]) == (504, [b"content-type"])


def test_longest_wait_of_all_errors_is_what_to_wait() -> None:
    waits = [error("SERVICE_UNAVAILABLE", retryAfter=seconds) for seconds in (1, 10, 3)]
    assert retry_after([GraphQLError("x"), *waits]) == 10
    assert retry_after([GraphQLError("x")]) is None
    assert retry_after([]) is retry_after(None) is None
    for media_type in (JSON, GRAPHQL):
        status, headers, _ = write(ExecutionResult({"a": None}, waits), media_type)
        assert (status, dict(headers)[b"retry-after"]) == (503, b"10")


def test_data_is_left_out_where_nothing_was_executed() -> None:
    known = UUID(int=7)
    assert json.loads(write(ExecutionResult({"a": known}, None), JSON)[2]) == {
        "data": {"a": str(known)}
    }
    assert list(json.loads(write(ExecutionResult(None, [error("X")]), JSON)[2])) == ["errors"]
    executed = json.loads(write(ExecutionResult(None, [error("X", "a")]), JSON)[2])
    assert (list(executed), executed["data"]) == (["errors", "data"], None)
    with pytest.raises(TypeError):
        write(ExecutionResult({"a": object()}, None), JSON)


def test_outcome_has_each_reason_or_code_once() -> None:
    errors = [error("A"), error("A"), error("B", reason="C")]
    assert outcome(errors, {"D"}) == "A C D"
    assert outcome(None, ()) == outcome([], ()) == "OK"
