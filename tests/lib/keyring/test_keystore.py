"""The ring, as the secrets and the folder of key files make it."""

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption

from gql_app.lib.faults import CannotStart
from gql_app.lib.keyring import Key, KeyRing, KeyStore
from gql_app.lib.keyring.keys import SigningKey, thumbprint
from tests.conftest import SetClock
from tests.security.forging import NOW, RING, SECRET
from tests.security.foundry import ALGORITHMS, pair, private_pem, public_pem

OTHER_SECRET = b"the secret that was in use until today"
SHAPE = 'must read {"signing": KID, "retired": {KID: "2030-01-31T12:00:00Z"}}'
EDDSA, ES256, RS256 = (thumbprint(pair(algorithm).public_key()) for algorithm in ALGORITHMS)


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    """Keep a secret, and a key pair of each kind."""
    for algorithm in ALGORITHMS:
        (tmp_path / f"{algorithm}.pem").write_bytes(private_pem(pair(algorithm)))
    return KeyStore(SECRET, folder=tmp_path)


def decide(store: KeyStore, **decided: object) -> None:
    """Write a manifest by hand."""
    (store.require_folder() / "ring.json").write_text(json.dumps(decided))


def faults(store: KeyStore) -> tuple[str, ...]:
    """Have a store refused, and return in which words; none of them is of a file's content."""
    with pytest.raises(CannotStart) as caught:
        store.read()
    assert "hush" not in str(caught.value)
    return caught.value.faults


def ids(ring: KeyRing) -> list[str]:
    """Name the keys that verify."""
    return [key.id for key in ring.keys if ring.find(key.id) is not None]


def test_without_a_folder_the_secret_is_all_there_is() -> None:
    ring = KeyStore(SECRET).read()
    assert ids(ring) == [ring.signing.id] == [RING.signing.id]


def test_without_a_manifest_the_secret_signs_and_every_key_verifies(store: KeyStore) -> None:
    ring = store.read()
    assert ring.signing.id == RING.signing.id
    assert ids(ring) == [RING.signing.id, ES256, EDDSA, RS256]
    for key_id, algorithm in ((EDDSA, "EdDSA"), (ES256, "ES256"), (RS256, "RS256")):
        found = ring.find(key_id)
        assert found is not None
        assert found.algorithm == algorithm


def test_files_of_another_ending_are_none_of_ours(store: KeyStore, tmp_path: Path) -> None:
    (tmp_path / "README").write_text("hush")
    (tmp_path / ".EdDSA.pem.0123456789abcdef").write_text("a draft, hush")
    assert len(ids(store.read())) == 4


def test_fallback_secret_verifies_and_signs_nothing() -> None:
    store = KeyStore(SECRET, fallback=OTHER_SECRET)
    ring, before = store.read(), KeyStore(OTHER_SECRET).read()
    assert ring.signing.id == RING.signing.id
    found = ring.find(before.signing.id)
    assert type(found) is Key
    assert (found.algorithm, found.verifier) == ("HS256", OTHER_SECRET)


def test_secret_may_be_its_own_fallback() -> None:
    ring = KeyStore(SECRET, fallback=SECRET).read()
    assert ids(ring) == [ring.signing.id]


@pytest.mark.parametrize(
    "chosen", [EDDSA, ES256, RS256, RING.signing.id], ids=[*ALGORITHMS, "HS256"]
)
def test_manifest_chooses_the_key_that_signs(store: KeyStore, chosen: str) -> None:
    decide(store, signing=chosen)
    ring = store.read()
    assert ring.signing.id == chosen
    assert len(ids(ring)) == 4


def test_what_is_derived_stays_the_same_whichever_key_signs(store: KeyStore) -> None:
    before = store.read().derive("refresh tokens")
    decide(store, signing=EDDSA, retired={RING.signing.id: "2026-07-01T12:00:00Z"})
    assert store.read().derive("refresh tokens") == before == RING.derive("refresh tokens")
    assert RING.derive("throttles") != before


@pytest.mark.parametrize("until", ["2026-07-01T12:00:00Z", "2026-07-01T14:00:00+02:00"])
@pytest.mark.parametrize("retired", [EDDSA, RING.signing.id], ids=["EdDSA", "HS256"])
def test_retired_key_verifies_until_its_time_and_not_then(
    store: KeyStore, set_clock: SetClock, retired: str, until: str
) -> None:
    decide(store, signing=ES256, retired={retired: until})
    ring = store.read()
    set_clock(NOW - timedelta(microseconds=1))
    assert ring.find(retired) is not None
    set_clock(NOW)
    assert ring.find(retired) is None
    assert len(ids(ring)) == 3


def test_private_half_counts_whichever_of_two_files_is_read_first(tmp_path: Path) -> None:
    for names in (("a.pem", "b.pem"), ("b.pem", "a.pem")):
        (tmp_path / names[0]).write_bytes(private_pem(pair("EdDSA")))
        (tmp_path / names[1]).write_bytes(public_pem(pair("EdDSA").public_key()))
        store = KeyStore(SECRET, folder=tmp_path)
        decide(store, signing=EDDSA)
        assert isinstance(store.read().find(EDDSA), SigningKey)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hush",
        "[]",
        "null",
        '{"signing": 1}',
        '{"signing": ["hush"]}',
        '{"retired": []}',
        '{"retired": null}',
        '{"retired": {"a": null}}',
        '{"retired": {"a": 1}}',
        '{"retired": {"a": "hush"}}',
        '{"retired": {"a": "2026-07-01"}}',
        '{"retired": {"a": "2026-07-01T12:00:00"}}',
        '{"retired": {"a": "0001-01-01T00:00:00+12:00"}}',
        '{"retired": {"a": "2026-07-01T12:00:00Z", "a": "2027-07-01T12:00:00Z"}}',
        '{"signing": "a", "signing": "b"}',
        '{"hush": 1}',
        "[" * 100_000,
        '{"signing": "\udcff"}',
    ],
    ids=lambda text: text[:40],
)
def test_broken_manifest_is_told_by_its_file_and_how_to_write_it(
    store: KeyStore, tmp_path: Path, text: str
) -> None:
    file = tmp_path / "ring.json"
    file.write_bytes(text.encode(errors="surrogateescape"))
    assert faults(store) == (f"{file}: {SHAPE}",)


def test_manifest_that_cannot_be_read_is_told(store: KeyStore, tmp_path: Path) -> None:
    (tmp_path / "ring.json").mkdir()
    assert faults(store) == (f"{tmp_path / 'ring.json'}: cannot be read: Is a directory",)


@pytest.mark.parametrize(
    ("decided", "words"),
    [
        ({"signing": "another"}, "is not here: another"),
        ({"signing": EDDSA[:12]}, f"is not here: {EDDSA[:12]}"),
        (
            {"signing": EDDSA, "retired": {EDDSA: "2999-01-01T00:00:00Z"}},
            f"is retired, or only its public half is here: {EDDSA}",
        ),
        (
            {"retired": {RING.signing.id: "2999-01-01T00:00:00Z"}},
            f"is retired, or only its public half is here: {RING.signing.id}",
        ),
        ({"signing": RS256}, f"is retired, or only its public half is here: {RS256}"),
    ],
    ids=["unknown", "shortened", "retired", "the secret retired", "public"],
)
def test_ring_without_a_fit_signing_key_is_refused(
    store: KeyStore, tmp_path: Path, decided: dict[str, object], words: str
) -> None:
    (tmp_path / "RS256.pem").write_bytes(public_pem(pair("RS256").public_key()))
    decide(store, **decided)
    remedy = "put its file back, or select another: keys promote"
    assert faults(store) == (f"{tmp_path / 'ring.json'}: the signing key {words}; {remedy}",)


def test_fallback_secret_cannot_be_made_to_sign(store: KeyStore, tmp_path: Path) -> None:
    with_fallback = KeyStore(SECRET, fallback=OTHER_SECRET, folder=tmp_path)
    other = KeyStore(OTHER_SECRET).read().signing.id
    decide(store, signing=other)
    assert f"only its public half is here: {other};" in faults(with_fallback)[0]


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "ring.json").write_text("hush")
    (tmp_path / "b.pem").write_text("hush")
    lock = BestAvailableEncryption(b"hush")
    (tmp_path / "c.pem").write_bytes(private_pem(pair("EdDSA"), lock=lock))
    pem = public_pem(pair("EdDSA").public_key())
    faulty = KeyStore(pem, fallback=b"a-string-secret-at-least-256-bits-long", folder=tmp_path)
    assert [fault.partition(": ")[0] for fault in faults(faulty)] == [
        str(tmp_path / "ring.json"),
        "GQL_APP_SECRET_KEY",
        "GQL_APP_SECRET_KEY_FALLBACK",
        str(tmp_path / "b.pem"),
        str(tmp_path / "c.pem"),
    ]


def test_folder_that_is_gone_is_a_fault_and_no_empty_folder(tmp_path: Path) -> None:
    store = KeyStore(SECRET, folder=tmp_path / "unmounted")
    words = f"{tmp_path / 'unmounted'}: cannot be read: No such file or directory"
    assert faults(store) == (words,)
    with pytest.raises(CannotStart, match="cannot be read"):
        store.fingerprint()


def test_link_to_nowhere_is_a_fault(store: KeyStore, tmp_path: Path) -> None:
    link = tmp_path / "dangling.pem"
    link.symlink_to(tmp_path / "nowhere")
    before = store.fingerprint()
    assert faults(store) == (f"{link}: cannot be read: No such file or directory",)
    (tmp_path / "nowhere").write_bytes(private_pem(pair("EdDSA")))
    assert store.fingerprint() != before


@pytest.mark.parametrize("name", [".", "EdDSA.pem", "ring.json"])
def test_what_everybody_may_write_to_is_refused(store: KeyStore, tmp_path: Path, name: str) -> None:
    decide(store, signing=EDDSA)
    place = tmp_path / name
    before = place.stat().st_mode & 0o777
    for mode in (0o770, 0o660, 0o755 if place.is_dir() else 0o644):
        place.chmod(mode)
        assert store.read().signing.id == EDDSA
    for mode in (0o777, 0o702):
        place.chmod(mode)
        assert f"{place}: everybody on this machine may write to it; chmod o-w it" in faults(store)
    place.chmod(before)
    assert store.read().signing.id == EDDSA


def test_modes_mean_nothing_where_nobody_can_write(
    store: KeyStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o777)
    mounted = os.statvfs(tmp_path)
    read_only = os.statvfs_result((*mounted[:8], mounted.f_flag | os.ST_RDONLY, mounted.f_namemax))
    monkeypatch.setattr(os, "statvfs", lambda _: read_only)
    assert len(ids(store.read())) == 4
