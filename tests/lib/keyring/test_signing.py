"""Keys that sign elsewhere, and keys of elsewhere that verify here."""

import asyncio
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from gql_app.lib.faults import CannotStart, DependencyFailed, WorkCancelled
from gql_app.lib.keyring import (
    Key,
    KeyStore,
    Signer,
    parse_compact,
    public_key,
    published_keys,
    sign,
    sign_externally,
    signer_key,
    unsigned_token,
    verifies,
)
from gql_app.lib.keyring.keys import public_jwk
from gql_app.lib.telemetry import configure_logging
from tests.security.forging import SECRET
from tests.security.foundry import ALGORITHMS, pair, private_pem, public_pem
from tests.signers import KeyService

DATA = b"what is signed"


class WithKey(KeyService):
    """A key service that publishes another key than it signs with, or none at all."""

    published: str | Mapping[str, object] = ""

    @property
    def public_key(self) -> str | Mapping[str, object]:  # type: ignore[override]
        """Tell what is published."""
        return self.published


def verified(key: Key, token: str) -> bool:
    """Verify a token."""
    parts = parse_compact(token, max_bytes=8000)
    return verifies(key, parts.signed, parts.signature)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_what_is_signed_elsewhere_verifies_here(algorithm: str) -> None:
    service = KeyService(algorithm)
    key = signer_key(service)
    assert (key.id, key.algorithm) == (service.key_id, algorithm)
    unsigned = unsigned_token(key, {"sub": "somebody"}, typ="at+jwt")
    token = await sign_externally(service, key, unsigned)
    assert verified(key, token)
    assert parse_compact(token, max_bytes=8000).header == {
        "alg": algorithm,
        "kid": service.key_id,
        "typ": "at+jwt",
    }


def test_what_is_signed_here_verifies() -> None:
    key = KeyStore(SECRET).read().signing
    token = sign(key, unsigned_token(key, {"sub": "somebody"}, typ="at+jwt"))
    assert verified(key, token)
    assert not verified(key, token[:-4] + "AAAA")


class Raw(KeyService):
    """A key service that answers whatever a test wishes."""

    answer = b""

    async def sign(self, data: bytes) -> bytes:
        """Answer that."""
        del data
        return self.answer


@pytest.mark.parametrize("answer", [b"", b"0" * 64, b"0" * 70, b"0\x06\x02\x01\x01\x02\x01\x01"])
async def test_signature_that_does_not_verify_is_no_signature(
    answer: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging("INFO")  # to standard error as it is within this test
    service = Raw()
    service.answer = answer
    with pytest.raises(DependencyFailed):
        await sign_externally(service, signer_key(service), DATA)
    assert "does not verify" in capsys.readouterr().err


async def test_signature_of_the_form_of_a_jws_is_taken_as_it_is() -> None:
    service = KeyService()
    key = signer_key(service)
    token = await sign_externally(service, key, DATA)
    raw = Raw()
    raw.answer = parse_compact(f"e30.e30.{token.rpartition('.')[2]}", max_bytes=999).signature
    assert len(raw.answer) == 64
    assert await sign_externally(raw, key, DATA) == token


@pytest.mark.parametrize(
    "error",
    [RuntimeError("no credit left"), TimeoutError(), OSError(), asyncio.CancelledError()],
)
async def test_failing_signer_is_told_apart_and_logged(
    error: BaseException, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging("INFO")
    service = KeyService(error=error)
    with pytest.raises(DependencyFailed) as caught:
        await sign_externally(service, signer_key(service), DATA)
    assert caught.value.extensions == {"code": "SERVICE_UNAVAILABLE", "retryAfter": 5}
    logged = capsys.readouterr().err
    kind = WorkCancelled if isinstance(error, asyncio.CancelledError) else type(error)
    assert kind.__name__ in logged
    assert "key-of-the-service" in logged


async def test_slow_signer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gql_app.lib.keyring.signing.SIGNING_TIMEOUT", 0)
    service = KeyService(gate=asyncio.Event())
    with pytest.raises(DependencyFailed) as caught:
        await sign_externally(service, signer_key(service), DATA)
    assert isinstance(caught.value.__cause__, TimeoutError)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_public_key_is_read_from_pem_and_from_jwk(algorithm: str) -> None:
    public = pair(algorithm).public_key()
    jwk = public_jwk(public)
    for source in (public_pem(public).decode(), jwk, {**jwk, "alg": algorithm, "use": "sig"}):
        key = public_key(source, "an id")
        assert (key.id, key.algorithm) == ("an id", algorithm)
        assert public_jwk(key.verifier) == jwk  # type: ignore[arg-type]


UNFIT: Mapping[str, str | Mapping[str, object]] = {
    "empty": "",
    "no PEM": "a key, believe me",
    "private PEM": private_pem(pair("ES256")).decode(),
    "secret": {"kty": "oct", "k": urlsafe_b64encode(SECRET).decode()},
    "no type": {},
    "unknown type": {"kty": "PQC"},
    "other algorithm": {**public_jwk(pair("RS256").public_key()), "alg": "PS256"},
    "algorithm that is none": {**public_jwk(pair("RS256").public_key()), "alg": ["RS256"]},
    "member of a wrong type": {**public_jwk(pair("RS256").public_key()), "n": 5},
    "no point": {"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"},
    "another curve": public_pem(ec.generate_private_key(ec.SECP384R1()).public_key()).decode(),
}


@pytest.mark.parametrize("source", UNFIT.values(), ids=UNFIT)
def test_key_that_is_none_of_ours_is_refused_in_words(
    source: str | Mapping[str, object],
) -> None:
    with pytest.raises(ValueError, match=r"^(is|has) ") as caught:
        public_key(source, "an id")
    assert "BEGIN" not in str(caught.value)


@pytest.mark.parametrize(
    ("service", "words"),
    [
        (KeyService(key_id=""), "no id"),
        (KeyService("RS256"), None),
        (WithKey("ES256"), "is no public key"),
    ],
)
def test_signer_is_looked_at_as_the_process_starts(service: Signer, words: str | None) -> None:
    if words is None:
        assert signer_key(service).algorithm == "RS256"
        return
    with pytest.raises(CannotStart, match=words):
        signer_key(service)


def test_signer_whose_algorithm_is_not_its_keys_is_refused() -> None:
    service = WithKey("ES256")
    service.published = public_pem(pair("RS256").public_key()).decode()
    with pytest.raises(CannotStart, match="says ES256, but its public key takes RS256"):
        signer_key(service)


def test_key_of_elsewhere_verifies_and_is_published_and_never_signs() -> None:
    key = signer_key(KeyService())
    ring = KeyStore(SECRET, external=[key]).read()
    assert ring.signing.algorithm == "HS256"
    assert ring.find(key.id) == key
    assert [jwk["kid"] for jwk in ring.published()] == [key.id]


def test_key_set_of_another_is_read_without_what_is_of_no_use() -> None:
    ring = KeyStore(SECRET, external=[signer_key(KeyService(each, each)) for each in ALGORITHMS])
    document = {"keys": ring.read().published()}
    keys = published_keys(document)
    assert sorted(keys) == sorted(ALGORITHMS)
    assert all(key.algorithm == key_id == key.id for key_id, key in keys.items())
    (first, *_) = document["keys"]
    unusable: list[object] = [
        *(None, 1, "key", [], {}),
        {**first, "kid": 1},
        {**first, "kid": "for encryption", "use": "enc"},
        *({"kid": name, **jwk} for name, jwk in UNFIT.items() if isinstance(jwk, dict)),
    ]
    assert published_keys({"keys": unusable}) == {}


@pytest.mark.parametrize("document", [None, [], {}, {"keys": None}, {"keys": {}}, "keys"])
def test_what_is_no_key_set_is_refused(document: object) -> None:
    with pytest.raises(ValueError, match="JWK Set"):
        published_keys(document)


@pytest.mark.parametrize(
    ("signer", "fault"),
    [
        (object(), "of the class object, has no key_id, algorithm, public_key, sign"),
        (SimpleNamespace(key_id="a", algorithm="EdDSA", sign=print), "has no public_key"),
        (KeyService(key_id=""), "The signer's key has no id"),
        (KeyService(key_id=7), "The signer's key has no id"),  # type: ignore[arg-type]
    ],
)
def test_signer_that_is_none_is_told(signer: Any, fault: str) -> None:  # noqa: ANN401 — of any kind
    with pytest.raises(CannotStart, match=fault):
        signer_key(signer)
