"""Documents take no more memory than they are said to, whatever is sent."""

import gc
import tracemalloc
from collections.abc import Callable, Iterator
from itertools import product
from typing import Final

import pytest

from bench.hostile import FIELDS, LENGTH
from gql_app.app import build_engine
from gql_app.lib.engine import GraphQLRequest, documents
from gql_app.lib.engine.documents import DOCUMENT_BYTES, DocumentValidator
from gql_app.schema.context import Context
from gql_app.settings import Settings
from tests.api import Api
from tests.people import NOWHERE, Person

LIST: Final = (
    f"nodes {{ {FIELDS} }} edges {{ cursor node {{ {FIELDS} }} }} pageInfo {{ endCursor }}"
)
BOUND: Final = documents.MAX_BYTES // 8
"""A bound of their memory that fewer documents reach."""
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


PLANNED: Final[dict[str, str]] = {
    "values": "a: __type(name: $name) { ...G ofType { ...G } }",
    "many": "b: __type(name: $name) { ...G } "
    "a: __schema { types { ...G fields { name type { name } } } }",
    "spread": "b: __type(name: $name) { "
    + " ".join(f"a{number}: ofType {{ ...G }}" for number in range(10))
    + " } c: __type(name: $name) { ...G }",
}
"""What an operation selects for each combination of its variables."""


def _spread(fields: str) -> str:
    """Return a document whose operations spread the same fields, under three conditions."""
    conditional = " ".join(f"s{name}: __typename @skip(if: ${name})" for name in "abc")
    variables = "$name: String! $a: Boolean! $b: Boolean! $c: Boolean!"
    operations = " ".join(f"query {name}({variables}) {{ ...F }}" for name in "OPQR")
    shared = "fragment G on __Type { name kind description fields { name description } }"
    return f"{operations} fragment F on Query {{ {fields} {conditional} }} {shared}"


def _many(count: int, text: str) -> str:
    return " ".join(text.replace("%s", str(number)) for number in range(count))


@pytest.fixture
def validator(monkeypatch: pytest.MonkeyPatch) -> DocumentValidator:
    """Validate documents, with nothing else running."""
    monkeypatch.setattr(documents, "MAX_BYTES", BOUND)
    return build_engine(Settings.model_construct()).validator


@pytest.fixture
def measured() -> Iterator[Callable[[], int]]:
    """Return how many bytes are held that weren't when it began."""
    gc.collect()
    tracemalloc.start()

    def held() -> int:
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    yield held
    tracemalloc.stop()


def test_documents_that_are_kept_take_no_more_memory_than_the_bound(
    validator: DocumentValidator, measured: Callable[[], int]
) -> None:
    for make in KINDS.values():
        validator.validate(make(0), None, {})
    for number in range(100):
        validator.validate(KINDS["tiny"](number), None, {})
    assert 50 < len(validator.documents) < 100
    assert measured() <= BOUND


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("kind", KINDS)
async def test_document_takes_no_more_memory_than_it_is_said_to(
    api: Api, admin: Person, kind: str
) -> None:
    engine = build_engine(Settings.model_construct())

    async def run(number: int) -> None:
        presented = api.resources.tokens.read(api.resources.keys.get(), admin.token)
        context = Context(api.resources, presented=presented, origin=NOWHERE, request_id="none")
        for size in range(1, 6):
            variables = {f"v{each}": size for each in range(20)}
            result = await engine.execute(
                GraphQLRequest(KINDS[kind](number), None, variables), context
            )
            assert result.data, result.errors

    await run(100)
    before = engine.validator.documents.bytes
    gc.collect()
    tracemalloc.start()
    for number in range(2):
        await run(number)
    gc.collect()
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken <= engine.validator.documents.bytes - before


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("kind", PLANNED)
async def test_every_plan_of_a_document_is_counted(
    api: Api, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    engine = build_engine(Settings.model_construct())
    context = Context(api.resources, presented=None, origin=NOWHERE, request_id="none")

    async def run(text: str, names: str) -> None:
        for a, b, c in product((True, False), repeat=3):
            variables = {"name": "Customer", "a": a, "b": b, "c": c}
            for name in names:
                result = await engine.execute(GraphQLRequest(text, name, variables), context)
                assert result.data, result.errors

    text, documents = _spread(PLANNED[kind]), engine.validator.documents
    first = f"{text} "
    await run(first, "O")
    before = documents.bytes
    gc.collect()
    tracemalloc.start()
    await run(text, "OPQR")
    gc.collect()
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken <= documents.bytes - before
    monkeypatch.setattr(documents, "_max_bytes", documents.bytes)
    await run(first, "P")
    assert (documents.get(text) is None, documents.get(first) is None) == (True, False)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("kind", ["list", "variables"])
async def test_document_takes_no_more_memory_whatever_variables_it_is_sent_with(
    api: Api, admin: Person, kind: str
) -> None:
    engine = build_engine(Settings.model_construct())

    async def run(*sizes: int) -> None:
        for size in sizes:
            presented = api.resources.tokens.read(api.resources.keys.get(), admin.token)
            context = Context(api.resources, presented=presented, origin=NOWHERE, request_id="none")
            variables = {f"v{each}": size for each in range(15)} | {f"w{size}": "text" * size}
            await engine.execute(
                GraphQLRequest(KINDS[kind](0), None, {**variables, "v": size}), context
            )

    await run(*range(1, 40))
    gc.collect()
    tracemalloc.start()
    await run(*range(40, 220))
    gc.collect()
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken <= 12 * DOCUMENT_BYTES  # most of it timers of the event loop
