"""The ring of a running process: picked up when it changes, kept while it is faulty."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gql_app.lib.faults import CannotStart
from gql_app.lib.keyring import Algorithm, KeyStore, ReloadingKeyRing, make, promote, retire
from tests.security.forging import ISSUER, RING, SECRET

HS256 = RING.signing.id


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    """Keep a secret, and an empty folder."""
    return KeyStore(SECRET, folder=tmp_path)


def test_each_step_is_picked_up_without_a_restart(store: KeyStore) -> None:
    current = ReloadingKeyRing(store, interval=0)
    assert current.get().signing.id == HS256
    key, _ = make(store, Algorithm.EDDSA)
    assert current.get().find(key.id) is not None
    assert current.get().signing.id == HS256
    promote(store, key.id)
    assert current.get().signing.id == key.id
    until = retire(store, HS256, ttl=ISSUER.ttl).not_after
    found = current.get().find(HS256)
    assert found is not None
    assert found.not_after == until


def test_nothing_is_read_anew_while_nothing_changes(store: KeyStore) -> None:
    make(store, Algorithm.EDDSA)
    current = ReloadingKeyRing(store, interval=0)
    for _ in range(2):
        ring = current.get()
        assert all(current.get() is ring for _ in range(10))
        make(store, Algorithm.EDDSA)


def test_folder_is_not_looked_at_before_the_interval_is_over(store: KeyStore) -> None:
    current = ReloadingKeyRing(store, interval=3600)
    ring = current.get()
    make(store, Algorithm.EDDSA)
    assert current.get() is ring


def test_process_without_a_folder_keeps_its_ring() -> None:
    current = ReloadingKeyRing(KeyStore(SECRET), interval=0)
    assert current.get() is current.get()


def test_file_written_over_with_equal_size_and_time_is_picked_up(store: KeyStore) -> None:
    keys = [make(store, Algorithm.EDDSA) for _ in range(2)]
    (first, file), (_, other) = keys
    other_content = other.read_bytes()
    other.unlink()
    current = ReloadingKeyRing(store, interval=0)
    assert current.get().find(first.id) is not None
    before = file.stat()
    file.write_bytes(other_content)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_size == before.st_size
    assert current.get().find(first.id) is None


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: (folder / "half-copied.pem").write_text("-----BEGIN PRIV"),
        lambda folder: (folder / "ring.json").write_text('{"signing": "a key yet to come"}'),
        lambda folder: (folder / "ring.json").write_text("half-cop"),
        lambda folder: next(folder.glob("*.pem")).write_text("-----BEGIN PRIV"),
        lambda folder: folder.chmod(0o777),
        lambda folder: next(folder.glob("*.pem")).chmod(0o666),
        lambda folder: (folder / "dangling.pem").symlink_to("nowhere"),
        lambda folder: folder.rename(folder.with_name("unmounted")),
    ],
    ids=[
        "half a file",
        "no such key",
        "half a manifest",
        "half of its own file",
        "folder of everybody",
        "file of everybody",
        "dangling link",
        "no folder",
    ],
)
def test_faulty_folder_keeps_the_old_ring_and_is_told_once(
    store: KeyStore, tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    folder = tmp_path / "keys"
    folder.mkdir()
    store = KeyStore(SECRET, folder=folder)
    key, _ = make(store, Algorithm.ES256)
    promote(store, key.id)
    current = ReloadingKeyRing(store, interval=0)
    ring = current.get()
    assert not current.stale
    spoil(folder)
    with capture_logs() as told:
        assert all(current.get() is ring for _ in range(3))
    assert current.stale
    assert [(line["log_level"], line["event"]) for line in told] == [
        ("warning", "The keys can't be read; none is added")
    ]
    assert told[0]["faults"][0].startswith(str(folder))


def test_mended_folder_is_picked_up_and_the_next_fault_is_told(
    store: KeyStore, tmp_path: Path
) -> None:
    current = ReloadingKeyRing(store, interval=0)
    faulty = tmp_path / "faulty.pem"
    with capture_logs() as told:
        for _ in range(2):
            faulty.write_text("hush")
            current.get()
            assert current.stale
            faulty.unlink()
            key, _ = make(store, Algorithm.EDDSA)
            assert current.get().find(key.id) is not None
            assert not current.stale
    assert [line["log_level"] for line in told] == ["warning", "info", "warning", "info"]
    assert told[1]["signing"] == HS256


def test_another_fault_is_told_beside_the_first(store: KeyStore, tmp_path: Path) -> None:
    current = ReloadingKeyRing(store, interval=0)
    with capture_logs() as told:
        for name in ("a.pem", "b.pem"):
            (tmp_path / name).write_text("hush")
            for _ in range(2):
                current.get()
    assert [len(line["faults"]) for line in told] == [1, 2]


def test_faulty_folder_keeps_a_process_from_starting(store: KeyStore, tmp_path: Path) -> None:
    (tmp_path / "faulty.pem").write_text("hush")
    with pytest.raises(CannotStart):
        ReloadingKeyRing(store)
