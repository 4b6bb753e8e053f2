"""Limits of a document, all of them judged before it is validated, let alone executed."""

from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError
from typing import Final, Self

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    TokenKind,
)
from strawberry.extensions import SchemaExtension
from strawberry.types.execution import ExecutionContext, ParseOptions

from gql_app.schema.sums import Sums
from gql_app.schema.validation import validate
from gql_app.settings import Settings

_ABORTED: Final = "Parsing aborted."
"""How the parser ends what it says where a limit stopped it, and nowhere else."""


class _Bounds(ParseOptions):
    """The parser's options that Strawberry hands on without knowing them."""

    max_lexical_tokens: int
    max_comments: int
    max_source_length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much of anything a document may hold."""

    length: int
    tokens: int
    operations: int
    depth: int
    aliases: int
    root_fields: int
    directives: int
    spreads: int
    cost: int
    comparisons: int

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Take the limits that are set."""
        return cls(
            length=settings.max_document_length,
            tokens=settings.max_tokens,
            operations=settings.max_operations,
            depth=settings.max_depth,
            aliases=settings.max_aliases,
            root_fields=settings.max_root_fields,
            directives=settings.max_directives,
            spreads=settings.max_spreads,
            cost=settings.max_cost,
            comparisons=settings.max_comparisons,
        )

    @classmethod
    def default(cls) -> Self:
        """Take the limits that hold where nothing is set."""
        return cls.of(Settings.model_construct())


class Limited(SchemaExtension):
    """Refuses documents beyond the limits, and validates the others."""

    def __init__(self, limits: Limits, *, introspection: bool) -> None:
        self._limits = limits
        self._introspection = introspection

    def on_parse(self) -> Iterator[None]:
        """Have the parser stop early, and say in our words why it did."""
        context = self.execution_context
        context.parse_options = _Bounds(
            max_lexical_tokens=self._limits.tokens,
            max_comments=self._limits.tokens,
            max_source_length=self._limits.length,
        )
        yield
        for error in context.pre_execution_errors or ():
            if isinstance(error, GraphQLSyntaxError) and error.message.endswith(_ABORTED):
                error.message = self._why_aborted(error.message)
                error.extensions = {"code": "GRAPHQL_VALIDATION_FAILED"}

    def on_validate(self) -> Iterator[None]:
        """Judge the document, unless it is refused already."""
        context = self.execution_context
        document = context.graphql_document
        if document and context.pre_execution_errors is None:
            schema = context.schema._schema  # noqa: SLF001 — Strawberry has no other way to it
            context.pre_execution_errors = [
                GraphQLError(f"{found}; the limit is {limit}.")
                for found, limit in self._excesses(schema, document, context)
            ] or validate(
                schema,
                document,
                comparisons=self._limits.comparisons,
                introspection=self._introspection,
            )
        yield

    def _why_aborted(self, message: str) -> str:
        if "comments" in message:
            return f"The document has too many comments; the limit is {self._limits.tokens}."
        if "tokens" in message:
            return f"The document has too many tokens; the limit is {self._limits.tokens}."
        if "code points" in message:
            return f"The document is too long; the limit is {self._limits.length} characters."
        return "The document is nested too deeply to be read."

    def _excesses(
        self, schema: GraphQLSchema, document: DocumentNode, context: ExecutionContext
    ) -> list[tuple[str, int]]:
        """Tell what is beyond its limit, and the limit."""
        limits = self._limits
        definitions = document.definitions
        operations = [node for node in definitions if isinstance(node, OperationDefinitionNode)]
        fragments = [node for node in definitions if isinstance(node, FragmentDefinitionNode)]
        chosen = _chosen(operations, context.operation_name)
        try:
            sums = Sums(schema, fragments, chosen, context.variables or {})
        except CycleError:
            return []  # which validation refuses, and names
        found = [sums.of(operation) for operation in operations]
        cost = found[operations.index(chosen)].cost
        directives = _directives(document)
        counts = (
            (len(operations), limits.operations, "The document has {:,} operations"),
            (directives, limits.directives, "The document has {:,} directives"),
            (sums.aliases, limits.aliases, "The document has {:,} aliases"),
            (max(f.depth for f in found), limits.depth, "The document is {:,} fields deep"),
            (max(f.roots for f in found), limits.root_fields, "An operation has {:,} root fields"),
            (max(f.spreads for f in found), limits.spreads, "An operation spreads {:,} fragments"),
            (cost, limits.cost, "The cost of the operation is {:,.0f} objects and values"),
        )
        return [(words.format(count), limit) for count, limit, words in counts if count > limit]


def _chosen(operations: list[OperationDefinitionNode], name: str | None) -> OperationDefinitionNode:
    """Find the operation that is executed; that there is one was seen before."""
    return next(
        (node for node in operations if node.name and node.name.value == name), operations[0]
    )


def _directives(document: DocumentNode) -> int:
    """Count the directives by their tokens: wherever they stand, there is an @."""
    count, token = 0, document.loc and document.loc.start_token
    while token:
        count += token.kind is TokenKind.AT
        token = token.next
    return count
