"""The shop of examples: small, and written with the public API; test_shipping.py runs its tests."""

import ast
from itertools import chain
from pathlib import Path

import pytest

import gql_app
from tests.processes import ROOT

LONGEST = 300
"""Lines."""
SHOP = ROOT / "examples/shop/shop"
FILES = sorted(SHOP.rglob("*.py"))


def test_shop_is_as_short_as_is_promised() -> None:
    assert sum(len(file.read_text(encoding="utf-8").splitlines()) for file in FILES) <= LONGEST


@pytest.mark.parametrize(
    "file", [*FILES, *SHOP.parent.glob("tests/*.py")], ids=lambda file: file.name
)
def test_shop_takes_nothing_that_is_not_public(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    froms = [each for each in ast.walk(tree) if isinstance(each, ast.ImportFrom)]
    ours = [each for each in froms if (each.module or "").partition(".")[0] == "gql_app"]
    assert {each.module for each in ours} <= {"gql_app"}
    names = {alias.name for alias in chain.from_iterable(each.names for each in ours)}
    assert names <= {*gql_app.__all__}
