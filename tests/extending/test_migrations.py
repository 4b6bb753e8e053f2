"""Migrations of features: they run after ours in one `migrate`, each with a table of its own."""

import ast
import asyncio
import importlib
import re
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess
from uuid import uuid4

import pytest
import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Column, Connection, Integer, MetaData, column, insert, inspect, select, text
from sqlalchemy.exc import SAWarning

from gql_app.db.migrations.branches import VERSION_TABLE, Branch, alembic_config, revisions
from gql_app.db.migrations.engine import run_on
from gql_app.db.readiness import condition
from gql_app.db.tables import Row
from gql_app.extending.tables import Table
from gql_app.lib.database import Database
from gql_app.lib.faults import CannotStart
from tests.commands import run_here
from tests.conftest import SECRET
from tests.databases import REVISION, Postgres, sent
from tests.databases import alembic_config as core_config

APP = "tests.extending.market.api:app"
SHOP = '''
"""A shop in the working folder."""

from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from gql_app import Feature, Table, create_app


class OrderRow(Table):
    """An order."""

    __tablename__ = "{name}_orders"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    cents: Mapped[int]


shop = Feature("{name}", migrations="{name}:migrations")
app = create_app(features=[shop])
'''
REFUSED = '''
"""Change orders."""

from alembic import op

revision = "{revision}"
down_revision = {down!r}


def upgrade() -> None:
    """Change orders."""
    op.execute({work!r})
'''


def migrate(url: str, folder: Path, app: str = APP) -> CompletedProcess[str]:
    """Run `migrate` for an application, by our migrations alone if it is named nothing."""
    return run_here("migrate", folder=folder, database_url=url, secret_key=SECRET, app=app)


def run_anew(shop: str, *arguments: str, folder: Path, url: str, told: str = "") -> str:
    """Return the output of a command on code that may have changed: it succeeds, or it tells."""
    sys.modules.pop(shop, None)
    importlib.invalidate_caches()
    for cached in [*folder.rglob("__pycache__")]:  # of the same second and size
        shutil.rmtree(cached)
    if f"{shop}_orders" in Table.metadata.tables:
        Table.metadata.remove(Table.metadata.tables[f"{shop}_orders"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)  # the class is there several times
        done = run_here(
            *("--app", f"{shop}:app", *arguments),
            folder=folder,
            database_url=url,
            secret_key=SECRET,
        )
    assert (done.returncode == 0, told in done.stderr) == (not told, True), done.stderr
    return done.stdout


def tables(url: str) -> set[str]:
    """Return the names of all tables that are there."""
    return set(run_on(url, lambda connection: inspect(connection).get_table_names()))


async def versions(url: str) -> tuple[list[str], list[str]]:
    """Return what the version tables say, ours and the market's."""
    ours = await sent(url, "SELECT version_num FROM alembic_version")
    theirs = await sent(url, "SELECT version_num FROM alembic_version_market")
    return [row[0] for row in ours], [row[0] for row in theirs]


async def state(url: str, *branches: Branch) -> str:
    """Return how far the migrations are."""
    async with Database(url) as database:
        return (await condition(database, branches)).migrations


@pytest.fixture
def shop(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """Write an application into a folder, under a name of its own."""
    name = f"shop{abs(hash(request.node.name)) % 10**6}"
    (tmp_path / name / "migrations").mkdir(parents=True)
    (tmp_path / name / "__init__.py").write_text(SHOP.format(name=name), encoding="utf-8")
    yield name
    sys.path.remove(str(tmp_path))
    Table.metadata.remove(Table.metadata.tables[f"{name}_orders"])
    del sys.modules[name]


async def test_one_command_migrates_ours_and_then_theirs(
    unmigrated_url: str, tmp_path: Path, branch: Branch
) -> None:
    for _ in range(2):
        done = await asyncio.to_thread(migrate, unmigrated_url, tmp_path)
        assert (done.returncode, done.stdout) == (0, "The database is up to date.\n")
    assert await versions(unmigrated_url) == ([REVISION], ["0002"])
    there = await asyncio.to_thread(tables, unmigrated_url)
    assert there - set(Row.metadata.tables) == {
        "market_stalls",
        VERSION_TABLE,
        branch.version_table,
    }
    assert await state(unmigrated_url, branch) == "ok"


async def test_version_table_of_ours_has_one_row_as_older_servers_expect(
    database_url: str, tmp_path: Path, branch: Branch
) -> None:
    assert await state(database_url, branch) == "pending"
    assert await state(database_url) == "ok"
    await asyncio.to_thread(migrate, database_url, tmp_path)
    assert await state(database_url) == "ok"
    assert await state(database_url, branch) == "ok"
    older = replace(branch, revisions=("0001",))
    assert await state(database_url, older) == "newer"
    newer = replace(branch, revisions=("0001", "0002", "0003"))
    assert await state(database_url, newer) == "pending"


async def test_feature_is_migrated_though_ours_are_newer_already(
    database_url: str, tmp_path: Path, branch: Branch
) -> None:
    async with Database(database_url) as database, database.transaction() as db:
        await db.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    done = await asyncio.to_thread(migrate, database_url, tmp_path)
    assert done.returncode == 0, done.stderr
    assert await state(database_url, branch) == "newer"


def test_feature_goes_down_without_ours(database_url: str, branch: Branch) -> None:
    before = tables(database_url)
    config = alembic_config(database_url, branch)
    command.upgrade(config, "head")
    command.downgrade(config, "base")
    assert tables(database_url) == before | {branch.version_table}


@pytest.mark.filterwarnings("ignore:autogenerate skipping metadata-specified expression-based")
def test_neither_sees_the_tables_of_the_other(database_url: str, branch: Branch) -> None:
    config = alembic_config(database_url, branch)
    command.upgrade(config, "0001")
    command.check(core_config(database_url))
    with pytest.raises(CommandError, match="database is not up to date"):
        command.check(config)
    command.upgrade(config, "head")
    command.check(config)
    command.check(core_config(database_url))


@pytest.mark.filterwarnings("ignore:autogenerate skipping metadata-specified expression-based")
def test_table_of_ours_that_no_class_describes_is_still_found(database_url: str) -> None:
    def add(connection: Connection) -> None:
        connection.exec_driver_sql("CREATE TABLE forgotten (id INTEGER PRIMARY KEY)")

    run_on(database_url, add)
    with pytest.raises(CommandError, match="forgotten"):
        command.check(core_config(database_url))


TABLE = """
from sqlalchemy.orm import Mapped, mapped_column

from gql_app import Table


class {kind}(Table):
    __tablename__ = "{name}"

    id: Mapped[int] = mapped_column(primary_key=True)
"""
WITHIN = """
import {name}.inner.tables
import {name}.tables
from gql_app import Feature, create_app

outer = Feature("outer", migrations="{name}:migrations")
inner = Feature("inner", migrations="{name}.inner:migrations")
app = create_app(features=[outer, inner])
"""


@pytest.fixture
def within(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """Write two features, of which the package of one lies in that of the other."""
    name = f"within{abs(hash(request.node.name)) % 10**6}"
    for place, kind in ((tmp_path / name, "outer"), (tmp_path / name / "inner", "inner")):
        (place / "migrations").mkdir(parents=True)
        (place / "__init__.py").touch()
        table = TABLE.format(kind=kind.title(), name=f"{name}_{kind}")
        (place / "tables.py").write_text(table, encoding="utf-8")
    (tmp_path / name / "api.py").write_text(WITHIN.format(name=name), encoding="utf-8")
    yield name
    sys.path.remove(str(tmp_path))
    for kind in ("outer", "inner"):
        Table.metadata.remove(Table.metadata.tables[f"{name}_{kind}"])
    for module in [each for each in sys.modules if f"{each}.".startswith(f"{name}.")]:
        del sys.modules[module]


@pytest.mark.parametrize("order", [["outer", "inner"], ["inner", "outer"]])
def test_table_belongs_to_the_feature_of_the_innermost_package(
    database_url: str, tmp_path: Path, within: str, order: Sequence[str]
) -> None:
    for feature in order:
        done = run_here(
            *("--app", f"{within}.api:app", "make-migration", "One", "--feature", feature),
            folder=tmp_path,
            database_url=database_url,
            secret_key=SECRET,
        )
        assert done.returncode == 0, done.stderr
    for feature, folder in (("outer", "migrations"), ("inner", "inner/migrations")):
        [file] = (tmp_path / within / folder).glob("*.py")
        made = re.findall(r"create_table\('(\w+)'", file.read_text(encoding="utf-8"))
        assert made == [f"{within}_{feature}"]


def test_migration_is_written_from_the_tables(database_url: str, tmp_path: Path, shop: str) -> None:
    def run(*arguments: str) -> CompletedProcess[str]:
        app = f"{shop}:app"
        return run_here(
            "--app", app, *arguments, folder=tmp_path, database_url=database_url, secret_key=SECRET
        )

    done = run("make-migration", "Take orders")
    assert done.returncode == 0, done.stderr
    [file] = (tmp_path / shop / "migrations").glob("*.py")
    written = file.read_text(encoding="utf-8")
    assert file.name == "0001_take_orders.py"
    assert f"op.create_table('{shop}_orders'," in written
    assert "customers" not in written
    del sys.modules[shop]  # as the next command is another process
    Table.metadata.remove(Table.metadata.tables[f"{shop}_orders"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)  # the class is there twice
        assert run("migrate").returncode == 0
    done = run("make-migration", "More")
    assert done.stderr == "There is nothing to migrate: the tables are as the database has them.\n"
    done = run("make-migration", "More", "--feature", "market")
    assert done.stderr.startswith("Say whose migration it is, by --feature.")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("message", ['Say """ so', r"Drop C:\new, \N and \u", 'Say "so"'])
def test_message_of_any_characters_is_what_the_script_says(
    database_url: str, tmp_path: Path, shop: str, message: str
) -> None:
    done = run_here(
        *("--app", f"{shop}:app", "make-migration", message),
        folder=tmp_path,
        database_url=database_url,
    )
    assert done.returncode == 0, done.stderr
    [file] = (tmp_path / shop / "migrations").glob("*.py")
    script = ast.parse(file.read_text(encoding="utf-8"))
    [upgrade, _] = [each for each in script.body if isinstance(each, ast.FunctionDef)]
    assert ast.get_docstring(script) == f"{message}."
    assert (ast.get_docstring(upgrade) or "").startswith(f"{message}.\n")


RENAMED = """
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    with op.batch_alter_table("{name}_orders") as batch_op:
        batch_op.alter_column("cents", new_column_name="pence")
"""


def test_written_script_tells_what_it_drops_and_waits_for_migrate(
    database_url: str, tmp_path: Path, shop: str
) -> None:
    code = tmp_path / shop / "__init__.py"
    before = code.read_text(encoding="utf-8")
    run = partial(run_anew, shop, folder=tmp_path, url=database_url)
    assert "drops" not in run("make-migration", "First")
    run("migrate")
    orders = Table.metadata.tables[f"{shop}_orders"]
    row = insert(orders).values(id=uuid4(), cents=5)
    run_on(database_url, lambda connection: connection.execute(row))

    code.write_text(before.replace("cents:", "pence:"), encoding="utf-8")
    told = run("make-migration", "Rename")
    script = tmp_path / shop / "migrations/0002_rename.py"
    assert told.endswith(
        f"Look {script} over, mend it by hand where need be, and run: migrate\n"
        f"It drops {shop}_orders.cents with its values. If you renamed it, let the script do so "
        'instead: batch_op.alter_column("cents", new_column_name="…")\n'
    )
    pending = "The database is not migrated. Run: gql-app migrate"
    run("make-migration", "Again", told=pending)
    script.write_text(RENAMED.format(name=shop), encoding="utf-8")
    run("migrate")
    pence = select(column("pence", Integer)).select_from(orders)
    assert run_on(database_url, lambda connection: connection.scalar(pence)) == 5
    run("make-migration", "Again", told="There is nothing to migrate")


@pytest.mark.parametrize("file", ["new", "migrated"])
def test_scripts_run_before_another_is_written_in_a_new_sqlite_file_alone(
    tmp_path: Path, shop: str, file: str
) -> None:
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    run = partial(run_anew, shop, folder=tmp_path, url=url)
    if file == "migrated":
        run("migrate")
    script = REFUSED.format(revision="0001", down=None, work=f"CREATE TABLE {shop}_old (id INT)")
    (tmp_path / shop / "migrations/0001.py").write_text(script, encoding="utf-8")
    told = "" if file == "new" else "The database is not migrated. Run: gql-app migrate"
    run("make-migration", "Orders", told=told)
    assert (f"{shop}_old" in tables(url)) is (file == "new")
    if file == "new":
        run("make-migration", "Again", told="is not migrated")
        assert f"{shop}_orders" not in tables(url)


def test_our_migrations_run_before_a_script_is_written_on_sqlite(tmp_path: Path, shop: str) -> None:
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    command.upgrade(core_config(url), "0011")
    run = partial(run_anew, shop, folder=tmp_path, url=url)
    run("make-migration", "Orders")
    at = text("SELECT version_num FROM alembic_version")
    assert run_on(url, lambda connection: connection.scalar(at)) == REVISION


DEFAULTS = ("", "it's", "(", "('')", '"', "FREE", "5")
"""Texts that are defaults of columns."""


def test_text_that_is_a_default_is_migrated_once(
    database_url: str, tmp_path: Path, shop: str
) -> None:
    code = tmp_path / shop / "__init__.py"
    before = code.read_text(encoding="utf-8")
    columns = "".join(
        f"    c{number}: Mapped[str] = mapped_column(server_default={default!r})\n"
        for number, default in enumerate(DEFAULTS)
    )

    def change(columns: str) -> None:
        code.write_text(
            before.replace("    cents: Mapped[int]\n", f"    cents: Mapped[int]\n{columns}"),
            encoding="utf-8",
        )
        run = partial(run_anew, shop, folder=tmp_path, url=database_url)
        run("make-migration", "Change")
        run("migrate")
        run("make-migration", "Again", told="There is nothing to migrate")

    change(columns)
    change(columns.replace("=''", "='new'").replace("it's", "it's new"))
    change(columns)


ORDERED = """

from sqlalchemy import ForeignKey
class OrderRow(Table):
    __tablename__ = "{name}_orders"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    cents: Mapped[int]
"""
REFERRING = """    customer_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("customers.id", ondelete="SET NULL")
    )
    number: Mapped[int | None] = mapped_column(unique=True)
"""


def test_constraints_of_a_written_migration_have_names_on_both_databases(
    database_url: str, tmp_path: Path, shop: str
) -> None:
    code, folder = tmp_path / shop / "__init__.py", tmp_path / shop / "migrations"
    head, _, tail = code.read_text(encoding="utf-8").partition("class OrderRow")
    tail = tail.partition("cents: Mapped[int]\n")[2]
    config: Config | None = None
    for number, columns in enumerate(("", REFERRING, "")):
        table = ORDERED.format(name=shop) + columns
        code.write_text(head + table + tail, encoding="utf-8")
        for command_line in (("make-migration", f"Step {number}"), ("migrate",)):
            run_anew(shop, *command_line, folder=tmp_path, url=database_url)
        [branch] = [Branch(shop, folder, frozenset({f"{shop}_orders"}), Table.metadata, ())]
        config = alembic_config(database_url, branch)
        command.check(config)
    scripts = [each.read_text(encoding="utf-8") for each in sorted(folder.glob("*.py"))]
    assert len(scripts) == 3
    assert not [each for each in scripts if re.search(r"(create|drop)_\w+\(None", each)]
    for name in ("customer_id_fkey", "number_key"):
        assert all(f"{shop}_orders_{name}" in each for each in scripts[1:])
    assert config
    command.downgrade(config, "base")
    command.upgrade(config, "0002")


def test_column_goes_with_a_foreign_key_that_an_older_migration_left_without_a_name(
    database_url: str, tmp_path: Path, shop: str
) -> None:
    kind = "CHAR(32)" if database_url.startswith("sqlite") else "UUID"
    work = (
        f"CREATE TABLE {shop}_orders (id {kind} NOT NULL PRIMARY KEY, cents INTEGER NOT NULL, "
        f"customer_id {kind} REFERENCES customers (id) ON DELETE SET NULL)"
    )
    folder = tmp_path / shop / "migrations"
    script = REFUSED.format(revision="0003", down=None, work=work)  # the first that is left
    (folder / "0003.py").write_text(script, encoding="utf-8")
    for command_line in (("migrate",), ("make-migration", "Drop"), ("migrate",)):
        run_anew(shop, *command_line, folder=tmp_path, url=database_url)
    written = (folder / "0004_drop.py").read_text(encoding="utf-8")
    assert "drop_constraint" not in written
    branch = Branch(shop, folder, frozenset({f"{shop}_orders"}), Table.metadata, ())
    command.check(alembic_config(database_url, branch))
    command.downgrade(alembic_config(database_url, branch), "0003")
    command.upgrade(alembic_config(database_url, branch), "0004")


ORDERS = """CREATE TABLE {name}_orders (
id {kind} NOT NULL PRIMARY KEY, cents INTEGER NOT NULL,
customer_id {kind}, number INTEGER,
{fk} FOREIGN KEY (customer_id) REFERENCES customers (id) ON DELETE SET NULL,
{uq} UNIQUE (number))"""


@pytest.mark.parametrize("written_on", ["named", "unnamed"])
def test_migration_changes_constraints_that_an_older_one_left_without_a_name(
    database_url: str, tmp_path: Path, shop: str, written_on: str
) -> None:
    kind = "CHAR(32)" if database_url.startswith("sqlite") else "UUID"
    unnamed = ORDERS.format(name=shop, kind=kind, fk="", uq="")
    names = [f"CONSTRAINT {shop}_orders_{each}" for each in ("customer_id_fkey", "number_key")]
    named = ORDERS.format(name=shop, kind=kind, fk=names[0], uq=names[1])
    folder, code = tmp_path / shop / "migrations", tmp_path / shop / "__init__.py"
    head, _, tail = code.read_text(encoding="utf-8").partition("class OrderRow")
    table = ORDERED.format(name=shop) + REFERRING.replace("SET NULL", "CASCADE")
    if written_on == "named":  # SQLite does not show that it has one without
        table = table.replace("unique=True", "")
    code.write_text(head + table + tail.partition("cents: Mapped[int]\n")[2], encoding="utf-8")
    script = REFUSED.format(revision="0001", down=None, work="SELECT 1")
    (folder / "0001.py").write_text(script, encoding="utf-8")

    def make(made: str, connection: Connection) -> None:
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {shop}_orders")
        connection.exec_driver_sql(made)

    for made, command_line in (
        (named, ("migrate",)),
        (named if written_on == "named" else unnamed, ("make-migration", "Change")),
        (unnamed, ("migrate",)),
    ):
        run_on(database_url, partial(make, made))
        run_anew(shop, *command_line, folder=tmp_path, url=database_url)
    branch = Branch(shop, folder, frozenset({f"{shop}_orders"}), Table.metadata, ())
    command.check(alembic_config(database_url, branch))
    command.downgrade(alembic_config(database_url, branch), "0001")
    command.upgrade(alembic_config(database_url, branch), "0002")


@pytest.mark.parametrize("name", ["old", "o" * 60])
def test_constraint_that_an_older_migration_left_without_a_name_is_there(
    database_url: str, tmp_path: Path, name: str
) -> None:
    def make(connection: Connection) -> None:
        columns = "a INTEGER NOT NULL PRIMARY KEY, b INTEGER, c INTEGER, UNIQUE (b)"
        connection.exec_driver_sql(f"CREATE TABLE {name} ({columns})")

    def check(unique: str) -> None:
        metadata = MetaData(naming_convention=Table.metadata.naming_convention)
        columns = [Column(each, Integer, unique=each == unique) for each in ("b", "c")]
        sqlalchemy.Table(name, metadata, Column("a", Integer, primary_key=True), *columns)
        branch = Branch("old", tmp_path, frozenset({name}), metadata, ())
        command.check(alembic_config(database_url, branch))

    run_on(database_url, make)
    check("b")
    with pytest.raises(CommandError, match="add_constraint"):
        check("c")


UNNAMED = """
import sqlalchemy as sa
from alembic import op
revision, down_revision = "0001", None


def upgrade():
    op.create_table("{table}", sa.Column("{column}", sa.Text), sa.UniqueConstraint("{column}"))
"""
UNMAKING = """
from alembic import op
revision, down_revision = "0002", "0001"


def upgrade():
    with op.batch_alter_table("{table}", naming_convention={{"uq": "{name}"}}) as batch_op:
        batch_op.drop_constraint("{name}", type_="unique")
"""


def test_constraint_without_a_name_in_a_script_is_dropped_by_the_name_that_it_has_without_us(
    database_url: str, tmp_path: Path, shop: str
) -> None:
    table, column = f"{shop}_{'t' * 40}", "c" * 40
    name = f"{table[:29]}_{column[:29]}_key"  # as PostgreSQL shortens it
    for number, script in ((1, UNNAMED), (2, UNMAKING)):
        text = script.format(table=table, column=column, name=name)
        (tmp_path / shop / f"migrations/000{number}.py").write_text(text, encoding="utf-8")
    done = migrate(database_url, tmp_path, f"{shop}:app")
    assert (done.returncode, done.stderr) == (0, "")

    def left(connection: Connection) -> object:
        return inspect(connection).get_unique_constraints(table)

    assert run_on(database_url, left) == []


TOGETHER = """
from uuid import UUID
from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column
from gql_app import Table


class Made(Table):
    __tablename__ = "{name}_made"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    other_id: Mapped[UUID | None] = mapped_column(ForeignKey("{other}_made.id"))
"""
MAKING = """
import sqlalchemy as sa
from alembic import op
revision, down_revision = "0001", None


def upgrade():
    op.create_table(
        "{name}_made",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("other_id", sa.Uuid(), sa.ForeignKey("{other}_made.id")),
    )
"""


@pytest.fixture
def refer(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[..., str]]:
    """Return a function that writes features whose tables refer to each other, and their app."""
    made: list[str] = []
    number = abs(hash(request.node.name)) % 10**6

    def write(**referred: str) -> str:
        others = {f"{name}{number}": f"{other}{number}" for name, other in referred.items()}
        for name, other in others.items():
            folder = tmp_path / name / "migrations"
            folder.mkdir(parents=True)
            text = TOGETHER.format(name=name, other=other)
            (folder.parent / "__init__.py").write_text(text, encoding="utf-8")
            text = MAKING.format(name=name, other=other)
            (folder / "0001_make.py").write_text(text, encoding="utf-8")
        app = "_".join((*others, "app"))
        features = [f"Feature('{name}', migrations='{name}:migrations')" for name in others]
        (tmp_path / f"{app}.py").write_text(
            f"import {', '.join(others)}\nfrom gql_app import Feature, create_app\n"
            f"app = create_app(features=[{', '.join(features)}])",
            encoding="utf-8",
        )
        made[:] = [*others, app]
        return f"{app}:app"

    yield write
    sys.path.remove(str(tmp_path))
    for name in made:
        sys.modules.pop(name, None)
        if f"{name}_made" in Table.metadata.tables:
            Table.metadata.remove(Table.metadata.tables[f"{name}_made"])


def test_features_are_migrated_after_those_whose_tables_they_refer_to(
    unmigrated_url: str, tmp_path: Path, refer: Callable[..., str]
) -> None:
    app = refer(last="middle", middle="first", first="first")
    done = migrate(unmigrated_url, tmp_path, app)
    assert (done.returncode, done.stderr) == (0, "")
    assert sum(name.endswith("_made") for name in tables(unmigrated_url)) == 3


def test_features_that_refer_to_each_other_are_told(
    unmigrated_url: str, tmp_path: Path, refer: Callable[..., str]
) -> None:
    done = migrate(unmigrated_url, tmp_path, refer(one="other", other="one"))
    told = (
        r"Tables of the features one\d+ and other\d+ refer to each other; make them one feature.\n"
    )
    assert (done.returncode, bool(re.fullmatch(told, done.stderr))) == (2, True), done.stderr


def test_folder_of_migrations_that_fork_is_told(tmp_path: Path) -> None:
    market = Path(__file__).with_name("market") / "migrations"
    folder = shutil.copytree(market, tmp_path / "migrations")
    text = (folder / "0002_rent.py").read_text(encoding="utf-8")
    (folder / "0003_fork.py").write_text(text.replace('"0002"', '"0003"'), encoding="utf-8")
    for revision, down in (("0004", "0003"), ("0005", "0001")):
        changed = text.replace('"0002"', f'"{revision}"').replace('"0001"', f'"{down}"')
        (folder / f"{revision}_fork.py").write_text(changed, encoding="utf-8")
    with pytest.raises(CannotStart) as raised:
        revisions(folder)
    [fault] = raised.value.faults
    assert fault == (
        f"{folder}: no migration follows 0002 and 0004 and 0005, of which one must be the last: "
        'write down_revision = "0002" in 0003 and down_revision = "0004" in 0005'
    )
    for name, after in (("0003_fork", "0002"), ("0005_fork", "0004")):
        file = folder / f"{name}.py"
        script = file.read_text(encoding="utf-8").replace('"0001"', f'"{after}"')
        file.write_text(script, encoding="utf-8")
    shutil.rmtree(folder / "__pycache__", ignore_errors=True)  # of the same second and size
    assert revisions(folder) == ("0001", "0002", "0003", "0004", "0005")


def test_migrations_of_one_number_are_told_with_the_remedy(tmp_path: Path) -> None:
    for name in ("0001_a", "0002_x", "0002_y", "0003_w", "0003_z"):
        down = f"000{int(name[3]) - 1}" if name > "0002" else None
        script = REFUSED.format(revision=name[:4], down=down, work="SELECT 1")
        (tmp_path / f"{name}.py").write_text(script, encoding="utf-8")
    with pytest.raises(CannotStart) as raised:
        revisions(tmp_path)
    assert set(raised.value.faults) == {
        f"{tmp_path}: two migrations are {each}: rename the file of the newer one, and set its "
        "revision and down_revision"
        for each in ("0002", "0003")
    }
    for name, moved, after in (("0002_y", "0004", "0003"), ("0003_w", "0005", "0004")):
        script = REFUSED.format(revision=moved, down=after, work="SELECT 1")
        (tmp_path / f"{name}.py").rename(tmp_path / f"{moved}.py").write_text(script, "utf-8")
    shutil.rmtree(tmp_path / "__pycache__", ignore_errors=True)
    assert revisions(tmp_path) == ("0001", "0002", "0003", "0004", "0005")


def test_migration_that_follows_a_missing_one_is_told(tmp_path: Path) -> None:
    script = REFUSED.format(revision="0010", down="0009", work="SELECT 1")
    (tmp_path / "0010.py").write_text(script, encoding="utf-8")
    with pytest.raises(CannotStart) as raised:
        revisions(tmp_path)
    assert raised.value.faults == (
        f"{tmp_path}: a migration follows 0009, which is not there: correct its down_revision",
    )


def test_migration_that_can_not_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "0001.py").write_text("import no_such_thing", encoding="utf-8")
    with pytest.raises(CannotStart, match="No module named 'no_such_thing'"):
        revisions(tmp_path)


async def test_migration_that_the_database_refuses_is_told_by_its_revision(
    database_url: str, tmp_path: Path, shop: str
) -> None:
    for revision, down, work in (
        ("0001", None, f"CREATE TABLE {shop}_orders AS SELECT 1 AS id"),
        ("0002", "0001", f"ALTER TABLE {shop}_orders ADD COLUMN cents INT NOT NULL"),
    ):
        script = REFUSED.format(revision=revision, down=down, work=work)
        (tmp_path / shop / f"migrations/{revision}.py").write_text(script, encoding="utf-8")
    done = await asyncio.to_thread(migrate, database_url, tmp_path, f"{shop}:app")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"The database can't be migrated by revision 0002 of {shop}. ")
    assert done.stderr.endswith(" Correct the statement, or restore a backup.\n")
    assert "NOT NULL" in done.stderr or "null values" in done.stderr


@pytest.mark.parametrize("work", ["DROP TYPE nothing", "SET work_mem = 'a lot'"])
async def test_url_is_not_blamed_for_what_a_migration_names(
    postgres: Postgres, tmp_path: Path, shop: str, work: str
) -> None:
    script = REFUSED.format(revision="0001", down=None, work=work)
    (tmp_path / shop / "migrations/0001.py").write_text(script, encoding="utf-8")
    with postgres.copied() as url:
        done = await asyncio.to_thread(migrate, url, tmp_path, f"{shop}:app")
    told = f"The database can't be migrated by revision 0001 of {shop}. PostgreSQL says: "
    assert (done.returncode, done.stderr.startswith(told)) == (1, True), done.stderr
    assert "URL" not in done.stderr
    assert "log" not in done.stderr


@pytest.mark.parametrize(
    ("work", "why"),
    [
        ("[].pop()", "IndexError: pop from empty list."),
        ("raise AssertionError", "AssertionError."),
        ("raise ValueError('two\\nlines')", "ValueError: two lines."),
        ("op.no_such_thing()", "AttributeError: module 'alembic.op' has no attribute"),
    ],
)
async def test_migration_that_raises_anything_is_told_by_its_revision(
    database_url: str, tmp_path: Path, shop: str, work: str, why: str
) -> None:
    script = REFUSED.format(revision="0001", down=None, work="SELECT 1")
    script = script.replace("op.execute('SELECT 1')", work)
    (tmp_path / shop / "migrations/0001.py").write_text(script, encoding="utf-8")
    done = await asyncio.to_thread(migrate, database_url, tmp_path, f"{shop}:app")
    assert (done.returncode, done.stdout) == (1, "")
    told = f"The database can't be migrated by revision 0001 of {shop}. {why}"
    assert done.stderr.startswith(told), done.stderr
    assert done.stderr.count("\n") == 1
