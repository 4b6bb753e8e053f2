"""Credentials of features: sessions without tokens, and who is signed in by other means."""

from datetime import datetime, timedelta
from typing import cast
from uuid import UUID

import pytest
import strawberry

from gql_app import (
    Feature,
    Identity,
    Info,
    IsAuthenticated,
    LoginPayload,
    Reader,
    TokenInvalid,
    Transaction,
    mutation,
    sign_in,
)
from gql_app.extending.transaction import transact
from gql_app.lib import clock
from gql_app.settings import Settings
from tests.api import running
from tests.people import add_customer
from tests.people import sign_in as signed_in

KEYS: dict[str, Identity] = {}
"""Whose keys are good: those that makeKey made."""


async def make(tx: Transaction, key: str, hours: int) -> None:
    """Make a key of the caller's."""
    assert tx.caller is not None
    until = clock.now() + timedelta(hours=hours)
    KEYS[key] = await tx.open_session(tx.caller.customer_id, until)


async def authenticate(_db: Reader, scheme: str, key: str) -> Identity | None:
    """Return whose key it is."""
    if scheme != "apikey":
        return None
    if key not in KEYS:
        raise TokenInvalid
    return KEYS[key]


@strawberry.type
class Doors:
    """Ways in beside our tokens."""

    @strawberry.mutation(permission_classes=[IsAuthenticated])
    async def make_key(self, info: Info, key: str, hours: int = 1) -> bool | None:
        """Make a key."""
        await info.context.write(make, key, hours)
        return True

    @mutation(LoginPayload, "Signs in whom a provider has proven.")
    async def enter(self, info: Info, customer: UUID) -> LoginPayload:
        """Sign somebody in."""
        return await sign_in(info.context, customer)


DOORS = Feature("doors", mutations=[Doors], authenticators=[authenticate])
ME = "{ me { name sessions { id } } }"


async def test_key_is_good_until_its_session_is_over(settings: Settings) -> None:
    async with running(settings, features=[DOORS]) as api:
        ada = await signed_in(api.resources, await add_customer(api.database, "Ada Plain"))
        made = 'mutation { makeKey(key: "one") late: makeKey(key: "old", hours: -1) }'
        assert (await api.run(made, token=ada.token)).data == {"makeKey": True, "late": True}
        sent = {"Authorization": "ApiKey one"}
        me = (await api.run(ME, headers=sent)).data["me"]
        assert me["name"] == "Ada Plain"
        assert str(KEYS["one"].session_id) in [each["id"] for each in me["sessions"]]
        end = "mutation ($id: ID!) { endSession(id: $id) { status } }"
        await api.run(end, token=ada.token, id=str(KEYS["one"].session_id))
        assert (await api.run(ME, headers=sent)).reason("me") == "TOKEN_REVOKED"
        sent = {"Authorization": "ApiKey old"}
        assert (await api.run(ME, headers=sent)).reason("me") == "TOKEN_REVOKED"
        sent = {"Authorization": "ApiKey other"}
        assert (await api.run(ME, headers=sent)).reason("me") == "TOKEN_INVALID"


async def test_end_of_a_session_has_a_time_zone(settings: Settings) -> None:
    async def open_until(tx: Transaction, customer_id: UUID, until: datetime) -> None:
        await tx.open_session(customer_id, until)

    async with running(settings, features=[DOORS]) as api:
        ada = await add_customer(api.database, "Ada Plain")
        until = clock.now() + timedelta(hours=1)
        await transact(api.resources, open_until, ada.id, until)
        for local in (until.replace(tzinfo=None), until.date()):
            with pytest.raises(TypeError, match="has no time zone"):
                await transact(api.resources, open_until, ada.id, cast(datetime, local))


async def test_feature_signs_in_whom_it_has_proven(settings: Settings) -> None:
    enter = "mutation ($id: UUID!) { enter(customer: $id) { errors { code } token } }"
    async with running(settings, features=[DOORS]) as api:
        ada = await add_customer(api.database, "Ada Plain")
        answer = (await api.run(enter, id=str(ada.id))).data["enter"]
        assert (await api.run(ME, token=answer["token"])).data["me"]["name"] == "Ada Plain"
        nobody = (await api.run(enter, id=str(UUID(int=1)))).data["enter"]
        assert nobody == {"errors": [{"code": "INVALID_CREDENTIALS"}], "token": None}


async def test_key_sets_up_no_factor_though_one_is_required(settings: Settings) -> None:
    async with running(settings, features=[DOORS]) as api:
        ada = await signed_in(api.resources, await add_customer(api.database, "Ada Plain"))
        await api.run('mutation { makeKey(key: "kept") }', token=ada.token)
    required = settings.model_copy(update={"second_factor": "everyone"})
    sent = {"Authorization": "ApiKey kept"}
    async with running(required, features=[DOORS]) as api:
        for field in ("beginCodes", "beginPasskey"):
            refused = await api.run(f"mutation {{ {field} {{ status }} }}", headers=sent)
            assert refused.reason(field) == "REAUTHENTICATION_REQUIRED"
            begun = await api.run(f"mutation {{ {field} {{ status }} }}", token=ada.token)
            assert begun.data[field]["status"] == "SUCCESS"
