"""Documents: what clients send, validated once for each text and kept in a bounded cache."""

import re
import sys
from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from graphlib import CycleError
from typing import Any, Final, Generic, Protocol, Self, TypeVar

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    Source,
    SourceLocation,
    Token,
    TokenKind,
)

from gql_app.lib.engine.complexity import ComplexityCalculator, Fragments, ListSizes
from gql_app.lib.engine.execution import Operation
from gql_app.lib.engine.limits import Limits

MAX_BYTES: Final = 16 * 1024 * 1024
"""The most bytes of all documents in a cache."""
DOCUMENT_BYTES: Final = 20 * 1024
"""Bytes of a document without its tokens and plans, with its other caches, rounded up."""
OPERATION_BYTES: Final = 8 * 1024
"""Bytes of an operation that runs, with its variables and without its plans, rounded up."""
TOKEN_BYTES: Final = 800
"""Bytes of a token with its node, measured and rounded up."""
FIELD_BYTES: Final = 2400
"""Bytes of a planned field with its share of generated code, measured and rounded up."""
MAX_WITHIN_LIMITS: Final = 100
"""The most operations with page sizes that are cached as within the limits, for a document."""
_LINE_BREAK: Final = re.compile(r"\r\n|[\n\r]")
_ABSENT: Final = object()
V = TypeVar("V")


class BoundedCache(Generic[V]):
    """An LRU cache of values by their keys, such as documents by their texts.

    It is bounded by bytes, so that what clients store takes no more memory than that, however
    many and however large the values are.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._values: OrderedDict[str, tuple[V, int]] = OrderedDict()
        self.bytes = 0
        """Bytes of all values together."""

    def __len__(self) -> int:
        """Return the number of values."""
        return len(self._values)

    def get(self, key: str) -> V | None:
        """Return the value of a key, None if it is not cached."""
        found = self._values.get(key)
        if found is None:
            return None
        self._values.move_to_end(key)
        return found[0]

    def add(self, key: str, value: V, size: int) -> None:
        """Add a value, or change its size; evict the least recently used beyond the bound.

        A value that is larger than the bound is not kept.
        """
        _, before = self._values.pop(key, (value, 0))
        self.bytes -= before
        if size > self._max_bytes:
            return
        self._values[key] = value, size
        self.bytes += size
        while self.bytes > self._max_bytes:
            _, (_, freed) = self._values.popitem(last=False)
            self.bytes -= freed


class Text(Source):
    """A document's text, searched for its lines once, however many errors are located in it."""

    @cached_property
    def _starts(self) -> "array[int]":
        """The position of each line, in four bytes."""
        return array("I", [0, *(found.end() for found in _LINE_BREAK.finditer(self.body))])

    def get_location(self, position: int) -> SourceLocation:
        """Return the line and the column of a position."""
        line = bisect_right(self._starts, position)
        return SourceLocation(line, position + 1 - self._starts[line - 1])


@dataclass(slots=True, eq=False)
class Document:
    """A parsed document, and what is cached for it."""

    node: DocumentNode
    operations: list[OperationDefinitionNode]
    fragments: dict[str, FragmentDefinitionNode]
    directives: int
    """The number of directives, anywhere in the document."""
    bytes: int
    """Bytes of memory that the document takes, with its planned fields."""
    planned: int = 0
    """Fields of all plans that are counted."""
    plans: dict[int, Operation] = field(default_factory=dict)
    """Operations with their plans, by their nodes' ids. They are limited."""
    selections: dict[Hashable, object] = field(default_factory=dict)
    """Results that cached_per_document() keeps, and bounds."""
    size_variables: tuple[str, ...] = ()
    """The variables that are page sizes."""
    within_limits: set[tuple[object, ...]] = field(default_factory=set)
    """Operations with page sizes that are within the limits; the validator bounds it."""

    @classmethod
    def of(cls, node: DocumentNode, text: str) -> Self:
        """Return the document that a text was parsed to."""
        kinds = [token.kind for token in _tokens(node)]
        fragments = [n for n in node.definitions if isinstance(n, FragmentDefinitionNode)]
        operations = [n for n in node.definitions if isinstance(n, OperationDefinitionNode)]
        parsed = 6 * sys.getsizeof(text) + TOKEN_BYTES * len(kinds)
        return cls(
            node=node,
            operations=operations,
            fragments={fragment.name.value: fragment for fragment in fragments},
            directives=kinds.count(TokenKind.AT),
            # The contents of strings and comments are copied out of the text, and each line that
            # begins in it has four bytes in its Text.
            bytes=DOCUMENT_BYTES + parsed + OPERATION_BYTES * len(operations),
        )

    @property
    def has_query(self) -> bool:
        """Whether any operation is a query."""
        return any(each.operation is OperationType.QUERY for each in self.operations)

    def operation(self, name: str | None) -> OperationDefinitionNode | None:
        """Return the operation of a name; the first, if no name is given."""
        for operation in self.operations:
            if name is None or (operation.name and operation.name.value == name):
                return operation
        return None

    def root_fields(self, name: str | None) -> list[str]:
        """Return the distinct names of an operation's root fields; the document must be valid."""
        fields = fields_of([self.operation(name)], self.fragments)
        return list(dict.fromkeys(each.name.value for each in fields))


class ExecutionContext(Protocol):
    """What the engine asks of an application's context, which every resolver is given.

    The engine sets these before anything of a request is executed.
    """

    operation: str
    """The operation's name; empty if it has none."""
    kind: str
    """Whether it is a query or a mutation."""
    document: Document
    """The document that the operation is of."""


class InvalidDocument(Exception):
    """A document is not executed because of these errors."""

    def __init__(self, *errors: GraphQLError) -> None:
        super().__init__()
        self.errors: Final = list(errors)


def _unresolved(document: Document, name: str | None) -> InvalidDocument:
    """Return the exception of a document in which no operation, or more than one, is meant."""
    several = document.operations if name is None else []
    message = f"The document has no operation{' of this name' if name else ''}."
    if several:
        message = "The document has several operations: operationName must say which to run."
    extensions = {"code": "OPERATION_RESOLUTION_FAILURE"}
    return InvalidDocument(GraphQLError(message, several, extensions=extensions))


class DocumentValidator:
    """Parses, limits and validates documents, each text once while it is cached.

    What is cached depends on nothing but the text: the operation's name and the variables are
    checked each time. A document that is refused is not cached.
    """

    def __init__(
        self, schema: GraphQLSchema, limits: Limits, list_sizes: ListSizes, *, introspection: bool
    ) -> None:
        self._schema = schema
        self.limits: Final = limits
        self._list_sizes = list_sizes
        self._introspection = introspection
        self.documents: Final[BoundedCache[Document]] = BoundedCache(MAX_BYTES)

    def validate(
        self, text: str, name: str | None, variables: Mapping[str, object]
    ) -> tuple[Document, OperationDefinitionNode]:
        """Return a valid document and its operation of a name. Raises InvalidDocument."""
        known = self.documents.get(text)
        try:
            document = known or Document.of(self.limits.parse(Text(text)), text)
        except GraphQLError as error:
            raise InvalidDocument(error) from None
        named = document.operation(name)
        operation = named or document.operation(None)
        if operation is None:
            raise _unresolved(document, name)
        if self._sizes(document, operation, variables) not in document.within_limits:
            self._limit(document, operation, variables)
        if known is None:
            errors = self.limits.validate(
                self._schema, document.node, introspection=self._introspection
            )
            if errors:
                raise InvalidDocument(*errors)
            self.documents.add(text, document, document.bytes)
        # GraphQL section 6.1, GetOperation: nothing is guessed.
        if named is None or (name is None and len(document.operations) > 1):
            raise _unresolved(document, name)
        return document, operation

    def count_plans(self, text: str, document: Document) -> None:
        """Count the fields that a document's plans have now; evict beyond the cache's bound."""
        planned = sum(each.planned for each in document.plans.values())
        if planned != document.planned:
            document.bytes += FIELD_BYTES * (planned - document.planned)
            document.planned = planned
            self.documents.add(text, document, document.bytes)

    def is_valid(self, text: str) -> bool:
        """Return whether each operation of a document may run, without variables."""
        try:
            operations = Document.of(self.limits.parse(Text(text)), text).operations
            for operation in operations:
                self.validate(text, operation.name.value if operation.name else None, {})
        except (GraphQLError, InvalidDocument):
            return False
        return bool(operations)

    def _limit(
        self,
        document: Document,
        operation: OperationDefinitionNode,
        variables: Mapping[str, object],
    ) -> None:
        """Raise InvalidDocument if a limit is exceeded; otherwise cache its page sizes."""
        try:
            calculator = ComplexityCalculator(
                self._schema, self._list_sizes, document.fragments, operation, variables
            )
        except CycleError:
            return  # validation refuses it, and names the cycle
        if errors := self.limits.excesses(
            document.operations, operation, document.directives, calculator
        ):
            raise InvalidDocument(*errors)
        document.size_variables = tuple(sorted(calculator.size_variables))
        if len(document.within_limits) >= MAX_WITHIN_LIMITS:
            document.within_limits.clear()
        document.within_limits.add(self._sizes(document, operation, variables))

    def _sizes(
        self,
        document: Document,
        operation: OperationDefinitionNode,
        variables: Mapping[str, object],
    ) -> tuple[object, ...]:
        """Return a key of all that the cost of an operation depends on."""
        sizes: tuple[object, ...] = (id(operation),)
        for name in document.size_variables:
            sizes += (self._list_sizes.page(variables[name]) if name in variables else _ABSENT,)
        return sizes


def fields_of(nodes: Iterable[Any], fragments: Fragments) -> Iterator[FieldNode]:
    """Return the fields selected of any of the nodes, directly or through fragments.

    Each fragment is visited once. In a valid document, a type condition on an object type always
    holds.
    """
    spread: set[str] = set()
    waiting = [*nodes]
    for node in waiting:  # which grows during the loop
        for each in node.selection_set.selections if node.selection_set else ():
            if isinstance(each, FieldNode):
                yield each
            elif isinstance(each, InlineFragmentNode):
                waiting.append(each)
            elif each.name.value in fragments and each.name.value not in spread:
                spread.add(each.name.value)
                waiting.append(fragments[each.name.value])


def _tokens(node: DocumentNode) -> Iterator[Token]:
    """Return all tokens, including comments."""
    token = node.loc and node.loc.start_token
    while token:
        yield token
        token = token.next
