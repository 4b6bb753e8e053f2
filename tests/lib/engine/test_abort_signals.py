"""An operation that is aborted is answered as by graphql-core, with what it had done so far."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from inspect import isawaitable
from typing import Any, Final

import pytest
from graphql import AbortedGraphQLExecutionError, ExecutionResult, execute, parse
from graphql.pyutils import AbortController

from gql_app.lib.engine import CompiledExecutor
from tests.lib.engine.both import SCHEMA, Late, Said, later

REASONS: Final[Mapping[str, object]] = {
    "exception": ValueError("enough"),
    "text": "enough",
    "none": None,
}
QUERIES: Final = (
    "{ slow text }",
    "{ text slow }",
    "{ book { name late } text }",
    "{ book { lateNeed } text }",
    "{ books { name late } text }",
    "{ booksNeed { lateNeed } text }",
    "{ things { ... on Book { name } } text }",
    "{ named { name } text }",
    "{ many { name } text }",
    "{ broken slow }",
    "{ bookNeed { name } broken }",
    "mutation { first { name late } second third fourth }",
    "mutation { second third fourth }",
    "mutation { fourth second third }",
)
"""`text`, `second` and `broken` abort it; what is late, slow or in a list takes for ever."""


class Root:
    """What is asked, and what happens meanwhile."""

    def __init__(self, reason: object) -> None:
        self.controller: Final = AbortController()
        self.did: Final[list[str]] = []
        self._reason = reason
        book = {"name": "n", "late": self.hang, "lateNeed": self.hang, "type": "Book"}
        self.values: Final[Mapping[str, object]] = {
            "slow": self.hang,
            "text": self.stop_later,
            "broken": self.stop,
            "book": book,
            "bookNeed": book,
            "books": [book, Late(book), None],
            "booksNeed": [book, book],
            "things": [{"type": self.hang}, book],
            "named": self.hang,
            "many": self.endless(book),
            "first": book | {"late": later("l", 2)},
            "second": self.stop_later,
            "third": self.hang,
            "fourth": "f",
        }

    async def hang(self, *_: object) -> None:
        """Return nothing, ever."""
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.did.append("cancelled")
            raise

    async def endless(self, book: object) -> AsyncIterator[object]:
        """Return one book, and then nothing, ever."""
        yield book
        await self.hang()

    def stop(self, _info: object) -> str:
        """Abort the operation."""
        self.controller.abort(self._reason)
        return "stopped"

    async def stop_later(self, info: object) -> str:
        """Abort the operation once the others wait."""
        for _ in range(5):
            await asyncio.sleep(0)
        return self.stop(info)


async def settled(result: Any) -> Said | str:  # noqa: ANN401 — whatever an executor returns
    """Return what is answered, or the exception that is raised."""
    try:
        result = await result if isawaitable(result) else result
    except Exception as error:  # noqa: BLE001 — whatever it is, it is compared
        return repr(error)
    assert isinstance(result, ExecutionResult)
    return Said.of(result, [])


async def executed(query: str, root: Root, kind: type[CompiledExecutor] | None) -> ExecutionResult:
    """Return what an executor answers."""
    signal = root.controller.signal
    result = execute(SCHEMA, parse(query), root.values, abort_signal=signal, executor_class=kind)
    return result if isinstance(result, ExecutionResult) else await result


async def aborted(query: str, root: Root, kind: type[CompiledExecutor] | None) -> tuple[Any, ...]:
    """Return the error that an operation is aborted with, and the answer that it holds."""
    with pytest.raises(AbortedGraphQLExecutionError) as raised:
        await executed(query, root, kind)
    error = raised.value
    return repr(error), repr(error.reason), await settled(error.aborted_result), sorted(root.did)


@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize("query", QUERIES)
async def test_operation_that_is_aborted_is_answered_alike(
    query: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = await aborted(query, Root(REASONS[reason]), None)
    monkeypatch.setattr(CompiledExecutor, "execute_field", None)  # none is graphql-core's
    assert await aborted(query, Root(REASONS[reason]), CompiledExecutor) == theirs


@pytest.mark.parametrize("kind", [None, CompiledExecutor])
async def test_operation_that_was_aborted_before_is_not_begun(
    kind: type[CompiledExecutor] | None,
) -> None:
    root = Root(ValueError("enough"))
    root.stop(None)
    with pytest.raises(ValueError, match="enough"):
        await executed("{ slow }", root, kind)
    assert root.did == []


@pytest.mark.parametrize("query", ["{ book { name } }", "{ book { name } books { name } }"])
async def test_signal_that_is_not_given_changes_nothing(query: str) -> None:
    theirs, ours = [await executed(query, Root(None), kind) for kind in (None, CompiledExecutor)]
    assert ours == theirs
    assert theirs.errors is None
