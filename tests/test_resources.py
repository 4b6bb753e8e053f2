"""What is opened with the process, as the settings have it, and that all of it is closed."""

from pathlib import Path

import pytest

from gql_app.db.readiness import condition
from gql_app.lib.fair_queue import LOCAL
from gql_app.lib.keyring import Algorithm, KeyStore, make
from gql_app.resources import Resources
from gql_app.security.key_store import key_store
from gql_app.security.tokens import Issuer
from gql_app.settings import Settings
from tests.conftest import SECRET


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
    chosen = Settings(
        database_url=f"sqlite:///{tmp_path / 'app.db'}",
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
