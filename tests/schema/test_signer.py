"""Access tokens that are signed by a key service: nobody waits who need not."""

import asyncio

import jwt
import pytest

from gql_app.extending.feature import Feature
from gql_app.lib.faults import CannotStart
from gql_app.resources import Extensions, Resources
from gql_app.settings import Settings
from tests.api import Api, running
from tests.people import PASSWORD, add_customer, sign_in
from tests.signers import KeyService

LOGIN = """
mutation SignIn($email: String!, $password: String!) {
  login(email: $email, password: $password) { token refreshToken }
}
"""
REFRESH = "mutation Again($spent: String!) { refresh(refreshToken: $spent) { token } }"
PAGE = "{ customers(first: 5) { nodes { name } } }"

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def login(api: Api, name: str) -> dict[str, str]:
    """Sign in, and take the tokens."""
    email = f"{name.lower()}@example.com"
    answer = await api.run(LOGIN, email=email, password=PASSWORD)
    payload: dict[str, str] = answer.data["login"]
    return payload


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256", "RS256"])
async def test_token_of_the_signer_is_good_here_and_by_the_published_keys(
    settings: Settings, algorithm: str
) -> None:
    service = KeyService(algorithm)
    async with running(settings, features=[Feature("signer", signer=service)]) as api:
        customer = await add_customer(api.database, "Ada")
        before = await sign_in(api.resources, customer)  # signed with the secret
        payload = await login(api, "Ada")
        again = (await api.run(REFRESH, spent=payload["refreshToken"])).data["refresh"]["token"]
        keys = jwt.PyJWKSet.from_dict((await api.client.get("/.well-known/jwks.json")).json())
        for token in (payload["token"], again):
            key = keys[jwt.get_unverified_header(token)["kid"]]
            assert jwt.decode(token, key, algorithms=[algorithm], audience="gql_app")["sub"]
            report = (await api.run("{ token { valid keyId } }", token=token)).data["token"]
            assert report == {"valid": True, "keyId": service.key_id}
        assert (await api.run("{ me { name } }", token=before.token)).data["me"]


async def test_two_who_sign_in_do_not_wait_for_each_other_and_a_page_is_answered_meanwhile(
    settings: Settings,
) -> None:
    service = KeyService(gate=asyncio.Event())
    async with running(settings, features=[Feature("signer", signer=service)]) as api:
        reader = await sign_in(api.resources, await add_customer(api.database, "Ada"))
        await add_customer(api.database, "Bob")
        assert service.gate
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            both = [group.create_task(login(api, name)) for name in ("Ada", "Bob")]
            for _ in both:
                await service.asked.get()  # both have asked, and neither has its signature
            assert (await api.run(PAGE, token=reader.token)).data["customers"]["nodes"]
            assert not any(each.done() for each in both)
            service.gate.set()
        assert all(each.result()["token"] for each in both)


async def test_failing_signer_answers_unavailable_and_refresh_goes_on_after_it(
    settings: Settings,
) -> None:
    service = KeyService()
    async with running(settings, features=[Feature("signer", signer=service)]) as api:
        await add_customer(api.database, "Ada")
        spent = (await login(api, "Ada"))["refreshToken"]
        service.error = RuntimeError("no credit left")
        for answer in (
            await api.run(REFRESH, spent=spent),
            await api.run(LOGIN, email="ada@example.com", password=PASSWORD),
        ):
            assert answer.status == 503
            assert answer.headers["retry-after"] == "5"
            (error,) = answer.errors
            assert error["extensions"]["code"] == "SERVICE_UNAVAILABLE"
            assert error["extensions"]["mayBeDone"] is True
            assert "credit" not in str(answer.body)
        service.error = None
        assert (await api.run(REFRESH, spent=spent)).data["refresh"]["token"]


async def test_slow_signer_is_given_up_and_holds_nobody_up(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gql_app.lib.keyring.signing.SIGNING_TIMEOUT", 0)
    service = KeyService(gate=asyncio.Event())
    async with running(settings, features=[Feature("signer", signer=service)]) as api:
        await add_customer(api.database, "Ada")
        answer = await api.run(LOGIN, email="ada@example.com", password=PASSWORD)
        assert answer.status == 503


async def test_signer_whose_key_is_none_keeps_the_process_from_starting(
    settings: Settings,
) -> None:
    service = KeyService(key_id="")
    with pytest.raises(CannotStart, match="no id"):
        async with Resources.open(settings, extensions=Extensions(signer=service)):
            pass
