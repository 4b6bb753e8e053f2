"""Kept documents: bounded by what they weigh, whatever and however many are sent."""

import gc
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Final

import pytest
from graphql import parse

from bench.hostile import FIELDS, LENGTH
from gql_app.lib.engine.document_validator import Admission
from gql_app.lib.engine.documents import DOCUMENT_BYTES, MOST_BYTES, Document, KeptDocuments
from gql_app.lib.engine.execution import Asked, Execution
from gql_app.lib.engine.limits import Limits
from gql_app.schema.context import Context
from gql_app.schema.root import build_schema
from tests.api import Api
from tests.people import NOWHERE, Person

LIST: Final = (
    f"nodes {{ {FIELDS} }} edges {{ cursor node {{ {FIELDS} }} }} pageInfo {{ endCursor }}"
)
CRABS: Final = "\U0001f980" * 30_000
"""Characters that take four bytes each."""
KINDS: Final[dict[str, Callable[[int], str]]] = {
    "tiny": lambda n: f"{{ me {{ id }} }} #{n}",
    "list": lambda n: f"query Q{n}($v: Int) {{ customers(first: $v) {{ {LIST} totalCount }} }}",
    "lists": lambda n: f"query Q{n} {{ {_many(8, 'a%s: customers { nodes { id name } }')} }}",
    "values": lambda n: (
        f"query Q{n} {{ {_many(15, 'a%s: me { ...F }')} }} fragment F on Customer {{ {FIELDS} }}"
    ),
    "arguments": lambda n: (
        f"query Q{n} {{ "
        + _many(15, 'a%s: customers(first: 1, filter: {search: "%s"}) { totalCount }')
        + " }"
    ),
    "variables": lambda n: (
        f"query Q{n}({_many(15, '$v%s: Int')}) "
        f"{{ {_many(15, 'a%s: customers(first: $v%s) { totalCount }')} }}"
    ),
    "fragments": lambda n: (
        f"query Q{n} {{ {_many(20, '...F%s')} }} "
        + _many(20, f"fragment F%s on Query {{ me {{ {FIELDS} }} }}")
    ),
    "directives": lambda n: f"query Q{n} {{ me {{ {'id name @skip(if: false) ' * 50} }} }}",
    "nested": lambda n: f"query Q{n} {{ {'... { ' * 180} __typename {' }' * 180} }}",
    "string": lambda n: f'{{ customers(filter: {{search: "{n}{CRABS}"}}) {{ totalCount }} }}',
    "block": lambda n: f'{{ customers(filter: {{search: """{n}{CRABS}"""}}) {{ totalCount }} }}',
    "comment": lambda n: f"{{ me {{ id }} }} #{n}{CRABS}",
    "comments": lambda n: f"{{ me {{ id }} }} #{n}" + "\n#" * 1_900,
    "spaces": lambda n: f"query Q{n} {{ me {{ id }} }}".ljust(LENGTH),
}  # fmt: skip
"""Documents of each kind, one for each number."""


def _many(count: int, text: str) -> str:
    return " ".join(text.replace("%s", str(number)) for number in range(count))


def document(text: str) -> Document:
    """Parse a document."""
    return Document.of(parse(text), text)


@pytest.fixture
def admission() -> Admission:
    """Admit documents, with nothing else running."""
    return Admission(build_schema().core, Limits.default(), introspection=True)


@pytest.fixture
def measured() -> Iterator[Callable[[], int]]:
    """Tell how many bytes are held that weren't when it began."""
    gc.collect()
    tracemalloc.start()

    def held() -> int:
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    yield held
    tracemalloc.stop()


def test_million_different_documents_stay_within_the_bound() -> None:
    documents = [document(make(0)) for make in KINDS.values()]
    kept = KeptDocuments()
    for number in range(1_000_000):
        kept.keep(f"{number}", documents[number % len(documents)])
        assert kept.bytes <= MOST_BYTES
    weights = [each.bytes for each in documents]
    assert kept.bytes > MOST_BYTES - max(weights)
    assert MOST_BYTES // max(weights) <= len(kept) <= MOST_BYTES // min(weights)


def test_documents_that_are_kept_take_no_more_memory_than_the_bound(
    admission: Admission, measured: Callable[[], int]
) -> None:
    for make in KINDS.values():
        admission.admit(make(0), None, {})
    for number in range(800):
        admission.admit(KINDS["tiny"](number), None, {})
    assert 400 < len(admission.kept) < 800
    assert measured() <= MOST_BYTES


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("kind", KINDS)
async def test_document_takes_no_more_memory_than_it_is_said_to(
    api: Api, admin: Person, kind: str
) -> None:
    execution = Execution(build_schema().core, Limits.default(), introspection=True, timeout=10)

    async def run(number: int) -> None:
        presented = api.resources.tokens.read(api.resources.keys.get(), admin.token)
        context = Context(api.resources, presented=presented, origin=NOWHERE, request_id="none")
        for size in range(1, 4):
            variables = {f"v{each}": size for each in range(20)}
            result = await execution.run(Asked(KINDS[kind](number), None, variables), context)
            assert result.data, result.errors

    await run(100)
    before = execution.admission.kept.bytes
    gc.collect()
    tracemalloc.start()
    for number in range(5):
        await run(number)
    gc.collect()
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken <= execution.admission.kept.bytes - before


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("kind", ["list", "variables"])
async def test_document_takes_no_more_memory_whatever_variables_it_is_sent_with(
    api: Api, admin: Person, kind: str
) -> None:
    execution = Execution(build_schema().core, Limits.default(), introspection=True, timeout=10)

    async def run(*sizes: int) -> None:
        for size in sizes:
            presented = api.resources.tokens.read(api.resources.keys.get(), admin.token)
            context = Context(api.resources, presented=presented, origin=NOWHERE, request_id="none")
            variables = {f"v{each}": size for each in range(15)} | {f"w{size}": "text" * size}
            await execution.run(Asked(KINDS[kind](0), None, {**variables, "v": size}), context)

    await run(*range(1, 40))
    gc.collect()
    tracemalloc.start()
    await run(*range(40, 400))
    gc.collect()
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken <= 12 * DOCUMENT_BYTES  # most of it timers of the event loop


def test_document_that_is_asked_for_stays_and_the_least_lately_asked_for_goes() -> None:
    each = document("{ me { id } }")
    kept = KeptDocuments(each.bytes * 3)
    for text in "abc":
        kept.keep(text, each)
    assert kept.find("a") is each
    kept.keep("d", each)
    assert {text: kept.find(text) is not None for text in "abcd"} == {
        "a": True, "b": False, "c": True, "d": True,
    }  # fmt: skip
    assert (len(kept), kept.bytes) == (3, each.bytes * 3)


def test_document_heavier_than_the_bound_is_not_kept() -> None:
    each = document("{ me { id } }")
    kept = KeptDocuments(each.bytes - 1)
    kept.keep("a", each)
    assert (kept.find("a"), len(kept), kept.bytes) == (None, 0, 0)
