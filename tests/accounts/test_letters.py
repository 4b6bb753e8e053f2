"""Letters: written down with the change, composed when they are sent, and voided."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from gql_app.accounts import customers, validation
from gql_app.accounts.mail import letters
from gql_app.accounts.mail.letters import Kind
from gql_app.accounts.mail.links import LinkKind
from gql_app.accounts.records import CustomerRecord
from gql_app.db.tables import LetterRow
from gql_app.factors.changes import FACTOR, METHOD
from gql_app.lib.clock import new_id
from gql_app.lib.database import Database
from gql_app.lib.outbox import Outcome, mailer
from gql_app.mail.outbox import QUEUE
from gql_app.security import tokens
from tests.accounts.conftest import NOON
from tests.accounts.outbox import (
    LINK,
    OUTBOX,
    ask_reset,
    claim,
    look,
    notify,
    resets,
    token_of,
    waiting,
)
from tests.conftest import SetClock
from tests.databases import contents
from tests.people import NOWHERE, add_customer
from tests.rows import column, value

INSTEAD = {Kind.ADDRESS_IN_USE, Kind.ADDRESS_TOO_SIMILAR}
"""Letters that are never posted, but written in place of a link."""
HOSTILE = (
    "URGENT: https://evil.example/now",
    "Visit www.evil.example",
    "Zyxomma thief@evil.example",
    "Zyxomma",
    "{link} %s Zyxomma",
)


async def test_letter_of_a_deed_that_failed_was_never_written(
    noon: Database, ada: CustomerRecord
) -> None:
    async def fail_halfway() -> None:
        async with noon.transaction() as db:
            await letters.post_link(db, LinkKind.PASSWORD_RESET, customer_id=ada.id)
            raise LookupError

    with pytest.raises(LookupError):
        await fail_halfway()
    assert await waiting(noon) == []
    assert await claim(noon) == []


async def test_posting_marks_the_transaction(noon: Database, ada: CustomerRecord) -> None:
    async with noon.transaction() as db:
        assert letters.POSTED not in db.info
        await letters.post(db, Kind.EMAIL_CHANGED, customer_id=ada.id, recipient="old@example.com")
        assert letters.POSTED in db.info


async def test_reset_goes_to_the_customer_with_a_link(noon: Database, ada: CustomerRecord) -> None:
    await ask_reset(noon, ada)
    (letter,) = await claim(noon)
    assert (letter.recipient, letter.subject) == (ada.email, "Reset your password")
    assert token_of(letter).startswith("gap_")


async def test_change_of_address_tells_the_mailbox_that_was(
    noon: Database, ada: CustomerRecord
) -> None:
    async with noon.transaction() as db:
        changes = validation.check_changes(ada, {"email": "new@example.com"}, validation.Rules())
        await customers.update(db, ada.id, changes, origin=NOWHERE)
    (told,) = await claim(noon)
    assert (told.recipient, told.subject) == ("ada@example.com", "Your e-mail address was changed")


@pytest.mark.parametrize("email", ["ADA@example.com", "ada@EXAMPLE.com", "aDa@Example.Com"])
async def test_no_letter_is_written_where_no_mailbox_changed(
    noon: Database, ada: CustomerRecord, email: str
) -> None:
    for spelling in (email, ada.email) * 3:
        async with noon.transaction() as db:
            changes = validation.check_changes(ada, {"email": spelling}, validation.Rules())
            await customers.update(db, ada.id, changes, origin=NOWHERE)
    assert await waiting(noon) == []


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("kind", sorted({*Kind} - {*INSTEAD, Kind.INVITATION}))
async def test_no_letter_of_any_kind_holds_a_word_of_its_customers(
    noon: Database, kind: Kind, name: str
) -> None:
    stranger = await add_customer(noon, name, "stranger@example.com", phone="+1 555 0199")
    data = {FACTOR: str(new_id()), METHOD: "CODE", letters.ADDRESS: "192.0.2.1"}
    async with noon.transaction() as db:
        await letters.post(db, kind, customer_id=stranger.id, recipient=stranger.email, data=data)
    (letter,) = await claim(noon)
    message = mailer.message(letter, sender="no-reply@shop.example")
    assert letter.recipient == stranger.email
    said = f"{message.as_string()}{message['Subject']}{message['To']}{letter.body}".casefold()
    words = [*name.casefold().split(), "555 0199", "5550199"]
    assert [word for word in words if word in said] == []


@pytest.mark.parametrize(
    ("kind", "subject"),
    [
        (Kind.PASSWORD_CHANGED, "Your password was changed"),
        (Kind.EMAIL_CHANGED, "Your e-mail address was changed"),
    ],
)
async def test_notice_goes_where_it_was_addressed(
    noon: Database, ada: CustomerRecord, kind: Kind, subject: str
) -> None:
    async with noon.transaction() as db:
        await letters.post(db, kind, customer_id=ada.id, recipient="old@example.com")
    (letter,) = await claim(noon)
    assert (letter.recipient, letter.subject) == ("old@example.com", subject)
    assert "If it wasn't you" in letter.body
    assert LINK not in letter.body


async def test_letter_in_hand_is_left_alone_until_its_lease_is_over(
    noon: Database, ada: CustomerRecord, set_clock: SetClock
) -> None:
    await ask_reset(noon, ada)
    (first,) = await claim(noon)
    set_clock(NOON + timedelta(seconds=14.999))
    assert await claim(noon) == []
    set_clock(NOON + timedelta(seconds=15))
    (second,) = await claim(noon)
    assert second == first


async def test_pauses_double_up_to_an_hour(
    noon: Database, ada: CustomerRecord, set_clock: SetClock
) -> None:
    await notify(noon, ada, "ada@example.com")
    now, pauses = NOON, []
    for _ in range(14):
        set_clock(now)
        (letter,) = await claim(noon)
        async with noon.transaction() as db:
            await OUTBOX.postpone(db, letter)
        due_at = await value(noon, select(LetterRow.due_at))
        pauses.append(int((due_at - now).total_seconds()))
        now = due_at
    assert pauses == [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600, 3600, 3600]


async def test_each_letter_has_a_last_try_within_a_day(
    noon: Database, ada: CustomerRecord, set_clock: SetClock
) -> None:
    await notify(noon, ada, "ada@example.com")
    now, waits, tries = NOON, True, 0
    while waits:
        set_clock(now)
        (letter,) = await claim(noon)
        tries += 1
        async with noon.transaction() as db:
            waits = await OUTBOX.postpone(db, letter)
        now, *_ = [*await column(noon, select(LetterRow.due_at)), now]
    assert await waiting(noon) == []
    assert timedelta(hours=23) < now - NOON <= timedelta(hours=24)
    assert tries == 12 + 22


async def test_letter_that_waited_while_no_server_ran_is_tried_all_the_same(
    noon: Database, ada: CustomerRecord, set_clock: SetClock
) -> None:
    await notify(noon, ada, "ada@example.com")
    set_clock(NOON + timedelta(days=3))
    (letter,) = await claim(noon)
    async with noon.transaction() as db:
        assert not await OUTBOX.postpone(db, letter)
    assert await waiting(noon) == []


async def test_letter_is_due_from_its_moment_on(
    noon: Database, ada: CustomerRecord, set_clock: SetClock
) -> None:
    await notify(noon, ada, "ada@example.com")
    answers = []
    for seconds in (-0.001, 0, 1):
        set_clock(NOON + timedelta(seconds=seconds))
        answers.append(await QUEUE.any_due(noon))
    assert answers == [False, True, True]


async def test_letter_that_is_sent_is_forgotten_and_can_not_be_postponed(
    noon: Database, ada: CustomerRecord
) -> None:
    await notify(noon, ada, "ada@example.com")
    (letter,) = await claim(noon)
    async with noon.transaction() as db:
        await QUEUE.forget(db, [UUID(letter.id)])
    async with noon.transaction() as db:
        await OUTBOX.postpone(db, letter)
        await QUEUE.forget(db, [UUID(letter.id)])
    assert await waiting(noon) == []


async def test_two_that_claim_at_once_never_get_the_same_letter(
    noon: Database, ada: CustomerRecord
) -> None:
    for number in range(15):
        await notify(noon, ada, f"{number}@example.com")
    async with noon.transaction() as db:
        mine = (await OUTBOX.claim(db)).letters
        another = asyncio.create_task(claim(noon))
        if db.dialect == "postgresql":
            await another
    theirs = await another
    assert (len(mine), len(theirs)) == (10, 5)
    assert len({letter.recipient for letter in [*mine, *theirs]}) == 15


async def test_letters_leave_in_the_order_they_are_due(
    noon: Database, ada: CustomerRecord, set_clock: SetClock
) -> None:
    for minutes in (3, 1, 2):
        set_clock(NOON + timedelta(minutes=minutes))
        await notify(noon, ada, f"{minutes}@example.com")
    set_clock(NOON + timedelta(minutes=9))
    recipients = [letter.recipient for letter in await claim(noon)]
    assert recipients == ["1@example.com", "2@example.com", "3@example.com"]


async def test_link_is_the_same_at_each_try_and_good_for_30_minutes_from_it(
    noon: Database, ada: CustomerRecord, set_clock: SetClock
) -> None:
    await ask_reset(noon, ada)
    links = set()
    for seconds in (0, 15, 3600):
        now = NOON + timedelta(seconds=seconds)
        set_clock(now)
        (letter,) = await claim(noon)
        links.add(token_of(letter))
        digest = tokens.digest(tokens.RESET, token_of(letter))
        assert await resets(noon) == [(ada.id, digest, now + timedelta(minutes=30))]
    assert len(links) == 1


async def test_database_holds_neither_a_token_nor_a_body(
    noon: Database, ada: CustomerRecord
) -> None:
    await ask_reset(noon, ada)
    (letter,) = await claim(noon)
    written = await contents(noon)
    assert letter.id in written
    token = token_of(letter).removeprefix(tokens.RESET)
    for secret in (token, tokens.RESET, OUTBOX.pages[Kind.PASSWORD_RESET], "Hello", letter.subject):
        assert secret not in written


async def test_letter_of_an_unknown_kind_waits_for_a_server_that_knows_it(
    noon: Database, ada: CustomerRecord, set_clock: SetClock
) -> None:
    async with noon.transaction() as db:
        for _ in range(2):
            await letters.post(db, "shop_shipped", customer_id=ada.id)
    older = replace(OUTBOX)
    with capture_logs() as log:
        claimed = await look(noon, older)
        assert (claimed.letters, claimed.dropped) == ([], 0)
        assert claimed.postponed == {Outcome.DEFERRED: 2}
        assert not await QUEUE.any_due(noon)
        set_clock(NOON + timedelta(seconds=2))
        assert (await look(noon, older)).any
    (line,) = log
    assert line["event"] == "Letters of an unknown kind wait for a server that knows it"
    assert line["kind"] == "shop_shipped"
    set_clock(NOON + timedelta(seconds=6))
    newer = replace(OUTBOX, features={"shop_shipped": lambda *_: ("Shipped", "Soon")})
    sent = (await look(noon, newer)).letters
    assert [(each.recipient, each.subject) for each in sent] == [(ada.email, "Shipped")] * 2


async def test_letter_of_a_kind_that_no_server_knows_any_more_ends_after_a_day(
    noon: Database, ada: CustomerRecord, set_clock: SetClock
) -> None:
    async with noon.transaction() as db:
        await letters.post(db, "shop_removed", customer_id=ada.id)
    now, tries, ends = NOON, 0, 0
    with capture_logs() as log:
        while found := await column(noon, select(LetterRow.due_at)):
            (now,) = found
            set_clock(now)
            ends += (await look(noon)).postponed.get(Outcome.EXPIRED, 0)
            tries += 1
    assert (tries, ends) == (12 + 22, 1)
    assert timedelta(hours=23) < now - NOON <= timedelta(hours=24)
    *_, last = log
    assert (last["event"], last["kind"]) == ("A letter was given up after a day", "shop_removed")
    assert last["why"] == "UnknownKind"


async def test_end_of_a_letter_that_can_not_be_written_is_counted_and_logged(
    noon: Database, ada: CustomerRecord, set_clock: SetClock
) -> None:
    async with noon.transaction() as db:
        await letters.post(db, "bad", customer_id=ada.id)
    bad = replace(OUTBOX, features={"bad": lambda *_: ("One\nTwo", "Text")})
    assert (await look(noon, bad)).postponed == {Outcome.DEFERRED: 1}
    set_clock(NOON + timedelta(days=1))
    with capture_logs() as log:
        assert (await look(noon, bad)).postponed == {Outcome.EXPIRED: 1}
    assert await waiting(noon) == []
    assert (log[-1]["event"], log[-1]["kind"]) == ("A letter was given up after a day", "bad")
