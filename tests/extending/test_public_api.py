"""The public API: what it names is there, is documented, and changes no signature unsaid."""

import ast
import subprocess
import sys
from collections.abc import Mapping
from difflib import ndiff
from pathlib import Path

import pytest

import gql_app
from tests.extending.public_api import FILE, described
from tests.processes import ROOT, environment
from tests.test_extending import TYPES, TYPES_OF_OURS

SOURCE = ast.parse((ROOT / "gql_app/__init__.py").read_text(encoding="utf-8"))


def test_no_name_or_signature_changes_unsaid() -> None:
    before = FILE.read_text(encoding="utf-8").splitlines()
    changed = [line for line in ndiff(before, described()) if line[0] in "+-"]
    told = "\n".join(changed)
    assert not changed, (
        f"The public API is another one:\n{told}\nThose who build on it read of it in "
        "CHANGELOG.md; write it down there, then run: python -m tests.extending.public_api"
    )


def test_type_checkers_and_programs_find_each_name_at_one_place() -> None:
    told: dict[str, str] = {}
    for node in ast.walk(SOURCE):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for each in node.body:
                assert isinstance(each, ast.ImportFrom)
                told |= {alias.name: f"{each.module}" for alias in each.names}
    modules: Mapping[str, tuple[str, ...]] = vars(gql_app)["_MODULES"]
    found = {name: f"gql_app.{module}" for module, names in modules.items() for name in names}
    assert found == told
    assert sorted(found) == sorted(gql_app.__all__)


@pytest.mark.parametrize("name", sorted({*gql_app.__all__} - {"Authenticator", "Info"}))
def test_every_name_is_there_and_says_what_it_is(name: str) -> None:
    """Aliases have no docstring that a program reads."""
    value = getattr(gql_app, name)
    assert name in dir(gql_app)
    assert (value.__doc__ or "").splitlines()[0].endswith(".")
    assert getattr(gql_app, name) is value


def test_name_that_is_not_public_is_not_there() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        _ = gql_app.Nothing
    with pytest.raises(ImportError):
        from gql_app import Neither  # noqa: F401, PLC0415


IDLE: Mapping[str, set[str]] = {
    "CannotStart": {"graphql", "pydantic", "sqlalchemy", "starlette", "strawberry", "typer"},
    "Table": {"graphql", "pydantic", "starlette", "strawberry", "typer", "uvicorn"},
    "create_app": {"typer"},
    "FeatureSettings": {"graphql", "sqlalchemy", "starlette", "strawberry", "typer"},
}
"""By name, the modules that its import does without."""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, set[str]]:
    """Return the modules that are loaded by each name and those before it in its process."""
    found: dict[str, set[str]] = {}
    for names in (("CannotStart", "Table", "create_app"), ("FeatureSettings",)):
        code = "; ".join(f"from gql_app import {name}; print(*sys.modules)" for name in names)
        printed = subprocess.check_output(  # noqa: S603  the code above, with this very Python
            [sys.executable, "-c", f"import sys; {code}"],
            cwd=tmp_path_factory.mktemp("loaded"),
            env=environment() | {"PYTHONPATH": str(ROOT)},
            encoding="utf-8",
        )
        found |= zip(names, (set(line.split()) for line in printed.splitlines()), strict=True)
    return found


@pytest.mark.parametrize("name", IDLE)
def test_a_name_brings_no_more_than_it_needs(name: str, loaded: Mapping[str, set[str]]) -> None:
    assert not IDLE[name] & loaded[name]


@pytest.mark.xdist_group("extending")
def test_a_builders_code_is_checked_by_its_types(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(
        """
from datetime import datetime
from uuid import UUID

from gql_app import Feature, FeatureSettings, Role, Table, Transaction
from gql_app import create_app, owned_by, run, settings_of
from sqlalchemy.orm import Mapped, mapped_column


class ShopSettings(FeatureSettings):
    currency: str = "EUR"


class OrderRow(Table):
    __tablename__ = "orders"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    placed_at: Mapped[datetime]
    placed_by: Mapped[UUID]
    paid_by: Mapped[UUID | None]


owned_by(OrderRow.paid_by)
owned_by(OrderRow.placed_by)
owned_by(OrderRow.placed_at)


async def count(db: Transaction, least: int) -> int:
    return least


def report(least: int = 1) -> None:
    reveal_type(run(count, least))
    reveal_type(settings_of(ShopSettings).currency)
    run(count, "many")
    create_app(feature=[])


clerk = Role("clerk", {"orders:read"})
shop = Feature("shop", roles=[clerk], settings=ShopSettings, commands=[report])
reveal_type(create_app(features=[shop]))
Feature("shop", settings=dict)
""",
        encoding="utf-8",
    )
    done = subprocess.run(  # noqa: S603 — this very Python
        [sys.executable, "-m", *TYPES.removesuffix("-p shop").split(), *TYPES_OF_OURS, "shop.py"],
        cwd=tmp_path,
        env=environment() | {"MYPYPATH": str(ROOT)},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    notes = [line.partition(": ")[2] for line in done.stdout.splitlines()[:-1]]
    expected = """
error: Argument 1 to "owned_by" has incompatible type "InstrumentedAttribute[datetime]"; \
expected "InstrumentedAttribute[UUID | None]"  [arg-type]
note: Revealed type is "int"
note: Revealed type is "str"
error: Argument 2 to "run" has incompatible type "str"; expected "int"  [arg-type]
error: Unexpected keyword argument "feature" for "create_app"; did you mean "features"?  [call-arg]
note: "create_app" defined in "gql_app.app"
note: Revealed type is "gql_app.app.Application"
error: Argument "settings" to "Feature" has incompatible type "type[dict[Any, Any]]"; \
expected "type[FeatureSettings] | None"  [arg-type]
"""
    assert notes == expected.strip().splitlines(), done.stdout
