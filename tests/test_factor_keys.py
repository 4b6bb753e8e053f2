"""The factor key: where it comes from, what is refused without it, and factors that are lost."""

import asyncio
from pathlib import Path
from typing import Final

import pytest
from pydantic import SecretBytes
from sqlalchemy import select
from structlog.testing import capture_logs

from gql_app import background
from gql_app.accounts import sessions
from gql_app.accounts.factors import second_factors
from gql_app.cli.check import findings
from gql_app.cli.findings import Finding
from gql_app.db.factor_tables import CodeEnrolmentRow, SecondFactorRow, SignInChallengeRow
from gql_app.db.readiness import LOST_KEY, Watch, condition
from gql_app.db.tables import AuditRow, LetterRow
from gql_app.factors import codes, stored_secrets
from gql_app.lib import one_time_codes
from gql_app.lib.database import Database, Unavailable
from gql_app.lib.encryption import Encryption
from gql_app.resources import Resources
from gql_app.security.key_store import factor_encryption, key_store
from gql_app.settings import Settings
from tests.api import running
from tests.commands import run_here
from tests.conftest import SECRET, SetClock
from tests.factors.conftest import NOON
from tests.factors.people import ENCRYPTION, challenge, set_up, signed_in
from tests.rows import column

OTHER: Final = "another secret of the tests, long enough"
OURS: Final = "a factor key of the tests, long enough"
THEIRS: Final = "another factor key of the tests, as long"


def by(**keys: str) -> Encryption:
    """Return what encrypts with these keys set."""
    given = {name: SecretBytes(key.encode()) for name, key in keys.items()}
    settings = Settings(secret_key=SECRET).model_copy(update=given)
    return factor_encryption(settings, key_store(settings))


def test_without_a_factor_key_the_secret_key_stands_in() -> None:
    derived = by()
    assert len(derived.key_ids) == 1
    changed = by(secret_key=OTHER, secret_key_fallback=SECRET)
    assert changed.key_ids[1:] == derived.key_ids
    assert changed.key_id != derived.key_id
    assert derived.key_id != Encryption([SECRET.encode()]).key_id


def test_factor_key_comes_first_and_all_others_open_still() -> None:
    derived = by().key_id
    ours, theirs = (Encryption([key.encode()]).key_id for key in (OURS, THEIRS))
    assert by(factor_key=OURS).key_ids == (ours, derived)
    assert by(factor_key_fallback=THEIRS).key_ids == (derived, theirs)
    both = by(factor_key=OURS, factor_key_fallback=THEIRS, secret_key_fallback=OTHER)
    assert both.key_ids[:3] == (ours, derived, theirs)
    assert len(both.key_ids) == 4


async def test_database_whose_secrets_no_key_opens_is_not_ready(database: Database) -> None:
    await set_up(database, await signed_in(database))
    assert await condition(database, key_ids=ENCRYPTION.key_ids) == ("ok", "ok", None, None)
    for ids in ((), ("0", "another"), by().key_ids):
        found = await condition(database, key_ids=ids)
        assert (found.cause, found.ready) == (LOST_KEY, False)
    both = [*by().key_ids, *ENCRYPTION.key_ids]
    assert (await condition(database, key_ids=both)).ready


async def test_nothing_is_asked_of_a_database_whose_secrets_no_key_opens(
    database: Database,
) -> None:
    me = await signed_in(database)
    await set_up(database, me)
    watch = Watch(database, key_ids=by().key_ids)
    with capture_logs() as log:
        assert not (await watch.condition()).ready
    assert [line["problem"] for line in log] == [LOST_KEY.problem]
    with pytest.raises(Unavailable):
        await second_factors.of_customers(database, [me.customer.id])
    found = Watch(database, key_ids=ENCRYPTION.key_ids)
    assert (await found.condition()).ready
    assert len((await second_factors.of_customers(database, [me.customer.id]))[0]) == 1


async def test_server_without_the_key_says_so_where_it_is_watched(settings: Settings) -> None:
    async with Resources.open(settings) as resources:
        me = await signed_in(resources.database)
        await set_up(resources.database, me)
    async with running(settings) as api:
        answer = await api.client.get("/readyz")
        told = answer.json()
        assert (answer.status_code, told["status"]) == (503, "not ready")
        assert (told["database"], told["migrations"]) == ("ok", "ok")
        assert told["secondFactors"] == "key not set"


async def test_serve_ends_and_check_finds_it_where_the_key_is_not_set(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    await set_up(database, await signed_in(database))
    given = {"database_url": database_url, "secret_key": SECRET}
    done = await asyncio.to_thread(run_here, "serve", "--port", "0", folder=tmp_path, **given)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{LOST_KEY}\n"
    settings = Settings(database_url=database_url, secret_key=SECRET)
    found = {each.code: each for each in await findings(settings, "127.0.0.1", 1)}
    assert found["lost-factor-key"] == Finding("lost-factor-key", LOST_KEY.problem, LOST_KEY.remedy)
    assert "old-factor-key" not in found


async def test_check_counts_what_is_under_another_key(
    database: Database, database_url: str
) -> None:
    settings = Settings(database_url=database_url, secret_key=SECRET)
    for name in ("Ada", "Bob"):
        await set_up(database, await signed_in(database, name), by())

    async def found(chosen: Settings) -> list[str]:
        return [
            each.message
            for each in await findings(chosen, "127.0.0.1", 1)
            if each.code.endswith("factor-key")
        ]

    assert await found(settings) == []
    newer = settings.model_copy(update={"factor_key": SecretBytes(OURS.encode())})
    assert await found(newer) == [
        "Secrets of second factors that are encrypted by another key still: 2."
    ]
    assert await stored_secrets.renew(database, by(factor_key=OURS)) == 2
    assert await found(newer) == []


async def test_server_moves_secrets_to_the_key_in_force_by_itself(settings: Settings) -> None:
    async with Resources.open(settings) as resources:
        me = await signed_in(resources.database)
        await set_up(resources.database, me, resources.encryption)
    newer = settings.model_copy(update={"factor_key": SecretBytes(OURS.encode())})
    async with running(newer) as api, asyncio.timeout(20):
        moved = {api.resources.encryption.key_id: 1}
        while await stored_secrets.numbers(api.database) != moved:  # noqa: ASYNC110 — a task sends no event
            await asyncio.sleep(0.01)


def test_check_asks_for_no_key_of_a_file_that_was_never_served(tmp_path: Path) -> None:
    given = {"database_url": "sqlite:///test.db"}
    assert run_here("migrate", folder=tmp_path, **given).returncode == 0
    run_here("check", "--json", folder=tmp_path, **given)
    assert [file.name for file in tmp_path.iterdir()] == ["test.db"]


async def test_what_is_over_is_purged(settings: Settings, set_clock: SetClock) -> None:
    set_clock(NOON)
    async with Resources.open(settings) as resources:
        me = await signed_in(resources.database)
        await set_up(resources.database, me, resources.encryption)
        await challenge(resources.database, me.customer)
        secret = one_time_codes.new_secret()
        async with resources.database.transaction() as db:
            await codes.begin(db, me, secret, resources.encryption)
        for minutes, left in ((4, [1, 1]), (6, [0, 1]), (11, [0, 0])):
            set_clock(NOON.replace(minute=minutes))
            await background.purge(resources)
            kept = [
                len(await column(resources.database, select(each)))
                for each in (SignInChallengeRow.digest, CodeEnrolmentRow.customer_id)
            ]
            assert kept == left


async def test_factors_are_removed_by_the_operator(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    me, bob = await signed_in(database), await signed_in(database, "Bob")
    for each in (me, me, bob):
        await set_up(database, each)
    given = {"database_url": database_url, "secret_key": SECRET}
    address = " ADA@example.com"
    told = await asyncio.to_thread(run_here, "remove-factors", address, folder=tmp_path, **given)
    assert (told.returncode, told.stdout) == (0, f"2 second factors of {address} are removed.\n")
    left = await column(database, select(SecondFactorRow.customer_id))
    living = await sessions.living(database, [me.customer.id, bob.customer.id])
    assert left == [bob.customer.id]
    assert [len(each) for each in living] == [0, 1]
    event = (await database.fetch_all(select(AuditRow).order_by(AuditRow.at, AuditRow.id)))[-1]
    assert (event.action, event.customer_id, event.actor_id, event.fields) == (
        "factor:remove",
        me.customer.id,
        None,
        ["ALL"],
    )
    letter = (await database.fetch_all(select(LetterRow).order_by(LetterRow.id)))[-1]
    assert (letter.kind, letter.recipient) == ("second_factor_removed", me.customer.email)
    assert letter.data == {"method": "ALL"}


@pytest.mark.parametrize(
    ("email", "status", "told"),
    [
        ("x@example.com", 1, "Nobody has this e-mail address.\n"),
        ("ada@example.com", 0, "0 second factors of ada@example.com are removed.\n"),
    ],
)
async def test_without_a_factor_nothing_is_removed(
    database: Database, database_url: str, tmp_path: Path, email: str, status: int, told: str
) -> None:
    me = await signed_in(database)
    given = {"database_url": database_url, "secret_key": SECRET}
    done = await asyncio.to_thread(run_here, "remove-factors", email, folder=tmp_path, **given)
    assert (done.returncode, done.stdout + done.stderr) == (status, told)
    [living] = await sessions.living(database, [me.customer.id])
    assert len(living) == 1
