"""The results: on the terminal, and as Markdown for the docs."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

from bench.load import Outcome
from bench.servers import KINDS


@dataclass(slots=True)
class Cell:
    """The results of one server for one question, by round."""

    server: str
    question: str
    costs: list[float] = field(default_factory=list)
    """Microseconds of the server's CPU time per answer, by round."""
    rates: list[float] = field(default_factory=list)
    """Answers a second."""
    database_costs: list[float] = field(default_factory=list)
    """Microseconds of the database processes' CPU time per answer."""

    def add(self, outcome: Outcome) -> None:
        """Add the outcome of a round."""
        self.costs.append(outcome.cost)
        self.rates.append(outcome.rate)
        self.database_costs += [cpu / outcome.answers * 1e6 for cpu in outcome.cpu[1:]]

    @property
    def cost(self) -> float:
        """The median cost of an answer."""
        return statistics.median(self.costs)


@dataclass(frozen=True, slots=True)
class Report:
    """The results of one run."""

    cells: Sequence[Cell]
    memory: Mapping[str, float]
    """Peak memory of a server's process, in MiB."""
    start: Mapping[str, float]
    """Seconds from its start to its first good answer to /readyz."""

    def print(self, console: Console) -> None:
        """Print each question's servers, the cheapest first."""
        for question in dict.fromkeys(cell.question for cell in self.cells):
            console.print(self._of(question))
        table = Table("server", "most memory, MiB", "start, s", title="processes")
        for name, memory in self.memory.items():
            table.add_row(KINDS[name].title, f"{memory:.0f}", f"{self.start[name]:.2f}")
        console.print(table)

    def markdown(self) -> str:
        """Return the table for the docs: microseconds, and multiples of the floor."""
        questions = list(dict.fromkeys(cell.question for cell in self.cells))
        lines = ["| | " + " | ".join(questions) + " |", "|---" * (len(questions) + 1) + "|"]
        for name in dict.fromkeys(cell.server for cell in self.cells):
            row = [self._cell(name, question) for question in questions]
            texts = [f"{cell.cost:,.0f}{self._times(cell)}" if cell else "" for cell in row]
            lines.append(f"| {KINDS[name].title} | " + " | ".join(texts) + " |")
        return "\n".join(lines)

    def ratios(self, cell: Cell) -> list[float]:
        """Return the ratios to the floor of the same database, by round, as rounds vary."""
        floor = self._cell(KINDS[cell.server].floor, cell.question)
        if floor is None or floor is cell:
            return []
        return [cost / least for cost, least in zip(cell.costs, floor.costs, strict=True)]

    def _of(self, question: str) -> Table:
        table = Table(
            "server",
            "CPU µs",
            "spread",
            "to floor",
            "spread",
            "per s",
            "database",
            title=question,
        )
        cells = [cell for cell in self.cells if cell.question == question]
        for cell in sorted(cells, key=lambda cell: cell.cost):
            ratios = self.ratios(cell)
            table.add_row(
                KINDS[cell.server].title,
                f"{cell.cost:,.0f}",
                _spread(cell.costs, 0),
                f"{statistics.median(ratios):.2f}" if ratios else "",
                _spread(ratios, 2),
                f"{statistics.median(cell.rates):,.0f}",
                f"{statistics.median(cell.database_costs):,.0f}" if cell.database_costs else "",
            )
        return table

    def _times(self, cell: Cell) -> str:
        ratios = self.ratios(cell)
        return f" ({statistics.median(ratios):.2f})" if ratios else ""

    def _cell(self, server: str, question: str) -> Cell | None:
        found = (c for c in self.cells if (c.server, c.question) == (server, question))
        return next(found, None)


def _spread(values: Sequence[float], digits: int) -> str:
    return f"{min(values):,.{digits}f}–{max(values):,.{digits}f}" if values else ""
