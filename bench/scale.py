"""The cost of a page by the size of the table, by `make bench-scale`.

Pages of 50 at the front, the middle and the end of 10^4 and 10^6 customers in every order,
then filters, searches and counts of 10^6, on SQLite and on its own PostgreSQL. Printed are
milliseconds from the rules to the database and back, the best of ROUNDS that take turns.
"""

import asyncio
import math
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import TypeVar

import asyncpg
from sqlalchemy import select, text

from gql_app.accounts.customer_lists import Filter, Order, OrderField, listing
from gql_app.db.tables import CustomerRow
from gql_app.lib.clock import new_id
from gql_app.lib.database import Database, insert_row
from gql_app.lib.pagination import Window
from gql_app.lib.text import search_key
from tests.databases import migrated_sqlite, postgres_server

SIZES = (10**4, 10**6)
ROUNDS = 15
BATCH = 2_000
LATEST = datetime(2030, 1, 1, tzinfo=UTC)
TIES = 5
"""Customers per timestamp, on average."""
GIVEN = ("Ada", "Björn", "Chloé", "Elif", "Grace", "Hana", "Ingrid", "Kofi", "Lucía", "Marta")
SYLLABLES = ("an", "be", "chi", "do", "fer", "go", "ka", "li", "mar", "ne", "ra", "san", "to", "wa")
FILTERS = {
    "isAdmin: true": Filter(is_admin=True),
    "isAdmin: false": Filter(is_admin=False),
    "created in the last hour": Filter(created_after=LATEST - timedelta(hours=1)),
    "created in the last half": Filter(created_after=LATEST - timedelta(minutes=10**5)),
    "created never": Filter(created_after=LATEST),
    "search: one of all": Filter(search="xylander"),
    "search: 1 in 1,000": Filter(search="quillfeather"),
    "search: 1 in 500": Filter(search="umbermoor"),
    "search: 1 in 250": Filter(search="pettigrew"),
    "search: 1 in 150": Filter(search="oakenfell"),
    "search: 1 in 100": Filter(search="hundredth"),
    "search: 1 in 50": Filter(search="jessamine"),
    "search: 1 in 100, all at the end": Filter(search="zwingli"),
    "search: frequent": Filter(search="mar"),
    "search: no match": Filter(search="no such name"),
    "search: one frequent letter": Filter(search="a"),
    "search: two frequent letters": Filter(search="an"),
    "search: one rare letter": Filter(search="%"),
    "search: two rare letters": Filter(search="xy"),
}
COLUMNS = {"id", "name", "email", "phone", "is_active", "is_admin", "created_at", "updated_at"}
"""The fields of a customer that a client may select."""
EVERY = {50: "Jessamine", 150: "Oakenfell", 250: "Pettigrew", 500: "Umbermoor"}
"""Family names, by the number of customers among whom one has the name."""
ORDERS = [Order(field, descending=down) for field, down in product(OrderField, (False, True))]
_K = TypeVar("_K")
Work = Callable[[], Awaitable[object]]


@dataclass(frozen=True)
class Crowd:
    """A database and the windows of its pages."""

    database: Database
    count: int
    places: Mapping[tuple[Order, str], Window]


def main() -> None:
    """Measure on either database."""
    sizes = [int(each) for each in sys.argv[1:]] or SIZES
    with tempfile.TemporaryDirectory() as folder, postgres_server() as server:
        with ExitStack() as copies:
            urls = {count: copies.enter_context(server.copied()) for count in sizes}
            asyncio.run(_measure("PostgreSQL", urls))
        template = migrated_sqlite(Path(folder))
        files = {count: shutil.copy(template, Path(folder) / f"{count}.db") for count in sizes}
        asyncio.run(_measure("SQLite", {n: f"sqlite:///{file}" for n, file in files.items()}))


async def _measure(name: str, urls: Mapping[int, str]) -> None:
    """Fill the databases, and print the times of each."""
    crowds = [await _crowd(url, count) for count, url in urls.items()]
    await _tell_pages(name, crowds)
    await _tell_filters(name, crowds[-1])
    for crowd in crowds:
        await crowd.database.close()


async def _crowd(url: str, count: int) -> Crowd:
    database = Database(url)
    for start in range(0, count, BATCH):
        async with database.transaction() as db:
            await db.execute_many(insert_row(CustomerRow), list(people(start, count)))
    await _analyze(database, url)
    places: dict[tuple[Order, str], Window] = {}
    for order in ORDERS:
        of = listing(Filter(), order, reads_private=True)
        columns = [getattr(CustomerRow, key) for key in of.query.keys]
        by = [column.desc() if order.descending else column for column in columns]
        for place, offset in (("front", 0), ("middle", count // 2), ("end", count - 60)):
            row = await database.fetch_one(select(*columns).order_by(*by).offset(offset).limit(1))
            places[order, place] = Window(after=of.cursor(row))
    return Crowd(database, count, places)


async def _analyze(database: Database, url: str) -> None:
    """Run ANALYZE; PostgreSQL's VACUUM ANALYZE can't run in a transaction."""
    if database.dialect == "sqlite":
        async with database.transaction() as db:
            await db.execute(text("ANALYZE"))
        return
    server = await asyncpg.connect(url)
    try:
        await server.execute("VACUUM ANALYZE")
    finally:
        await server.close()


def people(start: int, count: int) -> Iterator[dict[str, object]]:
    """Yield a batch of generated customers."""
    chance = random.Random(start)
    for number in range(start, min(start + BATCH, count)):
        family = "".join(chance.choices(SYLLABLES, k=chance.randint(2, 4))).title()
        for rarity, each in EVERY.items():
            family = each if chance.randrange(rarity) == 0 else family
        family = "Quillfeather" if number % 1000 == 500 else family  # noqa: PLR2004 — any of 1,000
        family = "Hundredth" if number % 100 == 1 else family
        family = "Xylander" if number == count // 2 else family
        is_last = number % 100 == 7  # noqa: PLR2004 — any of 100
        name = "Zeno Zwingli" if is_last else f"{chance.choice(GIVEN)} {family}"
        family = "Zwingli" if is_last else family
        email = f"{search_key(family)}.{number}@example.com"
        at = LATEST - timedelta(minutes=61 if is_last else chance.randrange(count // TIES))
        yield {
            "id": new_id(),
            "name": name,
            "name_key": search_key(name),
            "email": email,
            "email_key": email,
            "email_canonical": email,
            "phone": None,
            "password_hash": "x" * 97,
            "is_admin": number % 3000 == 0,
            "is_active": True,
            "created_at": at,
            "updated_at": at,
        }


async def _tell_pages(name: str, crowds: list[Crowd]) -> None:
    works = {
        (order, crowd.count, place): _paging(crowd, Filter(), order, window)
        for crowd in crowds
        for (order, place), window in crowd.places.items()
    }
    best = await _best(works)
    columns = [(crowd.count, place) for crowd in crowds for place in ("front", "middle", "end")]
    print(f"\n{name:22}" + "".join(f"{place:>8} 10^{len(str(n)) - 1}" for n, place in columns))
    for order in ORDERS:
        times = [best[order, *column] for column in columns]
        told = "".join(f"{each:13.2f}" for each in times)
        print(f"{_spell(order):22}{told}   most / least {max(times) / min(times):.2f}", flush=True)


async def _tell_filters(name: str, crowd: Crowd) -> None:
    asked = [order for order in ORDERS if not order.descending]
    print(f"\n{name:32}" + "".join(f"{order.field:>12}" for order in asked) + f"{'count':>12}")
    for label, which in FILTERS.items():
        works = {order: _paging(crowd, which, order, Window()) for order in asked}
        best = await _best({**works, "count": _counting(crowd, which)})
        print(f"{label:32}" + "".join(f"{each:12.1f}" for each in best.values()), flush=True)


def _paging(crowd: Crowd, which: Filter, order: Order, window: Window) -> Work:
    async def page() -> None:
        await listing(which, order, reads_private=True).page(
            crowd.database, window, COLUMNS, cursors=True
        )

    return page


def _counting(crowd: Crowd, which: Filter) -> Work:
    async def count() -> None:
        await listing(which, Order(), reads_private=True).count(crowd.database)

    return count


async def _best(works: Mapping[_K, Work]) -> dict[_K, float]:
    best = dict.fromkeys(works, math.inf)
    for _ in range(ROUNDS):
        for key, work in works.items():
            started = time.perf_counter()
            await work()
            best[key] = min(best[key], (time.perf_counter() - started) * 1000)
    return best


def _spell(order: Order) -> str:
    return f"{order.field} {'DESC' if order.descending else 'ASC'}"


if __name__ == "__main__":
    main()
