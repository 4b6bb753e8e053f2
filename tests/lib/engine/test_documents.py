"""The cache of documents is bounded by what they take, whatever and however many are sent."""

from typing import Final

from graphql import parse

from gql_app.lib.engine.documents import MAX_BYTES, BoundedCache, Document

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


def test_million_different_documents_stay_within_the_bound() -> None:
    documents = [document(text) for text in TEXTS]
    cache: BoundedCache[Document] = BoundedCache()
    for number in range(1_000_000):
        cache.add(f"{number}", documents[number % len(documents)])
        assert cache.bytes <= MAX_BYTES
    sizes = [each.bytes for each in documents]
    assert cache.bytes > MAX_BYTES - max(sizes)
    assert MAX_BYTES // max(sizes) <= len(cache) <= MAX_BYTES // min(sizes)


def test_document_that_is_asked_for_stays_and_the_least_lately_asked_for_goes() -> None:
    each = document("{ me { id } }")
    cache: BoundedCache[Document] = BoundedCache(each.bytes * 3)
    for text in "abc":
        cache.add(text, each)
    assert cache.get("a") is each
    cache.add("d", each)
    assert {text: cache.get(text) is not None for text in "abcd"} == {
        "a": True, "b": False, "c": True, "d": True,
    }  # fmt: skip
    assert (len(cache), cache.bytes) == (3, each.bytes * 3)


def test_document_heavier_than_the_bound_is_not_kept() -> None:
    each = document("{ me { id } }")
    cache: BoundedCache[Document] = BoundedCache(each.bytes - 1)
    cache.add("a", each)
    assert (cache.get("a"), len(cache), cache.bytes) == (None, 0, 0)
