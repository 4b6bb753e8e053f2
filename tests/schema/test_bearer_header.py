"""The Authorization header, byte by byte: what it may look like, and the reason if not."""

from base64 import urlsafe_b64encode
from typing import Final

import pytest

from tests.api import Api
from tests.people import Person

JSON: Final = urlsafe_b64encode(b"{}").rstrip(b"=")
LIMIT: Final = 8 * 1024


def sized(length: int) -> bytes:
    """Spell a token of a length: three well-formed parts, signed by nobody."""
    header = urlsafe_b64encode(b"{}".ljust(27))
    return b".".join([header, header, b"A" * (length - 2 * len(header) - 2)])


def filled(value: bytes, person: Person) -> bytes:
    """Put a good token where the word stands."""
    return value.replace(b"TOKEN", person.token.encode())


MALFORMED: Final = [
    (b"Basic YWRhOnBhc3N3b3Jk",),
    (b"Basic TOKEN",),
    (b"JWT TOKEN",),
    (b"Bearers TOKEN",),
    (b"Bearer",),
    (b"Bearer   ",),
    (b"TOKEN",),
    (b"BearerTOKEN",),
    (b"Bearer:TOKEN",),
    (b"Bearer=TOKEN",),
    (b"Bearer TOKEN TOKEN",),
    (b"Bearer Bearer TOKEN",),
    (b"Bearer TOKEN,TOKEN",),
    (b"Bearer TOKEN, TOKEN",),
    (b"Bearer TOKEN, Bearer TOKEN",),
    (b"Bearer TOKEN,",),
    (b'Bearer "TOKEN"',),
    (b"Bearer TOKEN", b"Bearer TOKEN"),
    (b"Bearer TOKEN", b"Basic YWRhOnBhc3N3b3Jk"),
    (b"", b"Bearer TOKEN"),
    (b"", b""),
    (b"Bearer TOKEN\xff",),
    (b"Bearer \xc3\xa9\xe2\x82\xac",),
    (b"B\xe9arer TOKEN",),
    (b"Bearer\xa0TOKEN",),
    (b"\xff\xfe",),
    (b"Bearer TOKEN=",),
    (b"Bearer TOKEN.AAAA",),
    (b"Bearer AAAA.AAAA",),
    (b"Bearer not.a.token",),
    (b"Bearer " + b".".join([JSON, b"AAAA", b"AAAA"]),),
    (b"Bearer " + b".".join([b"W10", JSON, b"AAAA"]),),
    (b"Bearer ..",),
    (b"Bearer " + sized(LIMIT + 1),),
    (b"Bearer " + b"A" * 100_000,),
]
"""The headers of requests; TOKEN stands for a good one."""


async def reasons(api: Api, *values: bytes) -> tuple[str | None, str]:
    """Send Authorization headers as they are; what the token query and `me` say of them."""
    response = await api.client.post(
        "/graphql",
        json={"query": "{ token { reason } me { id } }"},
        headers=[(b"authorization", value) for value in values],
    )
    assert response.status_code == 200
    body = response.json()
    report: str | None = body["data"]["token"]["reason"]
    [error] = body.get("errors", [{"extensions": {"reason": None}}])
    assert (body["data"]["me"] is None) == ("errors" in body)
    assert error["extensions"]["reason"] == report
    return report, error["extensions"].get("code", "OK")


@pytest.mark.parametrize("values", [[], [b""], [b"   "], [b"\t"]])
async def test_no_header_or_an_empty_one_is_missing(api: Api, values: list[bytes]) -> None:
    assert await reasons(api, *values) == ("TOKEN_MISSING", "UNAUTHENTICATED")


@pytest.mark.parametrize(
    "value",
    [
        b"Bearer TOKEN",
        b"bearer TOKEN",
        b"BEARER TOKEN",
        b"bEaReR   TOKEN",
        b"  Bearer TOKEN  ",
        b"Bearer\tTOKEN",
        b"\tBearer \t TOKEN\t",
    ],
)
async def test_scheme_in_any_case_and_extra_blanks_are_tolerated(
    api: Api, plain: Person, value: bytes
) -> None:
    assert await reasons(api, filled(value, plain)) == (None, "OK")


async def test_anything_but_bearer_and_one_token_is_malformed(api: Api, plain: Person) -> None:
    found = {
        values: await reasons(api, *(filled(value, plain) for value in values))
        for values in MALFORMED
    }
    assert found == dict.fromkeys(MALFORMED, ("TOKEN_MALFORMED", "UNAUTHENTICATED"))


@pytest.mark.parametrize(
    "value",
    [
        b"Bearer TOKENAAAA",
        b"Bearer " + b".".join([JSON, JSON, b"AAAA"]),
        b"Bearer " + sized(LIMIT),
    ],
)
async def test_well_formed_token_of_nobody_is_invalid(
    api: Api, plain: Person, value: bytes
) -> None:
    assert await reasons(api, filled(value, plain)) == ("TOKEN_INVALID", "UNAUTHENTICATED")


@pytest.mark.parametrize("place", ["/graphql?access_token={}", "/graphql?token={}"])
async def test_token_in_the_address_is_ignored(api: Api, plain: Person, place: str) -> None:
    response = await api.client.post(
        place.format(plain.token), json={"query": "{ token { reason } }"}
    )
    assert response.json() == {"data": {"token": {"reason": "TOKEN_MISSING"}}}
