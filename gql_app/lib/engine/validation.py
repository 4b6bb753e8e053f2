"""Validation in bounded time, which gives nothing of the schema away where that is closed."""

from typing import Final

from graphql import (
    ASTValidationRule,
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    NoSchemaIntrospectionCustomRule,
    OverlappingFieldsCanBeMergedRule,
    SelectionSetNode,
    ValidationContext,
    specified_rules,
)
from graphql import validate as validate_by
from graphql.validation.validate import ValidationAbortedError

MAX_ERRORS: Final = 5
"""Errors of a document that are answered, for it can be made of nothing else, and each may
print a large part of it."""


def validate(
    schema: GraphQLSchema, document: DocumentNode, *, comparisons: int, introspection: bool
) -> list[GraphQLError]:
    """Return the errors of a document by all rules of GraphQL section 5."""
    overlapping = _overlapping_rule(comparisons)
    rules: list[type[ASTValidationRule]] = [
        overlapping if rule is OverlappingFieldsCanBeMergedRule else rule
        for rule in specified_rules
    ]
    if not introspection:
        rules.append(NoSchemaIntrospectionCustomRule)
    errors = validate_by(
        schema, document, rules, max_errors=MAX_ERRORS, hide_suggestions=not introspection
    )
    if not introspection:
        for error in errors:  # ScalarLeafsRule suggests all the same
            error.message = error.message.partition(" Did you mean ")[0]
    return errors


def _overlapping_rule(comparisons: int) -> type[ASTValidationRule]:
    """Return the rule that fields of one name can be merged, which compares so many pairs."""

    class Overlapping(OverlappingFieldsCanBeMergedRule):
        """Compares fields of one name pair by pair, so many times and no more.

        Its time is quadratic in how often a field is repeated. graphql-core stops it after
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
