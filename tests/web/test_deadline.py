"""The deadline of an operation: it is answered in words, and its SQL is gone."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import func, select, text

from gql_app.db.tables import AuditRow
from gql_app.settings import Settings
from tests.api import GRAPHQL, Answer, Api, running
from tests.people import Person, add_customer, sign_in
from tests.rows import value
from tests.slow import slow_down, slow_down_inserts, speed_up, statements_at_work

ME = "query Me { me { id } }"
PATIENCE = 30
"""Seconds after which an operation is taken to hang."""


@pytest.fixture
async def api(settings: Settings) -> AsyncIterator[Api]:
    """Run the API with a deadline of a second."""
    async with running(settings.model_copy(update={"operation_timeout": 1})) as api:
        yield api


async def check_late(api: Api, answer: Answer, *, may_be_done: bool = False) -> None:
    """See that an operation was refused as a whole, and that none of its SQL goes on."""
    assert list(answer.body) == ["errors"]
    told = {"mayBeDone": True} if may_be_done else {}
    assert answer.error()["extensions"] == {"code": "DEADLINE_EXCEEDED", **told}
    assert "longer than 1 seconds" in answer.error()["message"]
    async with asyncio.timeout(PATIENCE):
        while await statements_at_work(api.database):  # noqa: ASYNC110 — a statement's end sends no event
            await asyncio.sleep(0.01)


async def ask(api: Api, query: str, person: Person, accept: str = GRAPHQL) -> Answer:
    """Run an operation that must be answered, one way or the other."""
    async with asyncio.timeout(PATIENCE):
        return await api.run(query, token=person.token, accept=accept)


async def prompt(api: Api, query: str, person: Person) -> Answer:
    """Run an operation until it is in time, as it is once there is nothing to wait for."""
    async with asyncio.timeout(PATIENCE):
        while True:
            answer = await api.run(query, token=person.token)
            if "DEADLINE_EXCEEDED" not in str(answer.body):
                return answer


async def audited(api: Api) -> int:
    """Count what was noted."""
    return await value(api.database, select(func.count()).select_from(AuditRow))


@pytest.mark.parametrize("accept", [GRAPHQL, "application/json"])
async def test_late_operation_is_cancelled_and_says_so(
    capsys: pytest.CaptureFixture[str], settings: Settings, accept: str
) -> None:
    capsys.readouterr()
    async with running(settings.model_copy(update={"operation_timeout": 1})) as api:
        plain = await sign_in(api.resources, await add_customer(api.database, "Ada Plain"))
        await slow_down(api.database, "customers")
        answer = await ask(api, ME, plain, accept)
        assert answer.status == 504
        await check_late(api, answer)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    [line] = [line for line in lines if line["event"] == "Request"]
    assert (line["operation"], line["outcome"]) == ("Me", "DEADLINE_EXCEEDED")
    assert {line["level"] for line in lines} == {"info"}


async def test_every_statement_of_a_late_operation_is_cancelled(
    api: Api, plain: Person, admin: Person
) -> None:
    twice = await sign_in(api.resources, await add_customer(api.database, "Tim Twice"))
    await slow_down(api.database, "sessions", twice.session_id)
    everybody = "{ __typename customers { totalCount nodes { name sessions { id } } } me { id } }"
    await check_late(api, await ask(api, everybody, admin))
    assert (await prompt(api, ME, plain)).data == {"me": {"id": str(plain.id)}}


async def test_late_operations_leave_the_pool_as_it_was(api: Api, plain: Person) -> None:
    await slow_down(api.database, "customers")
    late = await asyncio.gather(*(ask(api, ME, plain) for _ in range(40)))
    assert Counter(answer.code() for answer in late) == {"DEADLINE_EXCEEDED": 40}
    await speed_up(api.database, "customers")
    served = await asyncio.gather(*(prompt(api, ME, plain) for _ in range(40)))
    assert [answer.data for answer in served] == [{"me": {"id": str(plain.id)}}] * 40


async def test_late_mutation_is_rolled_back(api: Api, plain: Person) -> None:
    noted = await audited(api)
    await slow_down_inserts(api.database, "audit_events")
    rename = 'mutation { updateMe(input: {name: "Eve"}) { status } }'
    for accept, status in ((GRAPHQL, 504), ("application/json", 200)):
        answer = await ask(api, rename, plain, accept)
        assert answer.status == status
        await check_late(api, answer, may_be_done=True)
    me = await prompt(api, "{ me { name } }", plain)
    assert me.data == {"me": {"name": plain.name}}
    assert await audited(api) == noted


async def test_mutation_that_waits_for_another_is_cancelled(api: Api, plain: Person) -> None:
    async with api.database.transaction() as db:
        await db.execute(text("UPDATE customers SET name = name"))
        rename = 'mutation { updateMe(input: {name: "Eve"}) { status } }'
        late = await asyncio.gather(*(ask(api, rename, plain) for _ in range(20)))
    assert Counter(answer.code() for answer in late) == {"DEADLINE_EXCEEDED": 20}
    assert (await prompt(api, "{ me { name } }", plain)).data == {"me": {"name": plain.name}}
    renamed = await prompt(api, rename, plain)
    assert renamed.data == {"updateMe": {"status": "SUCCESS"}}


async def test_wait_for_a_password_ends_with_the_operation(settings: Settings) -> None:
    changes = {"operation_timeout": 1, "password_threads": 1, "login_client_attempts": 1000}
    async with running(settings.model_copy(update=changes)) as api:

        def login(email: str) -> str:
            given = f'email: "{email}", password: "a password of nobody"'
            return f"mutation {{ login({given}) {{ errors {{ code }} }} }}"

        ada = await sign_in(api.resources, await add_customer(api.database, "Ada Plain"))
        racers = (ask(api, login(f"{number}@example.com"), ada) for number in range(250))
        late = [answer for answer in await asyncio.gather(*racers) if answer.errors]
        assert late
        assert {answer.code() for answer in late} == {"DEADLINE_EXCEEDED"}
        told = (await prompt(api, login("last@example.com"), ada)).data["login"]["errors"]
        assert told == [{"code": "INVALID_CREDENTIALS"}]
