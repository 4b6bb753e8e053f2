"""A key that was taken away verifies nothing more, whatever else is wrong with its folder."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption
from structlog.testing import capture_logs

from gql_app.errors import KeysGone, TokenInvalid
from gql_app.lib.clock import LATEST
from gql_app.lib.keyring import (
    Algorithm,
    KeyRing,
    KeyStore,
    ReloadingKeyRing,
    TokenCache,
    make,
    promote,
    retire,
)
from gql_app.lib.keyring.keys import drop_private_half
from gql_app.lib.keyring.manifest import Manifest, read_manifest, write_manifest
from gql_app.security.tokens import Claims, encode_token
from tests.conftest import SetClock
from tests.security.forging import CUSTOMER, ISSUER, NOW, RING, SECRET, SESSION, token_cache
from tests.security.foundry import pair, private_pem

pytestmark = pytest.mark.usefixtures("stopped_clock")

HS256 = RING.signing.id
EDDSA = private_pem(pair("EdDSA"))


def put(name: str, content: bytes, mode: int = 0o600) -> Callable[[Path], None]:
    """Put a file into a folder."""

    def spoil(folder: Path) -> None:
        (folder / name).write_bytes(content)
        (folder / name).chmod(mode)

    return spoil


def unreadable(name: str) -> Callable[[Path], None]:
    """Put something into a folder that can't be read as a file can."""

    def spoil(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).mkdir()

    return spoil


FAULTS: dict[str, Callable[[Path], None]] = {
    "half a file": put("z.pem", b"half-copied"),
    "two keys in a file": put("z.pem", EDDSA + EDDSA),
    "encrypted": put("z.pem", private_pem(pair("EdDSA"), lock=BestAvailableEncryption(b"hush"))),
    "unreadable": unreadable("z.pem"),
    "dangling link": lambda folder: (folder / "z.pem").symlink_to("nowhere"),
    "link to itself": lambda folder: (folder / "z.pem").symlink_to("z.pem"),
    "file of everybody": put("z.pem", EDDSA, 0o666),
    "folder of everybody": lambda folder: folder.chmod(0o777),
    "wrong manifest": put("ring.json", b"hush"),
    "manifest of a key yet to come": put("ring.json", b'{"signing": "hush"}'),
    "unreadable manifest": unreadable("ring.json"),
}
OTHERS = [name for name in FAULTS if "manifest" not in name]
"""Those beside which the manifest can be read."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a folder for keys."""
    (tmp_path / "keys").mkdir()
    return tmp_path / "keys"


@pytest.fixture
def store(folder: Path) -> KeyStore:
    """Keep a secret, and a folder."""
    return KeyStore(SECRET, folder=folder)


@pytest.fixture
def tokens() -> TokenCache[Claims]:
    """Begin with no token verified."""
    return token_cache()


def sign(ring: KeyRing) -> str:
    """Issue a token."""
    token, _ = encode_token(
        ring, ISSUER, customer_id=CUSTOMER, session_id=SESSION, not_after=LATEST
    )
    return token


def made(store: KeyStore) -> tuple[str, Path]:
    """Make a key, and let it sign."""
    key, file = make(store, Algorithm.EDDSA)
    promote(store, key.id)
    return key.id, file


@pytest.mark.parametrize("order", ["fault first", "removal first"])
@pytest.mark.parametrize("fault", FAULTS)
def test_key_whose_file_is_gone_verifies_nothing_beside_any_fault(
    store: KeyStore, folder: Path, tokens: TokenCache[Claims], fault: str, order: str
) -> None:
    leaked, file = made(store)
    current = ReloadingKeyRing(store, interval=0)
    token = sign(current.get())
    other, _ = made(store)
    ours = sign(current.get())
    for each in (token, ours):
        tokens.read(current.get(), each)

    steps: list[Callable[[], None]] = [partial(FAULTS[fault], folder), file.unlink]
    for step in steps if order == "fault first" else reversed(steps):
        step()
        current.get()
    assert current.stale
    for _ in range(2):
        with pytest.raises(TokenInvalid):
            tokens.read(current.get(), token)
    assert tokens.read(current.get(), ours).key_id == other
    assert current.get().find(leaked) is None
    assert current.get().signing.id == other
    assert {key["kid"] for key in current.get().published()} == {other}


@pytest.mark.parametrize("fault", FAULTS)
def test_key_that_signs_and_is_gone_is_followed_by_the_secret(
    store: KeyStore, folder: Path, tokens: TokenCache[Claims], fault: str
) -> None:
    made(store)
    current = ReloadingKeyRing(store, interval=0)
    token = sign(current.get())
    FAULTS[fault](folder)
    for file in folder.glob("EdDSA-*.pem"):
        file.unlink()
    with pytest.raises(TokenInvalid):
        tokens.read(current.get(), token)
    assert current.get().signing.id == HS256
    assert tokens.read(current.get(), sign(current.get())).key_id == HS256


def test_key_that_signs_and_is_gone_is_removed_though_nothing_else_is_wrong(
    store: KeyStore, tokens: TokenCache[Claims]
) -> None:
    key_id, file = made(store)
    current = ReloadingKeyRing(store, interval=0)
    token = sign(current.get())
    content = file.read_bytes()
    file.unlink()
    with capture_logs() as told:
        ring = current.get()
        assert current.get() is ring
    assert [line["event"] for line in told] == [
        "Keys were taken away",
        "The keys can't be read; none is added",
    ]
    assert (told[0]["verifying"], told[0]["signing"]) == ([HS256], HS256)
    with pytest.raises(TokenInvalid):
        tokens.read(ring, token)
    file.write_bytes(content)
    assert current.get().signing.id == key_id
    assert not current.stale
    assert tokens.read(current.get(), token).key_id == key_id


@pytest.mark.parametrize("fault", OTHERS)
def test_retirement_and_demotion_bite_beside_any_other_fault(
    store: KeyStore, folder: Path, set_clock: SetClock, fault: str
) -> None:
    retired, _ = made(store)
    other, _ = make(store, Algorithm.EDDSA)
    current = ReloadingKeyRing(store, interval=0)
    FAULTS[fault](folder)
    until = NOW + timedelta(seconds=60)
    write_manifest(folder, Manifest(other.id, {retired: until}))
    ring = current.get()
    assert current.get() is ring
    assert ring.signing.id == other.id
    assert ring.find(retired) is not None
    set_clock(until)
    assert ring.find(retired) is None
    write_manifest(folder, Manifest(other.id, {retired: LATEST}))
    assert current.get().find(retired) is None


@pytest.mark.parametrize("fault", FAULTS)
def test_nothing_is_added_beside_any_fault(store: KeyStore, folder: Path, fault: str) -> None:
    made(store)
    verifying, file = make(store, Algorithm.ES256)
    whole = file.read_bytes()
    drop_private_half(file)
    other = KeyStore(SECRET, folder=folder.parent / "other")
    other.require_folder().mkdir()
    _, new = make(other, Algorithm.EDDSA)
    current = ReloadingKeyRing(store, interval=0)
    ring = current.get()
    FAULTS[fault](folder)
    (folder / new.name).write_bytes(new.read_bytes())
    file.write_bytes(whole)
    assert current.get() is ring
    if fault in OTHERS:
        write_manifest(folder, Manifest(verifying.id))
        assert current.get() is ring


@pytest.mark.parametrize("fault", OTHERS)
def test_key_without_its_private_half_signs_no_more(
    store: KeyStore, folder: Path, fault: str
) -> None:
    demoted, file = made(store)
    current = ReloadingKeyRing(store, interval=0)
    token = sign(current.get())
    FAULTS[fault](folder)
    drop_private_half(file)
    ring = current.get()
    assert current.get() is ring
    assert ring.signing.id == HS256
    assert token_cache().read(ring, token).key_id == demoted


def test_key_goes_with_the_last_of_its_files(store: KeyStore, folder: Path) -> None:
    key_id, file = made(store)
    promote(store, HS256)
    copy = folder / "copy.pem"
    copy.write_bytes(file.read_bytes())
    current = ReloadingKeyRing(store, interval=0)
    FAULTS["half a file"](folder)
    file.unlink()
    assert current.get().find(key_id) is not None
    copy.rename(folder / "moved.pem")
    assert current.get().find(key_id) is not None
    (folder / "moved.pem").write_text("half-copied")
    assert current.get().find(key_id) is not None
    (folder / "moved.pem").write_bytes(EDDSA)
    assert current.get().find(key_id) is None


def test_key_that_comes_back_waits_until_the_folder_is_whole(store: KeyStore, folder: Path) -> None:
    key_id, file = made(store)
    content = file.read_bytes()
    current = ReloadingKeyRing(store, interval=0)
    FAULTS["half a file"](folder)
    file.unlink()
    assert current.get().find(key_id) is None
    file.write_bytes(content)
    assert current.get().find(key_id) is None
    (folder / "z.pem").unlink()
    assert current.get().signing.id == key_id


@pytest.mark.parametrize("fault", FAULTS)
def test_folder_that_cannot_be_looked_into_is_no_removal(
    store: KeyStore, folder: Path, tokens: TokenCache[Claims], fault: str
) -> None:
    made(store)
    current = ReloadingKeyRing(store, interval=0)
    token = sign(current.get())
    FAULTS[fault](folder)
    current.get()
    folder.rename(folder.with_name("unmounted"))
    ring = current.get()
    assert tokens.read(ring, token) == tokens.read(current.get(), token)
    folder.write_text("a file in its place")
    assert current.get() is ring


def test_folder_that_goes_while_it_is_looked_into_is_no_removal(
    store: KeyStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(store)
    current = ReloadingKeyRing(store, interval=0)
    ring = current.get()
    monkeypatch.setattr(KeyStore, "fingerprint", lambda _: frozenset())
    folder.rename(folder.with_name("unmounted"))
    assert current.get() is ring


def test_where_no_key_is_left_to_sign_nothing_is_issued(store: KeyStore, folder: Path) -> None:
    _, file = made(store)
    retire(store, HS256, ttl=ISSUER.ttl)
    current = ReloadingKeyRing(store, interval=0)
    before = sign(current.get())
    file.unlink()
    with pytest.raises(KeysGone):
        sign(current.get())
    with pytest.raises(TokenInvalid):
        token_cache().read(current.get(), before)
    assert read_manifest(folder).retired.keys() == {HS256}


def test_another_key_is_promoted_after_the_one_that_signs_is_gone(
    store: KeyStore, folder: Path
) -> None:
    _, file = made(store)
    other, _ = make(store, Algorithm.EDDSA)
    current = ReloadingKeyRing(store, interval=0)
    file.unlink()
    assert current.get().signing.id == HS256
    promote(store, other.id)
    assert current.get().signing.id == other.id
    assert not current.stale
    assert len(list(folder.glob("*.pem"))) == 1
