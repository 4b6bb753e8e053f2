"""Delivery: each letter leaves once, waits, or is given up; and the log names nobody."""

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from gql_app.lib.database import Database, Transaction
from gql_app.lib.outbox import Letter, Outcome, Undeliverable, deliver
from gql_app.lib.outbox.delivery import BATCH
from tests.conftest import SetClock
from tests.lib.outbox.post import NOON, QUEUE, PlainOutbox, left, post

Fault = Callable[[], Exception]


@pytest.fixture(autouse=True)
def noon(set_clock: SetClock) -> None:
    """Let it be noon."""
    set_clock(NOON)


class Mailbox:
    """A mailer that keeps what it is sent, but for letters that it refuses."""

    open = True

    def __init__(self, **refused: Fault) -> None:
        self._refused = {f"{name}@example.com": fault for name, fault in refused.items()}
        self.arrived: list[str] = []

    async def send(self, letter: Letter) -> None:
        """Keep a letter, or raise what it is refused with."""
        if fault := self._refused.get(letter.recipient):
            raise fault()
        self.arrived.append(letter.recipient)


async def test_every_letter_that_is_due_leaves_once(post_office: Database) -> None:
    everybody = [f"{number}" for number in range(2 * BATCH + 1)]
    await post(post_office, *everybody)
    await post(post_office, "later", due_at=NOON.replace(minute=1))
    mailbox = Mailbox()
    for count in (len(everybody), 0):
        assert await deliver(post_office, QUEUE, PlainOutbox(), mailbox, on_outcome=print) == count
    assert sorted(mailbox.arrived) == sorted(f"{each}@example.com" for each in everybody)
    assert await left(post_office) == ["later"]


async def test_letters_that_are_void_or_too_many_hold_up_no_other(post_office: Database) -> None:
    await post(post_office, *[None] * 2 * BATCH, *["enough"] * 2 * BATCH, "ada")
    mailbox, told = Mailbox(), list[tuple[Outcome, int]]()

    def tell(outcome: Outcome, number: int) -> None:
        told.append((outcome, number))

    with capture_logs() as log:
        assert await deliver(post_office, QUEUE, PlainOutbox(), mailbox, on_outcome=tell) == 1
    assert (mailbox.arrived, await left(post_office)) == (["ada@example.com"], [])
    withheld = [number for outcome, number in told if outcome is Outcome.WITHHELD]
    assert sum(withheld) == 2 * BATCH
    assert [line["count"] for line in log] == withheld
    assert [each for each in told if each[0] is not Outcome.WITHHELD] == [(Outcome.SENT, 1)]


@pytest.mark.parametrize(
    ("fault", "event", "why", "outcome"),
    [
        (
            lambda: Undeliverable("550", "no bob here"),
            "A letter was refused for good",
            "550",
            Outcome.REFUSED,
        ),
        (lambda: OSError("bob"), "A letter has to wait", "OSError", Outcome.DEFERRED),
        (TimeoutError, "A letter has to wait", "TimeoutError", Outcome.DEFERRED),
    ],
)
async def test_letter_that_does_not_leave_is_postponed_or_forgotten(
    post_office: Database, fault: Fault, event: str, why: str, outcome: Outcome
) -> None:
    await post(post_office, "bob", "ada")
    mailbox, told = Mailbox(bob=fault), dict[Outcome, int]()
    with capture_logs() as log:
        await deliver(post_office, QUEUE, PlainOutbox(), mailbox, on_outcome=told.__setitem__)
    (line,) = log
    assert (line["event"], line["why"], line["log_level"]) == (event, why, "warning")
    assert "bob" not in str(line)
    assert mailbox.arrived == ["ada@example.com"]
    assert told == {Outcome.SENT: 1, outcome: 1}
    assert await left(post_office) == ["bob"] * (outcome is Outcome.DEFERRED)


async def test_letter_is_given_up_after_its_last_try(
    post_office: Database, set_clock: SetClock
) -> None:
    await post(post_office, "bob")
    set_clock(NOON.replace(hour=13))
    mailbox, told = Mailbox(bob=OSError), dict[Outcome, int]()
    with capture_logs() as log:
        assert not await deliver(
            post_office, QUEUE, PlainOutbox(), mailbox, on_outcome=told.__setitem__
        )
    assert told == {Outcome.EXPIRED: 1}
    assert [line["event"] for line in log] == ["A letter was given up after a day"]
    assert await left(post_office) == []


async def test_letters_that_can_not_be_written_are_counted_and_hold_up_no_other(
    post_office: Database, set_clock: SetClock
) -> None:
    await post(post_office, *["alien"] * 2 * BATCH, "ada")
    mailbox, told = Mailbox(), Counter[Outcome]()

    def tell(outcome: Outcome, number: int) -> None:
        told[outcome] += number

    assert await deliver(post_office, QUEUE, PlainOutbox(), mailbox, on_outcome=tell) == 1
    assert told == {Outcome.SENT: 1, Outcome.DEFERRED: 2 * BATCH}
    told.clear()
    set_clock(NOON.replace(hour=13))
    await deliver(post_office, QUEUE, PlainOutbox(), mailbox, on_outcome=tell)
    assert (told, await left(post_office)) == ({Outcome.EXPIRED: 2 * BATCH}, [])


async def test_outcome_that_can_not_be_noted_ends_no_other_letter(post_office: Database) -> None:
    lost, told = asyncio.Event(), dict[Outcome, int]()

    class Losing(PlainOutbox):
        async def refused(self, db: Transaction, letter: Letter) -> None:  # noqa: ARG002 — as Outbox's
            lost.set()
            raise LookupError(letter.recipient)

    class Slow(Mailbox):
        async def send(self, letter: Letter) -> None:
            if letter.recipient == "ada@example.com":
                await lost.wait()
            await super().send(letter)

    await post(post_office, "bob", "ada")
    mailbox = Slow(bob=lambda: Undeliverable("550", "no bob here"))
    with pytest.raises(LookupError, match="bob@"):
        await deliver(post_office, QUEUE, Losing(), mailbox, on_outcome=told.__setitem__)
    assert (mailbox.arrived, told) == (["ada@example.com"], {Outcome.SENT: 1})
    assert await left(post_office) == ["bob"]
