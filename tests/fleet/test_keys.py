"""The servers' key rings agree, also while keys change."""

import time

import jwt
import pytest

from gql_app.lib.database import Database
from tests.fleet.conftest import SIZE, Fleet
from tests.fleet.test_sessions import reasons, sign_in
from tests.people import add_customer
from tests.processes import PATIENCE, output_of

pytestmark = pytest.mark.xdist_group("fleet")


def signers(fleet: Fleet) -> tuple[list[str], set[str]]:
    """Sign in at every server, and tell the tokens and which keys signed them."""
    tokens = [sign_in(fleet, number, "kay@example.com")["token"] for number in range(SIZE)]
    return tokens, {jwt.get_unverified_header(token)["kid"] for token in tokens}


async def test_new_key_is_taken_up_by_all_and_nobody_is_signed_out(
    fleet: Fleet, database: Database
) -> None:
    await add_customer(database, "Kay Keyed")
    before, (old,) = signers(fleet)
    kid = output_of("keys", "new", folder=fleet.folder, **fleet.settings).split()[0]
    output_of("keys", "promote", kid, folder=fleet.folder, **fleet.settings)
    deadline = time.monotonic() + PATIENCE
    meanwhile, signing = signers(fleet)
    while signing != {kid}:
        assert signing <= {old, kid}
        assert time.monotonic() < deadline
        for token in meanwhile:
            assert set(reasons(fleet, token)) <= {None}
        meanwhile, signing = signers(fleet)
    for token in (*before, *meanwhile):
        assert reasons(fleet, token) == [None] * SIZE
    published = [client.get("/.well-known/jwks.json").json() for client in fleet.clients]
    assert published == [published[0]] * SIZE
