"""Field collection: what a selection set selects, through its fragments."""

from collections.abc import Iterable, Mapping

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    SelectionNode,
    SelectionSetNode,
)

Fragments = Mapping[str, FragmentDefinitionNode]
"""The fragments of a document by their names."""


def collect_fields(
    selection_sets: Iterable[SelectionSetNode], fragments: Fragments
) -> dict[str, list[FieldNode]]:
    """Return the fields of selection sets by their names in the answer.

    The order is that of GraphQL section 6.3.2, CollectFields. Two things differ. Directives are
    not read: what they may leave out is there. Type conditions are not, either, for a valid
    document has none on an object type that doesn't hold.
    """
    fields: dict[str, list[FieldNode]] = {}
    spread: set[str] = set()
    waiting: list[SelectionNode] = []
    for selections in selection_sets:
        waiting += reversed(selections.selections)
        while waiting:
            selection = waiting.pop()
            if isinstance(selection, FieldNode):
                fields.setdefault(response_name(selection), []).append(selection)
            elif isinstance(selection, InlineFragmentNode):
                waiting += reversed(selection.selection_set.selections)
            elif isinstance(selection, FragmentSpreadNode) and selection.name.value not in spread:
                spread.add(selection.name.value)
                waiting += reversed(fragments[selection.name.value].selection_set.selections)
    return fields


def response_name(node: FieldNode) -> str:
    """Return the name that a field has in the answer: its alias, if there is one."""
    return node.alias.value if node.alias else node.name.value
