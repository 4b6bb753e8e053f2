"""Admission: whether what a client asks for may be executed, and why not."""

from collections.abc import Mapping
from graphlib import CycleError
from typing import Final

from graphql import GraphQLError, GraphQLSchema, OperationDefinitionNode

from gql_app.lib.engine.complexity import Sums, whole
from gql_app.lib.engine.documents import Document, KeptDocuments
from gql_app.lib.engine.limits import Limits
from gql_app.lib.engine.validation import validate

MOST_SIZES: Final = 100
"""Page sizes of one document that are remembered as within the limits."""
_ABSENT: Final = object()


class NotAdmitted(Exception):
    """What is asked for isn't executed, for these reasons."""

    def __init__(self, *errors: GraphQLError) -> None:
        super().__init__()
        self.errors: Final = list(errors)


class Admission:
    """Judges documents, each text once for as long as it is kept.

    What is kept depends on nothing but the text: the operation's name and the variables are
    judged each time. What is refused is not kept.
    """

    def __init__(self, schema: GraphQLSchema, limits: Limits, *, introspection: bool) -> None:
        self._schema = schema
        self._limits = limits
        self._introspection = introspection
        self.kept: Final = KeptDocuments()

    def admit(
        self, text: str, name: str | None, variables: Mapping[str, object]
    ) -> tuple[Document, OperationDefinitionNode]:
        """Judge a document and find the operation. Raises NotAdmitted."""
        known = self.kept.find(text)
        document = known or self._parse(text)
        operation = document.operation(name)
        if operation is None:
            raise NotAdmitted(
                GraphQLError(
                    "The document has no operation of this name.",
                    extensions={"code": "OPERATION_RESOLUTION_FAILURE"},
                )
            )
        self._limit(document, operation, variables)
        if known is None:
            self._validate(document)
            self.kept.keep(text, document)
        if name is None and len(document.operations) > 1:
            # GraphQL section 6.1, GetOperation: nothing is guessed.
            message = "The document has several operations: operationName must say which to run."
            raise NotAdmitted(GraphQLError(message, document.operations))
        return document, operation

    def _parse(self, text: str) -> Document:
        try:
            return Document.of(self._limits.parse(text), text)
        except GraphQLError as error:
            raise NotAdmitted(error) from None

    def _limit(
        self,
        document: Document,
        operation: OperationDefinitionNode,
        variables: Mapping[str, object],
    ) -> None:
        """Refuse what is beyond the limits; only other page sizes can make it so again."""
        if _sizes(document, operation, variables) in document.within:
            return
        try:
            sums = Sums(self._schema, document.fragments, operation, variables)
        except CycleError:
            return  # validation refuses it, and names the circle
        if errors := self._limits.excesses(document, operation, sums):
            raise NotAdmitted(*errors)
        document.sizes = tuple(sorted(sums.sizes))
        if len(document.within) >= MOST_SIZES:
            document.within.clear()
        document.within.add(_sizes(document, operation, variables))

    def _validate(self, document: Document) -> None:
        try:
            errors = validate(
                self._schema,
                document.node,
                comparisons=self._limits.comparisons,
                introspection=self._introspection,
            )
        except ValueError as why:  # an integer too long for Python to read
            errors = [GraphQLError("", original_error=why)]
        if errors:
            raise NotAdmitted(*errors)


def _sizes(
    document: Document, operation: OperationDefinitionNode, variables: Mapping[str, object]
) -> tuple[object, ...]:
    """Tell all that the cost of an operation depends on."""
    key: tuple[object, ...] = (id(operation),)
    for name in document.sizes:
        key += (whole(variables[name]) if name in variables else _ABSENT,)
    return key
