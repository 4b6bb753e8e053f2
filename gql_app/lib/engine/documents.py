"""Documents: what clients send, parsed and taken apart once for each text, and kept."""

import sys
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Self

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    OperationDefinitionNode,
    Token,
    TokenKind,
)

MOST_BYTES: Final = 16 * 1024 * 1024
"""What all the documents that are kept may take."""
DOCUMENT_BYTES: Final = 16 * 1024
"""What any document takes, with its plan and all that is remembered of it, rounded up."""
TOKEN_BYTES: Final = 1600
"""What a token takes with its node and its share of the plan, measured and rounded up."""


@dataclass(slots=True, eq=False)
class Document:
    """A document that was parsed, and what was found out about it."""

    node: DocumentNode
    operations: list[OperationDefinitionNode]
    fragments: list[FragmentDefinitionNode]
    directives: int
    """How many there are, wherever they stand."""
    bytes: int
    """What it takes to keep it."""
    memo: dict[object, object] = field(default_factory=dict)
    """What resolvers found out about it."""
    sizes: tuple[str, ...] = ()
    """The variables that say how large a page is."""
    within: set[tuple[object, ...]] = field(default_factory=set)
    """Operations and their page sizes that are within the limits."""

    @classmethod
    def of(cls, node: DocumentNode, text: str) -> Self:
        """Take a document apart."""
        kinds = [token.kind for token in _tokens(node)]
        return cls(
            node=node,
            operations=[n for n in node.definitions if isinstance(n, OperationDefinitionNode)],
            fragments=[n for n in node.definitions if isinstance(n, FragmentDefinitionNode)],
            directives=kinds.count(TokenKind.AT),
            # What stands in quotes or in comments is copied out of the text.
            bytes=DOCUMENT_BYTES + 2 * sys.getsizeof(text) + TOKEN_BYTES * len(kinds),
        )

    def operation(self, name: str | None) -> OperationDefinitionNode | None:
        """Find an operation; the first, if no name is given."""
        for operation in self.operations:
            if name is None or (operation.name and operation.name.value == name):
                return operation
        return None


class KeptDocuments:
    """Valid documents by their very text; those that nobody asked for lately give way.

    They are bounded by what they weigh, so that no client's documents, however many and
    however large, take more memory than that.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._documents: OrderedDict[str, Document] = OrderedDict()
        self.bytes = 0
        """What they weigh together."""

    def __len__(self) -> int:
        """Tell how many there are."""
        return len(self._documents)

    def find(self, text: str) -> Document | None:
        """Find the document that a text is."""
        document = self._documents.get(text)
        if document is not None:
            self._documents.move_to_end(text)
        return document

    def keep(self, text: str, document: Document) -> None:
        """Keep a document that is valid whoever asks for it, and that isn't kept yet."""
        self._documents[text] = document
        self.bytes += document.bytes
        while self.bytes > self._most_bytes:
            _, oldest = self._documents.popitem(last=False)
            self.bytes -= oldest.bytes


def _tokens(node: DocumentNode) -> Iterator[Token]:
    """Walk along all tokens, comments among them."""
    token = node.loc and node.loc.start_token
    while token:
        yield token
        token = token.next
