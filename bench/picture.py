"""The charts of docs/performance.md: the cost of an answer by server, for light and dark pages.

`python -m bench.picture` draws the results of the last run.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import matplotlib as mpl

mpl.use("svg")
mpl.rcParams |= {"svg.hashsalt": "gql_app", "svg.fonttype": "none", "font.family": "sans-serif"}

from matplotlib import pyplot as plt  # noqa: E402 — its import reads the setting above
from matplotlib.axes import Axes  # noqa: E402

from bench.report import Report  # noqa: E402
from bench.servers import KINDS  # noqa: E402

KEPT: Final = Path("build/bench.json")
WHERE: Final = Path("docs/performance")
"""The path of the pictures, without -light.svg and -dark.svg."""
QUESTIONS: Final = {"50": "50 customers", "500": "500 customers", "me": "me"}
SHOWN: Final = ("ours", "ours-sqlite", "floor", "floor-sqlite", "ariadne", "flask", "stock")
INCHES: Final = (10, 3.4)


@dataclass(frozen=True, slots=True)
class Colours:
    """The colours for light or dark pages."""

    text: str
    faint: str
    ours: str
    floor: str
    others: str


COLOURS: Final = {
    "light": Colours("#1f2328", "#59636e", "#0969da", "#8c959f", "#d1d9e0"),
    "dark": Colours("#f0f6fc", "#9198a1", "#4493f8", "#6e7681", "#3d444d"),
}


def draw(report: Report, colours: Colours, file: Path) -> None:
    """Draw a panel for each question, the cheapest server on top."""
    figure, panels = plt.subplots(1, len(QUESTIONS), figsize=INCHES, sharey=True)
    costs = {(cell.server, cell.question): cell.cost for cell in report.cells}
    names = [name for name in SHOWN if (name, "50") in costs]
    names.sort(key=lambda name: -costs[name, "50"])
    for panel, (question, title) in zip(panels, QUESTIONS.items(), strict=True):
        _panel(panel, title, names, [costs[name, question] for name in names], colours)
    panels[0].set_yticks(range(len(names)), [KINDS[name].title for name in names])
    for label, name in zip(panels[0].get_yticklabels(), names, strict=True):
        label.set_color(colours.text)
        label.set_fontweight("bold" if name.startswith("ours") else "normal")
    figure.supxlabel(
        "microseconds of the server’s processor for an answer; less is better",
        color=colours.faint,
        fontsize=9,
    )
    figure.tight_layout(w_pad=1.5)
    figure.savefig(file, transparent=True, metadata={"Date": None} if _is_svg(file) else None)
    plt.close(figure)


def _panel(
    panel: Axes, title: str, names: Sequence[str], costs: Sequence[float], colours: Colours
) -> None:
    bars = panel.barh(range(len(names)), costs, color=[_colour(name, colours) for name in names])
    panel.bar_label(
        bars, [f"{cost:,.0f}" for cost in costs], padding=3, color=colours.text, fontsize=9
    )
    panel.set_title(title, color=colours.text, loc="left", fontsize=11)
    panel.set_xlim(0, max(costs) * 1.25)
    panel.set_xticks([])
    panel.tick_params(length=0)
    panel.spines[:].set_visible(False)


def _colour(name: str, colours: Colours) -> str:
    if name.startswith("ours"):
        return colours.ours
    return colours.floor if name.startswith("floor") else colours.others


def _is_svg(file: Path) -> bool:
    return file.suffix == ".svg"


def draw_all(report: Report, where: Path = WHERE) -> None:
    """Draw the charts for light pages and for dark ones."""
    for name, colours in COLOURS.items():
        draw(report, colours, where.with_name(f"{where.name}-{name}.svg"))


if __name__ == "__main__":
    draw_all(Report.read(KEPT))
