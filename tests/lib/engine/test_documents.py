"""The cache of documents is bounded by what they take, whatever and however many are sent."""

from typing import Final

from graphql import parse

from gql_app.lib.engine import BoundedCache
from gql_app.lib.engine.documents import MAX_BYTES, Document

LARGE: Final = "\U0001f980" * 30_000
"""Characters that take four bytes each."""
TEXTS: Final = (
    "{ me { id } }",
    "{ " + " ".join(f"a{n}: list(first: {n}) {{ nodes {{ id name }} }}" for n in range(100)) + " }",
    f'{{ list(search: "{LARGE}") {{ count }} }}',
    f"{{ me {{ id }} }} #{LARGE}",
    "{ me { id } }" + "\n#" * 1_900,
    "{ " + "... { " * 180 + "me" + " }" * 181,
)
"""Documents of many kinds: the cache asks nothing of a schema."""


def document(text: str) -> Document:
    """Return the document of a text."""
    return Document.of(parse(text), text)


def test_hundred_thousand_different_documents_stay_within_the_bound() -> None:
    documents = [document(text) for text in TEXTS]
    cache: BoundedCache[Document] = BoundedCache(MAX_BYTES)
    for number in range(100_000):
        each = documents[number % len(documents)]
        cache.add(f"{number}", each, each.bytes)
        assert cache.bytes <= MAX_BYTES
    sizes = [each.bytes for each in documents]
    assert cache.bytes > MAX_BYTES - max(sizes)
    assert MAX_BYTES // max(sizes) <= len(cache) <= MAX_BYTES // min(sizes)


def test_root_fields_are_named_once_wherever_they_stand() -> None:
    text = "query A { a: me { id } ...F ... { me } } query B { no } fragment F on Query { token }"
    assert document(text).root_fields("A") == ["me", "token"]
    assert document(text).root_fields("B") == ["no"]
    assert document("{ me { id } }").root_fields(None) == ["me"]
