"""Limits of a document, all of them judged before it is validated, let alone executed."""

from dataclasses import dataclass
from typing import Final, Self

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    parse,
)

from gql_app.lib.engine.complexity import Sums
from gql_app.lib.engine.documents import Document
from gql_app.settings import Settings

_ABORTED: Final = "Parsing aborted."
"""How the parser ends what it says where a limit stopped it, and nowhere else."""


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

    def parse(self, text: str) -> DocumentNode:
        """Parse a document, and stop early where it is too large. Raises GraphQLError."""
        try:
            return parse(
                text,
                max_lexical_tokens=self.tokens,
                max_comments=self.tokens,
                max_source_length=self.length,
            )
        except GraphQLSyntaxError as error:
            if error.message.endswith(_ABORTED):
                error.message = self._why_aborted(error.message)
                error.extensions = {"code": "GRAPHQL_VALIDATION_FAILED"}
            raise

    def excesses(
        self, document: Document, operation: OperationDefinitionNode, sums: Sums
    ) -> list[GraphQLError]:
        """Tell what is beyond its limit if this operation is executed."""
        found = [sums.of(each) for each in document.operations]
        chosen = next(index for index, each in enumerate(document.operations) if each is operation)
        counts = (
            (len(found), self.operations, "The document has {:,} operations"),
            (document.directives, self.directives, "The document has {:,} directives"),
            (sums.aliases, self.aliases, "The document has {:,} aliases"),
            (max(f.depth for f in found), self.depth, "The document is {:,} fields deep"),
            (max(f.roots for f in found), self.root_fields, "An operation has {:,} root fields"),
            (max(f.spreads for f in found), self.spreads, "An operation spreads {:,} fragments"),
            (
                found[chosen].cost,
                self.cost,
                "The cost of the operation is {:,.0f} objects and values",
            ),
        )
        return [
            GraphQLError(f"{words.format(count)}; the limit is {limit}.")
            for count, limit, words in counts
            if count > limit
        ]

    def _why_aborted(self, message: str) -> str:
        if "comments" in message:
            return f"The document has too many comments; the limit is {self.tokens}."
        if "tokens" in message:
            return f"The document has too many tokens; the limit is {self.tokens}."
        if "code points" in message:
            return f"The document is too long; the limit is {self.length} characters."
        return "The document is nested too deeply to be read."
