"""The cost of a page by its place in the list and by the number of customers, by `make bench`.

Pages of 50 at the front, in the middle and at the end, in every order, of ten thousand and
of a million; then searches and counts of the million. The cost is the CPU time of the
server and of the database.
"""

import asyncio
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

from rich.console import Console
from rich.progress import track
from rich.table import Table
from sqlalchemy import select

from bench import crowds, load, stores
from bench.cores import pin_rest
from bench.people import People
from bench.questions import COLUMNS, Question
from bench.servers import KINDS, Server, running
from bench.stores import Store
from gql_app.accounts import customer_lists
from gql_app.accounts.customer_lists import Filter, Order, OrderField
from gql_app.db.tables import CustomerRow
from gql_app.lib.database import Database

FEW: Final = 10_000
MANY: Final = 1_000_000
SIZE: Final = 50
PLACES: Final = ("front", "middle", "end")
PAGE: Final = f"""query Walk($after: String!, $field: CustomerOrderField!, $way: OrderDirection!) {{
  customers(first: {SIZE}, after: $after, orderBy: {{ field: $field, direction: $way }}) {{
    nodes {{ {COLUMNS} }} pageInfo {{ hasNextPage endCursor }}
  }}
}}"""
SEARCH: Final = f"""query Search($search: String!) {{
  customers(filter: {{ search: $search }}) {{ nodes {{ {COLUMNS} }} }}
}}"""
COUNT: Final = "{ customers(first: 1) { totalCount } }"
SEARCHES: Final = {"one": "c777777@", "many": "customer", "nobody": "quetzalcoatl"}


@dataclass(frozen=True, slots=True)
class Step:
    """A page at a place of the list, and its cost in microseconds, by round."""

    server: str
    rows: int
    order: str
    place: str
    costs: list[float]


@dataclass(frozen=True, slots=True)
class Wait:
    """A search or a count of the larger database, and its time in milliseconds."""

    server: str
    what: str
    milliseconds: float


@dataclass(frozen=True, slots=True)
class Walk:
    """The results of all pages, searches and counts."""

    steps: Sequence[Step]
    waits: Sequence[Wait]

    def print(self, console: Console) -> None:
        """Print the cost of a page by order and place, and the worst ratio of all."""
        for server in dict.fromkeys(step.server for step in self.steps):
            console.print(self._table(server))
            console.print(f"The dearest page costs {self.worst(server):.2f} times the cheapest.\n")
        waits = Table("server", "question", "ms", title="of the many")
        for wait in self.waits:
            waits.add_row(KINDS[wait.server].title, wait.what, f"{wait.milliseconds:,.1f}")
        console.print(waits)

    def worst(self, server: str) -> float:
        """Return the ratio of the most expensive page to the cheapest."""
        costs = [median(step.costs) for step in self.steps if step.server == server]
        return max(costs) / min(costs)

    def _table(self, server: str) -> Table:
        steps = [step for step in self.steps if step.server == server]
        columns = list(dict.fromkeys((step.rows, step.place) for step in steps))
        headers = [f"{rows:,} {place}" for rows, place in columns]
        table = Table("order", *headers, title=f"{KINDS[server].title}, µs for a page of {SIZE}")
        for order in dict.fromkeys(step.order for step in steps):
            costs = {(s.rows, s.place): median(s.costs) for s in steps if s.order == order}
            table.add_row(order, *(f"{costs[column]:,.0f}" for column in columns))
        return table


def measure(names: Sequence[str], many: int = MANY, rounds: int = 3) -> Walk:
    """Fill databases of both sizes, and measure pages of them."""
    people = People.make_up(1)
    steps: list[Step] = []
    waits: list[Wait] = []
    for name in names:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(TemporaryDirectory()))
            walks = [
                (rows, *_served(stack, name, people, folder, rows)) for rows in sorted({FEW, many})
            ]
            steps += _walk(walks, people, rounds)
            _, server, store = walks[-1]
            waits += _wait(server, store, people)
    return Walk(steps, waits)


def _served(
    stack: ExitStack, name: str, people: People, folder: Path, rows: int
) -> tuple[Server, Store]:
    kind = KINDS[name]
    store = stack.enter_context(stores.opened([kind.database]))[kind.database]
    crowds.fill(store, people, rows)
    return stack.enter_context(running(kind, store, people, folder)), store


def _walk(
    walks: Sequence[tuple[int, Server, Store]], people: People, rounds: int
) -> Sequence[Step]:
    paths = [
        (server, store, question, Step(server.kind.name, rows, order, place, []))
        for rows, server, store in walks
        for order, place, question in asyncio.run(_pages(store, rows))
    ]
    turns = [path for _ in range(rounds) for path in paths]
    for server, store, question, step in track(turns, "Walking", transient=True):
        outcome = load.run(_task(server, store, question, people, connections=4))
        assert not outcome.refused, step
        step.costs.append(sum(outcome.cpu) / outcome.answers * 1e6)
    return [step for _, _, _, step in paths]


def _wait(server: Server, store: Store, people: People) -> Iterator[Wait]:
    asked = {
        f"search that finds {what}": Question(what, "", SEARCH, {"search": search})
        for what, search in SEARCHES.items()
    }
    for what, question in (asked | {"totalCount": Question("count", "", COUNT)}).items():
        outcome = load.run(_task(server, store, question, people, connections=1))
        yield Wait(server.kind.name, what, 1000 / outcome.rate)


def _task(
    server: Server, store: Store, question: Question, people: People, connections: int
) -> load.Task:
    return load.Task(
        server.port,
        question.requests(server.kind.style, people.tokens),
        [server.process.pid, *([store.pid] if store.pid else [])],
        seconds=0.4,
        warming=0.1,
        connections=connections,
    )


async def _pages(store: Store, rows: int) -> list[tuple[str, str, Question]]:
    """Return the questions for a page at each place, in every order."""
    offsets = dict(zip(PLACES, (0, rows // 2, rows - SIZE), strict=True))
    database = Database(store.url)
    found = []
    try:
        for field, descending in product(OrderField, (False, True)):
            way = "DESC" if descending else "ASC"
            for place, offset in offsets.items():
                cursor = await _cursor(database, Order(field, descending=descending), offset)
                variables = {"after": cursor, "field": field.value, "way": way}
                question = Question(place, "", PAGE, variables)
                found.append((f"{field.value} {way}", place, question))
    finally:
        await database.close()
    return found


async def _cursor(database: Database, order: Order, offset: int) -> str:
    listing = customer_lists.listing(Filter(), order, reads_private=True)
    keys = [getattr(CustomerRow, key) for key in listing.query.keys]
    ordered = [key.desc() if order.descending else key.asc() for key in keys]
    row = await database.fetch_one(select(*keys).order_by(*ordered).offset(offset).limit(1))
    return listing.cursor(row)


def main() -> None:
    """Run this measurement alone: python -m bench.walking --rows 100000 --only ours."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="ours,ours-sqlite")
    parser.add_argument("--rows", type=int, default=MANY)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    pin_rest()
    measure(chosen.only.split(","), chosen.rows, chosen.rounds).print(Console(width=120))


if __name__ == "__main__":
    main()
