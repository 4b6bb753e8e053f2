"""Limits of a document: how it is parsed, measured and validated in bounded time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from graphql import (
    ASTValidationRule,
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    OverlappingFieldsCanBeMergedRule,
    SelectionSetNode,
    Source,
    ValidationContext,
    parse,
    specified_rules,
    validate,
)
from graphql.validation.validate import ValidationAbortedError

from gql_app.lib.engine.complexity import Complexity, ComplexityCalculator

MAX_ERRORS: Final = 5
"""The most errors of a document that are answered: it can be made of nothing else, and each
may print a large part of it."""
_INCREMENTAL: Final = frozenset({"Unknown directive '@defer'.", "Unknown directive '@stream'."})
"""Messages about the directives of incremental delivery, if the schema doesn't have them."""
_ABORTED: Final = "Parsing aborted."
"""The end of the parser's messages if a limit stopped it, and of no others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits on a document."""

    length: int
    """Characters."""
    tokens: int
    """The most tokens, and also the most comments."""
    operations: int
    depth: int
    """Fields within fields."""
    aliases: int
    root_fields: int
    directives: int
    spreads: int
    """Spreads of fragments, each counted as often as it is executed."""
    cost: int
    """Objects and values, by the sizes of the pages."""
    comparisons: int
    """Pairs of fields that are compared to see whether they can be merged."""

    def parse(self, text: str | Source) -> DocumentNode:
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
        by_operation = {id(each): calculator.operation(each) for each in operations}
        cost = by_operation[id(chosen)].cost
        depth, roots, spreads, *_ = map(max, *by_operation.values(), Complexity())
        counts = (
            (len(operations), self.operations, "The document has {:,} operations"),
            (directives, self.directives, "The document has {:,} directives"),
            (calculator.aliases, self.aliases, "The document has {:,} aliases"),
            (depth, self.depth, "The document is {:,} fields deep"),
            (roots, self.root_fields, "An operation has {:,} root fields"),
            (spreads, self.spreads, "An operation spreads {:,} fragments"),
            (cost, self.cost, "The cost of the operation is {:,.0f} objects and values"),
        )
        return [
            GraphQLError(f"{words.format(count)}; the limit is {limit}.")
            for count, limit, words in counts
            if count > limit
        ]

    def validate(
        self, schema: GraphQLSchema, document: DocumentNode, *, introspection: bool
    ) -> list[GraphQLError]:
        """Return the errors of a document by all rules of GraphQL section 5.

        Without introspection they reveal nothing of the schema.
        """
        overlapping = _overlapping_rule(self.comparisons)
        rules: list[type[ASTValidationRule]] = [
            overlapping if rule is OverlappingFieldsCanBeMergedRule else rule
            for rule in specified_rules
        ]
        if not introspection:
            rules.append(NoSchemaIntrospectionCustomRule)
        try:
            errors = validate(
                schema, document, rules, max_errors=MAX_ERRORS, hide_suggestions=not introspection
            )
        except ValueError as why:  # an integer too long for Python to read
            return [GraphQLError("", original_error=why)]
        for error in errors:
            if error.message in _INCREMENTAL:
                error.message += " This server answers all at once: leave it out."
        if not introspection:
            for error in errors:  # ScalarLeafsRule ignores hide_suggestions
                error.message = error.message.partition(" Did you mean ")[0]
        return errors

    def _why_aborted(self, message: str) -> str:
        if "comments" in message:
            return f"The document has too many comments; the limit is {self.tokens}."
        if "tokens" in message:
            return f"The document has too many tokens; the limit is {self.tokens}."
        if "code points" in message:
            return f"The document is too long; the limit is {self.length} characters."
        return "The document is nested too deeply to be read."


def _overlapping_rule(comparisons: int) -> type[ASTValidationRule]:
    """Return OverlappingFieldsCanBeMergedRule with a limit of comparisons."""

    class Overlapping(OverlappingFieldsCanBeMergedRule):
        """Compares fields of one name pair by pair, no more pairs than the limit.

        Its time is quadratic in the repetitions of a field. graphql-core by itself stops it after
        half a second.
        """

        def __init__(self, context: ValidationContext) -> None:
            super().__init__(context)
            self.rule_context.remaining_complexity_budget = comparisons

        def enter_selection_set(
            self, selection_set: SelectionSetNode, _key: object, parent: object, *_: object
        ) -> None:
            try:
                super().enter_selection_set(selection_set, _key, parent)
            except ValidationAbortedError as error:
                if self.rule_context.remaining_complexity_budget < 0:
                    error.message = (
                        "The document repeats its fields too often to compare them all; "
                        f"the limit is {comparisons} comparisons."
                    )
                raise

    return Overlapping
