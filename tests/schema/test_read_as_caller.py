"""Callers whom the statement that reads proves: each answer is as if they had been judged first."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from gql_app.accounts.callers import USE_PRECISION, ProvingReader
from gql_app.db.tables import CustomerRow, SessionRow
from gql_app.lib import clock
from gql_app.lib.database import Query
from tests.api import Api
from tests.conftest import SetClock
from tests.people import Person, sign_out
from tests.rows import get_row
from tests.schema.agreement import BOTH_WAYS

PAGE = "{ customers { nodes { id email phone isActive } } }"
BY_EMAIL = "{ customers(orderBy: { field: EMAIL }) { nodes { id } } }"
NO_CURSOR = '{ customers(after: "?") { nodes { id } } }'
NOBODY = '{ customers(filter: { search: "nobody at all" }) { nodes { id } totalCount } }'
COUNT = "{ customers { totalCount } }"
NOTHING = "{ customers { __typename } }"


async def set_admin(api: Api, person: Person, *, is_admin: bool) -> None:
    """Make somebody an admin, or none, behind every server's back."""
    async with api.database.transaction() as db:
        await db.execute(
            update(CustomerRow).where(CustomerRow.id == person.id).values(is_admin=is_admin)
        )


async def emails(api: Api, person: Person) -> set[str]:
    """List the addresses that somebody sees."""
    answer = await api.run(PAGE, token=person.token)
    return {node["email"] for node in answer.data["customers"]["nodes"] if node["email"]}


@pytest.mark.parametrize("query", [PAGE, BY_EMAIL, NO_CURSOR, NOBODY, COUNT, NOTHING])
@BOTH_WAYS
async def test_caller_who_has_signed_out_since_is_refused(
    api: Api, plain: Person, query: str
) -> None:
    assert (await api.run(PAGE, token=plain.token)).data["customers"]
    await sign_out(api.resources, plain)
    answer = await api.run(query, token=plain.token)
    assert (answer.body["data"], answer.reason("customers")) == (
        {"customers": None},
        "TOKEN_REVOKED",
    )


@BOTH_WAYS
async def test_nothing_is_read_for_an_ended_session_but_once(
    api: Api, plain: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await api.run(PAGE, token=plain.token)).data["customers"]
    await sign_out(api.resources, plain)
    tried: list[ProvingReader] = []
    fetch_all = ProvingReader.fetch_all

    async def noted(reader: ProvingReader, query: Query[Any], **values: object) -> list[Any]:
        tried.append(reader)
        return await fetch_all(reader, query, **values)

    monkeypatch.setattr(ProvingReader, "fetch_all", noted)
    for _ in range(3):
        answer = await api.run(PAGE, token=plain.token)
        assert answer.reason("customers") == "TOKEN_REVOKED"
    assert len(tried) == 1


@BOTH_WAYS
async def test_who_is_no_admin_any_more_sees_their_own_address_only(
    api: Api, admin: Person, plain: Person
) -> None:
    assert await emails(api, admin) >= {admin.email, plain.email}
    await set_admin(api, admin, is_admin=False)
    assert await emails(api, admin) == {admin.email}
    assert (await api.run(BY_EMAIL, token=admin.token)).code("customers") == "FORBIDDEN"


@BOTH_WAYS
async def test_who_has_become_an_admin_sees_every_address(
    api: Api, admin: Person, plain: Person
) -> None:
    assert await emails(api, plain) == {plain.email}
    await set_admin(api, plain, is_admin=True)
    assert await emails(api, plain) >= {admin.email, plain.email}
    assert (await api.run(BY_EMAIL, token=plain.token)).data["customers"]["nodes"]


@pytest.mark.parametrize(
    ("query", "code"), [(BY_EMAIL, "FORBIDDEN"), (NO_CURSOR, "BAD_USER_INPUT")]
)
@BOTH_WAYS
async def test_what_is_refused_is_refused_again(
    api: Api, plain: Person, query: str, code: str
) -> None:
    for _ in range(2):
        assert (await api.run(query, token=plain.token)).code("customers") == code


@BOTH_WAYS
async def test_nothing_found_is_found_again(api: Api, plain: Person) -> None:
    for _ in range(2):
        found = (await api.run(NOBODY, token=plain.token)).data["customers"]
        assert found == {"nodes": [], "totalCount": 0}


@BOTH_WAYS
async def test_reading_a_list_again_is_using_the_session(
    api: Api, plain: Person, set_clock: SetClock
) -> None:
    start = clock.now()
    for minutes in (0, 1, 2):
        moment = start + minutes * (USE_PRECISION + timedelta(seconds=1))
        set_clock(moment)
        assert await emails(api, plain) == {plain.email}
    session = await get_row(api.database, SessionRow, plain.session_id)
    assert session.last_used_at == moment


@BOTH_WAYS
async def test_fields_side_by_side_are_answered_as_they_are_alone(
    api: Api, plain: Person, admin: Person
) -> None:
    assert admin.id != plain.id
    both = "{ a: customers(first: 1) { nodes { id } } b: customers(last: 1) { nodes { id } } }"
    first = (await api.run(both, token=plain.token)).data
    assert first["a"]["nodes"] != first["b"]["nodes"]
    assert (await api.run(both, token=plain.token)).data == first
