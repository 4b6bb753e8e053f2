"""Document validator: whether what a client asks for may be executed, and why not."""

from collections.abc import Mapping
from graphlib import CycleError
from typing import Final

from graphql import GraphQLError, GraphQLSchema, OperationDefinitionNode

from gql_app.lib.engine.complexity import ComplexityCalculator, ListSizes
from gql_app.lib.engine.documents import Document, DocumentCache
from gql_app.lib.engine.limits import Limits
from gql_app.lib.engine.validation import validate

MAX_WITHIN_LIMITS: Final = 100
"""Operations with page sizes that are remembered of one document as within the limits."""
_ABSENT: Final = object()


class InvalidDocument(Exception):
    """A document isn't executed, for these reasons."""

    def __init__(self, *errors: GraphQLError) -> None:
        super().__init__()
        self.errors: Final = list(errors)


class DocumentValidator:
    """Parses, limits and validates documents, each text once for as long as it is kept.

    What is kept depends on nothing but the text: the operation's name and the variables are
    checked each time. A document that is refused is not kept.
    """

    def __init__(
        self, schema: GraphQLSchema, limits: Limits, list_sizes: ListSizes, *, introspection: bool
    ) -> None:
        self._schema = schema
        self._limits = limits
        self._list_sizes = list_sizes
        self._introspection = introspection
        self.documents: Final = DocumentCache()

    def validate(
        self, text: str, name: str | None, variables: Mapping[str, object]
    ) -> tuple[Document, OperationDefinitionNode]:
        """Return a valid document and its operation of a name. Raises InvalidDocument."""
        known = self.documents.get(text)
        document = known or self._parse(text)
        operation = document.operation(name)
        if operation is None:
            raise InvalidDocument(
                GraphQLError(
                    "The document has no operation of this name.",
                    extensions={"code": "OPERATION_RESOLUTION_FAILURE"},
                )
            )
        self._limit(document, operation, variables)
        if known is None:
            self._validate(document)
            self.documents.add(text, document)
        if name is None and len(document.operations) > 1:
            # GraphQL section 6.1, GetOperation: nothing is guessed.
            message = "The document has several operations: operationName must say which to run."
            raise InvalidDocument(GraphQLError(message, document.operations))
        return document, operation

    def _parse(self, text: str) -> Document:
        try:
            return Document.of(self._limits.parse(text), text)
        except GraphQLError as error:
            raise InvalidDocument(error) from None

    def _limit(
        self,
        document: Document,
        operation: OperationDefinitionNode,
        variables: Mapping[str, object],
    ) -> None:
        """Raise InvalidDocument if a limit is exceeded, which only page sizes decide anew."""
        if self._sizes(document, operation, variables) in document.within_limits:
            return
        try:
            calculator = ComplexityCalculator(
                self._schema, self._list_sizes, document.fragments, operation, variables
            )
        except CycleError:
            return  # validation refuses it, and names the circle
        if errors := self._limits.excesses(document, operation, calculator):
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
        """Return all that the cost of an operation depends on."""
        sizes: tuple[object, ...] = (id(operation),)
        for name in document.size_variables:
            sizes += (self._list_sizes.page(variables[name]) if name in variables else _ABSENT,)
        return sizes

    def _validate(self, document: Document) -> None:
        try:
            errors = validate(
                self._schema,
                document.node,
                comparisons=self._limits.comparisons,
                introspection=self._introspection,
            )
        except ValueError as error:  # an integer too long for Python to read
            errors = [GraphQLError("", original_error=error)]
        if errors:
            raise InvalidDocument(*errors)
