"""How a token is spelt and signed, and every way to get it wrong."""

import json
from collections.abc import Callable

import pytest

from gql_app.errors import TokenReason
from gql_app.lib.keyring.compact import MAX_DEPTH
from gql_app.security.tokens import MAX_TOKEN_BYTES, decode_token
from tests.security.forging import (
    CLAIMS,
    CUSTOMER,
    HEADER,
    ISSUER,
    NOW_SECONDS,
    RING,
    b64,
    forge,
    json_object,
    reason,
    seal,
)

MALFORMED = TokenReason.TOKEN_MALFORMED
INVALID = TokenReason.TOKEN_INVALID
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

GOOD_HEADER = json_object(HEADER)
GOOD_CLAIMS = json_object(CLAIMS)
NO_OBJECTS = [
    b"no JSON",
    b" ",
    b"null",
    b"1",
    b'"text"',
    b"[]",
    b'[{"alg":"HS256"}]',
    b'{"alg":"HS256"',
    b"{'alg':'HS256'}",
    b'{"alg":"HS256"}{}',
    b'\xef\xbb\xbf{"alg":"HS256"}',
    b'{"alg":"\xff"}',
    '{"alg":"HS256"}'.encode("utf-16"),
    b"[" * 2000 + b"]" * 2000,
    b'{"a":' * 600,
]

pytestmark = pytest.mark.usefixtures("stopped_clock")


def is_good(token: str) -> bool:
    return decode_token(RING, ISSUER, token).customer_id == CUSTOMER


def of_length(length: int) -> str:
    """Fill a good token up to so many characters."""
    return next(
        token
        for padding in ("", "x", "xx")
        for filling in range(5500, 6000)
        for token in [forge({"pad": f'"{padding}"'}, {"pad": json.dumps("x" * filling)})]
        if len(token) == length
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "a",
        "a.b",
        "a.b.c",
        forge().rpartition(".")[0],
        forge() + ".",
        forge() + "." + b64(b"fifth"),
        forge() + "." + b64(b"fourth") + "." + b64(b"fifth"),
        json.dumps(
            dict(zip(("protected", "payload", "signature"), forge().split("."), strict=True))
        ),
        "." + forge(),
        forge().replace(".", "..", 1),
        forge().replace(".", " .", 1),
        forge() + "\n",
        " " + forge(),
        forge() + "=",
        forge() + "é",
        forge() + "\ud800",
        forge() + "\x00",
        forge().replace(".", "=.", 1),
        forge().replace(".", "+.", 1),
        forge().replace(".", "/.", 1),
        forge().replace(".", "\N{ARABIC-INDIC DIGIT ONE}.", 1),
        forge() + "," + forge(),
    ],
)
def test_token_not_of_three_base64url_parts_is_malformed(text: str) -> None:
    assert reason(text) == MALFORMED


def padded(part: str) -> str:
    """Add the padding that other base64 has."""
    return part + "=" * (-len(part) % 4)


def with_other_spare_bits(part: str) -> str:
    """Change a bit that no byte is decoded from."""
    return part[:-1] + ALPHABET[ALPHABET.index(part[-1]) ^ 1]


@pytest.mark.parametrize("part", [0, 1, 2])
@pytest.mark.parametrize("misspell", [padded, with_other_spare_bits])
def test_part_in_another_spelling_of_the_same_bytes_is_malformed(
    part: int, misspell: Callable[[str], str]
) -> None:
    pads = [{"pad": f'"{filling}"'} for filling in ("", "x")]
    parts = next(
        parts for pad in pads for parts in [forge(pad, pad).split(".")] if len(parts[part]) % 4
    )
    assert is_good(".".join(parts))
    parts[part] = misspell(parts[part])
    assert reason(".".join(parts)) == MALFORMED


@pytest.mark.parametrize("text", NO_OBJECTS, ids=lambda text: repr(text[:20]))
@pytest.mark.parametrize("which", ["header", "payload"])
def test_part_that_is_no_json_object_is_malformed(which: str, text: bytes) -> None:
    header, payload = (text, GOOD_CLAIMS) if which == "header" else (GOOD_HEADER, text)
    assert reason(seal(header, payload)) == MALFORMED


def test_header_nested_too_deep_is_malformed_whatever_the_interpreter_reads() -> None:
    for depth in (MAX_DEPTH, 500, 1_000, 2_500):
        header = json_object({**HEADER, "deep": "[" * depth + "]" * depth})
        assert reason(seal(header, GOOD_CLAIMS)) == MALFORMED
        header = json_object({**HEADER, "deep": '{"a":' * depth + "1" + "}" * depth})
        assert reason(seal(header[:6_000], GOOD_CLAIMS)) == MALFORMED
    for deep in ("[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1), "[" + "[]," * 1_000 + '"[[["]'):
        assert is_good(seal(json_object({**HEADER, "deep": deep}), GOOD_CLAIMS))


@pytest.mark.parametrize(
    ("header", "payload"),
    [
        (GOOD_HEADER[:-1] + b',"kid":"another"}', GOOD_CLAIMS),
        (GOOD_HEADER[:-1] + b',"alg":"HS256"}', GOOD_CLAIMS),
        (GOOD_HEADER, GOOD_CLAIMS[:-1] + b',"exp":%d}' % (NOW_SECONDS + 1)),
        (GOOD_HEADER, GOOD_CLAIMS[:-1] + b',"e\\u0078p":%d}' % (NOW_SECONDS + 1)),
        (GOOD_HEADER, GOOD_CLAIMS[:-1] + b',"more":{"a":1,"a":1}}'),
    ],
)
def test_member_given_twice_is_invalid(header: bytes, payload: bytes) -> None:
    assert reason(seal(header, payload)) == INVALID


def test_token_of_8_kib_is_read() -> None:
    assert MAX_TOKEN_BYTES == 8192
    assert is_good(of_length(8192))


@pytest.mark.parametrize("token", [of_length(8193), forge({"kid": json.dumps("x" * 8192)})])
def test_token_over_8_kib_is_malformed(token: str) -> None:
    assert reason(token) == MALFORMED


def test_claims_exchanged_under_a_signature_are_invalid() -> None:
    header, _, signature = forge().split(".")
    payload = b64(json_object({**CLAIMS, "exp": str(NOW_SECONDS + 7200)}))
    assert reason(f"{header}.{payload}.{signature}") == INVALID


@pytest.mark.parametrize("signature", ["", b64(b"\x00" * 32), b64(b"\x00" * 31), b64(b"x")])
def test_wrong_signature_is_invalid(signature: str) -> None:
    assert reason(f"{forge().rpartition('.')[0]}.{signature}") == INVALID


def test_forged_token_that_has_also_expired_is_invalid() -> None:
    payload = json_object({**CLAIMS, "exp": str(NOW_SECONDS - 1)})
    assert reason(seal(GOOD_HEADER, payload, secret=b"a guess of 32 bytes or even more")) == INVALID
