"""Errors as clients see them: those of the application as they are, others coded or masked."""

from collections.abc import Iterator, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pytest
from graphql import GraphQLError, GraphQLSyntaxError, Source
from structlog.testing import capture_logs

from gql_app.lib.engine import MAX_ERRORS, ErrorMapper, OperationTimeout
from gql_app.lib.faults import DependencyFailed, Unavailable

Lines = Sequence[MutableMapping[str, Any]]


@dataclass
class Context:
    """The context of a request."""

    request_id: str = "the id"
    writes: bool = False


class Refusal(Exception):
    """What a client is shown."""

    extensions: Final = {"code": "REFUSED"}


class Misnamed(Refusal):
    """A refusal that the application's own check finds wrong."""


class Unreadable(ValueError):
    """What a scalar of the application raises."""


def check(why: Misnamed, context: Context) -> None:
    """Raise LookupError, for the name is none of the schema's."""
    raise LookupError(context.request_id) from why


MAP: Final = ErrorMapper[Context](
    shown=(Refusal, Unavailable), readable=Unreadable, checked=Misnamed, check=check
)


@pytest.fixture
def lines() -> Iterator[Lines]:
    """Yield what is logged."""
    with capture_logs() as logged:
        yield logged


def error(why: Exception | None = None, message: str = "what it says") -> GraphQLError:
    """Return the error of a field."""
    return GraphQLError(message, path=["field"], original_error=why)


def codes(*errors: GraphQLError, executed: bool = True) -> list[object]:
    """Return the codes that a client is shown."""
    shown = MAP(errors, Context(), executed=executed)
    return [(each.extensions or {})["code"] for each in shown]


def test_the_applications_own_are_shown_and_any_other_is_masked(lines: Lines) -> None:
    shown, masked = MAP([error(Refusal()), error(KeyError("secret"))], Context(), executed=True)
    assert (shown.message, shown.extensions) == ("what it says", {"code": "REFUSED"})
    assert shown.__traceback__ is None
    assert "secret" not in masked.message
    assert masked.path == ["field"]
    assert masked.extensions == {"code": "INTERNAL_SERVER_ERROR", "requestId": "the id"}
    [line] = lines
    assert (line["event"], line["path"]) == ("Unforeseen error", ["field"])


def test_one_whose_check_fails_is_masked(lines: Lines) -> None:
    assert codes(error(Misnamed())) == ["INTERNAL_SERVER_ERROR"]
    [line] = lines
    assert repr(line["exc_info"]) == "LookupError('the id')"


def test_of_many_masked_errors_the_first_are_logged(lines: Lines) -> None:
    assert codes(*[error(KeyError())] * 50) == ["INTERNAL_SERVER_ERROR"] * 50
    assert len(lines) == MAX_ERRORS


def test_causes_of_what_is_unavailable_are_logged_once_each(lines: Lines) -> None:
    down = [Unavailable(), Unavailable(), DependencyFailed()]
    assert codes(*map(error, down)) == ["SERVICE_UNAVAILABLE"] * 3
    [line] = lines
    assert line["event"] == Unavailable.event
    assert line["causes"] == ["Unavailable: " + Unavailable.advice]


@pytest.mark.parametrize("writes", [False, True])
def test_a_timeout_says_whether_a_write_may_be_done(*, writes: bool) -> None:
    late = error(OperationTimeout(0.5))
    [shown] = MAP([late], Context(writes=writes), executed=True)
    told = {"mayBeDone": True} if writes else {}
    assert shown.extensions == {"code": "DEADLINE_EXCEEDED", **told}
    assert "0.5 seconds" in shown.message


def test_what_is_not_executed_is_a_fault_of_the_document_or_of_its_values(lines: Lines) -> None:
    syntax = GraphQLSyntaxError(Source("{"), 0, "Expected Name.")
    assert codes(syntax, executed=False) == ["GRAPHQL_PARSE_FAILED"]
    faults = [error(), error(ValueError()), error(error(Unreadable()))]
    assert codes(*faults, executed=False) == ["GRAPHQL_VALIDATION_FAILED"] * 3
    assert lines == []
    assert codes(error(KeyError()), executed=False) == ["INTERNAL_SERVER_ERROR"]
    assert len(codes(*[error()] * 50, executed=False)) == MAX_ERRORS


@pytest.mark.parametrize("executed", [False, True])
def test_messages_are_shown_without_values_and_not_without_end(*, executed: bool) -> None:
    told = {
        "Expected type 'Int', found {password: \"secret\"}": "Expected type 'Int'.",
        "String cannot represent a non string value: ['secret']": (
            "String cannot represent a non string value."
        ),
        "x" * 5_000: "x" * 1_000,
    }
    for message, expected in told.items():
        [shown] = MAP([error(None, message)], Context(), executed=executed)
        assert shown.message == expected


def test_messages_of_scalars_are_shown_if_they_are_the_applications() -> None:
    ours, other = (
        GraphQLError("as it was", original_error=e) for e in (Unreadable(), ValueError())
    )
    shown, hidden = MAP([ours, other], Context(), executed=False)
    assert shown.message == "as it was"
    assert "as it was" not in hidden.message


def test_of_foreign_errors_the_expected_type_is_told_alone() -> None:
    told = {
        "Expected value of type 'Addr', but encountered error 'secret'; found: 7.": (
            "Expected value of type 'Addr'."
        ),
        "secret": "A value can't be read.",
    }
    for message, expected in told.items():
        [shown] = MAP([error(ValueError("secret"), message)], Context(), executed=False)
        assert shown.message == expected


def test_of_too_many_digits_is_told_without_pythons_words() -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 — the message is Python's
        int("9" * 5_000)
    why = caught.value
    [shown] = MAP([error(why, f"Expected type 'Int', found {why}")], Context(), executed=False)
    assert shown.message == "A value can't be read. Does a number have thousands of digits?"
