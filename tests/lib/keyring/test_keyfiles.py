"""Key files: what is taken, what is refused in which words, and what is written."""

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    PublicFormat,
)

from gql_app.lib.faults import CannotStart
from gql_app.lib.keyring import Algorithm, Key, is_short
from gql_app.lib.keyring.keys import SigningKey, add_key, drop_private_half, read_key, thumbprint
from tests.security.foundry import ALGORITHMS, pair, private_pem, public_pem

LOCK = BestAvailableEncryption(b"nobody types this at a server")
EC_PARAMETERS = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
CERTIFICATE = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
SEVERAL = "holds more than one key"
NO_KEY = "is no EdDSA, ES256 or RS256 key in PEM"
ENCRYPTED = "is encrypted; keep it unencrypted, for the server alone"


def faulty_files() -> dict[str, tuple[bytes, str]]:
    """Write what is no key for us, and return in which words it is refused."""
    edwards, curve = pair("EdDSA"), pair("ES256")
    weak = rsa.generate_private_key(65537, 2047)  # noqa: S505 — this is to be refused
    other_curve = ec.generate_private_key(ec.SECP384R1())
    bitcoin = ec.generate_private_key(ec.SECP256K1())
    return {
        "nothing": (b"", NO_KEY),
        "noise": (bytes(range(256)), NO_KEY),
        "an empty key": (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", NO_KEY),
        "a key cut short": (private_pem(edwards)[:60], NO_KEY),
        "a certificate": (CERTIFICATE, NO_KEY),
        "X25519": (private_pem(x25519.X25519PrivateKey.generate()), NO_KEY),
        "Ed448": (private_pem(ed448.Ed448PrivateKey.generate()), NO_KEY),
        "DER": (
            edwards.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
            NO_KEY,
        ),
        "SSH": (private_pem(edwards, PrivateFormat.OpenSSH), NO_KEY),
        "encrypted": (private_pem(edwards, lock=LOCK), ENCRYPTED),
        "encrypted SEC1": (
            private_pem(curve, PrivateFormat.TraditionalOpenSSL, LOCK),
            ENCRYPTED,
        ),
        "RSA of 2047 bits": (private_pem(weak), "has 2047 bits; RS256 takes 2048 at least"),
        "its public half": (
            public_pem(weak.public_key()),
            "has 2047 bits; RS256 takes 2048 at least",
        ),
        "P-384": (private_pem(other_curve), "is on the curve secp384r1; ES256 takes P-256 only"),
        "secp256k1": (
            public_pem(bitcoin.public_key()),
            "is on the curve secp256k1; ES256 takes P-256 only",
        ),
        "two keys": (private_pem(edwards) + private_pem(curve), "holds more than one key"),
        "a key and its certificate": (
            private_pem(edwards) + CERTIFICATE,
            "holds more than one key",
        ),
    }


FAULTY = faulty_files()


def written(folder: Path, pem: bytes) -> Path:
    """Write a file of any name."""
    file = folder / "any name.pem"
    file.write_bytes(pem)
    return file


@pytest.mark.parametrize(
    ("algorithm", "form"),
    [
        ("EdDSA", PrivateFormat.PKCS8),
        ("ES256", PrivateFormat.PKCS8),
        ("ES256", PrivateFormat.TraditionalOpenSSL),
        ("RS256", PrivateFormat.PKCS8),
        ("RS256", PrivateFormat.TraditionalOpenSSL),
    ],
    ids=str,
)
def test_private_key_signs_with_the_one_algorithm_of_its_kind(
    tmp_path: Path, algorithm: str, form: PrivateFormat
) -> None:
    key = read_key(written(tmp_path, private_pem(pair(algorithm), form)))
    assert isinstance(key, SigningKey)
    assert (key.algorithm, key.id) == (algorithm, thumbprint(pair(algorithm).public_key()))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_public_key_verifies_only(tmp_path: Path, algorithm: str) -> None:
    key = read_key(written(tmp_path, public_pem(pair(algorithm).public_key())))
    assert type(key) is Key
    assert (key.algorithm, key.id) == (algorithm, thumbprint(pair(algorithm).public_key()))


def test_public_rsa_key_may_be_in_its_older_form(tmp_path: Path) -> None:
    public = pair("RS256").public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.PKCS1)
    assert read_key(written(tmp_path, pem)).id == thumbprint(public)


def test_curve_may_be_named_before_the_key_as_openssl_does(tmp_path: Path) -> None:
    pem = EC_PARAMETERS + private_pem(pair("ES256"), PrivateFormat.TraditionalOpenSSL)
    assert isinstance(read_key(written(tmp_path, pem)), SigningKey)


@pytest.mark.parametrize("what", FAULTY)
def test_file_that_holds_no_key_for_us_is_refused_in_words(tmp_path: Path, what: str) -> None:
    content, words = FAULTY[what]
    file = written(tmp_path, content)
    with pytest.raises(CannotStart) as caught:
        read_key(file)
    assert caught.value.faults == (f"{file}: {words}",)


def test_file_that_cannot_be_read_is_told_by_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "folder.pem"
    folder.mkdir()
    with pytest.raises(CannotStart) as caught:
        read_key(folder)
    assert caught.value.faults == (f"{folder}: cannot be read: Is a directory",)


@pytest.mark.parametrize("algorithm", Algorithm)
def test_new_key_is_for_its_owner_only_and_named_by_its_id(
    tmp_path: Path, algorithm: Algorithm
) -> None:
    file = add_key(tmp_path, algorithm)
    key = read_key(file)
    assert isinstance(key, SigningKey)
    assert (key.algorithm, file.name) == (algorithm, f"{algorithm}-{key.id}.pem")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_new_rsa_key_has_3072_bits(tmp_path: Path) -> None:
    key = read_key(add_key(tmp_path, Algorithm.RS256))
    assert isinstance(key.verifier, rsa.RSAPublicKey)
    assert key.verifier.key_size == 3072


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_private_half_is_dropped_and_the_public_one_stays(tmp_path: Path, algorithm: str) -> None:
    file = written(tmp_path, private_pem(pair(algorithm)))
    for _ in range(2):
        drop_private_half(file)
        assert file.read_bytes() == public_pem(pair(algorithm).public_key())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(("bits", "short"), [(2048, True), (3072, False)])
def test_rsa_key_of_fewer_bits_than_new_ones_have_is_short(
    tmp_path: Path, bits: int, *, short: bool
) -> None:
    file = tmp_path / "key.pem"
    file.write_bytes(private_pem(rsa.generate_private_key(65537, bits)))
    assert is_short(read_key(file)) is short


def test_key_of_another_kind_is_never_short(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.write_bytes(private_pem(pair("EdDSA")))
    assert not is_short(read_key(file))
