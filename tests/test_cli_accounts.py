"""The command line on accounts: deleting what is long over, and exporting the audit."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from gql_app.accounts import audit, sessions
from gql_app.accounts.audit import Action, Origin
from gql_app.resources import Resources
from gql_app.security.ids import new_id
from tests.conftest import SECRET, SetClock
from tests.people import NOWHERE, add_customer

MAIN = Path(__file__).parents[1] / "main.py"
LONG_AGO = datetime(2020, 1, 1, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Done:
    """A command that has ended."""

    status: int
    out: str
    err: str


async def run_main(folder: Path, *arguments: str, **settings: str) -> Done:
    """Run the command line to its end, elsewhere than in the program's own folder."""
    given = {f"GQL_APP_{name.upper()}": value for name, value in settings.items()}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GQL_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(MAIN),
        *arguments,
        cwd=folder,
        env=inherited | given,
        stdout=PIPE,
        stderr=PIPE,
    )
    out, err = await process.communicate()
    return Done(process.returncode or 0, out.decode(), err.decode())


async def test_purge_tells_how_much_is_gone(
    resources: Resources, database_url: str, tmp_path: Path, set_clock: SetClock
) -> None:
    customer = await add_customer(resources.database, "Ada Plain")
    real = datetime.now(UTC)
    for moment in (LONG_AGO, LONG_AGO, real):
        set_clock(moment)
        async with resources.database.write() as db:
            await sessions.open_session(db, customer, NOWHERE, resources.lifetimes)
            await resources.throttle.count(db, resources.throttle.of_typed("x", moment.isoformat()))
    told = [
        await run_main(tmp_path, "purge", database_url=database_url, secret_key=SECRET)
        for _ in range(2)
    ]
    assert [done.out for done in told] == ["3 rows are gone.\n", "0 rows are gone.\n"]
    assert [done.status for done in told] == [0, 0]
    set_clock(real)
    async with resources.database.read() as db:
        assert len((await sessions.living(db, [customer.id]))[customer.id]) == 1


async def test_export_is_a_line_of_json_for_each_event_the_oldest_first(
    resources: Resources, database_url: str, tmp_path: Path, set_clock: SetClock
) -> None:
    ada, bob = new_id(), new_id()
    async with resources.database.write() as db:
        for second in reversed(range(2000)):
            set_clock(LONG_AGO + timedelta(seconds=second, microseconds=second))
            audit.record(db, Action.LOGIN, Origin("192.0.2.1", f"agent {second}"), customer_id=bob)
        set_clock(LONG_AGO - timedelta(days=1))
        origin = Origin("2001:db8::1", 'Büro "7"\u2028🦊\n', ada)
        audit.record(db, Action.CUSTOMER_CHANGED, origin, customer_id=bob, fields=["name"])
    done = await run_main(tmp_path, "export-audit", database_url=database_url)
    assert (done.status, done.err) == (0, "")
    assert done.out.endswith("\n")
    first, *rest = [json.loads(line) for line in done.out.removesuffix("\n").split("\n")]
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
async def test_export_of_no_events_is_no_line(database_url: str, tmp_path: Path) -> None:
    done = await run_main(tmp_path, "export-audit", database_url=database_url)
    assert done == Done(0, "", "")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_export_to_a_reader_that_has_seen_enough_ends_quietly(
    resources: Resources, database_url: str, tmp_path: Path
) -> None:
    async with resources.database.write() as db:
        for _ in range(2000):
            audit.record(db, Action.LOGIN, NOWHERE)
    process = await asyncio.create_subprocess_shell(
        f"'{sys.executable}' '{MAIN}' export-audit | head -n 1",
        cwd=tmp_path,
        env=os.environ | {"GQL_APP_DATABASE_URL": database_url},
        stdout=PIPE,
        stderr=PIPE,
    )
    out, err = await process.communicate()
    assert json.loads(out)["action"] == "session:login"
    assert err == b""


@pytest.mark.parametrize("command", ["purge", "serve"])
async def test_faulty_settings_are_told_without_their_values(tmp_path: Path, command: str) -> None:
    names = ("smtp_url", "trusted_proxies", "reset_url", "mail_from")
    done = await run_main(tmp_path, command, **dict.fromkeys(names, "hush://hush hush@[hush"))
    assert (done.status, done.out) == (2, "")
    assert "hush" not in done.err
    assert sorted(line.partition(":")[0] for line in done.err.splitlines()) == [
        "GQL_APP_MAIL_FROM",
        "GQL_APP_RESET_URL",
        "GQL_APP_SMTP_URL",
        "GQL_APP_TRUSTED_PROXIES",
    ]
