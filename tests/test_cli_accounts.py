"""The command line on accounts: ending and deleting what is over, and exporting the audit."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select, update

from gql_app.accounts import audit, customers, sessions, validation
from gql_app.accounts.audit import Action, Origin
from gql_app.cli.audit import stream
from gql_app.db.tables import (
    AuditRow,
    CustomerRow,
    FormerEmailRow,
    KnownClientRow,
    LetterRow,
    PasswordResetRow,
    ThrottleRow,
)
from gql_app.lib.clock import new_id
from gql_app.lib.database import Database
from gql_app.mail import email_verification
from gql_app.resources import Resources
from tests.api import Api
from tests.commands import output_here, run_here
from tests.conftest import SECRET, SetClock
from tests.databases import copied_sqlite
from tests.people import NOWHERE, add_customer, sign_in, sign_out
from tests.processes import MAIN, environment
from tests.rows import add, column, get_row
from tests.throttles import fill

LONG_AGO = datetime(2020, 1, 1, 12, tzinfo=UTC)
CHANGED = "email:change"
NOBODY = "01890000-0000-7000-8000-000000000000"


async def test_purge_tells_how_much_is_gone(
    resources: Resources, database_url: str, tmp_path: Path, set_clock: SetClock
) -> None:
    customer = await add_customer(resources.database, "Ada Plain")
    real = datetime.now(UTC)
    for moment in (LONG_AGO, LONG_AGO, real):
        set_clock(moment)
        async with resources.database.transaction() as db:
            await sessions.open_session(db, customer, NOWHERE, resources.lifetimes, methods="pwd")
            limit = resources.throttle.limit("sign-in", moment.isoformat())
            await resources.throttle.count(db, limit)
    told = [
        run_here("purge", folder=tmp_path, database_url=database_url, secret_key=SECRET)
        for _ in range(2)
    ]
    assert [done.stdout for done in told] == ["3 rows are gone.\n", "0 rows are gone.\n"]
    assert [done.returncode for done in told] == [0, 0]
    set_clock(real)
    assert len((await sessions.living(resources.database, [customer.id]))[0]) == 1


async def test_purge_of_the_audit_deletes_what_is_older_and_says_so(
    database: Database, database_url: str, tmp_path: Path, set_clock: SetClock
) -> None:
    chosen = {"database_url": database_url, "secret_key": SECRET}
    now = datetime.now(UTC)
    for days in (29.9, 30.1, 400):
        set_clock(now - timedelta(days=days))
        async with database.transaction() as db:
            await audit.record(db, Action.LOGIN, Origin())
    output_here("purge", folder=tmp_path, **chosen)
    assert len([event async for event in stream(database)]) == 3
    set_clock(now)
    told = [
        output_here("purge", "--audit-older-than", "30", folder=tmp_path, **chosen)
        for _ in range(2)
    ]
    said = "0 rows are gone.\n{} audit events are gone that were older than 30 days.\n"
    assert told == [said.format(2), said.format(0)]
    left = [(event.action, event.fields) async for event in stream(database)]
    assert left == [(Action.LOGIN, []), (Action.AUDIT_PURGED, ["2 times"])]
    for wrong in ("0", "-1", "36501", "thirty", "1.5", ""):
        refused = run_here("purge", "--audit-older-than", wrong, folder=tmp_path, **chosen)
        assert (refused.returncode, refused.stdout) == (2, "")
    assert len([event async for event in stream(database)]) == 2


async def test_everybody_is_signed_out_everywhere(
    api: Api, database_url: str, tmp_path: Path
) -> None:
    people = [await sign_in(api.resources, await add_customer(api.database, n)) for n in "ab"]
    await sign_out(api.resources, people[1])
    for said in ("1 session is ended.\n", "0 sessions are ended.\n"):
        told = await asyncio.to_thread(
            run_here, "end-sessions", folder=tmp_path, database_url=database_url
        )
        assert (told.returncode, told.stdout) == (0, said)
    refused = await api.run("{ me { id } }", token=people[0].token)
    assert refused.reason("me") == "TOKEN_REVOKED"
    (*_, last) = await api.database.fetch_all(select(AuditRow).order_by(AuditRow.at, AuditRow.id))
    assert (last.action, last.customer_id) == ("session:end_all", None)


@pytest.mark.parametrize("email", ["ada@example.com", " ADA@Example.com "])
async def test_account_is_unlocked_by_the_operator_and_that_is_recorded(
    api: Api, database_url: str, tmp_path: Path, email: str
) -> None:
    ada = await add_customer(api.database, "Ada Plain")
    throttle = api.resources.throttle
    locks = [
        throttle.of_password("sign-in", "ada@example.com", None).lockout,
        throttle.of_password("proof", str(ada.id), None).lockout,
        *throttle.of_factors(ada.id, "ada@example.com"),
        throttle.of_password("sign-in", "bob@example.com", None).lockout,
        throttle.of_password("sign-in", "ada@example.com", "192.0.2.1").pair,
    ]
    await fill(api.database, *locks)
    given = {"database_url": database_url, "secret_key": SECRET}
    told = await asyncio.to_thread(run_here, "unlock", email, folder=tmp_path, **given)
    sentence = f"{email} is unlocked; a client with recent failures of its own still waits.\n"
    assert (told.returncode, told.stdout) == (0, sentence)
    left = await column(api.database, select(ThrottleRow.subject))
    (*_, last) = await api.database.fetch_all(select(AuditRow).order_by(AuditRow.at, AuditRow.id))
    assert sorted(left) == sorted(each.subject for each in locks[4:])
    assert (last.action, last.customer_id, last.actor_id) == ("session:unlock", ada.id, None)


async def test_nobody_is_unlocked_by_an_address_that_nobody_has(
    database_url: str, tmp_path: Path
) -> None:
    given = {"database_url": database_url, "secret_key": SECRET}
    told = await asyncio.to_thread(run_here, "unlock", "x@example.com", folder=tmp_path, **given)
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr == "Nobody has this e-mail address.\n"


@pytest.mark.parametrize(
    ("file", "source", "told"),
    [
        ("there.db", "test.db", "there.db is there already."),
        ("no/copy.db", "test.db", "no/copy.db: No such file or directory"),
        ("copy.db", "missing.db", "missing.db can't be copied: unable to open database file."),
    ],
)
def test_copy_that_cannot_be_made_is_told_in_words(
    sqlite_template: Path, tmp_path: Path, file: str, source: str, told: str
) -> None:
    copied_sqlite(sqlite_template, tmp_path)
    (tmp_path / "there.db").touch()
    done = run_here("backup", file, folder=tmp_path, database_url=f"sqlite:///{source}")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"{told}\n")


def test_postgresql_is_left_to_its_own_tools(tmp_path: Path) -> None:
    done = run_here("backup", "copy", folder=tmp_path, database_url="postgresql://127.0.0.1:1/x")
    assert done.returncode == 1
    assert "pg_dump" in done.stderr


def test_copy_that_is_made_is_told(sqlite_template: Path, tmp_path: Path) -> None:
    url = copied_sqlite(sqlite_template, tmp_path)
    done = run_here("backup", "copy.db", folder=tmp_path, database_url=url)
    assert done.stdout == f"{tmp_path}/test.db is copied to copy.db.\n"
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600


async def test_export_is_a_line_of_json_for_each_event_the_oldest_first(
    resources: Resources, database_url: str, tmp_path: Path, set_clock: SetClock
) -> None:
    ada, bob = new_id(), new_id()
    async with resources.database.transaction() as db:
        for second in reversed(range(2000)):
            set_clock(LONG_AGO + timedelta(seconds=second, microseconds=second))
            await audit.record(
                db, Action.LOGIN, Origin("192.0.2.1", f"agent {second}"), customer_id=bob
            )
        set_clock(LONG_AGO - timedelta(days=1))
        origin = Origin("2001:db8::1", 'Büro "7"\u2028🦊\n', ada)
        await audit.record(db, Action.CUSTOMER_CHANGED, origin, customer_id=bob, fields=["name"])
    done = run_here("export-audit", folder=tmp_path, database_url=database_url)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("\n")
    first, *rest = [json.loads(line) for line in done.stdout.removesuffix("\n").split("\n")]
    assert UUID(first.pop("id")).version == 7
    assert first == {
        "at": "2019-12-31T12:00:00Z",
        "action": "customer:update",
        "actorId": str(ada),
        "customerId": str(bob),
        "fields": ["name"],
        "ipAddress": "2001:db8::1",
        "userAgent": 'Büro "7"\u2028🦊\n',
    }
    assert [event["userAgent"] for event in rest] == [f"agent {second}" for second in range(2000)]
    assert {(event["actorId"], event["customerId"]) for event in rest} == {(None, str(bob))}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_export_holds_nothing_that_a_terminal_obeys(
    resources: Resources, database_url: str, tmp_path: Path
) -> None:
    agents = [chr(code) for code in (*range(1, 0x20), *range(0x7F, 0xA0))]
    agents += ["\x9b2J", "\x1b]0;pwned\x07", "\u202e", "Büro"]
    async with resources.database.transaction() as db:
        for agent in agents:
            await audit.record(db, Action.LOGIN, Origin("192.0.2.1", agent))
    done = run_here("export-audit", folder=tmp_path, database_url=database_url)
    lines = done.stdout.splitlines()
    assert [line for line in lines if not (line.isascii() and line.isprintable())] == []
    assert [json.loads(line)["userAgent"] for line in lines] == agents


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_export_of_no_events_is_no_line(database_url: str, tmp_path: Path) -> None:
    done = run_here("export-audit", folder=tmp_path, database_url=database_url)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_export_to_a_reader_that_has_seen_enough_ends_quietly(
    resources: Resources, database_url: str, tmp_path: Path
) -> None:
    async with resources.database.transaction() as db:
        for _ in range(2000):
            await audit.record(db, Action.LOGIN, NOWHERE)
    process = await asyncio.create_subprocess_shell(
        f"'{sys.executable}' '{MAIN[1]}' export-audit | head -n 1",
        cwd=tmp_path,
        env=environment(database_url=database_url),
        stdout=PIPE,
        stderr=PIPE,
    )
    out, err = await process.communicate()
    assert json.loads(out)["action"] == "session:login"
    assert err == b""


@pytest.mark.parametrize("command", ["purge", "serve"])
def test_faulty_settings_are_told_without_their_values(tmp_path: Path, command: str) -> None:
    names = ("smtp_url", "trusted_proxies", "reset_url", "mail_from")
    done = run_here(command, folder=tmp_path, **dict.fromkeys(names, "hush://hush hush@[hush"))
    assert (done.returncode, done.stdout) == (2, "")
    assert "hush" not in done.stderr
    assert sorted(line.partition(":")[0] for line in done.stderr.splitlines()) == [
        "GQL_APP_MAIL_FROM",
        "GQL_APP_RESET_URL",
        "GQL_APP_SMTP_URL",
        "GQL_APP_TRUSTED_PROXIES",
    ]


@pytest.mark.parametrize("name", ["email_verification", "sign_in_links", "new_client_letters"])
def test_what_takes_letters_is_not_served_without_mail(tmp_path: Path, name: str) -> None:
    value = "require" if name == "email_verification" else "true"
    told = f"GQL_APP_{name.upper()}: takes letters, so GQL_APP_SMTP_URL has to be set"
    done = run_here("serve", folder=tmp_path, **{name: value})
    assert (done.returncode, done.stdout, done.stderr.splitlines()) == (2, "", [told])


async def test_address_is_changed_by_nobodys_hand_and_ends_what_went_by_the_old_one(
    api: Api, database_url: str, tmp_path: Path
) -> None:
    person = await sign_in(api.resources, await add_customer(api.database, "Ada"))
    async with api.database.transaction() as db:
        await add(db, PasswordResetRow, customer_id=person.id, digest="x", expires_at=LONG_AGO)
    done = await asyncio.to_thread(
        run_here,
        *("change-email", str(person.id), " ADA@Example.org "),
        folder=tmp_path,
        database_url=database_url,
    )
    told = "The customer has the address ADA@example.org now.\n"
    assert (done.returncode, done.stdout) == (0, told)
    refused = await api.run("{ me { id } }", token=person.token)
    assert refused.reason("me") == "TOKEN_REVOKED"
    row = await get_row(api.database, CustomerRow, person.id)
    assert (row.email, row.email_key, row.email_canonical) == (
        "ADA@example.org",
        "ada@example.org",
        "ada@example.org",
    )
    assert await api.database.fetch_all(select(PasswordResetRow)) == []
    events = await api.database.fetch_all(select(AuditRow).order_by(AuditRow.at, AuditRow.id))
    changed = [(each.actor_id, each.customer_id) for each in events if each.action == CHANGED]
    assert changed == [(None, person.id)]


async def test_return_by_the_operator_leaves_nothing_to_undo_and_no_client_known(
    api: Api, database_url: str, tmp_path: Path
) -> None:
    ada = await add_customer(api.database, "Ada")
    async with api.database.transaction() as db:
        await email_verification.prove_by_hand(db, ada.email)
        moved = validation.check_changes(ada, {"email": "thief@example.org"}, validation.Rules())
        await customers.update(db, ada.id, moved, origin=NOWHERE)
        await email_verification.prove_by_hand(db, "thief@example.org")
        await sessions.note_client(db, ada.id, "192.0.2.1")
    given = ("change-email", str(ada.id), ada.email)
    done = await asyncio.to_thread(run_here, *given, folder=tmp_path, database_url=database_url)
    assert done.returncode == 0
    assert await column(api.database, select(FormerEmailRow.email)) == [ada.email]
    assert await column(api.database, select(KnownClientRow.client)) == []


@pytest.mark.parametrize(("options", "kept"), [([], 1), (["--no-undo"], 0)])
async def test_thief_of_long_ago_has_an_undo_link_unless_the_operator_forbids_it(
    api: Api, database_url: str, tmp_path: Path, options: list[str], kept: int
) -> None:
    thief = await add_customer(api.database, "Thief")  # who took the account over weeks ago
    async with api.database.transaction() as db:
        await email_verification.prove_by_hand(db, thief.email)
    given = ("change-email", str(thief.id), "ada@example.org", *options)
    done = await asyncio.to_thread(run_here, *given, folder=tmp_path, database_url=database_url)
    assert done.returncode == 0
    held = await column(api.database, select(FormerEmailRow.email))
    assert held == [thief.email] * kept


@pytest.mark.parametrize("mode", ["off", "ask"])
async def test_operators_change_is_at_once_and_a_link_goes_out_where_addresses_are_proven(
    api: Api, database_url: str, tmp_path: Path, mode: str
) -> None:
    ada = await add_customer(api.database, "Ada")

    def told(*arguments: str) -> tuple[int, str, str]:
        settings = {"database_url": database_url, "email_verification": mode}
        done = run_here(*arguments, folder=tmp_path, **settings)
        return done.returncode, done.stdout, done.stderr

    proven = await asyncio.to_thread(told, "verify-email", " ADA@Example.com ")
    assert proven == (0, "ADA@Example.com is proven.\n", "")
    assert (await get_row(api.database, CustomerRow, ada.id)).email_verified_at
    assert (await asyncio.to_thread(told, "change-email", str(ada.id), "a@example.org"))[0] == 0
    row = await get_row(api.database, CustomerRow, ada.id)
    assert (row.email, row.email_verified_at, row.pending_email) == ("a@example.org", None, None)
    waiting = await column(api.database, select(LetterRow.kind).order_by(LetterRow.kind))
    assert waiting == ["email_changed", *(["verify_email"] if mode == "ask" else [])]
    nobody = await asyncio.to_thread(told, "verify-email", "ada@example.com")
    assert nobody == (1, "", "Nobody has this e-mail address.\n")
    events = await api.database.fetch_all(select(AuditRow).where(AuditRow.action == "email:verify"))
    assert [(each.actor_id, each.customer_id) for each in events] == [(None, ada.id)]


@pytest.mark.parametrize(
    ("customer_id", "address", "told"),
    [
        ("nobody", "ada@example.org", "id: There is no such customer."),
        (
            "01890000-0000-7000-8000-000000000000",
            "ada@example.org",
            "id: There is no such customer.",
        ),
        (None, "ada", "email: This is not an e-mail address."),
        (None, "bob@example.com", "email: Another customer has this e-mail address."),
    ],
)
async def test_address_that_cannot_be_changed_is_told_in_words(
    api: Api, database_url: str, tmp_path: Path, customer_id: str | None, address: str, told: str
) -> None:
    ada = await add_customer(api.database, "Ada")
    await add_customer(api.database, "Bob")
    done = await asyncio.to_thread(
        run_here,
        *("change-email", customer_id or str(ada.id), address),
        folder=tmp_path,
        database_url=database_url,
    )
    assert (done.returncode, done.stderr) == (1, f"{told}\n")


async def test_operator_sets_an_address_of_a_special_use_domain_that_is_named(
    api: Api, database_url: str, tmp_path: Path
) -> None:
    ada = await add_customer(api.database, "Ada")
    named = {"database_url": database_url, "special_domains": "local"}
    given = ("change-email", str(ada.id), "ada@firm.local")
    done = await asyncio.to_thread(run_here, *given, folder=tmp_path, **named)
    assert (done.returncode, done.stderr) == (0, "")
    assert (await get_row(api.database, CustomerRow, ada.id)).email == "ada@firm.local"


async def test_customers_of_one_mailbox_stop_migrate_until_one_has_another_address(
    api: Api, database_url: str, tmp_path: Path
) -> None:
    rows = [await add_customer(api.database, name) for name in ("Ada", "Bob")]
    async with api.database.transaction() as db:
        for row, domain in zip(
            rows, ("bücher.example.com", "xn--bcher-kva.example.com"), strict=True
        ):
            email = f"ada@{domain}"
            values = {"email": email, "email_key": email, "email_canonical": None}
            await db.execute(update(CustomerRow).where(CustomerRow.id == row.id).values(**values))

    def told(*arguments: str) -> tuple[int, str, str]:
        done = run_here(*arguments, folder=tmp_path, database_url=database_url, secret_key=SECRET)
        return done.returncode, done.stdout, done.stderr

    pair = " and ".join(sorted(str(row.id) for row in rows))
    for _ in range(2):
        status, _, why = await asyncio.to_thread(told, "migrate")
        assert (status, why.splitlines()[0]) == (1, pair)
        assert "gql-app change-email ID ADDRESS" in " ".join(why.split())
    status, found, _ = await asyncio.to_thread(told, "check", "--json")
    [finding] = [
        each for each in json.loads(found)["findings"] if each["code"] == "colliding-addresses"
    ]
    assert (status, pair in finding["message"]) == (1, True)
    assert (await asyncio.to_thread(told, "change-email", str(rows[0].id), "a@example.org"))[0] == 0
    status, lines, _ = await asyncio.to_thread(told, "migrate")
    # The server of this process may log that it drops the letter about the change.
    assert (status, lines.splitlines()[-1]) == (0, "The database is up to date.")
    _, found, _ = await asyncio.to_thread(told, "check", "--json")
    assert "colliding-addresses" not in found
