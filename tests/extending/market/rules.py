"""The market's settings, commands and rules."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

from pydantic import Field
from sqlalchemy import func, insert, select

import gql_app
from gql_app import FeatureSettings, Person, Refused, Transaction
from tests.extending.market.tables import StallRow


class MarketSettings(FeatureSettings):
    """The settings of the market."""

    currency: str = "EUR"
    max_stalls: int = Field(default=3, ge=1)


async def open_stall(db: Transaction, customer_id: UUID, name: str) -> UUID:
    """Open a stall."""
    stall = uuid4()
    await db.execute(
        insert(StallRow).values(
            id=stall, customer_id=customer_id, name=name, opened_at=datetime.now(UTC)
        )
    )
    return stall


async def count(db: Transaction, at_least: int) -> int:
    """Return the number of stalls with at least this rent."""
    [[number]] = await db.fetch_all(
        select(func.count()).select_from(StallRow).where(StallRow.rent_cents >= at_least)
    )
    return int(number)


def no_haggling(password: str, _: Person) -> None:
    """Refuse passwords about prices. Raises Refused."""
    if "haggle" in password:
        raise Refused("WEAK_PASSWORD", "Don't haggle in your password.")  # noqa: EM101 — a code


def count_stalls(rent: int = 0) -> None:
    """Count the stalls."""
    chosen = gql_app.settings_of(MarketSettings)
    number = gql_app.run(count, rent)
    print(f"{number} stalls of {chosen.max_stalls}, in {chosen.currency}")  # noqa: T201
