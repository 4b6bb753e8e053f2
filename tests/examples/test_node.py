"""The TypeScript examples suit the oldest node that `make run` builds the playground with."""

import json
import re
import runpy
from typing import Final

import pytest

from tests.examples.driving import EXAMPLES
from tests.processes import ROOT

OLDEST: Final[tuple[int, int]] = runpy.run_path(str(ROOT / "playground/npm.py"))["OLDEST"]
PACKAGES: Final = json.loads((EXAMPLES / "typescript/package-lock.json").read_text())["packages"]
COMPARATOR: Final = re.compile(r"(>=|\^|)v?(\d+)(?:\.(\d+))?[.\dx]*")


def accepts(wanted: str, version: tuple[int, int]) -> bool:
    """Return whether a range of versions, as `engines` has them, holds this one."""
    return any(
        all(_holds(each, version) for each in re.sub(r"(>=|\^) +", r"\1", one).split())
        for one in wanted.split("||")
    )


def _holds(comparator: str, version: tuple[int, int]) -> bool:
    found = COMPARATOR.fullmatch(comparator)
    assert found is not None, f"{comparator} is a form that this test doesn't know"
    bound = int(found[2]), int(found[3] or 0)
    return version >= bound and (found[1] == ">=" or version[0] == bound[0])


def test_every_package_of_the_lock_runs_on_it() -> None:
    wanted = {name: each["engines"]["node"] for name, each in PACKAGES.items() if "engines" in each}
    assert "" in wanted  # the examples themselves
    assert [name for name, each in wanted.items() if not accepts(each, OLDEST)] == []


@pytest.mark.parametrize(
    ("wanted", "is_held"),
    [
        (">=20.19", True),
        (">= 20", True),
        ("^20.19.0 || >=22", True),
        ("18 || 20 || >=22", True),
        (">=22.15.0", False),
        ("^22.0.0 || ^24.0.0 || >=26.0.0", False),
        ("^20.20.0", False),
        ("18", False),
    ],
)
def test_made_up_range_is_understood(wanted: str, is_held: bool) -> None:  # noqa: FBT001
    assert accepts(wanted, (20, 19)) is is_held
