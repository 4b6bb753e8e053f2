"""The key ring, and the secret that is made and kept where none is set."""

import secrets
import stat
from base64 import b64encode, urlsafe_b64encode
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier

import pytest

from gql_app.lib.clock import LATEST
from gql_app.lib.faults import CannotStart
from gql_app.lib.keyring import Key, KeyRing, KeyStore, stored_secret
from gql_app.lib.keyring.keys import PUBLISHED_SECRETS, hmac_key
from tests.conftest import SetClock
from tests.security.foundry import ALGORITHMS, SPELLINGS, pair, public_spellings

SECRET = b"Zn7q/Wk2rTb9+Xv4cYm8Lp3hJd6sGf1e"

PEM = b"""-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
"""
SSH = b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE me"
JWK = b'{"kty": "oct", "k": "Zm9ydHkgYnl0ZXMgb2YgYSBrZXkgaW4gYSBKV0ssIG9yIG1vcmU"}'


def test_ring_signs_with_the_very_bytes_of_the_secret() -> None:
    key = KeyStore(SECRET).read().signing
    assert (key.secret, key.algorithm) == (SECRET, "HS256")


def test_equal_secrets_have_equal_key_ids() -> None:
    assert KeyStore(SECRET).read().signing.id == KeyStore(bytes(SECRET)).read().signing.id


def test_different_secrets_have_different_key_ids() -> None:
    ids = {KeyStore(secrets.token_bytes(32)).read().signing.id for _ in range(100)}
    assert len(ids) == 100


@pytest.mark.parametrize(
    "spelling", [SECRET.decode(), SECRET.hex(), b64encode(SECRET).decode()], ids=len
)
def test_no_part_of_the_secret_is_in_its_key_id(spelling: str) -> None:
    key_id = KeyStore(SECRET).read().signing.id
    parts = {spelling[at : at + 3] for at in range(len(spelling) - 2)}
    assert not any(part in key_id for part in parts)


def test_ring_finds_the_key_that_a_token_names_and_no_other() -> None:
    ring = KeyStore(SECRET).read()
    assert ring.find(ring.signing.id) is ring.signing
    assert ring.find("") is None
    assert ring.find(ring.signing.id.swapcase()) is None


def test_secret_is_in_nobody_s_repr() -> None:
    ring = KeyStore(SECRET).read()
    spellings = [SECRET, SECRET.hex(), b64encode(SECRET), urlsafe_b64encode(SECRET)]
    for shown in (repr(ring), str(ring), repr(ring.signing), str(ring.signing), f"{[ring]}"):
        assert not any(str(spelling).strip("b'") in shown for spelling in spellings)


@pytest.mark.parametrize("secret", [PEM, SSH, JWK, b""], ids=["PEM", "SSH", "JWK", "empty"])
def test_key_of_another_kind_is_refused_in_words(secret: bytes) -> None:
    with pytest.raises(CannotStart) as caught:
        KeyStore(secret).read()
    assert caught.value.faults == (
        "GQL_APP_SECRET_KEY: must be random bytes, not a PEM or SSH key",
    )


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_public_key_is_never_taken_for_a_secret(algorithm: str, spelling: str) -> None:
    """RFC 8725 section 2.1: whoever has the public key could sign."""
    with pytest.raises(CannotStart):
        KeyStore(public_spellings(algorithm)[spelling]).read()


@pytest.mark.parametrize("secret", sorted(PUBLISHED_SECRETS))
def test_example_that_everybody_knows_is_refused_and_not_repeated(secret: bytes) -> None:
    """RFC 8725 section 3.5: a secret that is in a list of words is no secret."""
    assert len(secret) >= 32
    with pytest.raises(CannotStart) as caught:
        hmac_key(secret, "WHERE_IT_IS")
    (fault,) = caught.value.faults
    assert fault.startswith("WHERE_IT_IS: is an example that everybody knows")
    assert secret.decode() not in fault
    assert KeyStore(secret + b"x").read().signing.secret == secret + b"x"


def test_secret_is_in_no_published_set(set_clock: SetClock) -> None:
    now = datetime(2026, 7, 1, tzinfo=UTC)
    set_clock(now)
    signing = hmac_key(SECRET)
    keys = [
        signing,
        *(
            Key(
                id=algorithm,
                algorithm=algorithm,
                verifier=pair(algorithm).public_key(),
                not_after=not_after,
            )
            for algorithm, not_after in (("RS256", None), ("EdDSA", now), ("ES256", LATEST))
        ),
    ]
    published = KeyRing(signing, keys, SECRET).published()
    assert [(each["kid"], each["alg"], each["use"], each["kty"]) for each in published] == [
        ("ES256", "ES256", "sig", "EC"),
        ("RS256", "RS256", "sig", "RSA"),
    ]


def test_secret_is_made_and_kept_for_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "app.db.key"
    secret = stored_secret(file)
    assert len(secret) >= 32
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_bytes() == secret + b"\n"
    assert list(tmp_path.iterdir()) == [file]


def test_kept_secret_is_used_again(tmp_path: Path) -> None:
    file = tmp_path / "app.db.key"
    assert stored_secret(file) == stored_secret(file)


def test_every_file_gets_a_secret_of_its_own(tmp_path: Path) -> None:
    assert stored_secret(tmp_path / "a.key") != stored_secret(tmp_path / "b.key")


def test_secret_that_an_operator_wrote_is_taken_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "app.db.key"
    file.write_bytes(SECRET + b"\n")
    assert stored_secret(file) == SECRET


def test_eight_who_start_at_once_agree_on_one_secret(tmp_path: Path) -> None:
    threads = 8
    start = Barrier(threads)

    def race(file: Path) -> bytes:
        start.wait()
        return stored_secret(file)

    with ThreadPoolExecutor(threads) as pool:
        for turn in range(20):
            file = tmp_path / f"{turn}.key"
            assert len(set(pool.map(race, [file] * threads))) == 1
    assert len(list(tmp_path.iterdir())) == 20


@pytest.mark.parametrize("place", ["no folder/app.db.key", "a file/app.db.key", "a folder"])
def test_secret_that_can_t_be_kept_is_told_in_words(tmp_path: Path, place: str) -> None:
    (tmp_path / "a file").touch()
    (tmp_path / "a folder").mkdir()
    with pytest.raises(CannotStart, match="cannot keep the secret key here") as caught:
        stored_secret(tmp_path / place)
    assert str(tmp_path / place) in caught.value.faults[0]
