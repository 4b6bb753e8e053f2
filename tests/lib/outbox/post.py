"""Letters for the tests, and an outbox that writes them."""

from collections import Counter
from datetime import UTC, datetime
from typing import ClassVar
from uuid import UUID, uuid4

from sqlalchemy import Text, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gql_app.lib.database import Database, Moment, Transaction, insert_row
from gql_app.lib.outbox import Claimed, Letter, Outcome, Queue

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


class Row(DeclarativeBase):
    """The base of all tables."""

    type_annotation_map: ClassVar = {datetime: Moment, str: Text()}


class PostRow(Row):
    """A letter to its owner."""

    __tablename__ = "post"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    attempts: Mapped[int]
    due_at: Mapped[datetime]
    owner: Mapped[str | None]


QUEUE = Queue(PostRow, owner=PostRow.owner)


class PlainOutbox:
    """An outbox of greetings to each owner, which withholds letters to `enough`.

    It can't write to `alien`.
    """

    async def claim(self, db: Transaction) -> Claimed:
        """Lease letters that are due, and return them rendered."""
        rows = await QUEUE.next_due(db)
        dropped = [row.id for row in rows if row.owner is None]
        withheld = [row.id for row in rows if row.owner == "enough"]
        alien = [row for row in rows if row.owner == "alien"]
        good = [row for row in rows if row.owner not in {None, "enough", "alien"}]
        await QUEUE.forget(db, [*dropped, *withheld])
        await QUEUE.lease(db, [row.id for row in good])
        letters = [Letter(str(row.id), f"{row.owner}@example.com", "Hello", "Hi") for row in good]
        wait = [await QUEUE.postpone(db, row, last_try=NOON.replace(hour=13)) for row in alien]
        postponed = Counter(Outcome.DEFERRED if waits else Outcome.EXPIRED for waits in wait)
        return Claimed(letters, len(dropped), len(withheld), postponed)

    async def refused(self, db: Transaction, letter: Letter) -> None:
        """Delete a letter that was refused."""
        await QUEUE.forget(db, [UUID(letter.id)])

    async def postpone(self, db: Transaction, letter: Letter) -> bool:
        """Return whether a letter is retried."""
        row = await QUEUE.locked(db, UUID(letter.id))
        return row is None or await QUEUE.postpone(db, row, last_try=NOON.replace(hour=13))


async def post(database: Database, *owners: str | None, due_at: datetime = NOON) -> list[UUID]:
    """Post letters, and return their ids."""
    rows = [{"id": uuid4(), "attempts": 0, "due_at": due_at, "owner": owner} for owner in owners]
    async with database.transaction() as db:
        await db.execute_many(insert_row(PostRow), rows)
    return [UUID(str(row["id"])) for row in rows]


async def left(database: Database) -> list[str | None]:
    """Return the owners of the letters in the outbox."""
    rows = await database.fetch_all(select(PostRow.owner).order_by(PostRow.owner))
    return [row.owner for row in rows]
