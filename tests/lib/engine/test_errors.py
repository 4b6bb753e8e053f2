"""Errors that clients are shown: words of our own, codes, and never a library's."""

from typing import ClassVar

import pytest
from graphql import GraphQLError

from gql_app.lib.engine import UnreadableValue, client_errors, retry_after


class Refused(Exception):
    """An exception that a client is shown."""

    extensions: ClassVar = {"code": "REFUSED", "retryAfter": 3}


@pytest.mark.parametrize("executed", [True, False])
@pytest.mark.parametrize("why", [ValueError("words of a library"), TypeError("words of a library")])
def test_no_words_of_a_library_are_repeated(why: Exception, *, executed: bool) -> None:
    inner = GraphQLError(f"encountered error '{why}'", original_error=why)
    outer = GraphQLError(f"has invalid value: {inner.message}", original_error=inner)
    for error in client_errors([inner, outer], "the id", executed=executed, shown=()):
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
    assert [
        error.message for error in client_errors(raised, "the id", executed=False, shown=())
    ] == told


def test_only_exceptions_that_are_named_are_shown_as_they_are() -> None:
    raised = [GraphQLError("refused", original_error=why) for why in (Refused(), LookupError())]
    shown, masked = client_errors(raised, "the id", executed=True, shown=(Refused,))
    assert (shown.message, shown.extensions) == ("refused", Refused.extensions)
    assert masked.extensions == {"code": "INTERNAL_SERVER_ERROR", "requestId": "the id"}
    assert "refused" not in masked.message


def test_longest_wait_of_all_errors_is_what_to_wait() -> None:
    waits = [GraphQLError("x", extensions={"retryAfter": seconds}) for seconds in (1, 10, 3)]
    assert retry_after([GraphQLError("x"), *waits]) == 10
    assert retry_after([GraphQLError("x")]) is None
    assert retry_after([]) is retry_after(None) is None
