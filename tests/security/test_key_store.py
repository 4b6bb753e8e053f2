"""Where the signing keys of a deployment are: the secret that is set, or beside the file."""

import stat
from pathlib import Path

import pytest

from gql_app.lib.faults import CannotStart
from gql_app.security.key_store import key_store
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


def test_database_of_several_machines_wants_a_secret() -> None:
    with pytest.raises(CannotStart, match="GQL_APP_SECRET_KEY: is required with PostgreSQL"):
        key_store(Settings(database_url="postgresql://u@host/db"))
