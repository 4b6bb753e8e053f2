"""What an operator does by a command is in the audit, as done by nobody who is signed in."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from gql_app.accounts import audit, sessions
from gql_app.db.tables import AuditRow
from gql_app.lib.database import Database, Unavailable
from tests.commands import output_here, run_here
from tests.conftest import SECRET, SetClock
from tests.people import LIFETIMES, NOWHERE, add_customer

LONG_AGO = datetime(2020, 1, 1, 12, tzinfo=UTC)
UNKNOWN = "The audit does not know of it, for the database is not ready.\n"


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> dict[str, str]:
    """Make the settings of a server with a folder for keys."""
    (tmp_path / "keys").mkdir()
    keys = str(tmp_path / "keys")
    return {"database_url": database_url, "secret_key": SECRET, "keys_dir": keys}


async def told(database: Database) -> list[tuple[str, list[str]]]:
    """Return what the audit knows, which nobody was signed in for."""
    rows = await database.fetch_all(select(AuditRow).order_by(AuditRow.at, AuditRow.id))
    assert {(row.actor_id, row.ip_address, row.user_agent) for row in rows} <= {(None,) * 3}
    return [(row.action, row.fields) for row in rows]


async def test_changes_of_keys_are_events(
    database: Database, settings: dict[str, str], tmp_path: Path
) -> None:
    kid = output_here("keys", "new", folder=tmp_path, **settings).split()[0]
    listed = output_here("keys", "list", folder=tmp_path, **settings).splitlines()
    [secret] = [line.split()[0] for line in listed if "HS256" in line]
    output_here("keys", "promote", kid, folder=tmp_path, **settings)
    output_here("keys", "retire", secret, folder=tmp_path, **settings)
    changes = [action for action, _ in await told(database)]
    assert changes == ["key:create", "key:promote", "key:retire"]


async def test_change_of_keys_that_is_refused_is_none(
    database: Database, settings: dict[str, str], tmp_path: Path
) -> None:
    for command in (("promote", "nothing"), ("retire", "nothing")):
        assert run_here("keys", *command, folder=tmp_path, **settings).returncode == 1
    assert await told(database) == []


@pytest.mark.parametrize(
    "url", ["sqlite:///nowhere.db", "sqlite:///empty.db", "postgresql://127.0.0.1:1/none"]
)
def test_keys_change_before_there_is_an_audit(tmp_path: Path, url: str) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "empty.db").touch()
    settings = {"database_url": url, "secret_key": SECRET, "keys_dir": str(tmp_path / "keys")}
    done = run_here("keys", "new", folder=tmp_path, **settings)
    assert (done.returncode, done.stderr) == (0, UNKNOWN)
    assert not (tmp_path / "nowhere.db").exists()


async def test_keys_change_while_the_audit_takes_nothing(
    database: Database, settings: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise Unavailable

    monkeypatch.setattr(audit, "record", fail)
    done = run_here("keys", "new", folder=tmp_path, **settings)
    assert (done.returncode, done.stderr) == (0, UNKNOWN)
    assert await told(database) == []


async def test_commands_that_write_are_events(
    database: Database, settings: dict[str, str], tmp_path: Path, set_clock: SetClock
) -> None:
    row = await add_customer(database, "Ada Plain")
    real = datetime.now(UTC)
    set_clock(LONG_AGO)
    async with database.transaction() as db:
        for _ in range(2):
            await sessions.open_session(db, row, NOWHERE, LIFETIMES, methods="pwd")
    set_clock(real)
    (tmp_path / "new.csv").write_text("name,email\nBob,bob@example.com\n")
    for command in (
        ("seed", "--count", "3"),
        ("purge",),
        ("purge",),
        ("import", "new.csv"),
        ("export", "all.csv"),
        ("end-sessions",),
    ):
        output_here(*command, folder=tmp_path, **settings)
    found = sorted(await told(database))
    fields = dict(found).pop("customer:export")
    assert "email" in fields
    assert [each for each in found if each[0] != "customer:export"] == [
        ("customer:create", []),
        ("customer:import", []),
        ("customer:seed", ["3 times"]),
        ("session:end_all", []),
        ("session:purge", ["2 times"]),
    ]
