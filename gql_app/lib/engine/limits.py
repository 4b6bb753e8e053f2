"""Limits of a document, all of them checked before it is validated, let alone executed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    parse,
)

from gql_app.lib.engine.complexity import ComplexityCalculator

_ABORTED: Final = "Parsing aborted."
"""How a message of the parser ends where a limit stopped it, and nowhere else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much of anything a document may hold."""

    length: int
    """Characters."""
    tokens: int
    """Tokens, and comments, each on their own."""
    operations: int
    depth: int
    """Fields within fields."""
    aliases: int
    root_fields: int
    directives: int
    spreads: int
    """Spreads of fragments, each as often as it is executed."""
    cost: int
    """Objects and values, by the sizes of the pages."""
    comparisons: int
    """Pairs of fields that are compared to see whether they can be merged."""

    def parse(self, text: str) -> DocumentNode:
        """Return the syntax tree of a document; parsing stops early where it is too large.

        Raises GraphQLError.
        """
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
        self,
        operations: Sequence[OperationDefinitionNode],
        chosen: OperationDefinitionNode,
        directives: int,
        calculator: ComplexityCalculator,
    ) -> list[GraphQLError]:
        """Return an error for each limit that is exceeded if the chosen one is executed."""
        complexities = [calculator.operation(each) for each in operations]
        cost = next(c.cost for o, c in zip(operations, complexities, strict=True) if o is chosen)
        counts = (
            (len(operations), self.operations, "The document has {:,} operations"),
            (directives, self.directives, "The document has {:,} directives"),
            (calculator.aliases, self.aliases, "The document has {:,} aliases"),
            (
                max(each.depth for each in complexities),
                self.depth,
                "The document is {:,} fields deep",
            ),
            (
                max(each.roots for each in complexities),
                self.root_fields,
                "An operation has {:,} root fields",
            ),
            (
                max(each.spreads for each in complexities),
                self.spreads,
                "An operation spreads {:,} fragments",
            ),
            (
                cost,
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
