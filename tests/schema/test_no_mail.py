"""Where letters go nowhere: who asks for one is told, whoever they are."""

from gql_app.settings import Settings
from tests.api import Api, running
from tests.databases import contents
from tests.people import Person
from tests.schema.mutations import SUCCESS, do, faults


async def test_reset_says_that_mail_is_not_set_up(api: Api, plain: Person) -> None:
    before = await contents(api.database)
    for email in (plain.email, "nobody@example.com", ""):
        refused = await do(api, "requestPasswordReset", email=email)
        assert faults(refused) == [("MAIL_NOT_SET_UP", None)]
    assert await contents(api.database) == before


async def test_demo_takes_requests_without_mail(settings: Settings) -> None:
    async with running(settings.model_copy(update={"demo": True})) as api:
        done = await do(api, "requestPasswordReset", email="nobody@example.com")
        assert faults(done) == SUCCESS
