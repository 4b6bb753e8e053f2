"""What a token's header says of itself, and how little of it is believed.

RFC 7515 section 4, RFC 8725 sections 3.1, 3.9, 3.10 and 3.11, RFC 9068 section 4.
"""

import json
import socket
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from gql_app.errors import TokenInvalid, TokenReason
from gql_app.lib.keyring import Algorithm, KeyStore, make
from gql_app.lib.keyring.keys import public_jwk
from gql_app.security.tokens import decode_token
from tests.security.forging import (
    CLAIMS,
    CUSTOMER,
    HEADER,
    ISSUER,
    RING,
    SECRET,
    Members,
    b64,
    forge,
    json_object,
    reason,
    seal,
)
from tests.security.foundry import ALGORITHMS, pair, public_pem
from tests.security.minting import ALL, mint, outcome, signature, signed_part, with_signature

INVALID = TokenReason.TOKEN_INVALID
GOOD_CLAIMS = json_object(CLAIMS)

pytestmark = pytest.mark.usefixtures("stopped_clock")


def is_good(token: str) -> bool:
    return decode_token(RING, ISSUER, token).customer_id == CUSTOMER


@pytest.mark.parametrize("alg", ["".join(letters) for letters in product("nN", "oO", "nN", "eE")])
def test_unsigned_token_is_invalid_however_it_is_spelt(alg: str) -> None:
    token = forge({"alg": json.dumps(alg)})
    assert reason(token) == INVALID
    assert reason(token.rpartition(".")[0] + ".") == INVALID


@pytest.mark.parametrize(
    ("alg", "digest"), [("HS384", "sha384"), ("HS512", "sha512"), ("HS384", "sha256")]
)
def test_right_key_with_another_algorithm_is_invalid(alg: str, digest: str) -> None:
    header = json_object({**HEADER, "alg": json.dumps(alg)})
    assert reason(seal(header, GOOD_CLAIMS, digest=digest)) == INVALID


@pytest.mark.parametrize(
    "alg", [None, "null", "true", '""', '"hs256"', '"HS256 "', '["HS256"]', "{}", "1", "9" * 5000]
)
def test_algorithm_not_named_exactly_is_invalid(alg: str | None) -> None:
    assert reason(forge({"alg": alg})) == INVALID


@pytest.mark.parametrize(
    "kid",
    [
        None,
        "null",
        "true",
        "1",
        "{}",
        f"[{HEADER['kid']}]",
        '""',
        '"another"',
        json.dumps(f"{RING.signing.id} "),
        json.dumps(RING.signing.id.swapcase()),
        '"../../etc/passwd"',
        '"/dev/null"',
        '"file:///dev/null"',
        '"https://keys.example/key"',
        '"\' OR 1=1 --"',
        "\"x' UNION SELECT 'secret\"",
        '"$(sleep 60)"',
        '"| sleep 60"',
        r'"\u0000"',
        json.dumps(f"{RING.signing.id}\0"),
        json.dumps({"kid": RING.signing.id}),
        r'"\ud800"',
        json.dumps("x" * 5000),
        "9" * 5000,
    ],
    ids=lambda kid: str(kid)[:20],
)
def test_key_that_is_not_on_the_ring_is_invalid(kid: str | None) -> None:
    """RFC 8725 section 3.10: an id is compared with those on the ring, and goes nowhere else."""
    assert reason(forge({"kid": kid})) == INVALID


@pytest.mark.parametrize(
    "typ",
    [
        *(None, "null", "1", '""', '"JWT"', '"rt+jwt"', '["at+jwt"]', "{}", '"application/jwt"'),
        *('"logout+jwt"', '"secevent+jwt"', '"dpop+jwt"', '"oauth-authz-req+jwt"', '"JOSE"'),
        *('"at+jwt "', '"at+JWT"', '"application/at+jwt; x=y"', '"text/at+jwt"'),
    ],
)
def test_token_of_another_type_is_invalid(typ: str | None) -> None:
    """RFC 8725 section 3.11, RFC 9068 section 4: ID, logout and other tokens open nothing."""
    assert reason(forge({"typ": typ})) == INVALID


@pytest.mark.parametrize(
    "header",
    [
        *({"crit": crit} for crit in ("null", "[]", "{}", "1", '"exp"', '["exp"]', '["alg"]')),
        {"crit": '["b64"]', "b64": "true"},
        {"crit": '["b64"]', "b64": "false"},
        {"b64": "false"},
    ],
    ids=str,
)
def test_critical_or_unencoded_token_is_invalid(header: Members) -> None:
    """RFC 7515 section 4.1.11, RFC 7797 section 6: no extension is understood here."""
    assert reason(forge(header)) == INVALID


@pytest.mark.parametrize("typ", ["at+jwt", "application/at+jwt"])
def test_access_token_may_be_spelt_with_or_without_application(typ: str) -> None:
    """RFC 9068 section 4 has both."""
    assert is_good(forge({"typ": json.dumps(typ)}))


@pytest.mark.parametrize("name", ["cty", "zip", "x5t", "x5t#S256", "enc", "epk", "p2c", "", "iss"])
def test_header_member_without_meaning_here_is_ignored(name: str) -> None:
    """RFC 7515 section 4: what isn't understood and not critical is ignored."""
    assert is_good(forge({name: '"JWT"'}))


def test_key_file_is_no_key_id(tmp_path: Path) -> None:
    """RFC 8725 section 3.10: a file that is there is still not named by its path."""
    _, file = make(KeyStore(SECRET, folder=tmp_path), Algorithm.EDDSA)
    ring = KeyStore(SECRET, folder=tmp_path).read()
    for kid in (str(file), file.name, file.stem, f"../{tmp_path.name}/{file.name}"):
        with pytest.raises(TokenInvalid):
            decode_token(
                ring, ISSUER, seal(json_object({**HEADER, "kid": json.dumps(kid)}), GOOD_CLAIMS)
            )


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Listen where a token says that its key is."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0)
        yield listening


@pytest.mark.parametrize("algorithm", ALL)
@pytest.mark.parametrize("name", ["jku", "x5u", "jwk", "x5c"])
def test_key_that_a_token_brings_along_is_ignored_and_none_is_fetched(
    listener: socket.socket, algorithm: str, name: str
) -> None:
    """RFC 8725 section 3.10, RFC 7515 sections 4.1.2 to 4.1.6."""
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/keys"
    key = pair("EdDSA" if algorithm == "HS256" else algorithm, other=True)
    value = {
        "jku": url,
        "x5u": url,
        "jwk": {**public_jwk(key.public_key()), "kid": "mine"},
        "x5c": [public_pem(key.public_key()).decode()],
    }[name]
    header = {name: json.dumps(value)}
    assert outcome(mint(algorithm, header)) is None
    for more in ({}, {"kid": '"mine"'}, {"kid": json.dumps(url)}, {"kid": None}):
        signed = signed_part(algorithm, {**header, **more})
        forged = signature(ALGORITHMS[0], signed.encode(), key)
        assert outcome(with_signature(signed, forged)) == INVALID
    with pytest.raises(BlockingIOError):
        listener.accept()


def test_secret_that_a_token_brings_along_is_ignored() -> None:
    for value in ({"kty": "oct", "k": b64(b"x" * 32)}, {"kty": "oct", "k": ""}):
        header = json_object({**HEADER, "jwk": json.dumps(value)})
        assert reason(seal(header, GOOD_CLAIMS, secret=b"x" * 32)) == INVALID
