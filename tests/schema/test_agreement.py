"""The compiled path and graphql-core agree to the byte, whoever asks for whatever.

The seeds are fixed, so that a run is a run; `make fuzz` tries others, and as many as one likes.
"""

from collections import Counter

import hypothesis.strategies as st
import pytest
from hypothesis import given
from hypothesis_graphql import Mode, queries

from tests.fuzz.strategies import SCALARS, SCHEMA
from tests.fuzz.test_fuzz import tries
from tests.schema.agreement import Both
from tests.schema.composing import Operation, operations

GENERATED = st.builds(
    Operation, queries(SCHEMA, custom_scalars=SCALARS, mode=Mode.POSITIVE), st.just({})
)
CASES = {
    "generated": (GENERATED, "compiled", 20),
    "composed": (operations(directives=False), "compiled", 5),
    "composed with directives": (operations(directives=True), "compiled", 5),
}
"""What is tried, and the way that one of so many at least has to go and find something."""
TRIED = [
    ("sqlite", "generated", 20),
    ("sqlite", "composed", 20),
    ("sqlite", "composed with directives", 10),
    ("postgresql", "generated", 8),
    ("postgresql", "composed", 10),
    ("postgresql", "composed with directives", 5),
]
"""How many documents of each are tried, by six callers each."""


@pytest.mark.parametrize(("both", "case", "count"), TRIED, indirect=["both"])
def test_operation_is_answered_alike(both: Both, case: str, count: int) -> None:
    strategy, way, one_of = CASES[case]
    ways: Counter[str] = Counter()

    @tries(count)
    @given(operation=strategy)
    def answered_alike(operation: Operation) -> None:
        ways[both.agree(operation)] += 1

    answered_alike()
    assert ways[f"{way} with data"] > ways.total() / one_of
