"""A text is validated once, but its operation and its page sizes each time."""

from collections.abc import Mapping, Sequence
from typing import Final

import pytest
from graphql import OperationDefinitionNode

from gql_app.app import build_engine
from gql_app.lib.engine import GraphQLRequest, InvalidDocument
from gql_app.lib.engine.documents import MAX_WITHIN_LIMITS, DocumentValidator
from gql_app.lib.engine.schema import MAX_CACHED
from gql_app.schema.context import Context
from gql_app.settings import Settings
from tests.api import Api
from tests.people import NOWHERE, Person

Variables = Mapping[str, object]
ROWS: Final = "nodes { sessions { id } }"
"""A customer whose sessions are asked for costs 41, so that 487 of them are within 20,000."""
FIRST: Final = f"query Q($n: Int) {{ customers(first: $n) {{ {ROWS} }} }}"
DEFAULT: Final = f"query Q($n: Int = 500) {{ customers(first: $n) {{ {ROWS} }} }}"
BOTH: Final = f"query Q($n: Int, $m: Int) {{ customers(first: $n, last: $m) {{ {ROWS} }} }}"
OPERATIONS: Final = (
    f"query A($n: Int = 1) {{ ...F }} query B($n: Int = 500) {{ ...F }} query C {{ __typename }} "
    f"fragment F on Query {{ customers(first: $n) {{ {ROWS} }} }}"
)
WITHIN: Final[Sequence[tuple[str, Variables]]] = [
    (FIRST, {}),
    (FIRST, {"n": None}),
    (FIRST, {"n": 1}),
    (FIRST, {"n": 487}),
    (FIRST, {"n": 487.0}),
    (FIRST, {"n": True}),
    (FIRST, {"n": False}),
    (FIRST, {"n": -(10**18)}),
    (FIRST, {"n": -1e300}),
    (FIRST, {"n": 500.5}),
    (FIRST, {"n": "500"}),
    (FIRST, {"n": [500]}),
    (FIRST, {"m": 500}),
    (DEFAULT, {"n": 1}),
    (DEFAULT, {"n": None}),
    (BOTH, {"n": 1, "m": 487}),
]
BEYOND: Final[Sequence[tuple[str, Variables]]] = [
    (FIRST, {"n": 488}),
    (FIRST, {"n": 488.0}),
    (FIRST, {"n": 500}),
    (FIRST, {"n": 10**18}),
    (FIRST, {"n": 1e300}),
    (DEFAULT, {}),
    (DEFAULT, {"m": 1}),
    (BOTH, {"n": 1, "m": 488}),
    (BOTH, {"n": 500.0, "m": None}),
]


@pytest.fixture
def validator() -> DocumentValidator:
    """Validate documents, with nothing else running."""
    return build_engine(Settings.model_construct()).validator


def validated(
    validator: DocumentValidator, text: str, variables: Variables, name: str | None = None
) -> OperationDefinitionNode | None:
    """Return the operation, if it is within the limits."""
    try:
        return validator.validate(text, name, variables)[1]
    except InvalidDocument as why:
        if "cost" not in why.errors[0].message:
            raise
        return None


@pytest.mark.parametrize("times", [1, 2])
def test_page_size_is_judged_each_time_whatever_came_before(
    validator: DocumentValidator, times: int
) -> None:
    for _ in range(times):
        for text, variables in (*WITHIN, *BEYOND, *reversed(WITHIN), *reversed(BEYOND)):
            found = validated(validator, text, variables)
            assert (found is not None) == ((text, variables) in WITHIN), variables


@pytest.mark.parametrize(("text", "variables"), BEYOND)
def test_page_that_is_too_large_is_refused_at_first_as_well(
    validator: DocumentValidator, text: str, variables: Variables
) -> None:
    assert validated(validator, text, variables) is None
    assert len(validator.documents) == 0


def test_each_operation_has_its_own_defaults(validator: DocumentValidator) -> None:
    for _ in range(2):
        for name, variables, expected in (
            ("A", {}, True),
            ("B", {}, False),
            ("C", {}, True),
            ("C", {"n": 500}, True),
            ("B", {"n": 1}, True),
            ("A", {"n": 500}, False),
        ):
            found = validated(validator, OPERATIONS, variables, name)
            assert bool(found and found.name and found.name.value == name) == expected


@pytest.mark.parametrize("name", [None, "D"])
def test_document_that_is_known_is_asked_which_operation_is_meant(
    validator: DocumentValidator, name: str | None
) -> None:
    for _ in range(2):
        with pytest.raises(InvalidDocument) as refused:
            validator.validate(OPERATIONS, name, {})
        (error,) = refused.value.errors
        assert "operation" in error.message
        assert error.extensions == {"code": "OPERATION_RESOLUTION_FAILURE"}
        assert len(validator.documents) == 1
        assert validated(validator, OPERATIONS, {}, "A")


@pytest.mark.parametrize(
    "text", ["{ me { id }", "{ nothing }", f"{{ {'a ' * 21} }}", "query A { __typename me }", "#"]
)
def test_document_that_is_refused_is_not_kept(validator: DocumentValidator, text: str) -> None:
    for _ in range(2):
        with pytest.raises(InvalidDocument) as refused:
            validator.validate(text, None, {})
        assert refused.value.errors
    assert len(validator.documents) == 0


def test_document_is_parsed_once_however_often_it_comes(validator: DocumentValidator) -> None:
    documents = {id(validator.validate(FIRST, name, {"n": 1})[0]) for name in (None, "Q", "Q")}
    assert len(documents) == len(validator.documents) == 1
    validator.validate(f"{FIRST} ", None, {})
    assert len(validator.documents) == 2


def test_page_sizes_that_are_remembered_are_few_and_small(validator: DocumentValidator) -> None:
    document, _ = validator.validate(BOTH, None, {})
    known = 0
    for first in range(1, 60):
        for last in (None, -(10**18) * first, -1e300, f"{first}", first, first + 0.5):
            validator.validate(BOTH, None, {"n": first, "m": last})
            known = max(known, len(document.within_limits))
    assert known == MAX_WITHIN_LIMITS
    sizes = {
        size for within in document.within_limits for size in within[1:] if isinstance(size, int)
    }
    assert sizes <= set(range(1, 501))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_what_is_remembered_of_fields_is_bounded(api: Api, plain: Person) -> None:
    fields = " ".join(f"customers @include(if: $v{n}) {{ totalCount }}" for n in range(6))
    declared = " ".join(f"$v{n}: Boolean!" for n in range(6))
    text = f"query Q({declared}) {{ __typename {fields} }}"
    engine = build_engine(Settings.model_construct())
    for number in range(64):
        presented = api.resources.tokens.read(api.resources.keys.get(), plain.token)
        context = Context(api.resources, presented=presented, origin=NOWHERE, request_id="none")
        variables = {f"v{n}": bool(number >> n & 1) for n in range(6)}
        result = await engine.execute(GraphQLRequest(text, None, variables), context)
        assert (result.data or {}).get("customers") == ({"totalCount": 1} if number else None)
        document = engine.validator.documents.get(text)
        assert document is not None
        assert len(document.selections) <= MAX_CACHED
