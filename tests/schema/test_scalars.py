"""DateTime: which spellings are moments, and how the others are refused."""

from typing import Final

import pytest

from tests.api import Answer, Api
from tests.people import Person

QUERY: Final = """
query Since($moment: DateTime) {
  customers(filter: {createdAfter: $moment}) { totalCount }
}
"""
NO_MOMENTS: Final = [
    "2030-01-31T12:00:00",
    "2030-01-31",
    "12:00:00Z",
    "10000-01-01T00:00:00Z",
    "+10000-01-01T00:00:00Z",
    "-0001-01-01T00:00:00Z",
    "0000-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-00:01",
    "9999-12-31T23:59:60Z",
    "2030-02-29T00:00:00Z",
    "2030-01-31T24:00:00Z",
    "2030-01-31T12:60:00Z",
    "2030-01-31T12:00:00+24:00",
    "2030-01-31T12:00:00+01:60",
    "2030-01-31T12:00:00+0100",
    "2030-01-31T12:00Z",
    "2030-01-31T12:00:00.Z",
    "2030-W05-4T12:00:00Z",
    "٢٠٣٠-01-31T12:00:00Z",
    "2030-01-31T12:00:00Z\n",
    " 2030-01-31T12:00:00Z",
    "now",
    "",
]
MOMENTS: Final = {
    None: 1,
    "0001-01-01T00:00:00Z": 1,
    "0001-01-01T14:00:00+14:00": 1,
    "2001-01-31T12:00:00Z": 1,
    "2001-01-31t12:00:00z": 1,
    "2001-01-31 12:00:00.123456789Z": 1,
    "2001-01-31T12:00:00.1234567890123Z": 1,
    "2001-01-31T12:00:00-00:00": 1,
    "2000-02-29T12:00:00.5+05:30": 1,
    "9999-12-31T23:59:59Z": 0,
    "9999-12-31T23:59:59.999999Z": 0,
    "9999-12-31T09:59:59-14:00": 0,
    "1990-12-31T15:59:60-08:00": 1,
    "2016-12-31T23:59:60Z": 1,
}
"""What is sent, and how many customers were made since."""


async def since(api: Api, person: Person, moment: object) -> Answer:
    """Ask for the customers made after a moment."""
    return await api.run(QUERY, token=person.token, moment=moment)


async def test_variable_that_is_no_moment_is_bad_user_input(api: Api, plain: Person) -> None:
    found = {
        str(value): (await since(api, plain, value)).code()
        for value in (*NO_MOMENTS, 0, 1893456000, True, [], {})
    }
    assert found == dict.fromkeys(found, "BAD_USER_INPUT")


async def test_literal_that_is_no_moment_fails_validation(api: Api, plain: Person) -> None:
    document = "{ customers(filter: {createdAfter: %s}) { totalCount } }"
    spelt = [*(f'"""{text}"""' for text in NO_MOMENTS if text == text.strip()), "0", "true", "NOW"]
    found = {value: (await api.run(document % value, token=plain.token)).code() for value in spelt}
    assert found == dict.fromkeys(found, "GRAPHQL_VALIDATION_FAILED")


async def test_any_spelling_of_rfc_3339_is_taken(api: Api, plain: Person) -> None:
    found = {moment: (await since(api, plain, moment)).data for moment in MOMENTS}
    assert found == {
        moment: {"customers": {"totalCount": count}} for moment, count in MOMENTS.items()
    }


@pytest.mark.parametrize("literal", ["[]", "{}", '["2030-01-31T12:00:00Z"]'])
async def test_value_that_is_no_scalar_is_cut_off_the_message(
    api: Api, plain: Person, literal: str
) -> None:
    document = f"{{ customers(filter: {{createdAfter: {literal}}}) {{ totalCount }} }}"
    message = (await api.run(document, token=plain.token)).error()["message"]
    assert message.endswith("such as 2030-01-31T12:00:00Z'."), message


@pytest.mark.parametrize("bound", ["createdAfter", "createdBefore"])
async def test_moment_that_is_answered_is_an_exclusive_bound(
    api: Api, plain: Person, bound: str
) -> None:
    created_at = (await api.run("{ me { createdAt } }", token=plain.token)).data["me"]["createdAt"]
    document = f'{{ customers(filter: {{{bound}: "{created_at}"}}) {{ totalCount }} }}'
    assert (await api.run(document, token=plain.token)).data == {"customers": {"totalCount": 0}}
