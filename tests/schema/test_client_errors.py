"""Errors that clients are shown: words of our own, codes, and never a library's."""

from types import SimpleNamespace
from typing import cast

import pytest
from graphql import GraphQLError

from gql_app.errors import AdminRequired
from gql_app.schema.context import Context
from gql_app.schema.errors import map_errors
from gql_app.schema.types import UnreadableValue

CONTEXT = cast("Context", SimpleNamespace(request_id="the id", writes=False))


@pytest.mark.parametrize("executed", [True, False])
@pytest.mark.parametrize("why", [ValueError("words of a library"), TypeError("words of a library")])
def test_no_words_of_a_library_are_repeated(why: Exception, *, executed: bool) -> None:
    inner = GraphQLError(f"encountered error '{why}'", original_error=why)
    outer = GraphQLError(f"has invalid value: {inner.message}", original_error=inner)
    for error in map_errors([inner, outer], CONTEXT, executed=executed):
        assert "words of a library" not in error.message
        assert error.extensions


def test_words_of_graphql_core_and_of_our_scalars_are_repeated() -> None:
    ours = UnreadableValue("there is no such moment")
    raised = [
        GraphQLError("Field 'x' is unknown."),
        GraphQLError("there is no such moment", original_error=ours),
        GraphQLError("has invalid value", original_error=GraphQLError("Int is too large")),
    ]
    told = [error.message for error in raised]
    assert [error.message for error in map_errors(raised, CONTEXT, executed=False)] == told


def test_only_exceptions_that_are_named_are_shown_as_they_are() -> None:
    refused = AdminRequired("audit:read")
    raised = [GraphQLError("refused", original_error=why) for why in (refused, LookupError())]
    shown, masked = map_errors(raised, CONTEXT, executed=True)
    assert (shown.message, shown.extensions) == ("refused", refused.extensions)
    assert masked.extensions == {"code": "INTERNAL_SERVER_ERROR", "requestId": "the id"}
    assert "refused" not in masked.message
