"""Chores: letters leave, what is long over goes, and a fault is not the end."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import func, select, text
from structlog.testing import capture_logs

from gql_app import background
from gql_app.accounts import customers, refresh_tokens, sessions
from gql_app.accounts.audit import Action
from gql_app.accounts.mail import letters
from gql_app.accounts.mail.letters import Kind
from gql_app.accounts.mail.links import LinkKind
from gql_app.accounts.sessions import Opened
from gql_app.cli.audit import stream
from gql_app.db.tables import AuditRow, LetterRow, RefreshTokenRow, RegistrationRow, Row, SessionRow
from gql_app.errors import Fault
from gql_app.lib.clock import new_id
from gql_app.lib.database import Database
from gql_app.lib.outbox.delivery import BATCH
from gql_app.lib.telemetry import configure_logging
from gql_app.resources import Resources
from gql_app.settings import Settings
from tests.accounts.registering import register
from tests.api import running
from tests.conftest import SetClock
from tests.mailbox import HOST, Mailbox, mail_server, port_of, reserved_port
from tests.people import NOWHERE, add_customer
from tests.rows import add_all, value

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
NEVER = 1_000_000
"""Seconds."""


@pytest.fixture
def reserved() -> Iterator[socket.socket]:
    """Reserve a port for a mail server."""
    with reserved_port() as port:
        yield port


@pytest.fixture
def mailing(settings: Settings, reserved: socket.socket) -> Settings:
    """Set up mail."""
    url = SecretStr(f"smtp://{HOST}:{port_of(reserved)}")
    return settings.model_copy(update={"smtp_url": url})


@pytest.fixture
async def noon(mailing: Settings, set_clock: SetClock) -> AsyncIterator[Resources]:
    """Open everything at noon, with nothing running."""
    set_clock(NOON)
    async with Resources.open(mailing) as resources:
        yield resources


async def post(resources: Resources, *recipients: str) -> None:
    """Write letters down."""
    async with resources.database.transaction() as db:
        for recipient in recipients:
            await letters.post(
                db, Kind.EMAIL_CHANGE_REQUESTED, customer_id=None, recipient=recipient
            )


async def rows(database: Database, table: type[Row]) -> int:
    """Count the rows of a table."""
    return await value(database, select(func.count()).select_from(table))


async def until(happened: Callable[[], object]) -> None:
    """Wait until something has happened."""
    async with asyncio.timeout(20):
        while not happened():  # noqa: ASYNC110 — what is waited for sends no event
            await asyncio.sleep(0.01)


async def test_each_letter_is_sent_once(noon: Resources, reserved: socket.socket) -> None:
    mailbox = Mailbox()
    everybody = [f"{number}@example.com" for number in range(23)]
    await post(noon, *everybody)
    async with mail_server(mailbox, reserved):
        assert await background.deliver(noon) == 23
        assert await background.deliver(noon) == 0
    recipients = [recipient for arrived in mailbox.arrived for recipient in arrived.recipients]
    assert sorted(recipients) == sorted(everybody)
    assert await rows(noon.database, LetterRow) == 0


async def test_letter_waits_while_the_mail_server_is_down(
    noon: Resources, reserved: socket.socket, set_clock: SetClock
) -> None:
    mailbox = Mailbox()
    await post(noon, "ada@example.com")
    with capture_logs() as log:
        assert await background.deliver(noon) == 0
    assert [line["event"] for line in log] == ["A letter has to wait"]
    async with mail_server(mailbox, reserved):
        sent = []
        for seconds in (1.999, 2, 100):
            set_clock(NOON + timedelta(seconds=seconds))
            sent.append(await background.deliver(noon))
    assert sent == [0, 1, 0]
    assert [arrived.recipients for arrived in mailbox.arrived] == [["ada@example.com"]]


@pytest.mark.parametrize(
    ("refusal", "event", "why", "left"),
    [
        ("550 5.1.1 <ada@x>: unknown", "A letter was refused for good", "550 5.1.1", 0),
        ("451 4.7.1 ada@example.com is greylisted", "A letter has to wait", "451 4.7.1", 1),
        ("450 Later", "A letter has to wait", "450", 1),
    ],
)
async def test_refused_letter_is_logged_by_its_codes_without_the_address(
    noon: Resources, reserved: socket.socket, refusal: str, event: str, why: str, left: int
) -> None:
    await post(noon, "ada@example.com")
    async with mail_server(Mailbox(refusal), reserved):
        with capture_logs() as log:
            await background.deliver(noon)
    (line,) = [each for each in log if each["event"] != "Audit"]
    assert (line["event"], line["why"], line["log_level"]) == (event, why, "warning")
    assert "ada@" not in str(log)
    assert await rows(noon.database, LetterRow) == left


async def test_refusal_for_good_ends_the_letter_and_is_counted_and_audited_and_the_account_stays(
    noon: Resources, reserved: socket.socket
) -> None:
    ada = await add_customer(noon.database, "Ada", "ada@example.com")
    async with noon.database.transaction() as db:
        await letters.post_link(db, LinkKind.PASSWORD_RESET, customer_id=ada.id)
    mailbox = Mailbox("550 No such user", refused_at="DATA")
    async with mail_server(mailbox, reserved):
        assert [await background.deliver(noon) for _ in range(2)] == [0, 0]
    assert (mailbox.refused, await rows(noon.database, LetterRow)) == (1, 0)
    events = [event async for event in stream(noon.database)]
    refused = [event for event in events if event.action == "letter:refused"]
    assert [(each.customer_id, each.fields) for each in refused] == [(ada.id, ["password_reset"])]
    told, _ = noon.metrics.exposition("")
    assert b'gql_app_letters_total{result="refused"} 1.0' in told
    assert await customers.by_id(noon.database, ada.id) == ada


async def test_letter_that_is_refused_holds_up_no_other(
    noon: Resources, reserved: socket.socket
) -> None:
    mailbox = Mailbox("550 No such user", refused_name="nobody")
    await post(noon, "nobody@example.com", "ada@example.com")
    async with mail_server(mailbox, reserved):
        await background.deliver(noon)
    assert [arrived.recipients for arrived in mailbox.arrived] == [["ada@example.com"]]


async def test_letter_that_would_leave_in_the_clear_waits_and_the_log_says_why(
    settings: Settings, reserved: socket.socket, set_clock: SetClock
) -> None:
    set_clock(NOON)
    mailbox, url = Mailbox(), f"smtp+starttls://{HOST}:{port_of(reserved)}"
    chosen = settings.model_copy(update={"smtp_url": SecretStr(url)})
    async with mail_server(mailbox, reserved), Resources.open(chosen) as resources:
        await post(resources, "ada@example.com")
        with capture_logs() as log:
            assert await background.deliver(resources) == 0
        assert await rows(resources.database, LetterRow) == 1
    (line,) = log
    assert (line["event"], line["why"]) == (
        "A letter has to wait",
        "the mail server offers no STARTTLS",
    )
    assert mailbox.arrived == []


async def test_letter_ends_within_a_day_and_the_log_says_so_without_the_address(
    noon: Resources, set_clock: SetClock
) -> None:
    await post(noon, "ada@example.com")
    set_clock(NOON + DAY)
    with capture_logs() as log:
        assert await background.deliver(noon) == 0
    (line,) = log
    assert (line["event"], line["log_level"]) == ("A letter was given up after a day", "warning")
    assert "ada" not in str({**line, "letter": "its id, of any digits"})
    assert await rows(noon.database, LetterRow) == 0


async def test_flood_to_one_mailbox_is_held_back_and_delays_nobody_elses_letter(
    noon: Resources, reserved: socket.socket
) -> None:
    mailbox = Mailbox()
    async with noon.database.transaction() as db:
        for _ in range(3 * BATCH):
            await letters.post(db, Kind.PASSWORD_RESET, customer_id=None)
    await post(noon, *["stranger@example.com"] * 210, "ada@example.com")
    async with mail_server(mailbox, reserved):
        with capture_logs() as log:
            assert await background.deliver(noon) == 6
    recipients = [recipient for arrived in mailbox.arrived for recipient in arrived.recipients]
    assert sorted(recipients) == ["ada@example.com", *["stranger@example.com"] * 5]
    assert await rows(noon.database, LetterRow) == 0
    assert {line["event"] for line in log} == {"Letters beyond the limit of their recipients"}
    assert sum(line["count"] for line in log) == 205
    assert "stranger" not in str(log)
    told, _ = noon.metrics.exposition("")
    assert b'gql_app_throttled_total{limit="letter_recipient"} 205.0' in told


async def test_letter_leaves_after_the_commit_with_nobody_asking(
    mailing: Settings, reserved: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "LETTER_INTERVAL", 3600)  # a commit alone wakes the outbox
    mailbox = Mailbox()
    async with mail_server(mailbox, reserved), running(mailing) as api:
        await add_customer(api.database, "Ada Plain")
        for email in ("ada@example.com", "nobody@example.com"):
            ask = "mutation ($email: String!) { requestPasswordReset(email: $email) { status } }"
            answer = await api.run(ask, email=email)
            assert answer.data["requestPasswordReset"] == {"status": "SUCCESS"}
        await until(lambda: mailbox.arrived)
    assert [arrived.recipients for arrived in mailbox.arrived] == [["ada@example.com"]]


async def test_failing_chore_is_logged_and_tried_again(
    mailing: Settings, reserved: socket.socket
) -> None:
    mailbox = Mailbox()
    configure_logging("INFO")
    async with Resources.open(mailing) as resources, mail_server(mailbox, reserved):
        await post(resources, "ada@example.com")
        await rename(resources.database, "letters", "mislaid")
        with capture_logs() as log:
            async with background.running(resources):
                await until(lambda: log)
                await rename(resources.database, "mislaid", "letters")
                resources.posted.set()
                await until(lambda: mailbox.arrived)
    failures = {(line["event"], line["chore"], line["log_level"]) for line in log}
    assert failures == {("A chore failed", "deliver", "error")}


async def guessed(settings: Settings, *, audited: bool) -> list[str]:
    """Have guesses noted until a server stops; tell of how many the audit knows."""
    async with Resources.open(settings) as resources:
        async with background.running(resources):
            for _ in range(3):
                resources.guesses.note(Action.TOKEN_REFUSED, NOWHERE)
                await resources.guesses.record(resources.database)
            if not audited:
                await rename(resources.database, "audit_events", "mislaid")
        if not audited:
            await rename(resources.database, "mislaid", "audit_events")
        rows = await resources.database.fetch_all(
            select(AuditRow).order_by(AuditRow.at, AuditRow.id)
        )
    return [" ".join(row.fields) for row in rows]


async def test_guesses_that_were_counted_are_told_before_a_server_is_gone(
    settings: Settings,
) -> None:
    assert await guessed(settings, audited=True) == ["", "2 times"]


async def test_server_stops_though_the_audit_takes_no_guesses(settings: Settings) -> None:
    configure_logging("INFO")
    with capture_logs() as log:
        assert await guessed(settings, audited=False) == [""]
    assert "The audit was not told of the last guesses" in {line["event"] for line in log}


async def rename(database: Database, before: str, after: str) -> None:
    """Rename a table."""
    async with database.transaction() as db:
        await db.execute(text(f"ALTER TABLE {before} RENAME TO {after}"))


async def open_session(resources: Resources, name: str) -> Opened:
    """Sign somebody in."""
    customer = await add_customer(resources.database, name)
    async with resources.database.transaction() as db:
        return await sessions.open_session(
            db, customer, NOWHERE, resources.lifetimes, methods="pwd"
        )


async def rotate(resources: Resources, token: str) -> Opened | Fault:
    """Spend a refresh token."""
    async with resources.database.transaction() as db:
        return await refresh_tokens.rotate(db, token, NOWHERE, resources.lifetimes)


async def test_session_goes_30_days_after_it_expired_with_its_refresh_tokens(
    noon: Resources, set_clock: SetClock
) -> None:
    opened = await open_session(noon, "Ada Plain")
    assert isinstance(await rotate(noon, opened.refresh_token), Opened)
    left = []
    for late in (timedelta(0), timedelta(microseconds=1)):
        set_clock(NOON + 60 * DAY + late)
        await background.purge(noon)
        left.append([await rows(noon.database, table) for table in (SessionRow, RefreshTokenRow)])
    assert left == [[1, 2], [0, 0]]


async def test_spent_token_of_a_living_session_stays_as_evidence(
    noon: Resources, set_clock: SetClock
) -> None:
    first = await open_session(noon, "Ada Plain")
    token = first.refresh_token
    for days in (25, 50, 75):
        set_clock(NOON + days * DAY)
        opened = await rotate(noon, token)
        assert isinstance(opened, Opened)
        token = opened.refresh_token
    set_clock(NOON + 89 * DAY)
    assert await background.purge(noon) == 0
    assert await rows(noon.database, RefreshTokenRow) == 4
    assert await rotate(noon, first.refresh_token) is refresh_tokens.REUSED


async def test_purge_takes_small_batches_until_nothing_is_left(
    noon: Resources, set_clock: SetClock
) -> None:
    opened = await open_session(noon, "Ada Plain")
    expired = [
        {
            "id": new_id(),
            "customer_id": opened.session.customer_id,
            "created_at": NOON,
            "last_used_at": NOON,
            "expires_at": opened.session.expires_at,
            "ended_at": None,
            "ip_address": None,
            "user_agent": None,
        }
        for _ in range(1000)
    ]
    async with noon.database.transaction() as db:
        await add_all(db, SessionRow, expired)
        await noon.throttle.count(db, noon.throttle.limit("sign-in", "ada@example.com"))
    await register(noon.database, "Eve")
    set_clock(NOON + 61 * DAY)
    async with noon.database.transaction() as db:
        assert await sessions.purge(db, batch=2) == 2
    assert await background.purge(noon) == 999 + 1 + 1
    assert await rows(noon.database, SessionRow) == 0
    assert await rows(noon.database, RegistrationRow) == 0


async def test_server_purges_by_itself_but_not_when_it_begins(
    noon: Resources, mailing: Settings, set_clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await open_session(noon, "Ada Plain")
    set_clock(NOON + 61 * DAY)
    for delay, left in ((NEVER, 1), (0, 0)):
        monkeypatch.setattr(background, "PURGE_DELAY", delay)
        async with running(mailing) as api, asyncio.timeout(20):
            assert (await api.run("{ __typename }")).errors == []
            while await rows(api.database, SessionRow) > left:  # noqa: ASYNC110 — it sends no event
                await asyncio.sleep(0.01)
        assert await rows(noon.database, SessionRow) == left
