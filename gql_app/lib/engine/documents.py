"""Documents: what clients send, parsed once for each text and kept in a bounded cache."""

import sys
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Final, Self

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    OperationDefinitionNode,
    Token,
    TokenKind,
)

from gql_app.lib.engine.compiled import Plan

MAX_BYTES: Final = 16 * 1024 * 1024
"""What all the documents of a cache may take together."""
DOCUMENT_BYTES: Final = 16 * 1024
"""What any document takes, with its plans and its other caches, rounded up."""
TOKEN_BYTES: Final = 1600
"""What a token takes with its node and its share of the plan, measured and rounded up."""


@dataclass(slots=True, eq=False)
class Document:
    """A document that was parsed, and what is kept of it."""

    node: DocumentNode
    operations: list[OperationDefinitionNode]
    fragments: dict[str, FragmentDefinitionNode]
    directives: int
    """Directives, wherever they stand."""
    bytes: int
    """What it takes to keep it."""
    plans: dict[int, Plan | None] = field(default_factory=dict)
    """Plans of operations by their nodes' ids; None where there can't be one. There are no more
    than operations, which are limited."""
    selections: dict[Hashable, object] = field(default_factory=dict)
    """What cached_per_document() keeps, and bounds."""
    size_variables: tuple[str, ...] = ()
    """The variables that are page sizes."""
    within_limits: set[tuple[object, ...]] = field(default_factory=set)
    """Operations with page sizes that are within the limits; the validator bounds it."""

    @classmethod
    def of(cls, node: DocumentNode, text: str) -> Self:
        """Return the document that a text was parsed to."""
        kinds = [token.kind for token in _tokens(node)]
        fragments = [n for n in node.definitions if isinstance(n, FragmentDefinitionNode)]
        return cls(
            node=node,
            operations=[n for n in node.definitions if isinstance(n, OperationDefinitionNode)],
            fragments={fragment.name.value: fragment for fragment in fragments},
            directives=kinds.count(TokenKind.AT),
            # What stands in quotes or in comments is copied out of the text.
            bytes=DOCUMENT_BYTES + 2 * sys.getsizeof(text) + TOKEN_BYTES * len(kinds),
        )

    def operation(self, name: str | None) -> OperationDefinitionNode | None:
        """Return the operation of a name; the first, if no name is given."""
        for operation in self.operations:
            if name is None or (operation.name and operation.name.value == name):
                return operation
        return None


class DocumentCache:
    """Valid documents by their very text; the least recently used give way.

    It is bounded by bytes, so that no client's documents take more memory than that, however
    many and however large they are.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._documents: OrderedDict[str, Document] = OrderedDict()
        self.bytes = 0
        """What the documents take together."""

    def __len__(self) -> int:
        """Return the number of documents."""
        return len(self._documents)

    def get(self, text: str) -> Document | None:
        """Return the document of a text, if it is here."""
        document = self._documents.get(text)
        if document is not None:
            self._documents.move_to_end(text)
        return document

    def add(self, text: str, document: Document) -> None:
        """Keep a document that isn't here yet, and drop the oldest that are too many."""
        self._documents[text] = document
        self.bytes += document.bytes
        while self.bytes > self._max_bytes:
            _, oldest = self._documents.popitem(last=False)
            self.bytes -= oldest.bytes


def _tokens(node: DocumentNode) -> Iterator[Token]:
    """Return all tokens, comments among them."""
    token = node.loc and node.loc.start_token
    while token:
        yield token
        token = token.next
