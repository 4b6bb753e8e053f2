"""The cost of nested lists, by `make bench-nested`, with the shop of examples/.

A page of 50 customers with the five newest orders of each is compared with the flat page, on this
server and on the same with graphql-core's executor. Printed is the server's CPU time per answer in
microseconds, the medians of the rounds, and the multiple of the flat page.
"""

import asyncio
import random
import statistics
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from alembic import command
from rich.progress import track

from bench import load, servers, stores
from bench.cores import pin_rest
from bench.people import People, Rows
from bench.questions import Question, pages
from bench.servers import KINDS, Server
from bench.stores import Store
from gql_app.cli import samples
from gql_app.db.migrations.branches import alembic_config
from gql_app.extending.merging import merge
from gql_app.lib import clock
from gql_app.lib.database import Database, insert_row

SHOP: Final = servers.ROOT / "examples/shop"
CUSTOMERS: Final = 1_000
ORDERS: Final = 20
"""Orders of each customer, of which five are shown."""
FLAT: Final = pages(50)
NESTED: Final = Question(
    "nested",
    "",
    """query Nested($first: Int!) { customers(first: $first) { nodes {
      id name orders { id totalCents status createdAt }
    } } }""",
    {"first": 50},
)
QUESTIONS: Final = (FLAT, NESTED)
MEASURED: Final = ("ours", "uncompiled", "ours-sqlite")


def main() -> None:
    """Measure by the command line's arguments."""
    chosen = _arguments()
    pin_rest()
    sys.path.insert(0, str(SHOP))
    people = People.make_up(CUSTOMERS)
    orders = _orders(people)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        opened = stack.enter_context(stores.opened([KINDS[name].database for name in chosen.only]))
        for store in opened.values():
            stores.fill(store, people)
            _open_shop(store, orders)
        started = [
            stack.enter_context(_shop(name, opened[KINDS[name].database], people, folder))
            for name in chosen.only
        ]
        for question in QUESTIONS:
            said = {each.kind.name: servers.ask(each, question, people.tokens) for each in started}
            servers.require_equal(said, question.name)
        _measure(started, people, chosen)


def _arguments() -> Namespace:
    parser = ArgumentParser(prog="make bench-nested", description=__doc__)
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(MEASURED))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1, help="of each load")
    return parser.parse_args()


def _orders(people: People) -> Rows:
    """Return orders of all customers; every database holds the same."""
    from shop.tables import OrderStatus  # noqa: PLC0415 — the path is set by now

    now, statuses = clock.now(), [each.value for each in OrderStatus]
    return [
        {
            "id": clock.new_id(),
            "customer_id": customer["id"],
            "total_cents": random.randint(1, 100_000),
            "status": random.choice(statuses),
            "created_at": now - timedelta(hours=number),
        }
        for customer in people.customers
        for number in range(ORDERS)
    ]


def _open_shop(store: Store, orders: Rows) -> None:
    """Create the shop's tables, and fill them."""
    from shop.api import shop  # noqa: PLC0415 — as above
    from shop.tables import OrderRow  # noqa: PLC0415 — as above

    for branch in merge([shop]).extensions.branches:
        command.upgrade(alembic_config(store.url, branch), "head")

    async def fill() -> None:
        database = Database(store.url)
        async with database.transaction() as db:
            for start in range(0, len(orders), samples.BATCH):
                batch = orders[start : start + samples.BATCH]
                await db.execute_many(insert_row(OrderRow), [dict(row) for row in batch])
        await database.close()

    asyncio.run(fill())


@contextmanager
def _shop(name: str, store: Store, people: People, folder: Path) -> Iterator[Server]:
    """Serve the shop by one of the kinds of our program."""
    kind = replace(KINDS[name], settings={**KINDS[name].settings, "APP": "shop.api:app"})
    python = ["env", f"PYTHONPATH={SHOP}", sys.executable]
    serve = [*python, str(servers.ROOT / "main.py"), "serve", "--port", "{port}"]
    with servers.running(kind, store, people, folder, serve) as server:
        yield server


def _measure(started: Sequence[Server], people: People, chosen: Namespace) -> None:
    costs: dict[tuple[str, str], list[float]] = {}
    turns = [(s, q) for _ in range(chosen.rounds) for s in started for q in QUESTIONS]
    for server, question in track(turns, "Measuring", transient=True):
        requests = question.requests(server.kind.style, people.tokens)
        task = load.Task(server.port, requests, [server.process.pid], chosen.seconds)
        outcome = load.run(task)
        assert not outcome.refused, outcome
        costs.setdefault((server.kind.title, question.name), []).append(outcome.cost)
    print("| | flat page | with five orders each | times the flat page |")
    print("|---|---|---|---|")
    for title in dict.fromkeys(server.kind.title for server in started):
        flat, nested = (costs[title, each.name] for each in QUESTIONS)
        times = statistics.median(n / f for n, f in zip(nested, flat, strict=True))
        medians = " | ".join(f"{statistics.median(each):,.0f}" for each in (flat, nested))
        print(f"| {title} | {medians} | {times:.1f} |")


if __name__ == "__main__":
    main()
