"""Forged tokens at the door: each is told its reason, and none is an error of ours."""

import hmac
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from gql_app.settings import Settings
from tests.api import GRAPHQL, Api, running
from tests.conftest import SetClock
from tests.databases import copied_sqlite
from tests.security.forging import (
    CLAIMS,
    HEADER,
    ISSUER,
    NOW,
    SECRET,
    b64,
    forge,
    json_object,
    seal,
)
from tests.security.foundry import ALGORITHMS, pair, private_pem, public_spellings
from tests.security.minting import mint, signed_part, with_signature

MALFORMED, INVALID, EXPIRED = "TOKEN_MALFORMED", "TOKEN_INVALID", "TOKEN_EXPIRED"
GOOD = json_object(HEADER), json_object(CLAIMS)


def confused(algorithm: str) -> str:
    """Sign with HMAC, and a public key for its secret."""
    signed = signed_part(algorithm, {"alg": '"HS256"'})
    secret = public_spellings(algorithm)["PEM"]
    return with_signature(signed, hmac.digest(secret, signed.encode(), "sha256"))


FORGED = {
    "alg none": (forge({"alg": '"none"'}).rpartition(".")[0] + ".", INVALID),
    "alg nOnE": (forge({"alg": '"nOnE"'}), INVALID),
    **{f"public {each} key as secret": (confused(each), INVALID) for each in ALGORITHMS},
    **{f"{each} signed by HMAC": (mint(each, by="HS256"), INVALID) for each in ALGORITHMS},
    "kid is a path": (forge({"kid": '"../../../etc/passwd"'}), INVALID),
    "kid is SQL": (forge({"kid": '"\' OR 1=1 --"'}), INVALID),
    "kid is NUL": (forge({"kid": r'"\u0000"'}), INVALID),
    "kid is an object": (forge({"kid": "{}"}), INVALID),
    "kid of 5 kB": (forge({"kid": json.dumps("x" * 5000)}), INVALID),
    "kid of 8 kB": (forge({"kid": json.dumps("x" * 8192)}), MALFORMED),
    "b64 false": (forge({"b64": "false", "crit": '["b64"]'}), INVALID),
    "unknown crit": (forge({"crit": '["x"]', "x": "1"}), INVALID),
    "another type": (forge({"typ": '"logout+jwt"'}), INVALID),
    "duplicate member": (seal(GOOD[0], GOOD[1][:-1] + b',"sub":"x"}'), INVALID),
    "deep claims": (forge(claims={"x": "[" * 2500 + "]" * 2500}), MALFORMED),
    "claims are a list": (seal(GOOD[0], b"[]"), MALFORMED),
    "claims are no UTF-8": (seal(GOOD[0], b'{"a":"\xff"}'), MALFORMED),
    "claims are unreadable": (f"{b64(GOOD[0])}.AB.AAAA", MALFORMED),
    "exp is NaN": (forge(claims={"exp": "NaN"}), INVALID),
    "exp is huge": (forge(claims={"exp": "9" * 5000}), INVALID),
    "exp is null": (forge(claims={"exp": "null"}), INVALID),
    "lives for years": (forge(claims={"iat": "1", "exp": "9" * 10}), INVALID),
    "sub is a list": (forge(claims={"sub": "[]"}), INVALID),
    "JWE": (forge() + ".AAAA.AAAA", MALFORMED),
    "a refresh token": ("gar_" + "A" * 43, MALFORMED),
    "a reset token": ("gap_" + "A" * 43, MALFORMED),
    **{f"expired, {each}": (mint(each), EXPIRED) for each in ("HS256", *ALGORITHMS)},
}


@pytest.fixture
async def api(sqlite_template: Path, tmp_path: Path) -> AsyncIterator[Api]:
    """Run the API with the keys that the forger makes good tokens with."""
    keys_dir = tmp_path / "keys"
    keys_dir.mkdir()
    for algorithm in ALGORITHMS:
        (keys_dir / f"{algorithm}.pem").write_bytes(private_pem(pair(algorithm)))
    settings = Settings.model_validate(
        {
            "database_url": copied_sqlite(sqlite_template, tmp_path),
            "secret_key": SECRET.decode(),
            "keys_dir": keys_dir,
            "issuer": ISSUER.issuer,
            "audience": ISSUER.audience,
        }
    )
    async with running(settings) as api:
        yield api


@pytest.mark.parametrize("forged", FORGED)
async def test_forged_token_is_refused_with_its_reason(
    api: Api, set_clock: SetClock, forged: str
) -> None:
    set_clock(NOW + timedelta(hours=2))
    token, reason = FORGED[forged]
    answer = await api.run("{ token { valid reason } }", token=token)
    assert answer.status == 200
    assert answer.data["token"] == {"valid": False, "reason": reason}
    refused = await api.run("{ me { id } }", token=token, accept=GRAPHQL)
    assert refused.status == 401
    assert refused.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert refused.reason("me") == reason
