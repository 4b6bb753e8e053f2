"""Applications by name: --app and GQL_APP_APP, and what is said where there is none."""

import os
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Final

import pytest

from gql_app import Application
from gql_app.cli.application import APP
from gql_app.extending.loading import load_application
from gql_app.lib.faults import CannotStart
from gql_app.settings import APP as IN_SETTINGS
from tests.commands import output_here, run_here
from tests.conftest import SECRET
from tests.processes import run_main

MARKET = "tests.extending.market.api:app"
WHAT = "it must be what gql_app.create_app() returns"


@pytest.fixture(autouse=True)
def modules(tmp_path: Path) -> Iterator[None]:
    """Forget what was imported of the test's own folder."""
    before = {*sys.modules}
    yield
    for name in {*sys.modules} - before:
        if str(tmp_path) in (getattr(sys.modules[name], "__file__", None) or ""):
            del sys.modules[name]
    if str(tmp_path) in sys.path:
        sys.path.remove(str(tmp_path))


@pytest.mark.parametrize(
    ("place", "fault"),
    [
        ("market", "must be module:name, as in shop.api:app, not market"),
        (":app", "must be module:name, as in shop.api:app, not :app"),
        ("nowhere:app", "nowhere:app can't be imported: there is no module nowhere in "),
        ("os.nowhere:app", "os.nowhere:app can't be imported: there is no module os.nowhere in "),
        ("os:nothing", f"os:nothing is not there; {WHAT}"),
        ("os:sep", f"os:sep is of the type str; {WHAT}"),
        ("gql_app:create_app", f"gql_app:create_app is of the type function; {WHAT}"),
        ("broken:app", "broken:app can't be imported: SyntaxError: "),
        (
            "needy:app",
            "needy:app can't be imported: ModuleNotFoundError: No module named 'lacking'",
        ),
        ("failing:app", "failing:app can't be imported: ZeroDivisionError: division by zero ("),
    ],
)
def test_application_that_is_none_is_told_by_its_cause(
    tmp_path: Path, place: str, fault: str
) -> None:
    for name, source in (
        ("broken", "def"),
        ("needy", "import lacking"),
        ("failing", "x = 1\ny = x / 0"),
    ):
        (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
    for done in (
        run_here("--app", place, "migrate", folder=tmp_path),
        run_here("migrate", folder=tmp_path, app=place),
    ):
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"{APP}: {fault}")
        assert done.stderr.count("\n") == 1
    assert not list(tmp_path.glob("*.db"))


def test_fault_names_the_file_and_line_that_it_comes_from(tmp_path: Path) -> None:
    (tmp_path / "failing.py").write_text("x = 1\ny = x / 0", encoding="utf-8")
    done = run_main("--app", "failing:app", "serve", folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr.endswith(f"({tmp_path / 'failing.py'}, line 2)\n")


CALLING: Final = """
class Rule(gql_app.IsAuthenticated): __init__ = lambda self: rule()
@__import__("strawberry").type
class Done(gql_app.Payload): pass
async def act(self, info: gql_app.Info) -> Done: ...
gql_app.mutation(Done, "Rules.", Rule)(act)
"""
"""A call of ours which calls the builder's own."""


def test_fault_of_a_call_names_the_builders_last_line(tmp_path: Path) -> None:
    for name, call in (
        ("calling", "gql_app.loader(\n    None,\n)"),
        ("deeper", "gql_app.extend(gql_app.Customer)(\n    5,\n)"),
        ("library", "__import__('json').loads(\n    '{',\n)"),
        ("builders", f"def rule(): raise LookupError\n{CALLING}"),
    ):
        (tmp_path / f"{name}.py").write_text(f"import gql_app\n{call}\n", encoding="utf-8")
        done = run_here("--app", f"{name}:app", "migrate", folder=tmp_path)
        assert done.returncode == 2
        assert done.stderr.endswith(f"({tmp_path / name}.py, line 2)\n"), done.stderr


def test_faults_of_its_features_are_told(tmp_path: Path) -> None:
    (tmp_path / "faulty.py").write_text(
        "from gql_app import Feature, create_app\n"
        "app = create_app(features=[Feature('A'), Feature('b', actions=['x'])])",
        encoding="utf-8",
    )
    done = run_main("--app=faulty:app", "migrate", folder=tmp_path)
    assert (done.returncode, done.stderr.splitlines()) == (
        2,
        [
            "The feature A: its name must be 1 to 20 small letters and digits, a letter first.",
            (
                "The feature b: the action x isn't "
                "[a-z][a-z0-9_]*:[a-z][a-z0-9_]*, of at most 40 characters."
            ),
        ],
    )


FAULTY = """import strawberry
from gql_app import Feature, FeatureSettings, Role, create_app
class Needy(FeatureSettings):
    needed: int
@strawberry.type
class Customer:
    x: int
@strawberry.type
class Lists:
    @strawberry.field
    def first(self) -> Customer | None: ...
bad = Feature("bad", queries=[Lists], roles=[Role("a b", {"a:b"})], routes=["/x"], settings=Needy)
app = create_app(features=[bad])
"""
FAULTS = [
    "The feature bad: '/x' is neither a Route nor a Mount of Starlette's.",
    "The feature bad: the role a b must have a name of small letters, digits and _, 40 at most.",
    (
        "The schema can't be built: Type Customer is defined multiple times in the schema: "
        "faulty.Customer and gql_app.schema.customers.Customer. Rename one."
    ),
    "GQL_APP_LOG_LEVEL: should be 'DEBUG', 'INFO', 'WARNING', 'ERROR' or 'CRITICAL'",
    "GQL_APP_BAD_NEEDED: is required",
]


@pytest.mark.parametrize("command", ["migrate", "serve", "version"])
def test_faults_of_features_and_of_all_settings_are_told_at_once(
    tmp_path: Path, command: str
) -> None:
    (tmp_path / "faulty.py").write_text(FAULTY, encoding="utf-8")
    done = run_here("--app=faulty:app", command, folder=tmp_path, log_level="loud")
    assert (done.returncode, done.stderr.splitlines()) == (2, FAULTS)


UNREAD = """from gql_app import Feature, FeatureSettings, create_app
class Own(FeatureSettings):
    password: str
class Other(FeatureSettings):
    prices: dict[str, int]
app = create_app(features=[
    Feature("admin", settings=Own),
    Feature("Shop x", settings=Own),
    Feature("prices", settings=Other),
    Feature("twice", settings=Own),
    Feature("twice", settings=Other),
])
"""


def test_settings_of_a_feature_are_not_required_while_their_names_are_faults(
    tmp_path: Path,
) -> None:
    (tmp_path / "unread.py").write_text(UNREAD, encoding="utf-8")
    done = run_here("--app=unread:app", "version", folder=tmp_path)
    assert done.returncode == 2
    assert "GQL_APP_ADMIN_PASSWORD is read already" in done.stderr
    assert "GQL_APP_LOG_LEVEL" not in done.stderr
    for faulty in ("is required", "should be"):
        assert faulty not in done.stderr


def test_faults_are_told_at_once_where_an_application_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "faulty.py").write_text(FAULTY, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("GQL_APP_LOG_LEVEL", "loud")
    with pytest.raises(CannotStart) as raised:
        import_module("faulty")
    assert [*raised.value.faults] == FAULTS


def test_application_is_imported_from_the_working_folder(tmp_path: Path) -> None:
    (tmp_path / "corner.py").write_text(
        "from gql_app import Feature, create_app\n"
        "def greet(): 'Say hello.'; print('hello')\n"
        "app = create_app(features=[Feature('corner', commands=[greet])])",
        encoding="utf-8",
    )
    for told in (["--app", "corner:app"], ["--app=corner:app"]):
        done = run_main(*told, "greet", folder=tmp_path)
        assert (done.returncode, done.stdout) == (0, "hello\n")
    assert run_main("greet", folder=tmp_path, app="corner:app").stdout == "hello\n"
    assert run_main("greet", folder=tmp_path).returncode == 2


def test_typer_of_a_feature_is_a_command_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "tooled.py").write_text(
        "import typer\n"
        "from gql_app import Feature, create_app\n"
        "tools = typer.Typer(name='clinic-tools', help='Look after the clinic.')\n"
        "for name in ('check', 'status'):\n"
        "    tools.command(name)(lambda name=name: print(f'the {name} of the clinic'))\n"
        "app = create_app(features=[Feature('clinic', commands=[tools])])",
        encoding="utf-8",
    )

    def run(*command: str) -> str:
        return run_here("--app", "tooled:app", *command, folder=tmp_path).stdout

    assert run("clinic-tools", "check") == "the check of the clinic\n"
    assert run("clinic-tools", "status") == "the status of the clinic\n"
    assert "pending-migrations" in run("check")
    assert "Look after the clinic." in run("--help")
    assert run_here("--app", "tooled:app", "status", folder=tmp_path).returncode == 2


def test_option_says_more_than_the_variable(tmp_path: Path) -> None:
    done = run_here("--app", MARKET, "count-stalls", folder=tmp_path, app="nowhere:app")
    assert done.returncode == 0, done.stderr


def test_loading_reads_no_settings_and_opens_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GQL_APP_LOG_LEVEL", "LOUD")
    (tmp_path / "quiet.py").write_text(
        "from gql_app import create_app\napp = create_app()", encoding="utf-8"
    )
    app = load_application("quiet:app", Application)
    assert [each.name for each in tmp_path.iterdir() if each.suffix == ".db"] == []
    with pytest.raises(CannotStart, match="GQL_APP_LOG_LEVEL"):
        app.complete()
    monkeypatch.delenv("GQL_APP_LOG_LEVEL")
    assert app.complete().complete() is app
    assert [route for route in app.routes if getattr(route, "path", "") == "/graphql"]


def test_application_that_was_given_settings_keeps_them(tmp_path: Path) -> None:
    (tmp_path / "set.py").write_text("", encoding="utf-8")
    (tmp_path / "given.py").write_text(
        "from gql_app import Settings, create_app\n"
        "app = create_app(Settings(playground=False, introspection=False))",
        encoding="utf-8",
    )
    before = os.getcwd()  # noqa: PTH109 — to go back
    os.chdir(tmp_path)
    try:
        app = load_application("given:app", Application).complete()
    finally:
        os.chdir(before)
    assert not [each for each in app.routes if getattr(each, "path", "").startswith("/playground")]


GIVEN = """
from gql_app import Settings, create_app
app = create_app(Settings(database_url="{url}", secret_key="{secret}"))
"""


def test_commands_take_the_settings_that_the_application_was_given(
    unmigrated_url: str, tmp_path: Path
) -> None:
    folder = tmp_path / "app"
    folder.mkdir()
    code = GIVEN.format(url=unmigrated_url, secret=SECRET)
    (folder / "given_all.py").write_text(code, encoding="utf-8")

    def run(*command: str, **settings: str) -> str:
        app = "given_all:app"
        other = f"sqlite:///{folder}/other.db"
        done = run_here("--app", app, *command, folder=folder, database_url=other, **settings)
        assert not [*folder.glob("*.db")]
        return done.stdout + done.stderr

    assert "pending-migrations" in run("check")
    assert run("migrate") == "The database is up to date.\n"
    assert "pending-migrations" not in run("check")
    admin = ("create-admin", "--email", "grace@example.com", "--name", "Grace")
    assert (
        run(*admin, admin_password="a loom for numbers") == "grace@example.com is now an admin.\n"
    )
    assert "grace@example.com" in run("export", "--format", "csv")
    assert run("purge") == "0 rows are gone.\n"
    assert run("end-sessions") == "0 sessions are ended.\n"
    copied = run("backup", "copy")
    assert ("is copied to copy" in copied) == unmigrated_url.startswith("sqlite")
    own = "--demo: the application was created with settings of its own\n"
    assert run("serve", "--demo") == own


def test_the_variable_has_one_name() -> None:
    assert APP == IN_SETTINGS


def test_its_commands_are_listed_with_ours(tmp_path: Path) -> None:
    listed = output_here("--app", MARKET, "--help", folder=tmp_path)
    assert "count-stalls" in listed
    assert "make-migration" in listed
    assert "Count the stalls." in listed
    alone = output_here("--help", folder=tmp_path)
    assert "count-stalls" not in alone
    assert "make-migration" not in alone
    assert "--rent" in output_here("--app", MARKET, "count-stalls", "--help", folder=tmp_path)
