"""Refreshing: one use for each token, an end to whoever comes with a copy."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from secrets import token_urlsafe
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, text

from gql_app.accounts import refresh_tokens
from gql_app.accounts.audit import Origin
from gql_app.db.tables import AuditRow, RefreshTokenRow
from gql_app.lib import clock
from gql_app.schema.context import Context
from gql_app.security import tokens
from gql_app.settings import Settings
from tests.api import Api, running
from tests.conftest import SetClock
from tests.databases import contents
from tests.people import PASSWORD, Person, add_customer, sign_in
from tests.rows import add, value
from tests.schema.mutations import (
    SUCCESS,
    CodeAndField,
    do,
    faults,
    refresh,
    refused,
    send,
    token_reason,
)

RACERS = 12
NO_AGAIN = {"refresh_grace_seconds": 0, "refresh_retry_seconds": 0}
REUSED: list[CodeAndField] = [("TOKEN_REUSED", "refreshToken")]
REVOKED: list[CodeAndField] = [("TOKEN_REVOKED", "refreshToken")]
INVALID: list[CodeAndField] = [("TOKEN_INVALID", "refreshToken")]


async def unspent(api: Api, person: Person) -> int:
    """Count the refresh tokens of a session that are still to be used."""
    statement = (
        select(func.count())
        .select_from(RefreshTokenRow)
        .where(RefreshTokenRow.session_id == person.session_id, RefreshTokenRow.spent_at.is_(None))
    )
    return await value(api.database, statement)


async def test_refresh_answers_a_new_pair_of_the_same_session(api: Api, plain: Person) -> None:
    payload = await do(api, "refresh", refreshToken=plain.refresh_token)
    assert faults(payload) == SUCCESS
    assert payload["customer"]["id"] == str(plain.id)
    assert plain.token != payload["token"]
    assert plain.refresh_token != payload["refreshToken"]
    me = (await api.run("{ me { sessions { id isCurrent } } }", token=payload["token"])).data["me"]
    assert me["sessions"] == [{"id": str(plain.session_id), "isCurrent": True}]
    assert await token_reason(api, plain.token) is None


async def test_every_refresh_token_has_its_shape_and_only_its_digest_is_stored(api: Api) -> None:
    registered = await do(
        api, "register", input={"name": "Al", "email": "al@example.com", "password": PASSWORD}
    )
    changed = await do(
        api,
        "changePassword",
        token=registered["token"],
        currentPassword=PASSWORD,
        newPassword="another good one",
    )
    signed_in = await do(api, "login", email="al@example.com", password="another good one")
    successor = await refresh(api, signed_in["refreshToken"])
    told = [registered, changed, signed_in]
    issued = [*(payload["refreshToken"] for payload in told), successor]
    assert all(re.fullmatch(r"gar_[A-Za-z0-9_-]{43}", token) for token in issued)
    assert len(set(issued)) == len(issued)
    stored = await contents(api.database)
    for token in issued:
        assert sha256(token.encode()).hexdigest() in stored
        assert token.removeprefix("gar_") not in stored


async def test_token_names_its_session_and_proves_nothing_by_that(
    api: Api, plain: Person, other: Person
) -> None:
    mine, theirs = plain.refresh_token, other.refresh_token
    assert tokens.session_of(mine) == plain.session_id
    named = len("gar_") + 22  # letters, of which the last holds four bits of the secret
    forged = [mine[:-1] + ("Q" if mine[-1] != "Q" else "U"), theirs[:named] + mine[named:]]
    forged.append(tokens.new_refresh_token(plain.session_id))
    for token in forged:
        assert await refused(api, token) == INVALID
    for person in (plain, other):
        assert await token_reason(api, person.token) is None
        successor = await refresh(api, person.refresh_token)
        assert tokens.session_of(successor) == person.session_id


async def issue_as_before(api: Api, person: Person) -> tuple[str, str]:
    """Give a session a token that names nothing, and return it with what succeeds it."""
    token, salt = f"gar_{token_urlsafe(32)}", tokens.new_salt()
    async with api.database.transaction() as db:
        await add(
            db,
            RefreshTokenRow,
            digest=sha256(token.encode()).hexdigest(),
            session_id=person.session_id,
            salt=salt,
            expires_at=clock.now() + timedelta(days=1),
            spent_at=None,
        )
    return token, tokens.succeeding(api.resources.lifetimes.pepper, token, salt)


async def test_token_of_the_version_before_goes_on_and_ends_as_ever(
    api: Api, plain: Person, set_clock: SetClock
) -> None:
    start = clock.now()
    set_clock(start)
    token, successor = await issue_as_before(api, plain)
    raced = await asyncio.gather(*(refresh(api, token) for _ in range(3)))
    assert raced == [successor] * 3
    set_clock(start + timedelta(seconds=60))
    assert await refresh(api, token) == successor
    assert await events(api, "session:refresh_retry") == [(None, plain.id)]
    leaf = await refresh(api, successor)
    assert tokens.session_of(leaf) is None
    assert await refused(api, token) == REUSED
    assert await refused(api, leaf) == REVOKED


async def events(api: Api, action: str) -> list[tuple[UUID | None, UUID | None]]:
    """Return by whom and to whom something was done."""
    rows = await api.database.fetch_all(select(AuditRow).where(AuditRow.action == action))
    return [(row.actor_id, row.customer_id) for row in rows]


async def test_spent_token_after_the_grace_ends_the_session(
    api: Api, plain: Person, set_clock: SetClock
) -> None:
    start = clock.now()
    set_clock(start)
    successor = await refresh(api, plain.refresh_token)
    leaf = await refresh(api, successor)
    set_clock(start + timedelta(seconds=10))
    assert await refused(api, plain.refresh_token) == REUSED
    assert await token_reason(api, plain.token) == "TOKEN_REVOKED"
    assert await refused(api, leaf) == REVOKED
    assert await refused(api, successor) == REVOKED
    assert await refused(api, plain.refresh_token) == REVOKED
    assert await events(api, "session:reuse") == [(None, plain.id)]
    assert await events(api, "session:refresh_retry") == []


@pytest.mark.parametrize("seconds", [10, 11, 12, 899.999])
async def test_answer_that_was_lost_is_given_again_while_its_token_was_never_used(
    api: Api, plain: Person, set_clock: SetClock, seconds: float
) -> None:
    start = clock.now()
    set_clock(start)
    lost = await refresh(api, plain.refresh_token)
    for count in (1, 2):
        set_clock(start + timedelta(seconds=seconds))
        assert await refresh(api, plain.refresh_token) == lost
        assert await events(api, "session:refresh_retry") == [(None, plain.id)] * count
    leaf = await refresh(api, lost)
    assert await refused(api, plain.refresh_token) == REUSED
    assert await refused(api, leaf) == REVOKED


async def test_answer_that_was_lost_for_too_long_is_a_reuse(
    api: Api, plain: Person, set_clock: SetClock
) -> None:
    start = clock.now()
    set_clock(start)
    successor = await refresh(api, plain.refresh_token)
    set_clock(start + timedelta(seconds=900))
    assert await refused(api, plain.refresh_token) == REUSED
    assert await refused(api, successor) == REVOKED


async def test_token_of_two_rotations_ago_is_a_reuse_though_its_leaf_was_never_used(
    api: Api, plain: Person, set_clock: SetClock
) -> None:
    start = clock.now()
    set_clock(start)
    await refresh(api, await refresh(api, plain.refresh_token))
    set_clock(start + timedelta(seconds=11))
    assert await refused(api, plain.refresh_token) == REUSED


async def test_answer_that_was_lost_for_want_of_the_pepper_stays_so(
    api: Api, plain: Person, set_clock: SetClock
) -> None:
    start = clock.now()
    set_clock(start)
    await refresh(api, plain.refresh_token)
    set_clock(start + timedelta(seconds=11))
    other = replace(api.resources.lifetimes, pepper=b"another pepper of the tests")
    async with api.database.transaction() as db:
        why = await refresh_tokens.rotate(db, plain.refresh_token, Origin(), other)
    assert why is refresh_tokens.REUSED


async def test_refresh_behind_a_lock_is_undone_or_given_again(
    settings: Settings, set_clock: SetClock
) -> None:
    changes = {"operation_timeout": 1, "database_pool_timeout": 30}
    async with running(settings.model_copy(update=changes)) as api:
        plain = await sign_in(api.resources, await add_customer(api.database, "Ada Plain"))
        start = clock.now()
        set_clock(start)
        async with api.database.transaction() as db:
            if settings.on_sqlite:
                await db.execute(text("UPDATE customers SET name = name"))
            else:
                await db.execute(text("LOCK TABLE customers IN ACCESS EXCLUSIVE MODE"))
            late = await send(api, "refresh", {"refreshToken": plain.refresh_token})
            assert late.error()["extensions"] == {"code": "DEADLINE_EXCEEDED", "mayBeDone": True}
            set_clock(start + timedelta(seconds=11))
        successor = await refresh(api, plain.refresh_token)
        assert await events(api, "session:reuse") == []
        await refresh(api, successor)
        assert await token_reason(api, plain.token) is None


async def test_no_question_is_asked_once_a_rotation_is_committed(
    api: Api, plain: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    write: Callable[..., Awaitable[object]] = Context.transact

    async def nothing_after(*args: object, **kwargs: object) -> object:
        done = await write(*args, **kwargs)
        monkeypatch.delattr(Context, "db")
        return done

    monkeypatch.setattr(Context, "transact", nothing_after)
    payload = await do(api, "refresh", refreshToken=plain.refresh_token)
    assert faults(payload) == SUCCESS
    assert payload["customer"]["email"] == plain.email


async def test_reuse_leaves_the_other_sessions_of_the_customer(
    settings: Settings,
) -> None:
    async with running(settings.model_copy(update=NO_AGAIN)) as api:
        row = await add_customer(api.database, "Ada Plain")
        stolen, kept = await sign_in(api.resources, row), await sign_in(api.resources, row)
        await refresh(api, stolen.refresh_token)
        assert await refused(api, stolen.refresh_token) == REUSED
        assert await token_reason(api, kept.token) is None
        await refresh(api, kept.refresh_token)


async def test_racing_caller_within_the_grace_is_answered_the_living_leaf(
    api: Api, plain: Person, set_clock: SetClock
) -> None:
    start = clock.now()
    set_clock(start)
    first = await refresh(api, plain.refresh_token)
    set_clock(start + timedelta(seconds=5))
    assert await refresh(api, plain.refresh_token) == first
    leaf = await refresh(api, first)
    set_clock(start + timedelta(seconds=9.999))
    assert leaf not in {first, plain.refresh_token}
    assert await refresh(api, plain.refresh_token) == leaf
    assert await refresh(api, first) == leaf
    assert await unspent(api, plain) == 1


async def test_grace_is_counted_from_when_the_very_token_was_spent(
    api: Api, plain: Person, set_clock: SetClock
) -> None:
    start = clock.now()
    set_clock(start)
    first = await refresh(api, plain.refresh_token)
    set_clock(start + timedelta(seconds=9))
    leaf = await refresh(api, first)
    set_clock(start + timedelta(seconds=12))
    assert await refresh(api, first) == leaf
    assert await refused(api, plain.refresh_token) == REUSED


async def test_twelve_racing_refreshes_go_on_with_one_successor(api: Api, plain: Person) -> None:
    racers = (do(api, "refresh", refreshToken=plain.refresh_token) for _ in range(RACERS))
    answers = await asyncio.gather(*racers)
    assert [faults(answer) for answer in answers] == [SUCCESS] * RACERS
    assert len({answer["refreshToken"] for answer in answers}) == 1
    assert await unspent(api, plain) == 1
    await refresh(api, answers[0]["refreshToken"])
    assert await unspent(api, plain) == 1


async def test_one_of_twelve_racing_refreshes_wins_where_there_is_no_grace(
    settings: Settings,
) -> None:
    async with running(settings.model_copy(update=NO_AGAIN)) as api:
        plain = await sign_in(api.resources, await add_customer(api.database, "Ada Plain"))
        racers = (do(api, "refresh", refreshToken=plain.refresh_token) for _ in range(RACERS))
        told = [faults(answer) for answer in await asyncio.gather(*racers)]
        assert told.count(SUCCESS) == 1
        assert told.count(REUSED) >= 1
        assert told.count(REUSED) + told.count(REVOKED) == RACERS - 1
        assert await unspent(api, plain) == 1
        assert await token_reason(api, plain.token) == "TOKEN_REVOKED"


async def test_unknown_or_malformed_refresh_token_is_invalid(api: Api, plain: Person) -> None:
    token = plain.refresh_token
    body = token.removeprefix("gar_")
    misspelt = [
        f"gar_{'A' * 43}",
        "",
        "gar_",
        token[:-1],
        f"{token}A",
        f"{token}\n",
        f" {token}",
        f"GAR_{body}",
        f"gap_{body}",
        f"{token[:-1]}\0",
        f"{token[:-1]}é",
        "x" * 100_000,
    ]
    assert [await refused(api, each) for each in misspelt] == [INVALID] * len(misspelt)
    await refresh(api, token)


@pytest.mark.parametrize("spent", [False, True])
async def test_refresh_token_of_an_ended_session_is_revoked(
    api: Api, plain: Person, *, spent: bool
) -> None:
    tokens = [plain.refresh_token]
    if spent:
        tokens.append(await refresh(api, plain.refresh_token))
    await do(api, "logout", token=plain.token)
    assert [await refused(api, token) for token in tokens] == [REVOKED] * len(tokens)


@pytest.mark.parametrize(
    ("mutation", "given", "told"),
    [
        ("updateCustomer", {"input": {"isActive": False}}, REVOKED),
        ("updateCustomer", {"input": {"password": "set by an admin"}}, REVOKED),
        ("deleteCustomer", {}, INVALID),
    ],
)
async def test_refresh_is_refused_once_the_account_is_another(
    api: Api,
    plain: Person,
    admin: Person,
    mutation: str,
    given: dict[str, Any],
    told: list[CodeAndField],
) -> None:
    done = await do(api, mutation, token=admin.token, id=str(plain.id), **given)
    assert faults(done) == SUCCESS
    assert await refused(api, plain.refresh_token) == told
