"""The key set that other services verify our tokens with, and how it is cached."""

import re
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import jwt
import pytest
from jwt import PyJWKSet

from gql_app.lib import clock
from gql_app.lib.keyring import Algorithm, make, promote, retire
from gql_app.security.key_store import key_store
from gql_app.settings import Settings
from tests.api import Api, running
from tests.conftest import SECRET, SetClock
from tests.databases import copied_sqlite
from tests.people import add_customer, sign_in
from tests.security.foundry import read_once

URL = "/.well-known/jwks.json"
MEMBERS = {
    "EdDSA": {"kty", "crv", "x", "use", "alg", "kid"},
    "ES256": {"kty", "crv", "x", "y", "use", "alg", "kid"},
    "RS256": {"kty", "n", "e", "use", "alg", "kid"},
}


@pytest.fixture
def settings(sqlite_template: Path, tmp_path: Path) -> Settings:
    """Make settings with a folder for keys; one engine is enough."""
    keys_dir = tmp_path / "keys"
    keys_dir.mkdir()
    url = copied_sqlite(sqlite_template, tmp_path)
    return Settings(database_url=url, secret_key=SECRET, keys_dir=keys_dir)


@pytest.fixture(scope="module", autouse=True)
def keys_are_read_once() -> Iterator[None]:
    """Load each private key once."""
    with read_once():
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a key of each kind, once, for an RSA key takes long."""
    folder = tmp_path_factory.mktemp("keys")
    for algorithm in Algorithm:
        make(key_store(Settings(secret_key=SECRET, keys_dir=folder)), algorithm)
    return folder


@pytest.fixture
async def api(settings: Settings, made: Path) -> AsyncIterator[Api]:
    """Run the API with a key of each kind, none of which signs yet."""
    assert settings.keys_dir is not None
    shutil.copytree(made, settings.keys_dir, dirs_exist_ok=True)
    async with running(settings) as api:
        yield api


async def key_set(api: Api) -> list[Mapping[str, str]]:
    """Fetch the published keys."""
    keys: list[Mapping[str, str]] = (await api.client.get(URL)).json()["keys"]
    return keys


async def test_public_halves_of_all_keys_are_published_and_nothing_else(api: Api) -> None:
    keys = await key_set(api)
    assert {key["alg"]: set(key) for key in keys} == MEMBERS
    assert {key["use"] for key in keys} == {"sig"}
    assert len(keys) == 3


async def test_set_without_asymmetric_keys_is_empty_and_never_holds_the_secret(
    sqlite_template: Path, tmp_path: Path
) -> None:
    url = copied_sqlite(sqlite_template, tmp_path)
    chosen = Settings(database_url=url, secret_key=SECRET, secret_key_fallback=SECRET[::-1])
    async with running(chosen) as api:
        assert (await api.client.get(URL)).content == b'{"keys":[]}'


async def test_set_may_be_kept_for_five_minutes_and_has_its_own_media_type(api: Api) -> None:
    response = await api.client.get(URL)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/jwk-set+json"
    assert response.headers["cache-control"] == "public, max-age=300"
    assert re.fullmatch(r'"[0-9a-f]{64}"', response.headers["etag"])
    assert response.headers["x-content-type-options"] == "nosniff"


def sign_by(settings: Settings, made: Path, algorithm: Algorithm) -> None:
    """Let the settings' folder have the key of an algorithm, which signs."""
    assert settings.keys_dir is not None
    [file] = made.glob(f"{algorithm}-*.pem")
    shutil.copy(file, settings.keys_dir)
    promote(key_store(settings), file.stem.removeprefix(f"{algorithm}-"))


@pytest.mark.parametrize("algorithm", Algorithm)
async def test_another_service_verifies_our_token_without_asking_us(
    settings: Settings, made: Path, algorithm: Algorithm
) -> None:
    sign_by(settings, made, algorithm)
    async with running(settings) as api:
        person = await sign_in(api.resources, await add_customer(api.database, "Ada Plain"))
        keys = PyJWKSet.from_json((await api.client.get(URL)).text)
    key = keys[jwt.get_unverified_header(person.token)["kid"]]
    claims = jwt.decode(
        person.token, key, algorithms=[algorithm], audience="gql_app", issuer="gql_app"
    )
    assert claims["sub"] == str(person.id)


@pytest.mark.parametrize(
    "spelling",
    [
        "{}",
        "W/{}",
        '"another", {}',
        '"another",W/{} , "a third"',
        ' {},"with, a comma"',
        "*",
        " * ",
    ],
)
async def test_who_has_the_set_already_is_told_so(api: Api, spelling: str) -> None:
    tag = (await api.client.get(URL)).headers["etag"]
    response = await api.client.get(URL, headers={"If-None-Match": spelling.format(tag)})
    assert (response.status_code, response.content) == (304, b"")
    assert response.headers["etag"] == tag
    assert response.headers["cache-control"] == "public, max-age=300"
    assert "content-type" not in response.headers


@pytest.mark.parametrize(
    "spelling", ["", '"another"', "{0}x", "x", '"', '"*"', "*, *", "{bare}", '"{bare}, *"']
)
async def test_who_has_another_set_or_none_is_answered_this_one(api: Api, spelling: str) -> None:
    tag = (await api.client.get(URL)).headers["etag"]
    known = spelling.format(tag.replace('"', '"x'), bare=tag.strip('"'))
    response = await api.client.get(URL, headers={"If-None-Match": known})
    assert response.status_code == 200


async def test_entity_tag_may_be_in_the_second_of_two_headers(api: Api) -> None:
    tag = (await api.client.get(URL)).headers["etag"]
    headers = [("If-None-Match", '"another"'), ("If-None-Match", tag)]
    assert (await api.client.get(URL, headers=headers)).status_code == 304


async def test_entity_tag_changes_when_a_key_dies_and_all_machines_agree_on_it(
    settings: Settings, tmp_path: Path, set_clock: SetClock
) -> None:
    store = key_store(settings)
    keys = [make(store, Algorithm.EDDSA) for _ in range(3)]
    retire(store, keys[0][0].id, ttl=3600)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "ring.json").write_bytes((tmp_path / "keys" / "ring.json").read_bytes())
    for number, (_, file) in enumerate(reversed(keys)):
        (elsewhere / f"{number}.pem").write_bytes(file.read_bytes())
    now, tags = clock.now(), list[str]()
    for later, count in ((timedelta(0), 3), (timedelta(days=1), 2)):
        set_clock(now + later)
        for folder in (tmp_path / "keys", elsewhere):
            async with running(settings.model_copy(update={"keys_dir": folder})) as api:
                assert len(await key_set(api)) == count
                tags.append((await api.client.get(URL)).headers["etag"])
    assert tags[0] == tags[1] != tags[2] == tags[3]


async def test_head_is_answered_like_get(api: Api) -> None:
    got, head = await api.client.get(URL), await api.client.head(URL)
    assert head.status_code == 200
    for name in ("etag", "cache-control", "content-type", "content-length"):
        assert head.headers[name] == got.headers[name]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
async def test_any_other_method_is_refused(api: Api, method: str) -> None:
    response = await api.client.request(method, URL)
    assert response.status_code == 405
    assert set(response.headers["allow"].split(", ")) == {"GET", "HEAD"}
    assert response.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
    assert response.headers["cache-control"] == "no-store"
