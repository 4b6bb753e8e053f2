"""The `keys` commands, and running servers that pick up what they do."""

import re
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt import PyJWKClient

from gql_app.lib.database import Database
from gql_app.lib.keyring.keys import thumbprint
from tests.commands import output_here, run_here
from tests.conftest import SECRET
from tests.databases import copied_sqlite
from tests.people import PASSWORD, add_customer
from tests.processes import PATIENCE, Server, run_main, serving, signed_in
from tests.security.foundry import private_pem

EMAIL = "ada@example.com"
LINE = re.compile(r"(?P<kid>\S+) +(?P<algorithm>\S+)  (?P<state>.+?)  (?P<place>\S+)")
UNTIL = r"retired until \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
COMMANDS = [("new",), ("list",), ("promote", "x"), ("retire", "x")]


@pytest.fixture
def kept(sqlite_template: Path, tmp_path: Path) -> dict[str, str]:
    """Make the settings of a server with a folder for keys."""
    (tmp_path / "keys").mkdir()
    url = copied_sqlite(sqlite_template, tmp_path)
    return {"database_url": url, "secret_key": SECRET, "keys_dir": str(tmp_path / "keys")}


def listed(folder: Path, kept: dict[str, str]) -> dict[str, dict[str, str]]:
    """List the keys, one of each algorithm, by their algorithms."""
    lines = output_here("keys", "list", folder=folder, **kept).splitlines()
    found = [match for line in lines if (match := LINE.fullmatch(line))]
    assert len(found) == len(lines)
    return {match["algorithm"]: match.groupdict() for match in found}


def new(folder: Path, kept: dict[str, str], *options: str) -> str:
    """Make a key, and tell its id."""
    return output_here("keys", "new", *options, folder=folder, **kept).split()[0]


def test_keys_are_made_listed_promoted_and_retired(tmp_path: Path, kept: dict[str, str]) -> None:
    first = new(tmp_path, kept)
    second = new(tmp_path, kept, "--algorithm", "ES256")
    keys = listed(tmp_path, kept)
    assert {name: key["state"] for name, key in keys.items()} == {
        "HS256": "signing",
        "EdDSA": "verifying",
        "ES256": "verifying",
    }
    assert (keys["EdDSA"]["kid"], keys["ES256"]["kid"]) == (first, second)
    assert keys["HS256"]["place"] == "GQL_APP_SECRET_KEY"
    assert keys["EdDSA"]["place"] == f"{kept['keys_dir']}/EdDSA-{first}.pem"

    promoted = output_here("keys", "promote", first[:10], folder=tmp_path, **kept)
    assert promoted == f"{first} signs from now on.\n"
    hs256 = keys["HS256"]["kid"]
    retired = output_here("keys", "retire", hs256, folder=tmp_path, **kept)
    assert re.fullmatch(rf"{re.escape(hs256)} is {UNTIL}\.\n", retired)
    keys = listed(tmp_path, kept)
    assert keys["EdDSA"]["state"] == "signing"
    assert re.fullmatch(UNTIL, keys["HS256"]["state"])


def test_dead_key_is_listed_as_such(tmp_path: Path, kept: dict[str, str]) -> None:
    kid = new(tmp_path, kept)
    manifest = f'{{"retired": {{"{kid}": "2020-01-01T00:00:00Z"}}}}'
    (tmp_path / "keys" / "ring.json").write_text(manifest)
    assert listed(tmp_path, kept)["EdDSA"]["state"] == "dead"


def test_keys_are_listed_although_the_one_that_signs_is_lost(
    tmp_path: Path, kept: dict[str, str]
) -> None:
    lost, other = new(tmp_path, kept), new(tmp_path, kept, "--algorithm", "ES256")
    output_here("keys", "promote", lost, folder=tmp_path, **kept)
    (tmp_path / "keys" / f"EdDSA-{lost}.pem").unlink()
    done = run_here("keys", "list", folder=tmp_path, **kept)
    found = [match for line in done.stdout.splitlines() if (match := LINE.fullmatch(line))]
    assert {match["algorithm"]: match["state"] for match in found} == {
        "HS256": "verifying",
        "ES256": "verifying",
    }
    assert done.returncode == 2
    assert f"the signing key is not here: {lost}; " in done.stderr
    output_here("keys", "promote", other, folder=tmp_path, **kept)
    assert listed(tmp_path, kept)["ES256"]["state"] == "signing"


def test_secret_kept_beside_the_sqlite_file_is_listed_with_its_file(
    tmp_path: Path, kept: dict[str, str]
) -> None:
    del kept["secret_key"]
    place = listed(tmp_path, kept)["HS256"]["place"]
    assert Path(place).read_bytes()
    assert place.endswith(".db.key")


def test_id_that_begins_with_a_hyphen_is_no_option(tmp_path: Path, kept: dict[str, str]) -> None:
    key = next(
        key
        for _ in range(10_000)
        for key in [Ed25519PrivateKey.generate()]
        if thumbprint(key.public_key()).startswith("-")
    )
    (tmp_path / "keys" / "mine.pem").write_bytes(private_pem(key))
    kid = thumbprint(key.public_key())
    for name in (kid, kid[:10]):
        promoted = output_here("keys", "promote", name, folder=tmp_path, **kept)
        assert promoted == f"{kid} signs from now on.\n"
    done = run_here("keys", "retire", kid, folder=tmp_path, **kept)
    assert (done.returncode, done.stderr) == (
        1,
        f"{kid} signs the tokens. Promote another key first.\n",
    )


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_without_a_folder_the_operator_is_told_what_to_set(
    tmp_path: Path, kept: dict[str, str], command: tuple[str, ...]
) -> None:
    del kept["keys_dir"]
    done = run_here("keys", *command, folder=tmp_path, **kept)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("GQL_APP_KEYS_DIR: is not set")


@pytest.mark.parametrize("command", [*COMMANDS, None], ids=str)
def test_faulty_folder_is_told_in_words_and_nothing_else_is_done(
    tmp_path: Path, kept: dict[str, str], command: tuple[str, ...] | None
) -> None:
    folder = tmp_path / "keys"
    (folder / "a.pem").write_text("hush")
    (folder / "ring.json").write_text("hush")
    arguments = ("keys", *command) if command else ("serve", "--port", "0")
    run = run_here if command else run_main
    done = run(*arguments, folder=tmp_path, **kept)
    assert (done.returncode, done.stdout) == (2, "")
    assert [line.partition(": ")[0] for line in done.stderr.splitlines()] == [
        str(folder / "ring.json"),
        str(folder / "a.pem"),
    ]
    assert "hush" not in done.stderr


def until(outcome: Callable[[], bool]) -> None:
    """Try again and again, for as long as it takes to pick up a change, and then a little."""
    deadline = time.monotonic() + PATIENCE
    while not outcome():
        assert time.monotonic() < deadline
        time.sleep(0.3)


def is_published(server: Server, kid: str) -> bool:
    """Return whether a server publishes a key."""
    with server.client() as client:
        keys = client.get("/.well-known/jwks.json").json()["keys"]
        return kid in {key["kid"] for key in keys}


def signs_with(server: Server, kid: str) -> bool:
    """Sign in, and tell whether this key signed the token."""
    with server.client() as client:
        return bool(jwt.get_unverified_header(signed_in(client, EMAIL, PASSWORD))["kid"] == kid)


def is_good(server: Server, token: str) -> bool:
    """Return whether a server takes a token."""
    headers = {"Authorization": f"Bearer {token}"}
    with server.client() as client:
        answer = client.post("/graphql", json={"query": "{ me { email } }"}, headers=headers)
    return bool(answer.json() == {"data": {"me": {"email": EMAIL}}})


async def test_running_servers_change_keys_and_sign_nobody_out(
    tmp_path: Path, kept: dict[str, str]
) -> None:
    database = Database(kept["database_url"])
    await add_customer(database, "Ada Plain", EMAIL)
    await database.close()
    with serving(folder=tmp_path, **kept) as one, serving(folder=tmp_path, **kept) as other:
        servers = (one, other)
        with one.client() as client:
            before = signed_in(client, EMAIL, PASSWORD)
        secret_id = jwt.get_unverified_header(before)["kid"]

        kid = new(tmp_path, kept, "--algorithm", "ES256")
        for server in servers:
            until(partial(is_published, server, kid))
            assert signs_with(server, secret_id)

        output_here("keys", "promote", kid, folder=tmp_path, **kept)
        for server in servers:
            until(partial(signs_with, server, kid))
        with other.client() as client:
            after = signed_in(client, EMAIL, PASSWORD)
        assert all(is_good(server, token) for server in servers for token in (before, after))

        output_here("keys", "retire", secret_id, folder=tmp_path, **kept)
        assert "retired until" in listed(tmp_path, kept)["HS256"]["state"]
        assert all(is_good(server, token) for server in servers for token in (before, after))

        key = PyJWKClient(f"{one.url}/.well-known/jwks.json").get_signing_key_from_jwt(after)
        claims = jwt.decode(after, key, algorithms=["ES256"], audience="gql_app")
        assert claims["iss"] == "gql_app"


async def test_running_server_refuses_a_deleted_key_beside_a_faulty_file(
    tmp_path: Path, kept: dict[str, str]
) -> None:
    database = Database(kept["database_url"])
    await add_customer(database, "Ada Plain", EMAIL)
    await database.close()
    leaked = new(tmp_path, kept)
    output_here("keys", "promote", leaked, folder=tmp_path, **kept)
    other = new(tmp_path, kept)
    with serving(folder=tmp_path, **kept) as server:
        with server.client() as client:
            token = signed_in(client, EMAIL, PASSWORD)
        assert is_good(server, token)
        output_here("keys", "promote", other, folder=tmp_path, **kept)
        until(partial(signs_with, server, other))
        (tmp_path / "keys" / "z.pem").write_text("half-copied")
        (tmp_path / "keys" / f"EdDSA-{leaked}.pem").unlink()
        until(lambda: not is_good(server, token))
        assert signs_with(server, other)
        assert not is_published(server, leaked)
        with server.client() as client:
            assert client.get("/readyz").json()["keys"] == "stale"
