"""What is opened with the process: the key above all, and that all of it is closed."""

import stat
from pathlib import Path

import pytest

from gql_app.db.readiness import condition
from gql_app.lib.fair_queue import LOCAL
from gql_app.lib.faults import CannotStart
from gql_app.lib.keyring import Algorithm, KeyStore, make
from gql_app.resources import Resources
from gql_app.security.key_store import key_store
from gql_app.security.tokens import Issuer
from gql_app.settings import Settings
from tests.conftest import SECRET


def on_sqlite(folder: Path, **chosen: str) -> Settings:
    """Make settings for a database in a folder."""
    return Settings.model_validate({"database_url": f"sqlite:///{folder / 'app.db'}", **chosen})


def test_secret_that_is_set_signs_and_none_is_kept(tmp_path: Path) -> None:
    ring = key_store(on_sqlite(tmp_path, secret_key=SECRET)).read()
    assert ring.signing.secret == SECRET.encode()
    assert list(tmp_path.iterdir()) == []


def test_secret_is_kept_beside_the_sqlite_file_and_used_again(tmp_path: Path) -> None:
    ring = key_store(on_sqlite(tmp_path)).read()
    kept = tmp_path / "app.db.key"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert ring.signing.secret == kept.read_bytes().strip()
    assert key_store(on_sqlite(tmp_path)).read().signing.id == ring.signing.id


@pytest.mark.parametrize("held", [b"", b"\n", b"x" * 31 + b"\n"])
def test_kept_secret_cut_short_is_refused_by_its_file_s_name(tmp_path: Path, held: bytes) -> None:
    kept = tmp_path / "app.db.key"
    kept.write_bytes(held)
    with pytest.raises(CannotStart) as caught:
        key_store(on_sqlite(tmp_path)).read()
    assert caught.value.faults[0].startswith(f"{kept}: holds no secret key")


def test_kept_secret_that_everybody_may_write_to_is_refused(tmp_path: Path) -> None:
    key_store(on_sqlite(tmp_path)).read()
    kept = tmp_path / "app.db.key"
    kept.chmod(0o602)
    with pytest.raises(
        CannotStart, match=r"app\.db\.key: everybody on this machine may write to it"
    ):
        key_store(on_sqlite(tmp_path))


def test_postgresql_without_a_secret_is_refused() -> None:
    with pytest.raises(CannotStart, match="GQL_APP_SECRET_KEY: is required with PostgreSQL"):
        key_store(Settings(database_url="postgresql://u@host/db"))


async def test_resources_are_as_the_settings_have_them(settings: Settings) -> None:
    chosen = settings.model_copy(
        update={"issuer": "us", "audience": "them", "access_token_ttl": 60}
    )
    async with Resources.open(chosen) as resources:
        assert resources.issuer == Issuer("us", "them", 60)
        assert resources.keys.get().signing.secret == SECRET.encode()
        assert (await condition(resources.database)).ready


async def test_resources_are_closed_even_if_the_block_fails(settings: Settings) -> None:
    with pytest.raises(KeyError):
        async with Resources.open(settings) as resources:
            raise KeyError
    with pytest.raises(RuntimeError):
        await resources.passwords.hash("a password of the tests", LOCAL)


async def test_running_process_goes_by_the_fallback_and_the_files_as_well(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    other = "the secret that was in use until today"
    chosen = on_sqlite(
        tmp_path,
        secret_key=SECRET,
        secret_key_fallback=other,
        keys_dir=str(tmp_path / "keys"),
    )
    key, _ = make(key_store(chosen), Algorithm.EDDSA)
    async with Resources.open(chosen) as resources:
        before = KeyStore(other.encode()).read().signing.id
        found = [resources.keys.get().find(key_id) for key_id in (before, key.id)]
        assert [each and each.algorithm for each in found] == ["HS256", "EdDSA"]
        assert resources.keys.get().signing.secret == SECRET.encode()
