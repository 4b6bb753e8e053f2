"""Keys made, promoted and retired: what changes, what is refused, and nobody signed out."""

import errno
import fcntl
import json
import os
import shutil
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from gql_app.errors import TokenInvalid
from gql_app.lib.clock import LATEST
from gql_app.lib.faults import CannotStart, OperatorError
from gql_app.lib.keyring import Algorithm, Key, KeyStore, make, promote, retire
from gql_app.lib.keyring.keys import SigningKey, read_key
from gql_app.lib.keyring.manifest import Manifest, write_manifest
from gql_app.lib.keyring.ring import Scan
from gql_app.security.tokens import decode_token, encode_token
from tests.conftest import SetClock
from tests.security.forging import CUSTOMER, ISSUER, NOW, RING, SECRET, SESSION
from tests.security.foundry import pair, public_pem

TTL = ISSUER.ttl
HS256 = RING.signing.id

pytestmark = pytest.mark.usefixtures("stopped_clock")


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    """Keep a secret, and an empty folder."""
    return KeyStore(SECRET, folder=tmp_path)


def sign(store: KeyStore) -> str:
    """Issue a token, as a machine with these keys does."""
    token, _ = encode_token(
        store.read(), ISSUER, customer_id=CUSTOMER, session_id=SESSION, not_after=LATEST
    )
    return token


def verified_by(store: KeyStore, token: str) -> str:
    """Verify a token, as a machine with these keys does, and tell by which key."""
    return decode_token(store.read(), ISSUER, token).key_id


@pytest.mark.parametrize("algorithm", Algorithm)
def test_new_key_verifies_and_is_published_but_signs_nothing(
    store: KeyStore, algorithm: Algorithm
) -> None:
    key, file = make(store, algorithm)
    ring = store.read()
    assert isinstance(ring.find(key.id), SigningKey)
    assert [each["kid"] for each in ring.published()] == [key.id]
    assert ring.signing.id == HS256
    assert file.name == f"{algorithm}-{key.id}.pem"


def test_new_key_replaces_the_last_that_could_sign_once_that_is_lost(store: KeyStore) -> None:
    lost, file = make(store, Algorithm.EDDSA)
    promote(store, lost.id)
    retire(store, HS256, ttl=TTL)
    file.unlink()
    with pytest.raises(CannotStart, match="the signing key is not here"):
        store.read()
    key, _ = make(store, Algorithm.EDDSA)
    promote(store, key.id)
    assert verified_by(store, sign(store)) == key.id


@pytest.mark.parametrize("algorithm", Algorithm)
def test_promoted_key_signs_and_the_one_before_goes_on_verifying(
    store: KeyStore, algorithm: Algorithm
) -> None:
    before = sign(store)
    key, _ = make(store, algorithm)
    assert promote(store, key.id).id == key.id
    assert verified_by(store, sign(store)) == key.id
    assert verified_by(store, before) == HS256


def test_retired_key_dies_when_the_last_of_its_tokens_has(
    store: KeyStore, set_clock: SetClock
) -> None:
    first, _ = make(store, Algorithm.EDDSA)
    second, _ = make(store, Algorithm.ES256)
    promote(store, first.id)
    token = sign(store)
    promote(store, second.id)
    until = retire(store, first.id, ttl=TTL).not_after
    assert until == NOW + timedelta(seconds=TTL + 60)
    set_clock(NOW + timedelta(seconds=TTL, microseconds=-1))
    assert verified_by(store, token) == first.id
    set_clock(until - timedelta(microseconds=1))
    assert {each["kid"] for each in store.read().published()} == {first.id, second.id}
    set_clock(until)
    assert {each["kid"] for each in store.read().published()} == {second.id}
    with pytest.raises(TokenInvalid):
        verified_by(store, token)


def test_private_half_of_a_retired_key_is_gone_at_once_from_every_file(
    store: KeyStore, tmp_path: Path
) -> None:
    key, file = make(store, Algorithm.RS256)
    (tmp_path / "elsewhere").mkdir()
    copies = [tmp_path / "a copy.pem", tmp_path / "elsewhere/linked.pem"]
    for each in copies:
        shutil.copy(file, each)
    (tmp_path / "a link.pem").symlink_to("elsewhere/linked.pem")
    retire(store, key.id, ttl=TTL)
    for each in (file, *copies, tmp_path / "a link.pem"):
        assert type(read_key(each)) is Key
        assert b"PRIVATE" not in each.read_bytes()


def test_secret_can_be_retired_so_that_nobody_who_has_it_can_forge(
    store: KeyStore, set_clock: SetClock
) -> None:
    token = sign(store)
    promote(store, make(store, Algorithm.EDDSA)[0].id)
    retire(store, HS256, ttl=TTL)
    assert verified_by(store, token) == HS256
    set_clock(NOW + timedelta(seconds=TTL + 60))
    forged, _ = encode_token(
        RING, ISSUER, customer_id=CUSTOMER, session_id=SESSION, not_after=LATEST
    )
    with pytest.raises(TokenInvalid):
        verified_by(store, forged)


def test_secret_can_be_promoted_again(store: KeyStore) -> None:
    key, _ = make(store, Algorithm.ES256)
    promote(store, key.id)
    token = sign(store)
    promote(store, HS256)
    assert verified_by(store, sign(store)) == HS256
    assert verified_by(store, token) == key.id


def test_retiring_again_moves_no_date_and_finishes_what_was_cut_short(
    store: KeyStore, tmp_path: Path, set_clock: SetClock
) -> None:
    key, file = make(store, Algorithm.EDDSA)
    whole = file.read_bytes()
    until = retire(store, key.id, ttl=TTL).not_after
    file.write_bytes(whole)
    set_clock(NOW + timedelta(seconds=600))
    assert retire(store, key.id, ttl=TTL).not_after == until
    assert b"PRIVATE" not in file.read_bytes()
    assert json.loads((tmp_path / "ring.json").read_text()) == {
        "retired": {key.id: "2026-07-01T13:01:00Z"}
    }


def test_each_retired_key_has_a_date_of_its_own(store: KeyStore, set_clock: SetClock) -> None:
    keys = [make(store, Algorithm.EDDSA)[0] for _ in range(2)]
    for minutes, key in enumerate(keys):
        set_clock(NOW + timedelta(minutes=minutes))
        retire(store, key.id, ttl=TTL)
    found = [store.read().find(key.id) for key in keys]
    assert [key and key.not_after for key in found] == [
        NOW + timedelta(minutes=minutes, seconds=TTL + 60) for minutes in range(2)
    ]


def test_dead_key_stays_dead_when_its_file_comes_back(
    store: KeyStore, tmp_path: Path, set_clock: SetClock
) -> None:
    key, file = make(store, Algorithm.EDDSA)
    whole = file.read_bytes()
    retire(store, key.id, ttl=TTL)
    set_clock(NOW + timedelta(days=1))
    file.unlink()
    promote(store, make(store, Algorithm.ES256)[0].id)
    (tmp_path / "from a backup.pem").write_bytes(whole)
    assert store.read().find(key.id) is None
    with pytest.raises(OperatorError, match="is retired"):
        promote(store, key.id)


def test_key_outlives_the_year_9999_under_no_setting(store: KeyStore) -> None:
    key, _ = make(store, Algorithm.EDDSA)
    assert retire(store, key.id, ttl=10**12).not_after == LATEST
    assert store.read().find(key.id) is not None


def test_signing_key_is_not_retired(store: KeyStore) -> None:
    with pytest.raises(OperatorError, match=f"{HS256} signs the tokens"):
        retire(store, HS256, ttl=TTL)
    key, _ = make(store, Algorithm.EDDSA)
    promote(store, key.id)
    with pytest.raises(OperatorError, match="Promote another key first"):
        retire(store, key.id, ttl=TTL)
    assert store.read().signing.id == key.id


def test_key_that_can_only_verify_is_not_promoted(store: KeyStore, tmp_path: Path) -> None:
    (tmp_path / "public.pem").write_bytes(public_pem(pair("ES256").public_key()))
    _, public = store.read().keys
    with pytest.raises(OperatorError, match="its private half is not here"):
        promote(store, public.id)
    assert store.read().signing.id == HS256


@pytest.mark.parametrize("act", [promote, lambda store, name: retire(store, name, ttl=TTL)])
def test_id_may_be_shortened_while_it_means_one_key(
    store: KeyStore, act: Callable[[KeyStore, str], Key]
) -> None:
    keys = [make(store, Algorithm.EDDSA)[0] for _ in range(3)]
    assert act(store, keys[0].id[:8]).id == keys[0].id
    with pytest.raises(OperatorError, match='No key has an id that begins with "x!"'):
        act(store, "x!")
    with pytest.raises(OperatorError, match="More than one key has an id"):
        act(store, "")


def test_faulty_folder_is_told_before_anything_is_written(store: KeyStore, tmp_path: Path) -> None:
    (tmp_path / "faulty.pem").write_text("hush")
    for act in (
        lambda: make(store, Algorithm.EDDSA),
        lambda: promote(store, HS256),
        lambda: retire(store, HS256, ttl=TTL),
    ):
        with pytest.raises(CannotStart, match="EdDSA, ES256 or RS256 key"):
            act()
    assert [file.name for file in tmp_path.iterdir()] == ["faulty.pem"]


def test_without_a_folder_the_operator_is_told_what_to_set() -> None:
    store = KeyStore(SECRET)
    for act in (
        lambda: make(store, Algorithm.EDDSA),
        lambda: promote(store, HS256),
        lambda: retire(store, HS256, ttl=TTL),
    ):
        with pytest.raises(CannotStart, match="GQL_APP_KEYS_DIR: is not set"):
            act()


@pytest.mark.parametrize("folder", ["/proc", "/sys"])
def test_folder_that_cannot_be_written_is_told(folder: str) -> None:
    store = KeyStore(SECRET, folder=Path(folder))
    for act in (lambda: make(store, Algorithm.EDDSA), lambda: promote(store, HS256)):
        with pytest.raises(OperatorError, match=f"^{folder} cannot be written: "):
            act()


@pytest.mark.parametrize("command", [promote, partial(retire, ttl=TTL)])
def test_folder_that_is_gone_can_not_be_read(
    store: KeyStore, command: Callable[[KeyStore, str], Key]
) -> None:
    shutil.rmtree(store.require_folder())
    with pytest.raises(CannotStart, match="cannot be read"):
        command(store, "x")


def is_locked(folder: Path) -> bool:
    """Return whether a command locks a folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def test_what_a_command_reads_is_locked_until_it_has_written(
    store: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, seen = store.require_folder(), []
    first, _ = make(store, Algorithm.EDDSA)
    second, _ = make(store, Algorithm.EDDSA)
    scan = KeyStore.scan

    def scanning(keys: KeyStore) -> Scan:
        seen.append(is_locked(folder))
        return scan(keys)

    def writing(where: Path, manifest: Manifest) -> None:
        write_manifest(where, manifest)
        seen.append(is_locked(folder))

    monkeypatch.setattr(KeyStore, "scan", scanning)
    monkeypatch.setattr("gql_app.lib.keyring.rotation.write_manifest", writing)
    promote(store, first.id)
    retire(store, second.id, ttl=TTL)
    assert seen == [True] * 4
    assert not is_locked(folder)


def test_folder_that_can_not_be_locked_is_written_all_the_same(
    store: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int, operation: int) -> None:  # noqa: ARG001 — as flock
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    key, _ = make(store, Algorithm.EDDSA)
    monkeypatch.setattr(fcntl, "flock", refuse)
    assert promote(store, key.id).id == key.id
    assert store.read().signing.id == key.id
